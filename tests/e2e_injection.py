#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_injection.py - each allocation and each system call of a run fails in turn
(tests/failing.c is preloaded): softprobe ends with a clear line, or goes on,
and never crashes or hangs.

FAULT_RUNS=N makes at most N runs of each way to run, evenly spread over its
calls: with 100000 every call fails once, which takes minutes.
"""
import os
import signal
import socket
import subprocess
import time

import e2e
from e2e import check, equal, path

CAPTURE = e2e.capture("zeek__wikipedia.pcap")
RUNS_MAX = int(os.environ.get("FAULT_RUNS", "60"))
SECONDS = 20
SHIM = path("failing.so")


class Run:
    """One run whose `at`th call fails (0: none)."""

    def __init__(self, words, at, talk=None):
        self.at, self.log = at, path("log-%d-%d" % (id(words), at))
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment())
        try:
            if talk:
                talk(self.process)
            self.out, err = self.process.communicate(timeout=SECONDS)
            self.code = self.process.returncode
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, err = self.process.communicate()
            self.code = "timeout"
        self.err = err.decode(errors="replace")

    def environment(self):
        more = {"LD_PRELOAD": SHIM, "FAIL_AT": str(self.at),
            "FAIL_LOG": self.log}
        if e2e.SANITIZED:
            more["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        return dict(os.environ, **more)

    def noted(self):
        """How many calls there were, and which one failed."""
        try:
            with open(self.log, encoding="ascii") as log:
                count, name = log.readlines()[-1].split()
        except (OSError, ValueError, IndexError):
            return 0, "none"
        return int(count), name

    def ended(self):
        """Whether it ended as a program should."""
        words = [l for l in self.err.splitlines() if l.strip()]
        return (self.code in (0, 1, 2) and "runtime error" not in self.err and
            "Sanitizer" not in self.err and
            (self.code == 0 or bool(words)))

    def __str__(self):
        return "call %d (%s): exit %s: %s" % (
            self.at, self.noted()[1], self.code, self.err[-400:])


class Daemon(Run):
    """A run in the background: how its parent ended, then how it did."""

    def __init__(self, words, at):
        self.at, self.log = at, path("log-%d-%d" % (id(words), at))
        self.out = b""
        with open(path("daemon.err"), "w+b") as err:
            parent = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=err, env=self.environment())
            try:
                self.code = parent.wait(SECONDS)
            except subprocess.TimeoutExpired:
                parent.kill()
                self.code = "timeout of the parent"
            self.pid = running(words)
            if self.code == 0:
                self.code = self.stopped(words[words.index("-c") + 1])
            elif self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)
                self.code = "%s, but the daemon ran on" % self.code
            self.reap()
            err.seek(0)
            self.err = err.read().decode(errors="replace")

    def stopped(self, control):
        """Ask it, stop it; its own exit code."""
        if self.pid is None:
            return self.reap()
        e2e.ctl(control, "statistics")
        e2e.ctl(control, "expire-all")
        os.kill(self.pid, signal.SIGTERM)
        if e2e.wait_for(lambda: self.status() == "Z", SECONDS):
            return self.reap()
        os.kill(self.pid, signal.SIGKILL)
        return "timeout"

    def status(self):
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0]

    def reap(self):
        """
        The exit code of the daemon: as the first process of our namespace we
        are the parent of who has none.
        """
        code = "no status"
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if pid == 0:
                return code
            code = os.waitstatus_to_exitcode(status)


def running(words):
    """The process that has this command line, or None."""
    line = "\0".join(words).encode() + b"\0"
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as f:
                if f.read() == line:
                    return int(name)
        except OSError:
            pass
    return None


def turns(total, most):
    """Which calls fail: all, or as many as there is time for."""
    if total <= most:
        return range(1, total + 1)
    return sorted({1 + n * total // most for n in range(most)})


def each_call_fails(said, command, judge=None, most=RUNS_MAX, jobs=4,
        kind=Run, **more):
    """command() gives the words of a run, whose files are its own."""
    whole = kind(command(0), 0, **more)
    total = whole.noted()[0]
    check(said + ": without a fault it succeeds", whole.code == 0, whole)
    check(said + ": its calls are seen", total > 3, total)
    runs = e2e.each(lambda at: kind(command(at), at, **more), turns(total,
        most), jobs)
    bad = [str(run) for run in runs if not run.ended()]
    check(said + ": it ends with a clear line, or goes on", not bad,
        "\n".join(bad[:4]))
    check(said + ": calls failed", sum(run.noted()[1] != "end"
        for run in runs) > len(runs) // 2, [run.noted() for run in runs[:9]])
    if judge:
        wrong = [str(run) for run in runs if run.code == 0 and
            not judge(whole, run)]
        check(said + ": exit 0 means that nothing is missing", not wrong,
            "\n".join(wrong[:4]))


def same_records(whole, run):
    return run.out == whole.out


def replay_to_standard_output():
    each_call_fails("a replay", lambda at: [e2e.SOFTPROBE, "--quiet", "--json",
        "-r", CAPTURE], same_records)


def replay_with_all_that_can_be_asked_for():
    each_call_fails("a replay with fields and workers", lambda at: [
        e2e.SOFTPROBE, "--quiet", "--json", "-b", "--workers", "2", "-s", "1",
        "--fields", "sourceMacAddress,flowId,tcpOptions,interfaceName", "-r",
        CAPTURE, "tcp or udp"])


def replay_to_collectors():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, \
            socket.create_server(("127.0.0.1", 0), backlog=1000) as t:
        s.bind(("127.0.0.1", 0))
        udp, tcp = s.getsockname()[1], t.getsockname()[1]
        each_call_fails("a replay to collectors", lambda at: [e2e.SOFTPROBE,
            "-r", CAPTURE, "--export-rate", "0", "-n",
            "127.0.0.1:%d,tcp://127.0.0.1:%d,udp://localhost:%d" % (
                udp, tcp, udp), "-n", "file:" + path("f%d.ipfix" % at), "-n",
            "udp://127.0.0.1:%d?version=9" % udp, "-p",
            path("pid%d" % at), "-c", path("ctl%d" % at)])


def a_running_probe_that_is_asked():
    """Standard input is an open pipe, so that it runs until told to stop."""
    with open(CAPTURE, "rb") as f:
        octets = f.read()

    def talk(process):
        ctl = process.args[process.args.index("-c") + 1]
        try:
            process.stdin.write(octets)
            process.stdin.flush()
        except BrokenPipeError:
            pass
        e2e.wait_for(lambda: os.path.exists(ctl) or
            process.poll() is not None, 5)
        for words in (("statistics",), ("flows",), ("--json", "collectors"),
                ("set", "idle=5s"), ("nonsense",)):
            e2e.ctl(ctl, *words)
        process.send_signal(signal.SIGTERM)
    each_call_fails("a probe that is asked", lambda at: [e2e.SOFTPROBE,
        "--quiet", "-r", "-", "-c", path("ask%d" % at), "-n",
        "127.0.0.1:9"], talk=talk, most=RUNS_MAX // 2)


def talk_to(ctl, *requests):
    for words in requests:
        e2e.ctl(ctl, *words)


def a_live_probe_that_is_asked():
    """All commands that change something, two workers, files it leaves."""
    def talk(process):
        ctl = process.args[process.args.index("-c") + 1]
        e2e.wait_for(lambda: os.path.exists(ctl) or
            process.poll() is not None, 5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for n in range(20):
                s.sendto(b"x", ("127.0.1.%d" % n, 9))
        talk_to(ctl, ("interfaces",), ("timeouts",), ("expire-all",),
            ("send-template",), ("set", "timeout", "udp=5"), ("--json",
            "dump-flows"), ("delete-all",), ("shutdown",))
        process.send_signal(signal.SIGTERM)
    each_call_fails("a live probe", lambda at: [e2e.SOFTPROBE, "-d", "--quiet",
        "-i", "lo", "--workers", "2", "-c", path("live%d" % at), "-p",
        path("livepid%d" % at), "-n", "127.0.0.1:9,udp://127.0.0.1:9?version=9",
        "--fields", "interfaceName", "udp"], talk=talk, most=RUNS_MAX // 2)


def an_interface_that_is_lost():
    def talk(process):
        name = process.args[process.args.index("-i") + 1]
        ctl = process.args[process.args.index("-c") + 1]
        e2e.wait_for(lambda: os.path.exists(ctl) or
            process.poll() is not None, 5)
        e2e.sh("ip", "link", "delete", name)
        time.sleep(0.2)
        e2e.veth(name, "p" + name)
        time.sleep(1.3)  # it is tried again after a second
        process.send_signal(signal.SIGTERM)

    def command(at):
        name = "fault%d" % at
        e2e.veth(name, "p" + name)
        return [e2e.SOFTPROBE, "-d", "--quiet", "--json", "-i", name, "-c",
            path("lost%d" % at)]
    each_call_fails("an interface that is lost", command, talk=talk,
        most=RUNS_MAX // 5, jobs=6)


def a_daemon():
    each_call_fails("a daemon", lambda at: [e2e.SOFTPROBE, "-i", "lo", "-c",
        path("d%d" % at), "-p", path("dpid%d" % at), "-n", "127.0.0.1:9"],
        most=RUNS_MAX // 4, jobs=1, kind=Daemon)


def the_client():
    with e2e.Probe("-r", "-", "-c", path("client"), "-n", "127.0.0.1:9",
            stdin=subprocess.PIPE) as run:
        e2e.wait_for(lambda: os.path.exists(path("client")))
        each_call_fails("softprobectl", lambda at: [e2e.SOFTPROBECTL, "-c",
            path("client"), "help"])
        run.process.stdin.close()
        run.wait()


if __name__ == "__main__":
    if not e2e.need("all of it", os.environ.get("CC", "cc").split()[0]):
        e2e.main([])
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        e2e.skip("all of it", "tests/failing.c needs glibc")
        e2e.main([])
    live = e2e.private_network("live probes and daemons")
    # A sanitized program has its own allocator.
    e2e.library("failing", *(["-DNO_ALLOCATIONS"] if e2e.SANITIZED else []))
    e2e.main([replay_to_standard_output,
        replay_with_all_that_can_be_asked_for, replay_to_collectors,
        a_running_probe_that_is_asked, the_client] +
        ([a_live_probe_that_is_asked, an_interface_that_is_lost, a_daemon]
        if live else []))

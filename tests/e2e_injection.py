#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_injection.py - each allocation and each system call of a run fails in turn
(tests/failing.c is preloaded): softprobe ends with a clear line, or goes on,
and never crashes or hangs.
"""
import os
import signal
import socket
import subprocess

import e2e
from e2e import check, equal, path

CAPTURE = e2e.capture("zeek__wikipedia.pcap")
RUNS_MAX = int(os.environ.get("FAULT_RUNS", "60"))  # of each way to run
SECONDS = 20
SHIM = path("failing.so")


def build():
    """The library; a sanitized program has its own allocator."""
    return subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC",
        "-D_GNU_SOURCE", "-o", SHIM,
        os.path.join(e2e.TREE, "tests", "failing.c"), "-ldl"] +
        (["-DNO_ALLOCATIONS"] if e2e.SANITIZED else []),
        capture_output=True, text=True)


class Run:
    """One run whose `at`th call fails (0: none)."""

    def __init__(self, words, at, talk=None):
        self.at, self.log = at, path("log-%d-%d" % (id(words), at))
        environment = dict(os.environ, LD_PRELOAD=SHIM, FAIL_AT=str(at),
            FAIL_LOG=self.log)
        if e2e.SANITIZED:
            environment["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
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

    def noted(self):
        """How many calls there were, and which one failed."""
        try:
            with open(self.log, encoding="ascii") as log:
                count, name = log.read().split()
        except (OSError, ValueError):
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


def turns(total, most):
    """Which calls fail: all, or as many as there is time for."""
    if total <= most:
        return range(1, total + 1)
    return sorted({1 + n * total // most for n in range(most)})


def each_call_fails(said, command, judge=None, most=RUNS_MAX, **more):
    """command() gives the words of a run, whose files are its own."""
    whole = Run(command(0), 0, **more)
    total = whole.noted()[0]
    check(said + ": without a fault it succeeds", whole.code == 0, whole)
    check(said + ": its calls are seen", total > 3, total)
    runs = e2e.each(lambda at: Run(command(at), at, **more), turns(total,
        most), 4)
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
    built = build()
    check("what has calls fail is built", built.returncode == 0, built.stderr)
    e2e.main([replay_to_standard_output,
        replay_with_all_that_can_be_asked_for, replay_to_collectors,
        a_running_probe_that_is_asked, the_client])

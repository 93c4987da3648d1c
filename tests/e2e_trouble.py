#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_trouble.py - the system gets in the way: a limit of memory, an interface
that is renamed, changed or refuses a mode, a kill at any moment, a refused
call in the background.
"""
import os
import random
import re
import signal
import socket
import threading
import time

import e2e
from e2e import check, ctl, equal, path, probe, sh, wait_for
from e2e_exhaustion import flood, syns, told_kib
from e2e_live import FAR, NEAR, Live, Wire, alive, ended_well
from frames import eth, udp4

KILLS = 5 if e2e.SANITIZED else 20
DISCARD = "127.0.0.1:9"


# ---- a control group ----------------------------------------------------

GROUPS = (  # where, what makes a group limit memory
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))


class Group:
    """A control group with a limit of memory, of version 2 or 1."""

    def __init__(self, octets):
        self.name = None
        for root, limit in GROUPS:
            name = os.path.join(root, "softprobe-test-%d" % os.getpid())
            try:
                os.mkdir(name)
            except OSError:
                continue
            try:
                with open(os.path.join(name, limit), "r+",
                        encoding="ascii") as f:
                    f.write(str(octets))
                self.name = name
                return
            except OSError:
                os.rmdir(name)

    def enter(self):
        with open(os.path.join(self.name, "cgroup.procs"), "w",
                encoding="ascii") as f:
            f.write(str(os.getpid()))

    def remove(self):
        wait_for(self.removed)

    def removed(self):
        try:
            os.rmdir(self.name)
        except OSError:  # a process is still leaving it
            return False
        return True


def limit_of_memory():
    """What --check tells is enough for a flood, in a group with no more."""
    words = ("-m", "8192", "--json")
    kib = told_kib("-r", "-", *words)
    group = None if e2e.SANITIZED else Group(int(kib) * 1024)
    if group is None or group.name is None:
        e2e.skip("a control group's limit of memory", "sanitizers take more"
            if e2e.SANITIZED else "no control group can be made here")
        return
    pid = os.fork()
    if pid == 0:  # the flood and softprobe are both in the group
        group.enter()
        result, _ = flood(syns(50000), *words)
        good = result.code == 0 and e2e.balanced(result.err) and \
            result.summary("packets received") == 50000
        if not good:
            print(result)
        os._exit(0 if good else 1)
    _, status = os.waitpid(pid, 0)
    group.remove()
    equal("in a control group with the memory that --check tells, a flood is "
        "accounted", os.waitstatus_to_exitcode(status), 0)


# ---- interfaces ---------------------------------------------------------

def interface_is_renamed():
    """One that is not there by its name is lost; it is told, and picked up."""
    with Live("--json", "-t", "idle=1h") as run, Wire() as wire:
        wire.send(eth(udp4(1)))
        check("renamed: it captures", wait_for(lambda: run.received() == 1))
        sh("ip", "link", "set", FAR, "down")
        sh("ip", "link", "set", FAR, "name", "renamed0")
        sh("ip", "link", "set", "renamed0", "up")
        check("renamed: that it is lost is told", wait_for(lambda: re.search(
            "%s: .*waiting for it to return" % FAR, run.err), 20), run)
        check("renamed: it goes on", run.running() and
            "down" in ctl(run.ctl, "interfaces")[1], run)
        sh("ip", "link", "set", "renamed0", "name", FAR)
        sh("ip", "link", "set", FAR, "up")
        check("renamed: when its name is back it captures again, and tells",
            wait_for(lambda: "interface %s: capturing" % FAR in run.err, 20),
            run)
        before = run.received()
        def more():
            wire.send(eth(udp4(2)))
            return run.received() > before
        check("renamed: packets are metered again", wait_for(more, 20), run)
        ended_well("renamed", run)


def mtu_changes():
    with Live("--json", "-t", "idle=1h") as run, Wire() as wire:
        for n, mtu in enumerate((1500, 600, 9000)):
            sh("ip", "link", "set", FAR, "mtu", str(mtu))
            wire.send(eth(udp4(n, payload=b"x" * 500)))
            check("MTU %d: the packet is metered" % mtu, wait_for(
                lambda: run.received() == n + 1), run)
        ended_well("MTU changes", run)
        check("MTU changes: nothing is lost or opened again",
            "waiting for it" not in run.err, run)


def promiscuous_mode_is_refused():
    """Without the right kind of interface the mode is left alone."""
    with Live("--json", sources=("-i", "any")) as run, Wire() as wire:
        wire.send(eth(udp4(1)))
        check("any, which has no promiscuous mode: it captures", wait_for(
            lambda: run.received() >= 1), run)
        ended_well("any", run)
    if e2e.SANITIZED:
        e2e.skip("a refused mode", "a sanitizer is to be loaded first")
        return
    shim = e2e.library("stubborn")
    os.environ["LD_PRELOAD"] = shim
    try:
        with Live("--json") as run, Wire() as wire:
            wire.send(eth(udp4(1)))
            check("refused: it captures without", wait_for(
                lambda: run.received() == 1), run)
            check("refused: a line says so", "%s: promiscuous mode refused, "
                "going on without" % FAR in run.err, run)
            ended_well("refused", run)
    finally:
        del os.environ["LD_PRELOAD"]


# ---- killed -------------------------------------------------------------

def killed_at_random_moments():
    pidfile, control = path("killed.pid"), path("killed.ctl")
    words = ["-i", FAR, "-n", DISCARD, "-p", pidfile, "-c", control, "-t",
        "idle=1", "-t", "expint=0"]
    moments = random.Random(1)
    stop = threading.Event()

    def load():
        with Wire() as wire:
            n = 0
            while not stop.is_set():
                wire.send(*(eth(udp4(n + i)) for i in range(50)))
                n += 50
                time.sleep(0.002)
    sender = threading.Thread(target=load)
    sender.start()
    try:
        started = refused = 0
        for turn in range(KILLS):
            result = probe(*words)
            pid = pid_in(pidfile)
            started += result.code == 0 and alive(pid)
            again = probe(*words)
            refused += again.code == 1 and str(pid) in again.err
            time.sleep(moments.uniform(0, 0.1))
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not alive(pid))
        equal("killed: each time it comes up by itself, stale pidfile and "
            "socket are replaced", started, KILLS)
        equal("killed: each time one that lives is left alone, and named",
            refused, KILLS)
        check("killed: they are left behind", os.path.exists(pidfile) and
            os.path.exists(control))
        result = probe(*words)
        pid = pid_in(pidfile)
        check("killed: the last one meters", result.code == 0 and wait_for(
            lambda: (e2e.number(ctl(control, "statistics")[1],
            "packets received") or 0) > 100), result)
        check("killed: its account balances", e2e.balanced(ctl(control,
            "statistics")[1]))
    finally:
        stop.set()
        sender.join()
    os.kill(pid, signal.SIGTERM)
    check("killed: the last one leaves, and takes both along", wait_for(lambda:
        not alive(pid) and not os.path.exists(pidfile) and
        not os.path.exists(control)))


def pid_in(pidfile):
    with open(pidfile, encoding="ascii") as f:
        return int(f.read())


# ---- last words ---------------------------------------------------------

def last_words_go_to_syslog():
    """A daemon whose call is refused has no standard error to say so."""
    dev = path("dev")
    os.mkdir(dev)
    sh("mount", "-t", "tmpfs", "tmpfs", dev)
    for name in ("null", "urandom", "random", "zero"):
        with open(os.path.join(dev, name), "wb"):
            pass
        sh("mount", "--bind", "/dev/" + name, os.path.join(dev, name))
    sh("mount", "--rbind", dev, "/dev")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        syslog.settimeout(20)
        pidfile = path("words.pid")
        result = probe("-i", FAR, "-n", DISCARD, "-p", pidfile, "-c", "none")
        equal("last words: the daemon starts", result.code, 0)
        pid = pid_in(pidfile)
        os.kill(pid, signal.SIGSYS)
        said = []
        try:
            while not any("leaving" in line for line in said):
                said.append(syslog.recv(1024).decode())
        except socket.timeout:
            pass
        last = said[-1] if said else ""
        check("last words: they are in the system's log, as an error of a "
            "daemon", re.match(r"<27>softprobe: sandbox: the (exporting|metering) thread "
            r"made the system call .*; leaving$", last), said)
        check("last words: then it is gone", wait_for(lambda: not alive(pid)))


if __name__ == "__main__":
    tests = [limit_of_memory]
    if e2e.private_network("interfaces and daemons in trouble"):
        e2e.veth(NEAR, FAR)
        tests += [interface_is_renamed, mtu_changes,
            promiscuous_mode_is_refused, killed_at_random_moments,
            last_words_go_to_syslog]
    e2e.main(tests)

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_notify.py - what a service manager is told: that softprobe is ready, that
it lives while packets are looked after, that it stops.
"""
import ctypes
import os
import signal
import socket
import time

import e2e
from e2e import Probe, check, equal, skip, wait_for
from e2e_live import FAR, NEAR, Live

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
LIBC = ctypes.CDLL(None, use_errno=True)
WALL = 0x40000000  # also threads
DISCARD = "127.0.0.1:9"


class Manager:
    """A manager's socket; it is told how those we start are."""

    def __init__(self, watchdog_us=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = e2e.path("notify")
        self.states = []
        self.watchdog_us = watchdog_us

    def __enter__(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        os.environ["NOTIFY_SOCKET"] = self.path
        if self.watchdog_us:
            os.environ["WATCHDOG_USEC"] = str(self.watchdog_us)
        return self

    def __exit__(self, *exc):
        self.socket.close()
        for name in "NOTIFY_SOCKET", "WATCHDOG_USEC":
            os.environ.pop(name, None)

    def told(self):
        """All that was told up to now."""
        try:
            while True:
                self.states.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.states

    def alive(self):
        return self.told().count("WATCHDOG=1")


def ready_and_stopping_are_told():
    with Manager() as manager, Live("-n", DISCARD) as run:
        check("it is ready", wait_for(manager.told), run)
        run.stop()
        equal("live: what was told", manager.told(), ["READY=1", "STOPPING=1"])
    with Manager() as manager:
        e2e.probe("--json", "-r", e2e.capture("zeek__wikipedia.pcap"))
        equal("a replay: what was told", manager.told(), ["READY=1",
            "STOPPING=1"])
    with Manager() as manager:
        result = e2e.probe("-d", "-i", "nosuch", "-n", DISCARD)
        equal("what could not start is not ready", (result.code,
            manager.told()), (1, []))
    with Manager() as manager, Probe("-d", "-i", "nosuch", "--wait", "-n",
            DISCARD) as run:
        check("it is ready when it waits for an interface",
            wait_for(lambda: manager.told() == ["READY=1"]), run)


def trace(request, thread):
    if LIBC.ptrace(request, thread, None, None) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def it_lives_only_while_packets_are_looked_after():
    for args in ((), ("--options", "none"), ("--workers", "2")):
        name = " ".join(("a watchdog",) + args)
        with Manager(watchdog_us=800000) as manager, Live("-n", DISCARD,
                *args) as run:
            check(name + " is told, again and again", wait_for(lambda:
                manager.alive() >= 3), manager.states)
            thread = e2e.threads(run.pid)[1]
            try:
                trace(SEIZE, thread)
            except OSError as error:
                skip(name + " and a thread that hangs", str(error))
                return
            trace(INTERRUPT, thread)
            os.waitpid(thread, WALL)
            manager.alive()
            time.sleep(0.5)  # an answer may have been on its way
            before = manager.alive()
            time.sleep(1.5)
            equal(name + " is told nothing when a metering thread hangs",
                manager.alive(), before)
            trace(DETACH, thread)
            check(name + " is told again when it goes on", wait_for(lambda:
                manager.alive() > before), manager.states)
            run.stop()
    with Manager() as manager, Live("-n", DISCARD) as run:
        wait_for(manager.told)
        time.sleep(0.5)
        run.stop(signal.SIGTERM)
        equal("without a watchdog nothing is told of life", manager.alive(), 0)


if __name__ == "__main__":
    if not e2e.private_network("what a service manager is told"):
        e2e.main([])
    e2e.veth(NEAR, FAR)
    e2e.main([ready_and_stopping_are_told,
        it_lives_only_while_packets_are_looked_after])

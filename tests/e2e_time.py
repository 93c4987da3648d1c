#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_time.py - the wall clock steps by days while softprobe captures: timeouts
keep to the time that passes, records tell the wall clock of each packet.

tests/clock.c moves the clock of the probe alone.  What captures can show (2038,
2106, the wrap of sysUptime, leaps) is in e2e_replay, e2e_wire, test_exporter.
"""
import os
import struct
import subprocess
import time

import e2e
from collect import Collector
from e2e import check, equal, path, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from frames import eth, udp4

DAY = 86400
SHIM, STEP = path("clock.so"), path("step")
IDLE = 2


def build():
    built = subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC",
        "-D_GNU_SOURCE", "-o", SHIM,
        os.path.join(e2e.TREE, "tests", "clock.c"), "-ldl"],
        capture_output=True, text=True)
    return check("what moves the clock is built", built.returncode == 0,
        built.stderr)


def step(seconds):
    """Move the probe's wall clock to so many seconds off ours."""
    with open(STEP, "r+b" if os.path.exists(STEP) else "wb") as f:
        f.write(struct.pack("q", seconds))


def wall_clock_steps(version):
    said = "v%s: " % version
    step(0)
    os.environ.update(LD_PRELOAD=SHIM, CLOCK_STEP=STEP)
    with Collector() as c:
        try:
            run = Live("-v", version, "-n", c.name, "-t", "idle=%d" % IDLE)
        finally:
            del os.environ["LD_PRELOAD"]
        with run, Wire() as wire:
            sent = {}
            for n, offset in enumerate((0, DAY, -DAY, 0)):
                step(offset)
                wire.send(eth(udp4(n)), eth(udp4(100)))
                sent["10.0.0.%d" % n] = time.time() + offset
                wait_for(lambda n=n: run.received() == 2 * n + 2, 3)
                time.sleep(0.3)
            before = len(c.decoded().records)
            equal(said + "a step ends no flow", before, 0)
            began = time.monotonic()
            wait_for(lambda: len(c.decoded().records) >= 5, 10)
            check(said + "a flow is idle when that time has passed, no later",
                len(c.decoded().records) >= 5 and
                time.monotonic() - began < IDLE + 3, c.decoded().records)
            ended_well(said + "steps of a day", run)
    session = c.decoded()
    equal(said + "no rule is broken", session.errors[:3], [])
    records = {r.src: r for r in session.records}
    off = {src: records[src].first_ns / 1e9 - at for src, at in sent.items()
        if src in records}
    check(said + "a record tells the wall clock of its packets", len(off) == 4
        and all(-5 < seconds < 5 for seconds in off.values()), off)
    check(said + "no record ends before it starts, whatever the clock did",
        all(r.first_ns <= r.last_ns for r in session.records))


def the_wall_clock_steps_by_a_day_in_ipfix():
    wall_clock_steps("10")


def the_wall_clock_steps_by_a_day_in_netflow_v9():
    wall_clock_steps("9")


if __name__ == "__main__":
    if e2e.SANITIZED or not e2e.need("all of it", "cc"):
        e2e.skip("all of it", "a sanitizer is to be loaded first")
        e2e.main([])
    if not e2e.private_network("all of it") or not build():
        e2e.main([])
    e2e.veth(NEAR, FAR)
    e2e.main([the_wall_clock_steps_by_a_day_in_ipfix,
        the_wall_clock_steps_by_a_day_in_netflow_v9])

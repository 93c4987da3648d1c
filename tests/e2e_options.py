#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_options.py - options data of a live capture, in network namespaces of the
test's own: the interface table, and what the kernel dropped.
"""
import os
import signal
import socket
import time

import e2e
from collect import Collector, StreamCollector
from e2e import check, equal, wait_for
from e2e_live import FAR, NEAR, Live, Wire
from frames import eth, udp4


def only(session, element):
    """The Options Data Records that have an element."""
    return [o for o in session.options if element in o]


def interface_table_comes_with_the_first_templates():
    for version, scope in (("9", "scope 2"), ("10", 10)):
        with Collector() as collector, Live("-v", version, "-n",
                collector.name, "--options", "interfaces",
                sources=("-i", FAR, "-i", "7:lo")) as run:
            check("v%s: datagrams without any flow" % version,
                wait_for(lambda: collector.datagrams), run)
            run.stop()
            session = collector.decoded()
        equal("v%s: no rule is broken" % version, session.errors[:3], [])
        equal("v%s: the first message has templates and interfaces" % version,
            (session.template_at[0], session.option_at[0][1]), (0, 0))
        equal("v%s: index and name of each" % version,
            [(o[scope], o[82], o[83]) for o in session.options[:2]],
            [(socket.if_nametoindex(FAR), FAR, FAR), (7, "lo", "lo")])


def names_are_utf_8_whatever_the_system_has():
    long = b"x" * 60 + "köln".encode()
    for n, (name, alias, wanted) in enumerate((
            ("köln".encode(), "Köln → Rom".encode(), "köln"),
            (b"b\xff\xfed", b"cut \xc3", "b??d"),
            (b"abc\xe2\x82\xac01234567", long, "abc€01234567"))):
        e2e.sh(b"ip", b"link", b"add", b"name", name, b"type", b"veth",
            b"peer", b"name", b"peer%d" % n)
        e2e.sh(b"ip", b"link", b"set", name, b"alias", alias, b"up")
        for version in ("9", "10"):
            with Collector() as collector, Live("-v", version, "-n",
                    collector.name, "--options", "interfaces", "--fields",
                    "interfaceName", sources=("-i", os.fsdecode(name))) as run:
                wait_for(lambda: collector.datagrams)
                run.stop()
                session = collector.decoded()
            said = "v%s: %r: " % (version, name)
            equal(said + "no rule is broken", session.errors[:3], [])
            equal(said + "is told", {o[82] for o in session.options}, {wanted})


def kernel_drops_are_exported():
    """While the probe is stopped its buffer of 64 KiB overflows."""
    for version in ("9", "10"):
        with Collector() as collector, Live("-v", version, "-n",
                collector.name, "--options", "statistics", "-B", "64k") as run:
            run.process.send_signal(signal.SIGSTOP)
            with Wire(NEAR) as wire:
                for n in range(5000):
                    wire.send(eth(udp4(n)))
            run.process.send_signal(signal.SIGCONT)
            wait_for(lambda: run.received() > 0)
            run.stop()
            session = collector.decoded()
        drops = run.summary("kernel drops")
        said = "v%s: " % version
        check(said + "the kernel dropped packets", drops and drops > 0, run)
        equal(said + "no rule is broken", session.errors[:3], [])
        last = only(session, 135)[-1:]
        equal(said + "droppedPacketTotalCount says how many",
            [o[135] for o in last], [drops])
        equal(said + "others were observed and selected",
            [(o[318], o[319]) for o in only(session, 318)[-1:]],
            [(5000 - drops,) * 2])


def records_not_sent_are_told_with_their_times():
    """Flows end while a TCP collector is not there; then it comes."""
    port = e2e.free_port()
    name = "tcp://127.0.0.1:%d" % port
    begin = time.time()
    with Live("-n", name + "?options=statistics", "-t", "idle=100ms", "-t",
            "expint=0") as run:
        with Wire(NEAR) as wire:
            for n in range(20):
                wire.send(eth(udp4(n)))
        check("records are lost", wait_for(lambda: e2e.collectors(
            run.statistics()).get(name, {}).get("lost") == "20"),
            run.statistics())
        end = time.time()
        with StreamCollector(port=port) as collector:
            check("the collector is found", wait_for(lambda: any(
                collector.streams), 20), run)
            with Wire(NEAR) as wire:
                wire.send(eth(udp4(99)))
            run.stop()
    session = collector.decoded()[0]
    equal("no rule is broken", session.errors[:3], [])
    told = only(session, 166)
    equal("flows, packets and octets", {(o[166], o[167], o[168])
        for o in told}, {(20, 20, 20 * 48)})
    times = {o[323] for o in told}
    check("the first and the last time", len(times) == 1 and all(begin <=
        first / 1000 <= last / 1000 <= end for first, last in times), times)
    equal("what came later was sent", [r.src for r in session.records],
        ["10.0.0.99"])


if __name__ == "__main__":
    if not e2e.private_network("options data of a live capture"):
        e2e.main([])
    e2e.veth(NEAR, FAR)
    e2e.main([interface_table_comes_with_the_first_templates,
        names_are_utf_8_whatever_the_system_has, kernel_drops_are_exported,
        records_not_sent_are_told_with_their_times])

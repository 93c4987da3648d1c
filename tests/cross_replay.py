#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
cross_replay.py - one capture gives one result, whatever the machine: the
records and datagrams of this tree's softprobe, which runs emulated, are
octet for octet those of the native one in the directory NATIVE.

cross.sh runs it.  Whether the native result is right is for the e2e tests.
"""
import os

import e2e
import e2e_control
from collect import Collector
from e2e import check, probe
from frames import at, eth, ip4, pcap, pcapng, udp, udp4

EMULATED = e2e.SOFTPROBE
# The emulator has no seccomp; what the sandbox does is for test_sandbox.
NO_SECCOMP = b"softprobe: going on without seccomp: the kernel refuses it\n"
NATIVE = os.path.join(os.environ["NATIVE"], "softprobe")
ON_THE_WIRE = ("zeek__wikipedia.pcap", "zeek__var-services-std-ports.pcap",
    "zeek__mixed-vlan-mpls.pcap", "zeek__ipv4_fragmented-1.pcap",
    "zeek__ip6_esp.pcap", "tcpdump__tcp-handshake-nano.pcap")


def said(*args, **more):
    """All that a run gives: exit code, output, error output."""
    result = probe("--quiet", *args, **more)
    return result.code, result.out, result.err.encode().replace(NO_SECCOMP, b"")


def sent(*args, **more):
    """The same and the datagrams of the run."""
    with Collector() as collector:
        code, out, err = said("-n", collector.name, *args, **more)
    err = err.replace(collector.name.encode(), b"COLLECTOR")
    return (code, out, err) + tuple(collector.datagrams)


def difference(native, emulated):
    """The first part of two results that differs."""
    for number, (a, b) in enumerate(zip(native, emulated)):
        if a != b:
            return "part %d: native %r, here %r" % (number, a, b)
    return "%d parts, here %d" % (len(native), len(emulated))


def same(name, run, *args, **more):
    """Check that both programs give the same; returns what it was."""
    results = []
    try:
        for e2e.SOFTPROBE in (NATIVE, EMULATED):
            results.append(run(*args, **more))
    finally:
        e2e.SOFTPROBE = EMULATED
    check(name + " as on the native machine", results[0] == results[1],
        difference(*results))
    return results[0]


def records_of_every_capture():
    octets = 0
    for name in e2e.captures():
        octets += len(same(name + ": JSON", said, "--json", "-r",
            e2e.capture(name))[1])
    check("there are records to compare", octets > 10000, octets)
    for name in ON_THE_WIRE:
        same(name + ": the table", said, "-r", e2e.capture(name))
    for level in ("ip", "proto", "tos", "vlan", "ether"):
        same("-T %s: JSON" % level, said, "--json", "-T", level, "-r",
            e2e.capture("zeek__mixed-vlan-mpls.pcap"))


def datagrams():
    for version in ("5", "9", "10"):
        count = 0
        for name in ON_THE_WIRE:
            count += len(same("%s: datagrams of version %s" % (name, version),
                sent, "-v", version, "-r", e2e.capture(name))) - 3
        check("there are datagrams of version %s" % version, count >= 5, count)


def what_32_bits_cannot_hold():
    for seconds in (3, 0x7fffffff, 0x80000000, 0xfffffff0):
        packets = [(seconds * 10**9 + n * 250000007, eth(udp4()))
            for n in range(5)]
        for name, write in (("pcap", pcap), ("pcapng", pcapng)):
            for big in (False, True):
                for nano in (False, True):
                    same("%s of %d s, big %d, nano %d: JSON" % (name, seconds,
                        big, nano), said, "--json", "-r", "-",
                        stdin=write(packets, big=big, nano=nano))
        for version in ("5", "9", "10"):
            same("%d s: datagrams of version %s" % (seconds, version), sent,
                "-v", version, "-r", "-", stdin=pcap(packets))
    most = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), total=65535)
    many = pcap([(at(n // 1000), eth(most)[:42], 65549) for n in range(66000)])
    same("4 GiB in one flow: JSON", said, "--json", "-r", "-", stdin=many)
    for version in ("5", "9", "10"):
        same("4 GiB in one flow: datagrams of version %s" % version, sent,
            "-v", version, "-r", "-", stdin=many)


def command_line():
    name = e2e.capture("zeek__wikipedia.pcap")
    for args in (("-h",), ("-V",), ("--elements",), ("-v", "7", "-r", name),
            ("-t", "maxlife=99999999999", "-r", name),
            ("-m", "99999999999999999999", "-r", name),
            ("--json", "-t", "maxlife=1", "-r", name),
            ("--json", "-m", "4", "-r", name),
            ("--json", "-r", name, "udp and port 53")):
        same(" ".join(args).replace(name, "FILE"), said, *args)


if __name__ == "__main__":
    e2e.main([records_of_every_capture, datagrams, what_32_bits_cannot_hold,
        command_line, e2e_control.what_is_shown])

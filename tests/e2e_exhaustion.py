#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_exhaustion.py - more flows, fragments, clients than there is room for, and
too little memory or too few descriptors: memory stays bounded, packets are
accounted, control is not lost, and what is short is said in a line.
"""
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import time

import e2e
from collect import Collector, StreamCollector
from e2e import check, ctl, equal, number, path, probe, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from frames import at, eth, ip4, pcap, tcp, udp, udp4, SYN

FLOWS = 100000 if e2e.SANITIZED else 2000000
FRAGMENTS = 100000
EXTRA_KIB = 65536 if e2e.SANITIZED else 4096
CAPTURE = e2e.capture("zeek__wikipedia.pcap")


def peak_kib(words, stdin=None):
    """Run softprobe by itself; its Result and most resident KiB."""
    err = path("peak.err")
    with open(err, "wb") as f:
        process = subprocess.Popen([e2e.SOFTPROBE] + words, stderr=f,
            stdin=stdin, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with open(err, "rb") as f:
        return e2e.Result(words, process.returncode, b"", f.read()), \
            usage.ru_maxrss


def syns(count):
    """A capture of so many packets, each the first of a connection."""
    frame = bytearray(eth(ip4("10.0.0.1", "192.0.2.1", 6, tcp(1, 80, SYN))))
    head = struct.Struct("<IIII")
    yield pcap([])
    for start in range(0, count, 10000):
        out = []
        for n in range(start, min(start + 10000, count)):
            frame[26:30] = n.to_bytes(4, "big")
            out.append(head.pack(1500000000 + n // 1000000, n % 1000000,
                len(frame), len(frame)) + frame)
        yield b"".join(out)


def flood(parts, *words):
    """Peak memory of a replay of parts of a capture through a pipe."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            for part in parts:
                at_octet = 0
                while at_octet < len(part):
                    at_octet += os.write(writing, part[at_octet:])
        except OSError:
            os._exit(1)
        os._exit(0)
    os.close(writing)
    try:
        return peak_kib(["-r", "-", *words], stdin=reading)
    finally:
        os.close(reading)
        os.waitpid(pid, 0)


def syn_flood():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        words = ("-m", "8192", "--export-rate", "0", "-n",
            "127.0.0.1:%d" % s.getsockname()[1])
        few, before = flood(syns(20000), *words)
        many, after = flood(syns(FLOWS), *words)
    said = "%d connections begun, -m 8192: " % FLOWS
    equal(said + "exit 0", (few.code, many.code), (0, 0))
    equal(said + "all packets are received", many.summary("packets received"),
        FLOWS)
    check(said + "all are in records that were sent or named as not sent",
        e2e.balanced(many.err) and e2e.accounted(many.err), many)
    equal(said + "the cache never held more", many.summary(
        "flows active at most"), 8192)
    check(said + "they take no more memory than 20,000 do",
        after < before + EXTRA_KIB, (before, after))


def told_kib(*words):
    """The most memory that --check tells for these options."""
    said = probe("--check", *words).out.decode()
    return float(re.search(r"^memory: ([0-9.]+) MiB at most", said,
        re.M).group(1)) * 1024


def memory_is_at_most_what_check_tells():
    """A flood of flows that fills cache and rings."""
    if e2e.SANITIZED:
        e2e.skip("memory", "sanitizers take some of their own")
        return
    count, seen = 60000, []
    with StreamCollector() as stream, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        udp_name = "127.0.0.1:%d" % s.getsockname()[1]
        tcp_name = "tcp://%s?queue=4M" % stream.name
        for words in (("-m", "8192", "--json"),
                ("-m", "50000", "-n", udp_name + "," + tcp_name),
                ("-m", "50000", "--workers", "3", "-T", "ether", "--fields",
                "+flowId,tcpOptions,sourceMacAddress", "-n", udp_name),
                ("-m", "8192", "-n", "json:" + path("lines") + "," +
                "file:" + path("flood.ipfix"))):
            result, kib = flood(syns(count), "--export-rate", "0", *words)
            most = told_kib("-r", "-", *words)
            seen.append((int(kib), int(most)))
            check("%s: it takes no more memory than --check tells" %
                " ".join(words), result.summary("packets received") == count
                and 1000 < kib < most, (kib, most, result))
    small, large = seen[0], seen[1]
    check("what --check tells follows the options", large[1] - small[1] >
        (50000 - 8192) * 128 // 1024, seen)


def fragment_flood():
    """First fragments that nothing follows; later ones without a first."""
    def capture(count):
        yield pcap([])
        for n in range(count):
            yield pcap([(at(n * 0.00001), eth(ip4("10.0.0.1", "192.0.2.1", 17,
                udp(n & 0xffff, 53, b"x" * 16), ident=n & 0xffff, fragment=
                0x2000 if n % 2 else 185)))])[24:]
    few, before = flood(capture(2000), "--quiet", "--json")
    many, after = flood(capture(FRAGMENTS), "--json")
    said = "%d fragments that do not fit together: " % FRAGMENTS
    equal(said + "exit 0", (few.code, many.code), (0, 0))
    check(said + "each is accounted", e2e.balanced(many.err) and
        many.summary("packets received") == FRAGMENTS, many)
    check(said + "those without a first are counted",
        many.summary("fragments without first") > FRAGMENTS // 4, many)
    check(said + "memory stays bounded", after < before + EXTRA_KIB,
        (before, after))


def crowd_of_clients():
    """10,000 connections, a few of which never say anything."""
    crowd = 1000 if e2e.SANITIZED else 10000
    name = path("crowd")
    with e2e.Probe("-r", "-", "-c", name, "-n", "127.0.0.1:9",
            stdin=subprocess.PIPE) as run:
        check("a crowd: the socket is there", wait_for(
            lambda: os.path.exists(name)), run)
        run.process.stdin.write(pcap([(at(n), eth(udp4(n)))
            for n in range(1000)]))
        run.process.stdin.flush()
        silent, served = [], 0
        for n in range(crowd):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(10)
            try:
                s.connect(name)
                s.send(b"version\n" if n % 100 else b"v")
                served += n % 1000 == 1 and s.recv(100)[:3] in (b"ok\n", b"err")
            except OSError:
                pass
            if n % 1000 == 0:
                silent.append(s)
            else:
                s.close()
        check("a crowd of %d: some are answered in the middle of it" % crowd,
            served > 0, served)
        answer = wait_for(lambda: ctl(name, "statistics")[1], 15)
        equal("a crowd: when it has gone, control is as before",
            number(answer, "packets received"), 1000)
        with open("/proc/%d/status" % run.pid, encoding="ascii") as f:
            status = f.read()
        check("a crowd: no descriptor is left open", wait_for(lambda: len(
            os.listdir("/proc/%d/fd" % run.pid)) < 24, 8), status)
        for s in silent:
            s.close()
        run.process.stdin.close()
        equal("a crowd: exit 0", run.wait(20), 0)


def limited(kind, soft, *words):
    """A run with a limit of its own."""
    return probe(*words, preexec_fn=lambda: resource.setrlimit(
        kind, (soft, soft)))


def clear(result):
    """It went well, or said why not in a line."""
    return result.code == 0 or (result.code in (1, 2) and
        1 <= len(result.err.splitlines()) <= 3 and
        result.err.startswith("softprobe"))


def few_descriptors():
    with Collector() as collector:
        result = limited(resource.RLIMIT_NOFILE, 16, "-r", CAPTURE, "-n",
            collector.name, "-c", path("few"))
    check("16 descriptors are enough for a replay", result.code == 0 and
        e2e.accounted(result.err), result)
    many = ",".join("127.0.0.1:%d" % (2000 + n) for n in range(40))
    for limit in range(4, 20):
        result = limited(resource.RLIMIT_NOFILE, limit, "--quiet", "-r",
            CAPTURE, "-n", many)
        check("%d descriptors for 40 collectors: one clear line" % limit,
            result.code in (0, 1, 2) and result.err.startswith("softprobe"),
            result)


def little_memory():
    if e2e.SANITIZED:
        e2e.skip("little memory", "the sanitizers take terabytes of addresses")
        return
    codes = []
    for mib in list(range(8, 40, 2)) + list(range(40, 200, 16)):
        result = limited(resource.RLIMIT_AS, mib << 20, "--quiet", "--json",
            "-m", "65536", "-r", CAPTURE)
        if "shared" in result.err or result.code == 127:
            continue  # too little to load the program at all
        codes.append(result.code)
        check("%d MiB of addresses: it works, or says why not" % mib,
            clear(result), result)
    check("little memory: some is too little, more is enough",
        codes and codes[0] != 0 and codes[-1] == 0 and
        codes == sorted(codes, reverse=True), codes)


def drops_of_the_kernel():
    """A warning when they begin, no line for each."""
    with Live("-n", "127.0.0.1:9", "-B", "64k") as run, Wire() as wire:
        run.process.send_signal(signal.SIGSTOP)
        wire.send(*[eth(udp4(payload=b"x" * 80))] * 20000)
        run.process.send_signal(signal.SIGCONT)
        warned = wait_for(lambda: "were dropped before" in run.err, 15)
        check("drops of the kernel: a warning tells when they begin", warned,
            run)
        for _ in range(3):
            run.process.send_signal(signal.SIGSTOP)
            wire.send(*[eth(udp4(payload=b"x" * 80))] * 5000)
            run.process.send_signal(signal.SIGCONT)
            time.sleep(0.3)
        with open("/proc/%d/status" % run.pid, encoding="ascii") as f:
            kib = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
        check("drops of the kernel: a live run takes no more memory than "
            "--check tells", e2e.SANITIZED or 1000 < kib < told_kib(
            *run.args), kib)
        ended_well("drops of the kernel", run)
        check("drops of the kernel: they are counted",
            run.summary("kernel drops") > 1000, run)
        equal("drops of the kernel: one line for all in a minute",
            run.err.count("were dropped before"), 1)


if __name__ == "__main__":
    live = e2e.private_network("drops of the kernel")
    if live:
        e2e.veth(NEAR, FAR)
    e2e.main([syn_flood, memory_is_at_most_what_check_tells, fragment_flood, crowd_of_clients, few_descriptors,
        little_memory] + ([drops_of_the_kernel] if live else []))

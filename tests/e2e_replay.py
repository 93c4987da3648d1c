#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_replay.py - capture files in, records and account out, without a collector.

Every real capture against its expected flows; the shapes a capture file can
have; damaged, hostile and endless files; times; the command line.
"""
import gzip
import os
import pty
import random
import re
import signal
import socket
import struct
import subprocess
import time

import e2e
import frames
from e2e import check, equal, probe
from frames import at, eth, ip4, ip6, mpls, pcap, pcapng, tcp, udp, udp4

S = 10**9


def meter(name, *args, code=0, **more):
    """Replay to JSON; checks the exit code and that the account balances."""
    result = probe("--json", *args, **more)
    check(name + ": exit %s" % code, result.code == code, result)
    check(name + ": account balanced", e2e.balanced(result.err), result)
    return result


def written(name, data):
    """A file with these octets; its path."""
    where = e2e.path(name)
    with open(where, "wb") as f:
        f.write(data)
    return where


def made(name, packets, *args, code=0, **shape):
    """Replay a made-up capture; returns its records."""
    data = pcap(packets, **shape)
    result = meter(name, "-r", written("made.pcap", data), *args, code=code)
    return result.records()


def brief(records):
    """Packets and octets of each record, in order of appearance."""
    return [(r.packets, r.octets) for r in records]


# ---- the real captures --------------------------------------------------

def real_captures():
    wanted = e2e.expected()
    packets = {r["file"]: int(r["packets"]) for r in e2e.table("captures.tsv")}
    equal("there are 36 captures", len(wanted), 36)
    for name, result in zip(e2e.captures(), e2e.each(
            lambda n: probe("--json", "-r", e2e.capture(n)), e2e.captures())):
        check(name + ": exit 0", result.code == 0, result)
        check(name + ": account balanced", e2e.balanced(result.err), result)
        e2e.compare(name + ": packets, octets, flags, class, times",
            e2e.add_up(result.records()), wanted[name])
        equal(name + ": packets received", result.summary("packets received"),
            packets[name])
        equal(name + ": packets in records",
            result.summary("packets in records"),
            sum(s.packets for s in wanted[name].values()))


def ninth_tcp_flag():
    records = probe("--json", "-r", e2e.capture(
        "tcpdump__accecn_handshake.pcap")).records()
    equal("accurate ECN: nine TCP flags are kept",
        sorted(r.flags for r in records), [0x1d2, 0x1da])


def same_file_same_output():
    def runs(name):
        return [probe("-r", e2e.capture(name), *more).out
            for more in ((), (), ("--json",), ("--json",))]
    for name, out in zip(e2e.captures(), e2e.each(runs, e2e.captures())):
        check(name + ": the same table twice", out[0] == out[1])
        check(name + ": the same JSON twice", out[2] == out[3])


def _whoever_meters(said, *more):
    def runs(name):
        return [probe("-r", e2e.capture(name), "--json", "--workers", n, *more)
            for n in ("1", "2", "5")]
    for name, ran in zip(e2e.captures(), e2e.each(runs, e2e.captures())):
        check(name + ": account balanced with workers" + said,
            all(e2e.balanced(one.err) for one in ran), ran)
        lines = [sorted(one.out.splitlines()) for one in ran]
        check(name + ": the same records whoever meters" + said,
            lines[0] == lines[1] == lines[2], lines)


def workers_change_nothing():
    """Any number of metering threads gives the same records."""
    _whoever_meters("")


def workers_change_nothing_in_a_sample():
    """Time passes with packets that sampling leaves out, too."""
    _whoever_meters(", sampled", "-s", "hash:2")


def table_for_people():
    name = e2e.capture("zeek__wikipedia.pcap")
    text = probe("-r", name).out.decode("ascii")
    records = probe("--json", "-r", name).records()
    lines = text.splitlines()
    rows = [l for l in lines if "141.142." in l or "fe80" in l]
    equal("table has a row for each record", len(rows), len(records))
    check("table has a heading", len(lines) > len(rows), text[:300])
    for address in ("208.80.152.2", "fe80::217:f2ff:fed7:cf65"):
        check("table shows " + address, address in text)
    equal("rows of the table have as many columns as each other",
        len({len(l.split()) for l in rows}), 1)
    check("no trailing blanks in the table",
        not any(l.endswith(" ") for l in lines))


# ---- shapes of capture files --------------------------------------------

PACKETS = [(at(n, 123456000), eth(udp4(n % 3, payload=b"x" * n)))
    for n in range(12)]


def file_shapes():
    plain = meter("little-endian", "-r", written("a.pcap", pcap(PACKETS)))
    wanted = plain.out
    equal("three conversations", len(plain.records()), 3)
    for name, data in (
            ("big-endian", pcap(PACKETS, big=True)),
            ("nanosecond", pcap(PACKETS, nano=True)),
            ("big-endian nanosecond", pcap(PACKETS, big=True, nano=True)),
            ("pcapng", pcapng(PACKETS)),
            ("big-endian pcapng", pcapng(PACKETS, big=True)),
            ("nanosecond pcapng", pcapng(PACKETS, nano=True)),
            ("gzip", gzip.compress(pcap(PACKETS))),
            ("gzip of two members", gzip.compress(pcap(PACKETS)[:300]) +
                gzip.compress(pcap(PACKETS)[300:])),
            ("gzip of pcapng", gzip.compress(pcapng(PACKETS)))):
        result = meter(name, "-r", written("b.pcap", data))
        equal(name + " gives the same records", result.out, wanted)
        piped = meter(name + " on standard input", "-r", "-", stdin=data)
        equal(name + " gives the same on standard input", piped.out, wanted)


def nanoseconds():
    packets = [(at(0, 123456789), eth(udp4()))]
    for name, data in (("pcap", pcap(packets, nano=True)),
            ("pcapng", pcapng(packets, nano=True))):
        r = meter("nanosecond " + name, "-r", "-", stdin=data).records()
        equal("nanoseconds of a %s are kept" % name, [x.first_ns for x in r],
            [at(0, 123456789)])


def several_files():
    first = written("1.pcap", pcap(PACKETS[:4]))
    second = written("2.pcap", pcapng(PACKETS[4:8], big=True))
    third = written("3.pcap", gzip.compress(pcap(PACKETS[8:], nano=True)))
    whole = meter("one file", "-r", written("0.pcap", pcap(PACKETS)))
    parts = meter("three files", "-r", first, "-r", second, "-r", third)
    equal("three files are one stream", parts.out, whole.out)
    mixed = meter("link types", "-r", e2e.capture("tcpdump__HDLC.pcap"), "-r",
        e2e.capture("zeek__linux_dlt_sll2.pcap"))
    equal("each file has its own link type",
        mixed.summary("packets in records"), 14)
    lost = meter("a missing second file", "-r", first, "-r",
        e2e.path("missing"), "-r", third, code=1)
    check("the missing one is named", e2e.path("missing") in lost.err, lost)
    equal("the first is metered all the same, and the third",
        sum(r.packets for r in lost.records()), 8)


def filter_expression():
    name = e2e.capture("zeek__wikipedia.pcap")
    result = meter("filter", "-r", name, "udp", "port", "53")
    records = result.records()
    check("a filter selects", records and all(
        r.protocol == 17 and 53 in (r.sport, r.dport) for r in records))
    one = meter("filter in one word", "-r", name, "udp port 53")
    equal("a filter in one argument is the same", one.out, result.out)
    bad = probe("-r", name, "nonsense", "here")
    check("a filter that does not compile is refused", bad.code in (1, 2) and
        bad.err.strip() and not bad.out, bad)


# ---- damaged and hostile files ------------------------------------------

def cuts(data):
    """Where to cut a file: every 97th octet, fewer of a large one."""
    most = 10 if e2e.SANITIZED else 60
    step = 97 * max(1, len(data) // 97 // most)
    ends = [end for end, _ in frames.records(data)]
    return sorted(set(list(range(0, len(data), step)) + ends[:3] + ends[-2:-1]))


def truncated_files():
    def run(work):
        name, cut, data = work
        ends = [(0, False)] + frames.records(data)
        whole = [e for e in ends if e[0] <= cut]
        clean = cut >= ends[1][0] and whole[-1][0] == cut
        result = probe("--json", "-r", "-", stdin=data[:cut])
        packets = sum(is_packet for _, is_packet in whole)
        problems = []
        if result.code != (0 if clean else 1):
            problems.append("exit %s" % result.code)
        if cut >= ends[1][0]:
            if not e2e.balanced(result.err):
                problems.append("account")
            if result.summary("packets received") != packets:
                problems.append("%s packets of %d" % (
                    result.summary("packets received"), packets))
        if not clean and not result.err.strip():
            problems.append("no message")
        return name, "%d octets: %s: %s" % (cut, problems,
            result.err[:300]) if problems else None
    work = []
    for name in e2e.captures():
        with open(e2e.capture(name), "rb") as f:
            data = f.read()
        work += [(name, cut, data) for cut in cuts(data)]
    wrong = {}
    for name, problem in e2e.each(run, work):
        wrong.setdefault(name, []).extend([problem] if problem else [])
    for name, problems in wrong.items():
        check(name + ": good packets of every truncation are metered",
            not problems, "%d: %s" % (len(problems), "; ".join(problems[:3])))


def mutated_files():
    def run(work):
        name, seed = work
        rng = random.Random("%s %d" % (name, seed))
        with open(e2e.capture(name), "rb") as f:
            data = bytearray(f.read())
        start = 0
        for end, is_packet in frames.records(data):
            if is_packet and end - start > 17:
                for _ in range(3):
                    data[rng.randrange(start + 16, min(end, start + 80))] = (
                        rng.choice((0, 1, 0x7f, 0x80, 0xff,
                            rng.randrange(256))))
            start = end
        if frames.is_pcapng(data):
            return name, probe("--json", "-r", "-", stdin=bytes(data)), True
        return name, probe("--json", "-r", "-", stdin=bytes(data)), False
    names = e2e.captures()
    for name, result, free in e2e.each(run,
            [(n, s) for n in names for s in range(2 if e2e.SANITIZED else 4)]):
        check(name + " with broken packets: exit", result.code == 0 or
            free and result.code == 1, result)
        check(name + " with broken packets: account balanced",
            e2e.balanced(result.err), result)
        records = result.records()
        check(name + " with broken packets: no record ends before it starts",
            all(r.first_ms <= r.last_ms for r in records))
        equal(name + " with broken packets: records hold what was metered",
            sum(r.packets for r in records),
            result.summary("packets in records"))


def no_capture_file():
    rng = random.Random(1)
    for name, data in (("an empty file", b""), ("one octet", b"\xd4"),
            ("garbage", bytes(rng.randrange(256) for _ in range(5000))),
            ("text", b"hello\n" * 100),
            ("an empty gzip file", gzip.compress(b"")),
            ("a gzip file of garbage", gzip.compress(b"garbage" * 99)),
            ("a gzip magic alone", b"\x1f\x8b")):
        where = written("bad.pcap", data)
        result = probe("--json", "-r", where)
        check(name + " is refused", result.code == 1 and not result.out, result)
        check(name + " is named", where in result.err, result)
    cut = gzip.compress(pcap(PACKETS * 500), 0)
    result = meter("a truncated gzip file", "-r",
        written("cut.gz", cut[:len(cut) // 2]), code=1)
    check("a truncated gzip file: good packets are metered",
        result.summary("packets received") > 100, result)
    for name, where in (("a directory", e2e.scratch()),
            ("a missing file", e2e.path("missing")),
            ("a device without octets", "/dev/null")):
        result = probe("--json", "-r", where)
        check(name + " is refused", result.code == 1 and where in result.err,
            result)
        check(name + " is explained in one line", len([l for l in
            result.err.splitlines() if where in l]) == 1, result)


def impossible_lengths():
    good = [(at(n), eth(udp4(n))) for n in range(4)]
    data = bytearray(pcap(good))
    third = frames.records(data)[2][0]
    for caplen in (0x7fffffff, 0xffffffff, 300000000):
        broken = bytearray(data)
        struct.pack_into("<I", broken, third + 8, caplen)
        result = meter("a record of %d octets" % caplen, "-r", "-", code=1,
            stdin=bytes(broken))
        equal("packets before a record of %d octets" % caplen,
            result.summary("packets in records"), 2)
    frame = eth(udp4(9))
    odd = [(at(0), frame), (at(1), b"", 0), (at(2), b"", 60), (at(3), frame[:1],
        60), (at(4), frame, 10), (at(5), frame, 0xffffffff), (at(6), frame)]
    result = meter("odd lengths", "-r", "-", stdin=pcap(odd))
    equal("odd lengths are all received",
        result.summary("packets received"), 7)
    equal("packets among odd lengths are metered", brief(result.records()),
        [(4, 4 * 48)])


def wrong_link_type():
    result = meter("an unknown link type", "-r", "-",
        stdin=pcap(PACKETS, link=147))
    equal("its packets are ignored", result.summary("ignored packets"), 12)
    check("the reason has a name", "link" in result.err, result)
    with open(e2e.capture("zeek__wikipedia.pcap"), "rb") as f:
        data = bytearray(f.read())
    for link in (0, 8, 9, 50, 51, 101, 104, 105, 108, 113, 117, 119, 127, 192,
            228, 229, 239, 276, 9999):
        struct.pack_into("<I", data, 20, link)
        result = probe("--json", "-r", "-", stdin=bytes(data))
        check("Ethernet taken for link type %d" % link, result.code == 0 and
            e2e.balanced(result.err), result)


def endless_fifo():
    for signum in (signal.SIGINT, signal.SIGTERM):
        fifo = e2e.path("fifo%d" % signum)
        os.mkfifo(fifo)
        with e2e.Probe("--json", "-r", fifo) as running:
            with open(fifo, "wb") as end:
                end.write(pcap(PACKETS))
                end.flush()
                time.sleep(0.3)
                check("a FIFO is read on", running.running(), running)
                code, seconds = running.stop(signum, 20)
            name = "a FIFO without end, signal %d: " % signum
            equal(name + "exit", code, 0)
            check(name + "leaves within 5 s", seconds < 5, seconds)
            equal(name + "records", sum(r.packets for r in running.records()),
                12)
            check(name + "account balanced", e2e.balanced(running.err), running)
    fifo = e2e.path("fifo")
    os.mkfifo(fifo)
    with e2e.Probe("--json", "-r", fifo) as running:
        time.sleep(0.3)
        check("a FIFO without writer is waited for", running.running(), running)
        code, seconds = running.stop(signal.SIGINT, 20)
        check("SIGINT ends the wait for a writer", code in (0, 1) and
            seconds < 5, "%s %s" % (code, seconds))


def files_are_opened_at_the_start():
    fifo, later = e2e.path("turn.fifo"), e2e.path("later.pcap")
    os.mkfifo(fifo)
    with open(later, "wb") as f:
        f.write(pcap(PACKETS))
    with e2e.Probe("--json", "-r", fifo, "-r", later) as running:
        with open(fifo, "wb") as end:
            end.write(pcap(PACKETS))
            end.flush()
            time.sleep(0.3)  # the writer's open returned: it has begun
            os.unlink(later)
        equal("a file whose turn comes later is read though it was removed",
            (running.wait(20), sum(r.packets for r in running.records())),
            (0, 24))


def endless_stream():
    """A writer that never ends, and a signal in the midst of it."""
    reader, writer = os.pipe()
    with e2e.Probe("--json", "-r", "-", stdin=reader) as running:
        os.close(reader)
        body = pcap(PACKETS)[24:] * 50
        os.write(writer, pcap([]))
        os.set_blocking(writer, False)
        began = time.monotonic()
        sent, told = 0, False
        while running.running() and time.monotonic() - began < 20:
            try:
                at_octet = sent % len(body)
                sent += os.write(writer, body[at_octet:at_octet + 4096])
            except BlockingIOError:
                time.sleep(0.0005)
            except BrokenPipeError:
                break
            if sent > 1 << 20 and not told:
                running.process.send_signal(signal.SIGTERM)
                told = True
        os.close(writer)
        code = running.wait(10)
        check("a stream without end stops at SIGTERM", code == 0, running)
        check("a stream without end: account balanced",
            e2e.balanced(running.err), running)


# ---- times --------------------------------------------------------------

def times():
    for year, seconds in ((1970, 0), (1970, 1), (2019, 1557000000),
            (2038, 1 << 31), (2106, 0xffffffff)):
        name = "a packet of %d (%d s)" % (year, seconds)
        r = made(name, [(seconds * S + 999999000, eth(udp4()))])
        equal(name + " keeps its time", [(x.first_ms, x.last_ms) for x in r],
            [(seconds * 1000 + 999,) * 2])
    r = made("a clock that steps back 5 s", [(at(s), eth(udp4()))
        for s in (0, 10, 5, 6, 7)])
    equal("a clock that steps back 5 s loses nothing",
        sum(x.packets for x in r), 5)
    check("a clock that steps back gives no end before a start",
        all(x.first_ms <= x.last_ms for x in r), [x.json for x in r])
    r = made("a clock that starts late", [(at(s), eth(udp4()))
        for s in (100, 5)])
    check("a flow whose second packet is older has no end before its start",
        all(x.first_ms <= x.last_ms for x in r), [x.json for x in r])
    jump = 10**9
    r = made("a clock that jumps 10^9 s", [(at(0), eth(udp4(1))),
        (at(jump), eth(udp4(2))), (at(jump + 1), eth(udp4(2)))])
    equal("packets round a jump of 10^9 s keep their times",
        [(x.first_ms // 1000 - frames.START, x.last_ms // 1000 - frames.START)
        for x in r], [(0, 0), (jump, jump + 1)])
    r = made("a clock that jumps to and fro", [(at(s), eth(udp4(s % 7)))
        for n in range(50) for s in (n, n + jump, n - jump, n + 2 * jump)])
    equal("a clock that jumps to and fro loses nothing",
        sum(x.packets for x in r), 200)
    check("a clock that jumps to and fro gives no end before a start",
        all(x.first_ms <= x.last_ms for x in r))


def record_times_of_each_direction():
    there = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2))
    back = ip4("10.0.0.2", "10.0.0.1", 17, udp(2, 1))
    r = made("one packet each way", [(at(0), eth(there)),
        (at(0, 100000000), eth(back))])
    equal("each direction has its own times", [(x.src, x.first_ms - at(0) //
        10**6, x.last_ms - at(0) // 10**6) for x in r],
        [("10.0.0.1", 0, 0), ("10.0.0.2", 100, 100)])


def timeouts():
    def flow(*when):
        return [(at(s), eth(udp4())) for s in when]
    r = made("a gap of an hour", flow(0, 1, 3601))
    equal("a gap longer than the idle timeout gives two records",
        [(x.packets, x.reason) for x in r], [(2, 1), (1, 4)])
    r = made("a gap of 59 s", flow(0, 59, 118))
    equal("a gap below the idle timeout gives one record", brief(r),
        [(3, 3 * 48)])
    for option in ("udp=5", "idle=5", "udp=5s", "udp=5000ms"):
        r = made("-t " + option, flow(0, 4, 20), "-t", option)
        equal("-t %s sets the idle timeout" % option,
            [x.packets for x in r], [2, 1])
    r = made("-t udp=1m30s", flow(0, 89, 200), "-t", "udp=1m30s")
    equal("-t udp=1m30s is 90 s", [x.packets for x in r], [2, 1])
    for option in ("maxlife=10", "active=10"):
        r = made("-t " + option, flow(*range(36)), "-t", option)
        equal("-t %s: all packets in records" % option,
            sum(x.packets for x in r), 36)
        check("-t %s: no record is longer" % option, len(r) >= 3 and
            all(x.last_ms - x.first_ms <= 10000 for x in r),
            [(x.packets, x.first_ms, x.last_ms) for x in r])
        equal("-t %s: active timeout is reason 2, the end of the file 4" %
            option, [x.reason for x in r], [2] * (len(r) - 1) + [4])


def end_reasons():
    def segment(s, forward, flags):
        ends = ("10.0.0.1", "10.0.0.2", 1000, 80)
        a, b, p, q = ends if forward else (ends[1], ends[0], ends[3], ends[2])
        return (at(s), eth(ip4(a, b, 6, tcp(p, q, flags))))
    A, F, R = frames.ACK, frames.FIN | frames.ACK, frames.RST
    other = [(at(11.5), eth(udp4()))]
    r = made("FIN from both sides", [segment(0, True, frames.SYN),
        segment(0.1, True, F), segment(0.2, False, F), segment(0.3, True, A)] +
        other)
    equal("FIN from both sides ends a flow, reason 3",
        [x.reason for x in r if x.protocol == 6], [3, 3])
    r = made("FIN from one side", [segment(0, True, F), segment(0.1, False, A)]
        + other)
    equal("FIN from one side does not", [x.reason for x in r
        if x.protocol == 6], [4, 4])
    r = made("RST", [segment(0, True, frames.SYN), segment(0.1, False, R)] +
        other)
    equal("RST ends a flow, reason 3", [x.reason for x in r
        if x.protocol == 6], [3, 3])
    r = made("a full cache", [(at(n), eth(udp4(n))) for n in range(20)], "-m",
        "8")
    equal("a full cache ends the flow idle longest, reason 5",
        sorted((x.reason, int(x.src.split(".")[3])) for x in r),
        [(4, n) for n in range(12, 20)] + [(5, n) for n in range(12)])
    name = "zeek__wikipedia.pcap"
    result = meter("a small cache", "-m", "4", "-r", e2e.capture(name))
    e2e.compare("a small cache loses nothing", e2e.add_up(result.records()),
        e2e.expected()[name], tos=False)


# ---- what is counted ----------------------------------------------------

def octets_are_the_datagrams():
    short = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"x" * 12))
    equal("Ethernet padding is not counted",
        brief(made("padding", [(at(0), eth(short, pad=60))])), [(1, 40)])
    packet = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"x" * 100))
    for labels in ((16,), (16, 17), (16, 17, 18, 19)):
        equal("%d MPLS labels are not counted" % len(labels), brief(made(
            "%d labels" % len(labels), [(at(0), mpls(packet, *labels))])),
            [(1, 128)])
    for tags in (((0x8100, 7),), ((0x88a8, 7), (0x8100, 9)),
            ((0x9100, 7), (0x8100, 9))):
        equal("%d VLAN tags are not counted" % len(tags), brief(made("tags",
            [(at(0), eth(packet, tags=tags))])), [(1, 128)])
    equal("a packet cut by the snap length counts whole", brief(made("snap",
        [(at(0), eth(packet)[:60], 142)])), [(1, 128)])
    large = ip4("10.0.0.1", "10.0.0.2", 6, tcp(1, 2, 16, b"x" * 5000), total=0)
    equal("IP length 0 counts the frame", brief(made("length 0",
        [(at(0), eth(large))])), [(1, 5040)])
    most = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), total=65535)
    r = made("4 GiB in one flow", [(at(n // 1000), eth(most)[:42], 65549)
        for n in range(70000)])
    equal("octets do not wrap at 4 GiB", sum(x.octets for x in r),
        70000 * 65535)


def fragments():
    def parts(ident, order):
        data = udp(1000, 2000, b"x" * 3000)
        whole = [(0, data[:1480], 0x2000), (1480, data[1480:2960], 0x2000),
            (2960, data[2960:], 0)]
        return [ip4("10.0.0.1", "10.0.0.2", 17, whole[i][1], ident=ident,
            fragment=whole[i][0] // 8 | whole[i][2]) for i in order]
    r = made("fragments", [(at(n), eth(p)) for n, p in
        enumerate(parts(7, (0, 1, 2)))])
    equal("three fragments are one flow", [(x.sport, x.dport, x.packets,
        x.octets) for x in r], [(1000, 2000, 3, 3068)])
    r = made("fragments without the first", [(at(n), eth(p)) for n, p in
        enumerate(parts(7, (1, 2)))])
    equal("fragments without the first have no ports", [(x.sport, x.dport,
        x.packets) for x in r], [(0, 0, 2)])
    r = made("fragments of two datagrams", [(at(n), eth(p)) for n, p in
        enumerate(parts(7, (0,)) + parts(8, (1,)))])
    equal("a fragment of another datagram does not join",
        [(x.sport, x.packets) for x in r], [(1000, 1), (0, 1)])


def class_of_service_of_each_direction():
    there = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), tos=0x20)
    back = ip4("10.0.0.2", "10.0.0.1", 17, udp(2, 1), tos=0x40)
    r = made("two classes", [(at(0), eth(there)), (at(1), eth(back)),
        (at(2), eth(ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), tos=4)))])
    equal("each direction has the class of its first packet",
        [(x.src, x.tos) for x in r], [("10.0.0.1", 0x20), ("10.0.0.2", 0x40)])


def icmp_type_and_code():
    for length, name in ((8, "whole"), (4, "of 4 octets"), (2, "of 2 octets")):
        r = made("ICMP " + name, [(at(0), eth(ip4("10.0.0.1", "10.0.0.2", 1,
            frames.icmp(8, 0)[:length])))])
        equal("type and code of an ICMP message " + name,
            [(x.sport, x.dport) for x in r], [(0, 2048)])
    r = made("ICMPv6", [(at(0), eth(ip6("fe80::1", "fe80::2", 58,
        frames.icmp(135, 3))))])
    equal("type and code of ICMPv6", [x.dport for x in r], [135 * 256 + 3])


def extension_headers():
    short = eth(ip6("fe80::1", "fe80::2", 0, b"\x06"))
    equal("the frame ends one octet into a hop-by-hop header", len(short), 55)
    r = made("a hop-by-hop header of one octet", [(at(0), short),
        (at(1), eth(udp4()))])
    equal("the packet after a broken extension header is metered",
        sum(x.packets for x in r if x.af == 4), 1)
    chain = b"".join(bytes((60, 0)) + b"\0" * 6 for _ in range(200))
    made("a chain of 200 extension headers", [(at(0),
        eth(ip6("fe80::1", "fe80::2", 60, chain)))])
    tags = ((0x8100, 1),) * 60
    made("60 VLAN tags", [(at(0), eth(udp4(), tags=tags))])
    made("60 MPLS labels", [(at(0), mpls(udp4(), *range(16, 76)))])
    made("a label stack without end", [(at(0), eth(b"\0\x01\0\x40" * 300,
        0x8847))])


def keys():
    def sent(tos, vlan, sport):
        packet = ip4("10.0.0.1", "10.0.0.2", 17, udp(sport, 2), tos=tos)
        return eth(packet, tags=((0x8100, vlan),))
    packets = [(at(n), sent(*p)) for n, p in enumerate(
        ((0, 1, 9), (4, 1, 9), (0, 2, 9), (0, 1, 8)))]
    packets.append((at(5), eth(ip4("10.0.0.1", "10.0.0.2", 6,
        tcp(9, 2, 16)), tags=((0x8100, 1),))))
    for level, flows in (("ip", 1), ("proto", 2), ("full", 3), ("tos", 4),
            ("vlan", 4), ("ether", 4)):
        r = made("-T " + level, packets, "-T", level)
        equal("-T %s: flows" % level, len(r), flows)
        equal("-T %s: packets" % level, sum(x.packets for x in r), 5)


# ---- the command line ---------------------------------------------------

def full_output():
    name = e2e.capture("zeek__wikipedia.pcap")
    for mode in ((), ("--json",)):
        with open("/dev/full", "wb") as full:
            result = probe("-r", name, *mode, stdout=full)
        check("a full disk is an error%s" % " ".join(mode), result.code == 1
            and "standard output" in result.err, result)
        reader, writer = os.pipe()
        os.close(reader)
        result = probe("-r", name, *mode, stdout=writer)
        os.close(writer)
        check("a closed pipe is an error%s" % " ".join(mode), result.code == 1
            and "standard output" in result.err, result)
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh",
            e2e.SOFTPROBE, "-r", name] + list(mode), stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=e2e.SECONDS)
        check("a closed standard output is an error%s" % " ".join(mode),
            done.returncode == 1 and done.stderr, done)


BAD = (  # arguments, what the one line must name
    (("-v", "7"), ("7", "5")), (("-v", ""), ("-v",)),
    (("-n", "127.0.0.1"), ("127.0.0.1",)),
    (("-n", "127.0.0.1:99999"), ("99999",)),
    (("-n", "127.0.0.1:0"), ("127.0.0.1:0",)),
    (("-n", "[::1:2055"), ("[::1:2055",)),
    (("-n", "127.0.0.1:2055,"), ("-n",)),
    (("-t", "nope=3"), ("nope", "maxlife")), (("-t", "udp=abc"), ("abc",)),
    (("-t", "udp"), ("udp",)), (("-t", "udp=-5"), ("-5",)),
    (("-t", "udp=0"), ("udp",)), (("-t", "maxlife=99999999999"), ("99999",)),
    (("-m", "0"), ("-m", "0")), (("-m", "many"), ("many",)),
    (("-m", "99999999999999999999"), ("999",)),
    (("-T", "nonsense"), ("nonsense", "full")), (("-L", "300"), ("300",)),
    (("-P", "pigeon"), ("pigeon", "udp")),
    (("-B", "x"), ("x",)), (("-C", "-1"), ("-1",)),
    (("--mtu", "10"), ("10",)), (("--mtu", "70000"), ("70000",)),
    (("-v", "5", "-s", "16384"), ("-s", "16384", "v5", "16383")),
    (("-s", "often"), ("-s", "often")),
    (("-A", "micro", "-v", "9"), ("-A", "NetFlow")),
    (("-b", "-v", "9"), ("-b", "biflow", "IPFIX")),
    (("-v", "5", "--biflow"), ("-b", "biflow", "IPFIX")),
    (("--export-rate", "fast"), ("fast",)), (("--nonsense",), ("nonsense",)),
    (("-i",), ("-i",)), (("-Z",), ("Z",)))
LATER = (("-v", "psamp"), ("-g",))


def bad_command_lines():
    name = e2e.capture("zeek__wikipedia.pcap")
    for args, words in BAD + tuple((a, ("yet", a[0])) for a in LATER):
        result = probe("-r", name, *args)
        said = " ".join(args)
        check("%s is a usage error" % said, result.code == 2 and
            not result.out, result)
        equal("%s is refused in one line" % said,
            len(result.err.splitlines()), 1)
        for word in words:
            check("%s: the line says %r" % (said, word), word in result.err,
                result.err)
    result = probe()
    check("no source is a usage error", result.code == 2 and
        len(result.err.splitlines()) == 1, result)
    result = probe("-r", name, "-i", "lo")
    check("a file and an interface are a usage error", result.code == 2, result)


def help_and_version():
    with open(os.path.join(e2e.TREE, "VERSION"), encoding="ascii") as f:
        version = f.read()
    for option in ("--version", "-V"):
        result = probe(option)
        check(option + " is the bare version", result.code == 0 and
            result.out.decode() == version, result)
    for option in ("--help", "-h"):
        result = probe(option)
        text = result.out.decode()
        check(option + " leaves with 0", result.code == 0, result)
        for word in ("-i", "-r", "-n", "-v", "-t", "-T", "-m", "-L", "-c", "-p",
                "-d", "--json", "--wait", "--mtu", "--export-rate"):
            check("%s shows %s" % (option, word), word in text)


def summary():
    text = probe("--json", "-r", e2e.capture("zeek__wikipedia.pcap")).err
    for word in ("octets received", "flows created", "ignored", "arp",
            "records ended", "protocol", "packets/s"):
        check("the summary tells: " + word, word in text, text)
    equal("the named reasons add up to the ignored packets", sum(int(n) for n
        in re.findall(r"^ignored (?!packets)\S+: (\d+)$", text, re.M)), 10)
    quiet = probe("--json", "--quiet", "-r",
        e2e.capture("zeek__wikipedia.pcap"))
    equal("--quiet: no summary", quiet.err, "")


def progress():
    """Drawn on a terminal and nowhere else."""
    try:
        terminal, end = pty.openpty()
    except OSError as error:
        e2e.skip("progress on a terminal", error)
        return
    many = written("many.pcap", pcap([(at(n * 0.001), eth(udp4(n)))
        for n in range(9000)]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        args = ["-r", many, "-m", "100", "--mtu", "512", "--export-rate",
            "1000", "-n", "127.0.0.1:%d" % s.getsockname()[1]]
        result = probe(*args)
        check("no progress bar where there is no terminal", "%" not in
            result.err and result.code == 0, result)
        with subprocess.Popen([e2e.SOFTPROBE] + args, stderr=end,
                stdin=subprocess.DEVNULL) as running:
            os.close(end)
            seen = b""
            while True:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:  # the other end is closed
                    break
            code = running.wait(20)
    os.close(terminal)
    check("a long replay shows its progress on a terminal", b"%" in seen and
        code == 0, seen[:300])


def short_options_have_their_meaning():
    name = e2e.capture("zeek__wikipedia.pcap")
    wanted = probe("--json", "-r", name).out
    for args in (("-6",), ("-a",), ("-d",), ("-D",), ("-N",), ("-B", "65536"),
            ("-C", "200"), ("-P", "udp"), ("-v", "5"), ("-v", "9"),
            ("-v", "10"), ("-v", "ipfix"), ("-L", "5"), ("-A", "milli"),
            ("-c", "none"), ("-t", "expint=0"), ("-t", "tcp=1h"),
            ("-m", "100000"), ("-x", "0"), ("-s", "1")):
        result = probe("--json", "-r", name, *args)
        check("%s is accepted" % " ".join(args), result.code == 0, result)
        equal("%s changes no record" % " ".join(args), result.out, wanted)


if __name__ == "__main__":
    e2e.main([real_captures, ninth_tcp_flag, same_file_same_output,
        workers_change_nothing,
        workers_change_nothing_in_a_sample,
        table_for_people, file_shapes, nanoseconds, several_files,
        filter_expression, truncated_files, mutated_files, no_capture_file,
        impossible_lengths, wrong_link_type, endless_fifo,
        files_are_opened_at_the_start, endless_stream, times, record_times_of_each_direction, timeouts, end_reasons,
        octets_are_the_datagrams, fragments,
        class_of_service_of_each_direction, icmp_type_and_code,
        extension_headers, keys, full_output, bad_command_lines,
        help_and_version, summary, progress, short_options_have_their_meaning])

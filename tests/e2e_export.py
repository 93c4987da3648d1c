#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_export.py - what an Exporting Process can say beyond plain flows, read by
an independent decoder (collect.py): biflows, units of
time, sampling, options data.
"""
import decimal
import json
import socket

import e2e
from collect import Collector
from e2e import check, equal, probe
from frames import ACK, FIN, SYN, at, eth, icmp, ip4, ip6, pcap, tcp, udp

A, B = "192.0.2.200", "192.0.2.100"  # the initiator has the higher address


def replay(*args, packets=None, version="10"):
    """Replay to a collector; returns the run and the decoded session."""
    with Collector() as collector:
        result = probe("-v", version, "-n", collector.name, *args,
            **({"stdin": pcap(packets)} if packets else {}))
    session = collector.decoded()
    name = "v%s %s" % (version, " ".join(str(a) for a in args))
    check(name + ": exit 0, account balanced", result.code == 0 and
        e2e.balanced(result.err), result)
    equal(name + ": no rule of the format is broken", session.errors[:5], [])
    return result, session


def stream(packets, *args, **more):
    return replay("-r", "-", *args, packets=packets, **more)


# ---- biflows ------------------------------------------------------------

def conversation(tags=()):
    """A TCP conversation: (seconds, frame)."""
    def there(flags, octets=0, tos=0x20):
        return eth(ip4(A, B, 6, tcp(40000, 443, flags, b"x" * octets),
            tos=tos), tags=tags)
    def back(flags, octets=0):
        frame = eth(ip4(B, A, 6, tcp(443, 40000, flags, b"y" * octets),
            tos=0x40), tags=tags)
        return frame[6:12] + frame[:6] + frame[12:]
    return [(at(0), there(SYN)), (at(0.1), back(SYN | ACK)),
        (at(0.2), there(ACK, 100)), (at(0.3), back(ACK, 1000)),
        (at(0.4), back(ACK, 1000))]


def biflow_is_one_record():
    for key in ("ip", "proto", "full", "vlan", "ether"):
        for tags in ((), ((0x8100, 7),)):
            result, session = stream(conversation(tags), "-b", "-T", key)
            said = "-b -T %s%s: " % (key, " VLAN" if tags else "")
            if not equal(said + "one record", len(session.records), 1):
                continue
            r, back = session.records[0], session.records[0].reverse
            equal(said + "the source is the initiator", (r.src, r.dst,
                r.fields[239]), (A, B, 1))
            equal(said + "ports", (r.sport, r.dport), (40000, 443)
                if key not in ("ip", "proto") else (0, 0))
            equal(said + "forward", (r.packets, r.octets, r.flags, r.tos),
                (2, 180, SYN | ACK, 0x20))
            equal(said + "reverse", (back.packets, back.octets, back.flags,
                back.tos), (3, 2120, SYN | ACK, 0x40))
            equal(said + "times of each direction", (r.first_ns, r.last_ns,
                back.first_ns, back.last_ns),
                (at(0), at(0.2), at(0.1), at(0.4)))
            equal(said + "VLAN", r.fields.get(58, 0), 7 if tags else 0)
            check(said + "both halves count as sent", all(word in
                result.err.split() for word in ("1", "5", "2300")), result)


def biflow_by_class_of_service():
    both = [(at(0), eth(ip4(A, B, 17, udp(1, 2), tos=8))),
        (at(1), eth(ip4(B, A, 17, udp(2, 1), tos=8))),
        (at(2), eth(ip4(A, B, 17, udp(1, 2), tos=16)))]
    _, session = stream(both, "-b", "-T", "tos")
    equal("-b -T tos: a record for each class", [(r.packets, r.tos,
        r.reverse.packets if r.reverse else 0) for r in session.records],
        [(1, 8, 1), (1, 16, 0)])


def biflow_of_one_direction():
    for family, packet in (("IPv4", ip4(A, B, 17, udp(1, 2))),
            ("IPv6", ip6("2001:db8::2", "2001:db8::1", 17, udp(1, 2))),
            ("ICMP", ip4(A, B, 1, icmp(3, 3)))):
        _, session = stream([(at(0), eth(packet))], "-b")
        equal(family + ": what nobody answered has no reverse half",
            [(r.fields[239], r.reverse) for r in session.records],
            [(1, None)])


def biflow_goes_on_after_the_active_timeout():
    later = conversation() + [(at(n), eth(ip4(B, A, 6, tcp(443, 40000, ACK))))
        for n in range(1, 8)]
    _, session = stream(later, "-b", "-t", "active=4", "-t", "expint=0")
    equal("a record of the responder alone says so",
        [(r.src, r.fields[239], r.packets) for r in session.records],
        [(A, 1, 2), (B, 2, 4)])


def real_captures_as_biflows():
    wanted = e2e.expected()
    def run(name):
        with Collector() as collector:
            result = probe("-b", "-n", collector.name, "-r", e2e.capture(name))
        lines = probe("-b", "--json", "-r", e2e.capture(name)).out
        return name, result, collector.decoded(), lines.splitlines()
    for name, result, session, lines in e2e.each(run, e2e.captures()):
        check(name + ": exit 0, account balanced", result.code == 0 and
            e2e.balanced(result.err), result)
        equal(name + ": no rule is broken", session.errors[:3], [])
        e2e.compare(name + ": both halves of all biflows", e2e.add_up(
            half for r in session.records for half in r.directions()),
            wanted[name], unit_ns=10**6)
        seen = [json.loads(line) for line in lines]
        equal(name + ": JSON has the same records", sorted(
            (j["packetDeltaCount"], j["octetDeltaCount"],
                j.get("reversePacketDeltaCount", 0),
                j.get("reverseOctetDeltaCount", 0), j["biflowDirection"])
            for j in seen), sorted((r.packets, r.octets,
                r.reverse.packets if r.reverse else 0,
                r.reverse.octets if r.reverse else 0, r.fields[239])
            for r in session.records))


# ---- units of time ------------------------------------------------------

UNITS = {"sec": (150, 10**9), "milli": (152, 10**6), "micro": (154, 1000),
    "nano": (156, 1)}


def time_units():
    times = [at(0), at(0, 1), at(0, 999), at(0, 1001), at(0, 999999),
        at(1, 123456789), at(1, 500000000), at(2, 999999000), at(2, 999999999)]
    packets = [(t, eth(ip4(A, B, 17, udp(n, 2)))) for n, t in enumerate(times)]
    packets += [(t + 10**9, eth(ip4(B, A, 17, udp(2, n))))
        for n, t in enumerate(times)]
    data = pcap(sorted(packets), nano=True)
    for unit, (element, size) in UNITS.items():
        for more in ((), ("-b",)):
            said = "-A %s %s: " % (unit, " ".join(more))
            with Collector() as collector:
                probe("-A", unit, *more, "-n", collector.name, "-r", "-",
                    stdin=data)
            session = collector.decoded()
            halves = [h for r in session.records for h in r.directions()]
            equal(said + "no rule is broken", session.errors[:3], [])
            check(said + "the elements of the unit", halves and all(element in
                h.fields and element + 1 in h.fields for h in halves))
            equal(said + "the times", sorted(h.first_ns for h in halves),
                sorted((t // size * size) for t, _ in packets))
            lines = probe("-A", unit, *more, "--json", "-r", "-",
                stdin=data).out.splitlines()
            name = "flowStart" + {"sec": "Seconds"}.get(unit, unit.capitalize()
                + "seconds")
            first = json.loads(lines[0], parse_float=decimal.Decimal)
            equal(said + "JSON", first.get(name), decimal.Decimal(at(0)) / size)


def time_units_past_the_ends_of_eras():
    for second in (1, 2085978496, 4294967295):  # NTP's first era ends in 2036
        packets = [(second * 10**9 + 5000, eth(ip4(A, B, 17, udp(1, 2))))]
        for unit, (_, size) in UNITS.items():
            _, session = stream(packets, "-A", unit)
            equal("-A %s: a packet of second %d" % (unit, second),
                [r.first_ns for r in session.records],
                [packets[0][0] // size * size])


# ---- sampling -----------------------------------------------------------

MODES = ("systematic", "random", "hash")


def many_packets():
    return [(at(n * 0.001), eth(ip4(A, B, 17, udp(1000 + n % 7, 53,
        b"x" * (n % 50)), ident=n))) for n in range(20000)]


def sampled():
    packets = pcap(many_packets())
    for mode in MODES:
        for n in (1, 2, 10, 1000):
            said = "-s %s:%d: " % (mode, n)
            args = ("-s", "%s:%d" % (mode, n), "--json", "-r", "-")
            result = probe(*args, stdin=packets)
            taken = sum(r.packets for r in result.records())
            check(said + "account balanced", result.code == 0 and
                e2e.balanced(result.err), result)
            due = 20000 / n
            check(said + "about one packet in %d" % n, taken == due
                if mode == "systematic" or n == 1 else
                abs(taken - due) < 5 * due ** .5, taken)
            equal(said + "all others are counted",
                result.summary("ignored sampled-out"),
                20000 - taken if n > 1 else None)
            check(said + "the same twice", probe(*args, stdin=packets).out ==
                result.out)
    plain = probe("--json", "-r", "-", stdin=packets).out
    equal("-s 1 is no sampling", probe("-s", "1", "--json", "-r", "-",
        stdin=packets).out, plain)


def sampled_headers_of_v5():
    for given, word in (("1", 0), ("random:1", 0), ("100", 1 << 14 | 100),
            ("systematic:16383", 1 << 14 | 16383),
            ("random:5", 2 << 14 | 5), ("hash:5", 2 << 14 | 5)):
        with Collector() as collector:
            probe("-v", "5", "-s", given, "-n", collector.name, "-r", "-",
                stdin=pcap(many_packets()[:1000]))
        session = collector.decoded(v5_sampling=word)
        check("-v 5 -s %s: the header tells it" % given, session.messages)
        equal("-v 5 -s %s: no rule is broken" % given, session.errors[:3], [])


def sampled_fragments():
    """A later fragment has the ports of a first one that was left out."""
    first = ip4(A, B, 17, udp(1000, 53, b"x" * 16), ident=9, fragment=0x2000)
    later = ip4(A, B, 17, b"y" * 24, ident=9, fragment=3)
    other = ip4(A, B, 17, udp(7, 7))
    result = probe("-s", "2", "--json", "-r", "-", stdin=pcap(
        [(at(n), eth(p)) for n, p in enumerate((other, first, later))]))
    equal("a sampled fragment has its ports", [(r.sport, r.dport, r.packets)
        for r in result.records()], [(7, 7, 1), (1000, 53, 1)])


def sampled_by_content():
    """By hash, packets of one flow differ, and where they pass does not."""
    def frame(n, hop_limit):
        segment = bytearray(tcp(1, 2, ACK))
        segment[4:8] = n.to_bytes(4, "big")  # the sequence number
        packet = bytearray(ip6("2001:db8::1", "2001:db8::2", 6, segment))
        packet[7] = hop_limit
        return eth(bytes(packet))
    runs = [probe("-s", "hash:10", "--json", "-r", "-", stdin=pcap(
        [(at(n * 0.001), frame(n, hop_limit)) for n in range(1000)]))
        for hop_limit in (64, 63)]
    taken = sum(r.packets for r in runs[0].records())
    check("hash: packets of one flow are told apart", 50 < taken < 150, taken)
    equal("hash: the hop limit does not matter", runs[0].out, runs[1].out)


# ---- options data -------------------------------------------------------

def only(session, element):
    """The Options Data Records that have an element."""
    return [o for o in session.options if element in o]


def options_of_sampling():
    packets = many_packets()[:2000]
    for given, told in (("1", False), ("100", True)):
        _, session = stream(packets, "-s", given, version="10")
        equal("IPFIX -s %s: the rate is told if not all packets count" % given,
            [o[34] for o in only(session, 34)] != [], told)
    for given, rate, how, algorithm in (("1", 1, 1, 1), ("100", 100, 1, 1),
            ("random:20000", 20000, 2, 4), ("hash:7", 7, 2, 8)):
        for version in ("9", "10"):
            _, session = stream(packets, "-s", given, "--options", "all",
                version=version)
            said = "v%s -s %s: " % (version, given)
            seen = only(session, 34)
            check(said + "34 and 35", seen and all((o[34], o[35]) ==
                (rate, how) for o in seen), seen)
            if version == "9":
                seen = only(session, 50)
                check(said + "48, 49 and 50", seen and all((o[48], o[49],
                    o[50], o["scope 1"]) == (1, how, rate, 0) for o in seen),
                    seen)
            else:
                check(said + "304, 305, 306 and 311", all((o[302], o[304],
                    o[305], o[306], o[311]) == (1, algorithm, 1, rate - 1,
                    1 / rate) for o in seen),
                    seen)


def options_of_statistics():
    packets = many_packets()[:3000] + [(at(9), eth(b"x" * 46, 0x88cc)),
        (at(9.1), eth(b"x" * 86, 0x88cc))]
    for version in ("9", "10"):
        with Collector() as collector:
            probe("-v", version, "-n", collector.name, "-r", "-",
                "--domain", "77", "--options", "all", "-s", "2", "-t", "active=300ms", "-t", "expint=0", stdin=pcap(packets))
        session = collector.decoded()
        said = "v%s: " % version
        equal(said + "no rule is broken", session.errors[:3], [])
        last = only(session, 42)[-1]
        sent = collector.datagrams[:-1]
        equal(said + "at the end, messages, octets and records before it",
            (last[41], last[40], last[42]), (len(sent), sum(map(len, sent)),
            len(session.records)))
        ignored = only(session, 164)
        taken = sum(r.packets for r in session.records)
        octets = sum(r.octets for r in session.records)
        whole = sum(len(f) - 14 for _, f in packets[:-2])
        domain = "scope 1" if version == "9" else 149
        equal(said + "what was ignored or left out", [(o[domain], o[164],
            o[165], o[323]) for o in ignored[-1:]],
            [(77, 3002 - taken, whole - octets + 60 + 100, (at(0) // 10**6,
            at(9.1) // 10**6))])
        equal(said + "at the start nothing", {o[164] for o in ignored[:-1]},
            {0})
        equal(said + "packets seen and taken by sampling", [(o[318], o[319])
            for o in only(session, 318)[-1:]], [(3000, taken)])
        equal(said + "nothing was lost", {(o[166], o[167], o[168], o[323],
            o.get(135)) for o in only(session, 166)}, {(0, 0, 0, (0, 0),
            None)})
        start = only(session, 160)
        check(said + "it began with the first flow", start and all(o[160] ==
            at(0) // 10**6 for o in start), start)


def options_of_the_exporter():
    def told(address, *args):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        number = int.from_bytes(socket.inet_pton(family, address), "big")
        with Collector(family) as collector:
            result = probe("-n", collector.name, "--options", "exporter", "-r",
                "-", *args, stdin=pcap(many_packets()[:100]))
        session = collector.decoded()
        equal("%s %s: no rule is broken" % (address, args),
            session.errors[:3], [])
        seen = [(o[130], o[131]) for o in session.options]
        both = (0, number) if family == socket.AF_INET6 else (number, 0)
        equal("%s %s: the exporter's address" % (address, args), set(seen),
            {both})
        if "10" in args:
            equal("%s %s: it is the original one" % (address, args),
                {(o[403], o[404]) for o in session.options}, {both})
        return result
    try:
        Collector(socket.AF_INET6).finish()
        addresses = ("127.0.0.1", "127.0.0.2", "::1")
    except OSError as error:
        e2e.skip("the exporter's IPv6 address", error)
        addresses = ("127.0.0.1", "127.0.0.2")
    for version in ("9", "10"):
        for address in addresses:
            told(address, "-v", version, "-e", address)
        told("127.0.0.1", "-v", version)


def options_can_be_chosen():
    kinds = {"sampling": {34}, "statistics": {42}, "exporter": {160}}
    for version in ("9", "10"):
        for given in ("none", "sampling", "statistics", "exporter",
                "interfaces", "sampling,statistics"):
            _, session = stream(many_packets()[:100], "--options", given,
                version=version)
            for kind, elements in kinds.items():
                equal("v%s --options %s: %s" % (version, given, kind),
                    any(elements <= set(o) for o in session.options),
                    kind in given)


def options_come_with_templates():
    packets = [(at(n), eth(ip4(A, B, 17, udp(n, 53)))) for n in range(200)]
    for version in ("9", "10"):
        _, session = stream(packets, "--template-refresh", "30",
            "--options", "all", version=version)
        rates = [m for (_, m), o in zip(session.option_at, session.options)
            if 34 in o]
        check("v%s: sampling is told again with templates" % version,
            len(rates) > 4 and set(rates) <= set(session.template_at),
            (rates, session.template_at))
        for mtu in (256, 300, 512):
            _, session = stream(packets, "--mtu", mtu, "--options", "all",
                version=version)
            equal("v%s --mtu %d: all records" % (version, mtu),
                len(session.records), 200)
            check("v%s --mtu %d: no datagram is longer" % (version, mtu),
                session.longest <= mtu, session.longest)


if __name__ == "__main__":
    e2e.main([biflow_is_one_record, biflow_by_class_of_service,
        biflow_of_one_direction, biflow_goes_on_after_the_active_timeout,
        real_captures_as_biflows, time_units,
        time_units_past_the_ends_of_eras, sampled, sampled_headers_of_v5,
        sampled_fragments, sampled_by_content, options_of_sampling,
        options_of_statistics, options_of_the_exporter, options_can_be_chosen,
        options_come_with_templates])

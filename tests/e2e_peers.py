#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_peers.py - what other probes were seen to do wrong, one test each, by the
numbers of docs/conformance.md, which names the test of a number that is not
here; on captures made by frames.py, and live on a veth pair.
"""
import struct
import subprocess
import time

import e2e
import frames
from collect import Collector, StreamCollector
from e2e import check, equal, probe, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from frames import ACK, SYN, at, eth, ip4, ip6, pcap, tcp, udp, udp4

VERSIONS = ("5", "9", "10")
HIGH, LOW = "192.0.2.200", "192.0.2.100"


def replay(packets, *args, version="10", **more):
    """Replay to a collector; its strict session, and the run."""
    with Collector() as collector:
        result = probe("-v", version, "-n", collector.name, "-r", "-", *args,
            stdin=pcap(packets, **more))
    session = collector.decoded()
    said = "v%s %s" % (version, " ".join(str(a) for a in args))
    check(said + ": exit 0, account balanced", result.code == 0 and
        e2e.balanced(result.err), result)
    equal(said + ": no rule of the format is broken", session.errors[:3], [])
    return session, result


def many(n=200, step=0.001):
    return [(at(i * step), eth(udp4(i))) for i in range(n)]


def back(packet, **more):
    """A frame the other way."""
    frame = eth(packet, **more)
    return frame[6:12] + frame[:6] + frame[12:]


# ---- live: a quiet link, the end, rude company --------------------------

def m01_packets_on_a_quiet_link_are_exported_in_time():
    with Collector() as collector, Live("-n", collector.name, "-t", "idle=1",
            "-t", "expint=1") as run:
        with Wire() as wire:
            wire.send(*(eth(udp4(n, payload=b"x" * 29)) for n in range(200)))
        began = time.monotonic()
        check("m01: 200 packets are metered within a second", wait_for(
            lambda: run.received() == 200, 1.5), run.statistics()[:200])
        check("m01: and exported when they are idle", wait_for(
            lambda: len(collector.decoded().records) == 200, 5),
            len(collector.decoded().records))
        check("m01: within the idle timeout and 2 s",
            time.monotonic() - began < 4)
        ended_well("m01", run)


def m02_sigterm_in_the_foreground_exports_every_flow():
    with Collector() as collector, Live("-n", collector.name) as run:
        with Wire() as wire:
            wire.send(*(frame for _, frame in many()))
        wait_for(lambda: run.received() == 200)
        equal("m02: 200 flows are active, none was exported",
            len(collector.decoded().records), 0)
        ended_well("m02", run)
    equal("m02: at SIGTERM all are", len(collector.decoded().records), 200)


def m05_a_reader_of_the_flows_that_goes_does_not_end_the_probe():
    with Live("--json", "-t", "idle=1h") as run:
        with Wire() as wire:
            wire.send(*(frame for _, frame in many(3000)))
        wait_for(lambda: run.received() == 3000)
        done = subprocess.run("'%s' -c '%s' dump-flows | head -1" % (
            e2e.SOFTPROBECTL, run.ctl), shell=True, capture_output=True,
            timeout=e2e.SECONDS, stdin=subprocess.DEVNULL)
        equal("m05: dump-flows | head -1 gives a line",
            len(done.stdout.splitlines()), 1)
        equal("m05: the probe is there and has its flows",
            e2e.number(run.statistics(), "packets in active flows"), 3000)
        ended_well("m05", run)


def m06_an_idle_client_keeps_nobody_waiting():
    from e2e_control import connected
    with Live("--json") as run:
        idle = connected(run.ctl)
        began = time.monotonic()
        check("m06: others are answered", run.statistics())
        check("m06: at once", time.monotonic() - began < 1.5)
        impatient = connected(run.ctl)
        impatient.sendall(b"statistics\n")
        impatient.close()
        check("m06: and after one left without its answer",
            run.statistics() and run.running(), run)
        idle.close()
        ended_well("m06", run)


def m07_a_collector_that_closes_its_session_ends_nothing():
    with Collector() as other, StreamCollector() as collector:
        with Live("-n", "tcp://%s?reconnect=1s" % collector.name, "-n",
                other.name, "-t", "idle=1", "-t", "expint=0") as run, (
                Wire()) as wire:
            wire.send(*(frame for _, frame in many(100)))
            check("m07: a session has all", wait_for(lambda: sum(len(
                s.records) for s in collector.decoded()) == 100), run)
            collector.hang_up()
            time.sleep(0.1)
            wire.send(*(eth(udp4(n)) for n in range(100, 200)))
            check("m07: the other collector has all", wait_for(lambda: len(
                other.decoded().records) == 200), run)
            check("m07: there is another session", wait_for(lambda: len(
                collector.streams) > 1), run)
            wire.send(*(eth(udp4(n)) for n in range(200, 300)))
            check("m07: which is sent to", wait_for(lambda: len(
                collector.decoded()[-1].records) >= 100), run)
            ended_well("m07", run)
            check("m07: the account of each adds up", e2e.accounted(run.err),
                run)
    equal("m07: each session by the rules, from sequence 0 on",
        [(s.errors, s.first_sequence) for s in collector.decoded()],
        [([], 0)] * len(collector.streams))


def m21_a_burst_loses_nothing():
    for rate in (200, 2000, 0):
        with Collector() as collector, Live("-n", collector.name) as run:
            with Wire() as wire:
                for _, frame in many():
                    wire.send(frame)
                    time.sleep(1 / rate if rate else 0)
            wait_for(lambda: run.received() == 200)
            ended_well("m21", run)
        equal("m21: 200 packets at %s are 200 records" % ("%d/s" % rate
            if rate else "once"), len(collector.decoded().records), 200)


def m24_collectors_that_cannot_be_reached_stop_nothing():
    bad = ["192.0.2.1:2055", "no-such-host.invalid:2055"]
    with Collector() as collector, Live("-n", ",".join(bad +
            [collector.name]), "-t", "idle=1") as run:
        with Wire() as wire:
            wire.send(*(frame for _, frame in many(20)))
        check("m24: the one there is has all", wait_for(
            lambda: len(collector.decoded().records) == 20, 8), run)
        check("m24: each of the others is named", all(name.split(":")[0] in
            run.err for name in bad), run.err)
        ended_well("m24", run)
    missing = probe("-d", "-i", "none0", "-n", collector.name)
    check("m24: a missing interface is an error that names it",
        missing.code == 1 and "none0" in missing.err, missing)
    with Live("--json", sources=("--wait", "-i", "late0"), ready=False) as run:
        check("m24: --wait waits for it", wait_for(run.answers) and
            run.running(), run)
        ended_well("m24", run)


LIVE = [m01_packets_on_a_quiet_link_are_exported_in_time,
    m02_sigterm_in_the_foreground_exports_every_flow,
    m05_a_reader_of_the_flows_that_goes_does_not_end_the_probe,
    m06_an_idle_client_keeps_nobody_waiting,
    m07_a_collector_that_closes_its_session_ends_nothing,
    m21_a_burst_loses_nothing,
    m24_collectors_that_cannot_be_reached_stop_nothing]


# ---- packets ------------------------------------------------------------

def m03_a_cut_extension_header_ends():
    packet = ip6("2001:db8::1", "2001:db8::2", 0, b"\x11")
    result = probe("--json", "-r", "-", stdin=pcap([(at(0), eth(packet))]),
        seconds=10)
    equal("m03: a frame of 55 octets with a hop-by-hop header of one: exit",
        (len(eth(packet)), result.code), (55, 0))
    check("m03: account balanced", e2e.balanced(result.err), result)


def m04_a_short_echo_request_keeps_type_and_code():
    short = ip4(HIGH, LOW, 1, frames.icmp(8, 3, b""))
    for version in VERSIONS:
        session, _ = replay([(at(0), eth(short))], version=version)
        equal("m04: v%s: type 8, code 3 of an IP packet of 24 octets" %
            version, [(r.dport, r.octets) for r in session.records],
            [(8 << 8 | 3, 24)])


def m10_each_direction_has_its_class_of_service():
    packets = [(at(0), eth(ip4(HIGH, LOW, 17, udp(1, 2), tos=0x20))),
        (at(1), back(ip4(LOW, HIGH, 17, udp(2, 1), tos=0x40)))]
    for version in VERSIONS:
        session, _ = replay(packets, version=version)
        equal("m10: v%s: 0x20 out, 0x40 back" % version, sorted((r.src, r.tos)
            for r in session.records), [(LOW, 0x40), (HIGH, 0x20)])


def m11_a_vlan_is_the_same_both_ways():
    tag = ((0x8100, 7),)
    session, _ = replay([(at(0), eth(ip4(HIGH, LOW, 17, udp(1, 2)), tags=tag)),
        (at(1), back(ip4(LOW, HIGH, 17, udp(2, 1)), tags=tag))], "-T", "vlan",
        "-b")
    equal("m11: one record, its VLAN in 58, both halves counted",
        [(r.fields.get(58), r.fields.get(59), r.packets, r.reverse.packets)
        for r in session.records], [(7, None, 1, 1)])


def m12_octets_are_those_of_ip_not_of_a_padded_frame():
    packets = [(at(0), eth(ip4(HIGH, LOW, 6, tcp(1, 2, ACK)), pad=60))]
    for version in VERSIONS:
        session, _ = replay(packets, version=version)
        equal("m12: v%s: 40 octets in a frame of 60" % version, (len(
            packets[0][1]), [r.octets for r in session.records]), (60, [40]))


def m13_two_mpls_labels_are_not_counted():
    inner = ip4(HIGH, LOW, 17, udp(1, 2, b"x" * 100))
    for version in VERSIONS:
        session, _ = replay([(at(0), frames.mpls(inner, 16, 17))],
            version=version)
        equal("m13: v%s: 128 octets below two labels" % version,
            [(r.packets, r.octets) for r in session.records], [(1, 128)])


def m14_fragments_are_of_their_flow():
    payload = udp(1000, 53, b"x" * 3000)
    pieces = [payload[n:n + 1480] for n in range(0, len(payload), 1480)]
    packets = [(at(n), eth(ip4(HIGH, LOW, 17, piece, ident=9,
        fragment=n * 185 | (0x2000 if n < len(pieces) - 1 else 0))))
        for n, piece in enumerate(pieces)]
    for version in VERSIONS:
        session, _ = replay(packets, version=version)
        equal("m14: v%s: three fragments are one flow of 3068 octets" %
            version, [(r.sport, r.dport, r.packets, r.octets)
            for r in session.records], [(1000, 53, 3, 3068)])


# ---- times and directions -----------------------------------------------

def m15_each_direction_has_its_own_times():
    packets = [(at(0), eth(ip4(HIGH, LOW, 17, udp(1, 2)))),
        (at(0.1), back(ip4(LOW, HIGH, 17, udp(2, 1))))]
    for version in VERSIONS:
        session, _ = replay(packets, version=version)
        equal("m15: v%s: one packet each way, 0.1 s apart" % version, sorted(
            (r.src, r.first_ns, r.last_ns) for r in session.records),
            [(LOW, at(0.1), at(0.1)), (HIGH, at(0), at(0))])


def m16_the_source_of_a_biflow_is_who_began_it():
    packets = [(at(0), eth(ip4(HIGH, LOW, 6, tcp(40000, 443, SYN)))),
        (at(0.1), back(ip4(LOW, HIGH, 6, tcp(443, 40000, SYN | ACK))))]
    session, _ = replay(packets, "-b")
    equal("m16: the higher address sent the SYN, and is the source", [(r.src,
        r.sport, r.dport, r.fields[239]) for r in session.records],
        [(HIGH, 40000, 443, 1)])


def m17_a_clock_that_steps_back_ends_no_flow_before_its_start():
    packets = [(at(10 - 5 * (n > 2)), eth(udp4())) for n in range(5)]
    for version in VERSIONS:  # "order" is among the rules that replay checks
        session, _ = replay(packets, version=version)
        equal("m17: v%s: all packets are told" % version,
            sum(r.packets for r in session.records), 5)


def m18_a_gap_of_an_hour_parts_two_flows():
    packets = [(at(0), eth(udp4())), (at(3600), eth(udp4()))]
    for version in VERSIONS:
        session, _ = replay(packets, version=version)
        equal("m18: v%s: two records" % version, [(r.first_ns, r.last_ns)
            for r in session.records], [(at(0), at(0)), (at(3600), at(3600))])


def m19_a_replay_has_the_times_of_its_capture():
    year_2023 = 1690000000123 * 10**6
    packets = [(year_2023, eth(udp4())), (year_2023 + 10**9, eth(udp4()))]
    for version in VERSIONS:
        session, _ = replay(packets, version=version)
        equal("m19: v%s: to the millisecond" % version, [(r.first_ns,
            r.last_ns) for r in session.records], [(year_2023, year_2023 +
            10**9)])


# ---- messages -----------------------------------------------------------

def m08_sequence_numbers_have_no_gaps():
    for version in VERSIONS:
        for args in ((), ("--options", "all") if version != "5" else ("-T",
                "full")):
            session, _ = replay(many(3000), "-t", "idle=1", *args,
                version=version)  # "sequence" is among the rules
            equal("m08: v%s: 3000 flows" % version, len(session.records), 3000)
            equal("m08: v%s: from 0 on" % version, session.first_sequence, 0)


def m09_v9_header_counts_templates_and_options():
    with Collector() as collector:
        probe("-v", "9", "-n", collector.name, "-r", "-", "--options", "all",
            "--mtu", "9000", stdin=pcap(many(24)))
    session = collector.decoded()
    first = collector.datagrams[0]
    equal("m09: the count is of templates, options and flows together",
        struct.unpack_from("!H", first, 2)[0], session.template_records +
        session.options_template_records + sum(m == 0 for _, m in
        session.option_at) + session.counts[0])
    equal("m09: no rule is broken", session.errors, [])


def m22_a_rate_that_v5_cannot_tell_is_refused():
    for given in ("16384", "20000", "random:20000"):
        result = probe("-v", "5", "-s", given, "-n", "127.0.0.1:9", "-r",
            e2e.capture("zeek__wikipedia.pcap"))
        check("m22: -v 5 -s %s: exit 2, one line that says 16383" % given,
            result.code == 2 and "16383" in result.err and
            len(result.err.splitlines()) == 1, result)
    with Collector() as collector:
        probe("-v", "5", "-s", "16383", "-n", collector.name, "-r", "-",
            stdin=pcap(many(16383 * 2, 0.0001)))
    equal("m22: 16383 is told", (collector.decoded(
        v5_sampling=1 << 14 | 16383).errors, len(collector.datagrams) > 0),
        ([], True))


def m23_the_hop_limit_is_of_unicast_too():
    with Collector() as collector:
        probe("-L", "5", "-n", collector.name, "-r", "-",
            stdin=pcap(many(10)))
    equal("m23: datagrams leave with -L 5", set(collector.hops), {5})


def m25_one_dead_collector_costs_another_nothing():
    for version in VERSIONS:
        with Collector() as alone:
            probe("-v", version, "-r", "-", "-n", alone.name,
                stdin=pcap(many()))
        for order in (0, 1):
            with Collector() as collector:
                dead = "127.0.0.1:%d" % e2e.free_port()
                both = [dead, collector.name][::-1 if order else 1]
                probe("-v", version, "-r", "-", "-n", ",".join(both),
                    stdin=pcap(many()))
            check("m25: v%s: all arrives, octet for octet (%d)" % (version,
                order), alone.datagrams and
                collector.datagrams == alone.datagrams)


def m26_messages_are_full():
    for version, most in (("5", 8), ("9", 12), ("10", 14)):
        session, _ = replay(many(), version=version)
        check("m26: v%s: 200 flows in %d messages" % (version, most),
            session.messages <= most and session.longest > 1300,
            (session.messages, session.longest))


def m27_ipv6_in_v5_is_said_and_counted():
    six = [(at(n), eth(ip6("2001:db8::1", "2001:db8::2", 17, udp(n, 2))))
        for n in range(3)]
    session, result = replay(six + [(at(4), eth(udp4()))], version="5")
    equal("m27: the IPv4 flow arrives", len(session.records), 1)
    equal("m27: one line says that IPv6 flows do not",
        sum("IPv6" in line for line in result.err.splitlines()), 1)
    head, row = (line.split() for line in result.err.splitlines()[-2:])
    equal("m27: three are counted as unfit", row[head.index("unfit") + 1], "3")


def m28_v9_option_sets_end_on_4_octets():
    for more in ((), ("-s", "10")):
        session, _ = replay(many(), "--options", "all", *more, version="9")
        check("m28: option sets are there, and break no rule of alignment",
            session.options_template_records and session.options)


OFFLINE = [m03_a_cut_extension_header_ends,
    m04_a_short_echo_request_keeps_type_and_code,
    m08_sequence_numbers_have_no_gaps,
    m09_v9_header_counts_templates_and_options,
    m10_each_direction_has_its_class_of_service,
    m11_a_vlan_is_the_same_both_ways,
    m12_octets_are_those_of_ip_not_of_a_padded_frame,
    m13_two_mpls_labels_are_not_counted, m14_fragments_are_of_their_flow,
    m15_each_direction_has_its_own_times,
    m16_the_source_of_a_biflow_is_who_began_it,
    m17_a_clock_that_steps_back_ends_no_flow_before_its_start,
    m18_a_gap_of_an_hour_parts_two_flows,
    m19_a_replay_has_the_times_of_its_capture,
    m22_a_rate_that_v5_cannot_tell_is_refused,
    m23_the_hop_limit_is_of_unicast_too,
    m25_one_dead_collector_costs_another_nothing, m26_messages_are_full,
    m27_ipv6_in_v5_is_said_and_counted, m28_v9_option_sets_end_on_4_octets]


if __name__ == "__main__":
    live = e2e.private_network("faults of others on a live link")
    if live:
        e2e.veth(NEAR, FAR)
    e2e.main((LIVE if live else []) + OFFLINE)

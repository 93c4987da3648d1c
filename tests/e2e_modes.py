#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_modes.py - several collectors: each conversation to one of them (--balance),
all to the first that is up (--failover), and settings of their own.
"""
import e2e
from collect import Collector
from e2e import check, equal, probe
from frames import at, eth, ip4, pcap, udp, udp4

CAPTURES = ("zeek__var-services-std-ports.pcap", "zeek__wikipedia.pcap",
    "tcpdump__mpls-traceroute.pcap")


def three(*args, **more):
    """A replay to three collectors; the run and what each was sent."""
    with Collector() as a, Collector() as b, Collector() as c:
        result = probe(*args, "-n", ",".join((a.name, b.name, c.name)),
            **more)
    return result, (a, b, c)


def conversation(r):
    """The same for both directions; of ICMP, addresses alone."""
    ends = [(r.src, r.sport), (r.dst, r.dport)]
    if r.protocol in (1, 58):
        ends = [(r.src, 0), (r.dst, 0)]
    return (r.protocol,) + tuple(sorted(ends))


def balance_shares_conversations():
    wanted = e2e.expected()
    for version in ("9", "10"):
        for name in CAPTURES:
            args = ("-v", version, "-l", "-r", e2e.capture(name), "-t",
                "active=500ms", "-t", "expint=0")
            result, got = three(*args)
            sessions = [c.decoded() for c in got]
            said = "v%s %s: " % (version, name)
            check(said + "exit 0, account balanced", result.code == 0 and
                e2e.balanced(result.err), result)
            equal(said + "no rule is broken for any collector",
                [s.errors[:3] for s in sessions], [[]] * 3)
            e2e.compare(said + "together they have all", e2e.add_up(
                r for s in sessions for r in s.records), wanted[name],
                unit_ns=10**6)
            shares = [{conversation(r) for r in s.records} for s in sessions]
            check(said + "records of one conversation are at one collector",
                not (shares[0] & shares[1] or shares[1] & shares[2] or
                shares[0] & shares[2]))
            if len(set.union(*shares)) > 15:
                check(said + "each has some", all(shares), shares)
            equal(said + "the same share in each run", [sorted((r.key(),
                r.packets) for r in c.decoded().records)
                for c in three(*args)[1]], [sorted((r.key(), r.packets)
                for r in s.records) for s in sessions])


def balance_is_accounted_for():
    result, got = three("-l", "-r", "-", stdin=pcap([(at(n * 0.001),
        eth(udp4(n))) for n in range(3000)]))
    sessions = [c.decoded() for c in got]
    equal("3000 flows in all", sum(len(s.records) for s in sessions), 3000)
    for c, s in zip(got, sessions):
        row = [line.split() for line in result.err.splitlines()
            if line.startswith(c.name)]
        head = [line.split() for line in result.err.splitlines()
            if line.startswith("collector ")]
        count = dict(zip(head[0], row[0]))
        equal("%d records sent, the others are elsewhere" % len(s.records),
            (int(count["packets"]), int(count["elsewhere-packets"])),
            (len(s.records), 3000 - len(s.records)))


def failover_leaves_the_first_that_refuses():
    packets = pcap([(at(n), eth(udp4(n))) for n in range(300)])
    for version in ("5", "10"):
        dead = "127.0.0.1:%d" % e2e.free_port()
        with Collector() as second, Collector() as third:
            result = probe("-v", version, "--failover", "-r", "-",
                "--export-rate", "100", "-t", "idle=1", "-n",
                ",".join((dead, second.name, third.name)), stdin=packets)
        session = second.decoded()
        said = "v%s: " % version
        check(said + "exit 0, and it is said", result.code == 0 and
            "%s: gets the records now, not %s" % (second.name, dead) in
            result.err, result)
        check(said + "the second gets what the first did not",
            len(session.records) > 150, len(session.records))
        equal(said + "no rule is broken", session.errors[:3], [])
        equal(said + "the third gets no record",
            len(third.decoded().records), 0)


def failover_without_trouble_uses_the_first_alone():
    result, got = three("--failover", "-r", e2e.capture(CAPTURES[0]))
    equal("exit 0", result.code, 0)
    alone = Collector()
    with alone:
        probe("-r", e2e.capture(CAPTURES[0]), "-n", alone.name)
    equal("the first gets what it would get alone", got[0].datagrams,
        alone.datagrams)
    equal("the others nothing", [len(c.datagrams) for c in got[1:]], [0, 0])


def settings_of_each_collector():
    packets = pcap([(at(n), eth(ip4("10.0.0.1", "10.0.0.2", 17,
        udp(n + 1, 53)))) for n in range(300)])
    with Collector() as a, Collector() as b, Collector() as c:
        result = probe("-r", "-", "-n", "udp://%s?version=5&domain=3,"
            "udp://%s?version=9&options=none&mtu=512,"
            "udp://%s?options=sampling&template-refresh=30&domain=70000" % (
            a.name, b.name, c.name), stdin=packets)
    equal("exit 0", result.code, 0)
    five, nine, ten = (x.decoded() for x in (a, b, c))
    for name, s in (("v5", five), ("v9", nine), ("IPFIX", ten)):
        equal(name + ": no rule is broken", s.errors[:3], [])
        equal(name + ": all records", len(s.records), 300)
    equal("versions", (five.versions, nine.versions, ten.versions),
        ({5}, {9}, {10}))
    check("mtu of one", nine.longest <= 512 < ten.longest, (nine.longest,
        ten.longest))
    equal("options of one", (len(nine.options), {34 in o for o in
        ten.options}), (0, {True}))
    equal("domains", (five.domains, nine.domains, ten.domains), ({3}, {0},
        {70000}))
    check("template refresh of one", len(ten.template_at) > len(
        nine.template_at), (ten.template_at, nine.template_at))


if __name__ == "__main__":
    e2e.main([balance_shares_conversations, balance_is_accounted_for,
        failover_leaves_the_first_that_refuses,
        failover_without_trouble_uses_the_first_alone,
        settings_of_each_collector])

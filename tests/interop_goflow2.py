#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
interop_goflow2.py - replays into a real GoFlow2: every capture in NetFlow v5,
v9 and IPFIX, every flow against what went in, out of its JSON lines and out of
its protobuf messages, each probe told apart by its address and its domain.
"""
import tempfile

import e2e
import goflow2
from e2e import check, equal
from frames import at, eth, pcap, udp4

VERSIONS = ("5", "9", "10")
FLOWS = 1500  # of many messages, yet no more than a socket holds
SAMPLED = 4


class ToFile(goflow2.GoFlow2):
    """A GoFlow2 that writes its flows to a file."""

    def __init__(self, form):
        self.form = form
        self.file = tempfile.mktemp(dir=e2e.scratch(), prefix="flows-")
        super().__init__(form, "-transport.file", self.file,
            "-transport.file.sep", "\n" if form == "json" else "")

    def flows(self):
        with open(self.file, "rb") as f:
            return goflow2.READ[self.form](f.read())

    def finish(self, records):
        """Wait for that many, stop it: {probe's address: its flows}."""
        e2e.wait_for(lambda: len(self.flows()) >= records, 30)
        self.stop()
        by_probe = {}
        for flow in self.flows():
            by_probe.setdefault(flow.probe, []).append(flow)
        return by_probe


def replay(collector, version, n, name, *options, host=None):
    """A probe with a domain, and unless told an address, of its own."""
    return e2e.probe_then_wait(collector.port, "-v", version, "-r", name, "-n",
        collector.name, "-e", "127.0.1.%d" % (host or n), "--domain", n,
        *options)


def records(run, collector):
    return int(e2e.collectors(run.err)[collector.name]["records"])


def sent(version, form):
    """All captures to one GoFlow2: {n: (name, run)} and what it has."""
    collector = ToFile(form)
    many = e2e.path("many-%s-%s.pcap" % (version, form))
    with open(many, "wb") as f:
        f.write(pcap([(at(n * 0.001), eth(udp4(n))) for n in range(FLOWS)]))
    files = [e2e.capture(name) for name in e2e.captures()] + [many]
    runs = {n + 1: (name, replay(collector, version, n + 1, name))
        for n, name in enumerate(files)}
    flows = collector.finish(sum(records(run, collector)
        for _, run in runs.values()))
    return runs, flows, collector.complaints()


def real_captures_into_goflow2():
    wanted = e2e.expected()
    kinds = [(v, form) for v in VERSIONS for form in goflow2.READ]
    for (version, form), (runs, flows, complaints) in zip(kinds, e2e.each(
            lambda kind: sent(*kind), kinds)):
        said = "v%s %s: " % (version, form)
        equal(said + "GoFlow2 complains of nothing", complaints[:3], [])
        for n, (name, result) in runs.items():
            name = name.rsplit("/", 1)[1]
            check(said + name + ": exit 0, account balanced", result.code == 0
                and e2e.balanced(result.err), result)
            seen = flows.get("127.0.1.%d" % n, [])
            if version != "5":  # whose engine it does not tell
                equal(said + name + ": each has the probe's domain",
                    {f.domain for f in seen}, {n} if seen else set())
            if name not in wanted:
                equal(said + "%d flows arrive" % FLOWS, (len(seen),
                    sum(f.packets for f in seen)), (FLOWS, FLOWS))
                continue
            e2e.compare(said + name + ": packets, octets, flags, class, times",
                e2e.add_up(seen), {k: s for k, s in wanted[name].items()
                if version != "5" or k[0] == 4}, unit_ns=10**6)


def domains_keep_probes_of_one_address_apart():
    """Their templates have the same numbers, and other fields."""
    collector = ToFile("json")
    name = "zeek__wikipedia.pcap"
    runs = [replay(collector, version, domain, e2e.capture(name), *options,
        host=1) for version in ("9", "10") for domain, options in ((1, ()), (2,
        ("-T", "ether")), (3, ("--fields", "-tcpControlBits,-ingressInterface")),
        (1, ()))]
    flows = collector.finish(sum(records(run, collector) for run in runs))
    equal("one address", list(flows), ["127.0.1.1"])
    wanted = {k: (s.packets, s.octets) for k, s in e2e.expected()[
        name].items()}
    for domain, times in ((1, 4), (2, 2), (3, 2)):
        seen = e2e.add_up(f for f in flows["127.0.1.1"] if f.domain == domain)
        equal("domain %d: packets and octets of each flow" % domain,
            {k: (s.packets, s.octets) for k, s in seen.items()},
            {k: (times * p, times * o) for k, (p, o) in wanted.items()})


def goflow2_knows_the_sampling_rate():
    """Of v5 and v9; of RFC 5477's interval and space it reads the interval."""
    collector = ToFile("json")
    name = e2e.capture("zeek__wikipedia.pcap")
    runs = [replay(collector, version, int(version), name, "-s", SAMPLED)
        for version in ("5", "9")]
    flows = collector.finish(sum(records(run, collector) for run in runs))
    for version in ("5", "9"):
        equal("v%s: each flow has the sampling rate" % version,
            {f.sampling for f in flows["127.0.1." + version]}, {SAMPLED})


if __name__ == "__main__":
    if goflow2.PROGRAM is None:
        e2e.skip("replay into GoFlow2",
            "there is no goflow2 (sh tests/interop-install.sh)")
    e2e.main([real_captures_into_goflow2,
        domains_keep_probes_of_one_address_apart,
        goflow2_knows_the_sampling_rate]
        if goflow2.PROGRAM is not None else [])

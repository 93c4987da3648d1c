#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_fixbuf.py - replays read by libfixbuf, the reference implementation of
IPFIX: over the network by read_fixbuf.c, as a file by its ipfixDump.
"""
import os
import re
import subprocess
import tempfile

import e2e
from e2e import check, equal, probe
from frames import at, eth, pcap, udp4

READER = os.path.join(e2e.TREE, "tests", "read_fixbuf")
FLOWS = 1500  # of many messages, yet no more than a socket holds
KINDS = {"udp": ("10", "%s"), "v9": ("9", "%s"),  # -v and -n
    "tcp": ("10", "tcp://%s")}
# Of v9 it makes IPFIX first, and there finds fault with its own scopes.
OWN_FAULT = "Illegal length 4 for information element messageScope"


class Reader:
    """A Collecting Process of many replays, each with a domain of its own."""

    def __init__(self, kind):
        self.name = tempfile.mktemp(dir=e2e.scratch(), prefix="fixbuf-")
        for _ in range(20):  # another test may take the port first
            self.port = e2e.free_port()
            with open(self.name, "wb") as out, open(self.name + "-err",
                    "wb") as err:
                self.process = subprocess.Popen([READER, kind,
                    str(self.port)], stdin=subprocess.DEVNULL, stdout=out,
                    stderr=err)
            if e2e.wait_for(lambda: self.lines() or
                    self.process.poll() is not None) and self.lines():
                return
        raise RuntimeError("read_fixbuf does not start")

    def lines(self):
        with open(self.name, encoding="ascii") as f:
            return [l.rstrip("\n") for l in f if l.endswith("\n")]

    def flows(self):
        return [Row(l.split("|")) for l in self.lines()
            if l != "ready" and not l.endswith("options")]

    def finish(self, packets):
        """Wait until these are there, stop it: {domain: its flows}."""
        e2e.wait_for(lambda: sum(f.packets for f in self.flows()) >= packets)
        self.process.kill()
        self.process.wait()
        by_domain = {}
        for flow in self.flows():
            by_domain.setdefault(flow.domain, []).append(flow)
        return by_domain

    def complaints(self):
        with open(self.name + "-err", encoding="utf-8") as f:
            return [l for l in f if l.strip() and OWN_FAULT not in l]


class Row(e2e.Flow):
    """A line of read_fixbuf; `back` is the reverse direction's counters."""

    def __init__(self, words):
        self.src, self.dst = words[2:4]
        n = [int(w) if w.isdigit() else 0 for w in words]
        self.domain, self.af, self.protocol = n[0], n[1], n[4]
        self.sport, self.dport = n[5], n[7] if self.protocol in (1, 58) else (
            n[6])
        self.packets, self.octets, self.flags, self.tos = n[8:12]
        self.first_ns, self.last_ns = n[12] * 10**6, n[13] * 10**6
        self.back = tuple(n[14:16])


def sent(kind, options):
    """All captures to one reader; what it has and says."""
    reader = Reader(kind)
    version, name = KINDS[kind]
    many = e2e.path("many-%s-%s.pcap" % (kind, len(options)))
    with open(many, "wb") as f:
        f.write(pcap([(at(n * 0.001), eth(udp4(n))) for n in range(FLOWS)]))
    runs = {domain + 1: (os.path.basename(file), e2e.probe_then_wait(
        reader.port, "-v", version, "-r", file, "-n", name % ("127.0.0.1:%d" %
        reader.port), "--domain", domain + 1, *options)) for domain, file in
        enumerate([e2e.capture(name) for name in e2e.captures()] + [many])}
    packets = sum(run.summary("packets in records") or 0
        for _, run in runs.values())
    return runs, reader.finish(packets), reader.complaints()


def real_captures_into_libfixbuf():
    if not os.path.exists(READER):
        e2e.skip("replay into libfixbuf", "read_fixbuf was not built")
        return
    wanted = e2e.expected()
    work = [(k, o) for k in KINDS for o in ((), ("--options", "all"))]
    for (kind, options), (runs, flows, complaints) in zip(work, e2e.each(
            lambda one: sent(*one), work, len(work))):
        said = "%s %s: " % (kind, " ".join(options))
        equal(said + "libfixbuf warns of nothing", complaints[:3], [])
        for domain, (name, result) in runs.items():
            check(said + name + ": exit 0, account balanced", result.code == 0
                and e2e.balanced(result.err), result)
            seen = flows.get(domain, [])
            if name in wanted:
                e2e.compare(said + name + ": packets, octets, flags, class, "
                    "times", e2e.add_up(seen), wanted[name], unit_ns=10**6)
            else:
                equal(said + "%d flows arrive" % FLOWS, (len(seen),
                    sum(f.packets for f in seen)), (FLOWS, FLOWS))


# ---- files, by ipfixDump ------------------------------------------------

FIELD = re.compile(r"^\s+\((?:(\d+)/)?(\d+)\) (?:\(S\))?\s*(\w+) : (.*)$")
FLOW_NAMES = ("sourceIPv4Address", "sourceIPv6Address")


def dumped(name):
    """The Data Records of a file as ipfixDump has them, what it complains."""
    done = subprocess.run(["ipfixDump", "--data", "-i", name],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=e2e.SECONDS)
    records = []
    for line in done.stdout.decode().splitlines():
        found = FIELD.match(line)
        if line.startswith("--- data record"):
            records.append({})
        elif found:
            records[-1][found.group(3)] = found.group(4)
    return records, done.stderr.decode() + ("" if done.returncode == 0 else
        "exit %d" % done.returncode)


def counted(records):
    """Flow Records by protocol: how many, packets, octets, both ways."""
    sums = {}
    for r in records:
        if any(name in r for name in FLOW_NAMES):
            seen = sums.setdefault(r["protocolIdentifier"], [0] * 5)
            for at_, name in enumerate(("", "packetDeltaCount",
                    "octetDeltaCount", "reversePacketDeltaCount",
                    "reverseOctetDeltaCount")):
                seen[at_] += int(r.get(name, 0)) if name else 1
    return sums


def real_captures_through_ipfixDump():
    if not e2e.need("files through ipfixDump", "ipfixDump"):
        return
    def run(work):
        name, options = work
        file = tempfile.mktemp(dir=e2e.scratch(), suffix=".ipfix")
        probe("-r", e2e.capture(name), "-n", "file:" + file, "--options",
            "all", *options)
        lines = probe("-r", e2e.capture(name), "--json", *options).records()
        return name, options, dumped(file), lines
    for name, options, (records, complaints), lines in e2e.each(run, [(n, o)
            for n in e2e.captures() for o in ((), ("-b",))]):
        said = "%s %s: " % (name, " ".join(options))
        equal(said + "ipfixDump complains of nothing", complaints, "")
        equal(said + "records, packets, octets of each protocol",
            counted(records), counted([{k: str(v) for k, v in r.json.items()}
            for r in lines]))


if __name__ == "__main__":
    e2e.main([real_captures_into_libfixbuf, real_captures_through_ipfixDump])

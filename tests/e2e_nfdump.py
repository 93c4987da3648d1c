#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_nfdump.py - replays into a real nfcapd, read back with nfdump: every
capture in NetFlow v5, v9 and IPFIX, every record against what went in.
"""
import os
import re
import socket
import struct
import subprocess
import tempfile

import e2e
from e2e import check, equal, probe
from frames import at, eth, pcap, udp4

VERSIONS = ("1", "5", "9", "10")
FIXED = ("1", "5")  # no templates, no IPv6


class Nfcapd:
    """A collector of one replay, as it comes, on a port of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(dir=e2e.scratch(), prefix="nfcapd-")
        for _ in range(20):  # another test may take the port first
            self.port = e2e.free_port()
            self.process = subprocess.Popen(["nfcapd", "-4", "-b", "127.0.0.1",
                "-p", str(self.port), "-w", self.directory, "-t", "3600"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True)
            for line in self.process.stderr:
                if "Startup" in line:
                    return
            self.process.wait()
        raise RuntimeError("nfcapd does not start")

    @property
    def name(self):
        return "127.0.0.1:%d" % self.port

    def finish(self):
        """Let it read all, stop it; its rows and its log are kept."""
        e2e.wait_for(lambda: e2e.udp_socket(self.port)[0] == 0)
        self.dropped = e2e.udp_socket(self.port)[1]
        self.process.terminate()
        self.log = self.process.stderr.read()
        self.process.wait(20)
        self.flows = [Row(line) for name in sorted(os.listdir(self.directory))
            if name.startswith("nfcapd.") for line in dump(
                os.path.join(self.directory, name))]
        return self

    def count(self, what):
        """The number in nfcapd's closing line, over all its sources."""
        return sum(int(n) for n in re.findall(what + r": (\d+)", self.log))


def dump(name):
    done = subprocess.run(["nfdump", "-q", "-r", name, "-o", "pipe"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=e2e.SECONDS, check=True)
    return [l for l in done.stdout.decode().splitlines() if l.count("|") > 20]


class Row(e2e.Flow):
    """A line of nfdump -o pipe; addresses are four 32-bit words."""

    def __init__(self, line):
        n = [int(word) for word in line.split("|")]
        self.af = 4 if n[0] == socket.AF_INET else 6
        self.first_ns, self.last_ns = n[1] * 10**6, n[2] * 10**6
        self.protocol = n[3]
        self.src, self.sport = self.address(n[4:8]), n[8]
        self.dst, self.dport = self.address(n[9:13]), n[13]
        self.flags, self.tos, self.packets, self.octets = n[18:22]

    def address(self, words):
        if self.af == 4:
            return socket.inet_ntop(socket.AF_INET, struct.pack("!I", words[3]))
        return socket.inet_ntop(socket.AF_INET6, struct.pack("!4I", *words))


def as_nfdump_shows(sums, version):
    """ICMPv6 without type and code for v9; e2e_wire.py compares those."""
    if version != "9":
        return sums
    shown = {}
    for key, s in sums.items():
        if key[3] == 58:
            key = key[:4] + (0, 0)
        shown.setdefault(key, e2e.Sum()).add(s.packets, s.octets, s.flags,
            s.tos, s.first_ns, s.last_ns)
    return shown


def real_captures_into_nfcapd():
    wanted = e2e.expected()
    def run(work):
        name, version = work
        collector = Nfcapd()
        result = probe("-v", version, "-n", collector.name, "-r",
            e2e.capture(name))
        return name, version, result, collector.finish()
    for name, version, result, collector in e2e.each(run,
            [(n, v) for n in wanted for v in VERSIONS]):
        said = "%s v%s" % (name, version)
        truth = wanted[name]
        if version in FIXED:
            truth = {k: s for k, s in truth.items() if k[0] == 4}
        check(said + ": exit 0, account balanced", result.code == 0 and
            e2e.balanced(result.err), result)
        e2e.compare(said + ": packets, octets, flags, class, times in nfdump",
            as_nfdump_shows(e2e.add_up(collector.flows), version),
            as_nfdump_shows(truth, version), unit_ns=10**6)
        equal(said + ": nfcapd counts no sequence error",
            collector.count("Sequence Errors"), 0)
        equal(said + ": nfcapd counts no bad packet",
            collector.count("Bad Packets"), 0)


def with_and_without_options():
    """All captures to one nfcapd, each as an exporter of its own."""
    wanted = {}
    for sums in e2e.expected().values():
        for key, s in sums.items():
            wanted.setdefault(key, e2e.Sum()).add(s.packets, s.octets, s.flags,
                s.tos, s.first_ns, s.last_ns)
    def run(kind):
        version, options = kind
        collector = Nfcapd()
        runs = [e2e.probe_then_wait(collector.port, "-v", version, "-n",
            collector.name, "-r", e2e.capture(name), "--domain", domain + 1,
            *options) for domain, name in enumerate(e2e.captures())]
        return kind, runs, collector.finish()
    kinds = [("1", ())] + [(version, ("--options", options)) for version in
        ("9", "10") for options in ("none", "all")]
    for (version, options), runs, collector in e2e.each(run, kinds):
        said = "v%s %s: all captures: " % (version, " ".join(options))
        truth = wanted if version != "1" else {k: s for k, s in wanted.items()
            if k[0] == 4}
        check(said + "exit 0", all(r.code == 0 for r in runs))
        e2e.compare(said + "packets, octets, flags, class, times in nfdump",
            as_nfdump_shows(e2e.add_up(collector.flows), version),
            as_nfdump_shows(truth, version), unit_ns=10**6)
        # nfdump does not count options data in the sequence; libfixbuf and
        # nfacctd do, as RFC 7011 s3.1 has it (e2e_fixbuf.py).
        if (version, options[1:]) != ("10", ("all",)):
            equal(said + "no sequence error", collector.count(
                "Sequence Errors"), 0)
        equal(said + "no bad packet", collector.count("Bad Packets"), 0)
        equal(said + "no complaint", [line for line in
            collector.log.splitlines() if re.search(
            "invalid|unknown|skip|corrupt|failed", line, re.I)], [])


def into_default_buffers(version, *args):
    """
    A replay into a collector with default buffers.  A busy machine may keep
    the collector from its processor for longer than those buffers last, so
    there are three tries; a replay without pace fails them all.
    """
    for _ in range(3):
        collector = Nfcapd()
        result = probe("-v", version, "-n", collector.name, *args)
        collector.finish()
        if collector.dropped == 0:
            break
    return result, collector


def large_file():
    """All of 100,000 flows, at the default pace."""
    count = 100000
    big = e2e.path("big.pcap")
    with open(big, "wb") as f:
        f.write(pcap([(at(n * 0.0001), eth(udp4(n))) for n in range(count)]))
    for version, more in (("5", ("-m", "200000")), ("9", ("-m", "200000")),
            ("10", ("-m", "200000")), ("10", ())):
        result, collector = into_default_buffers(version, "-r", big, *more)
        said = "v%s%s: 100,000 flows: " % (version,
            "" if more else ", default cache")
        check(said + "exit 0, account balanced", result.code == 0 and
            e2e.balanced(result.err), result)
        equal(said + "the kernel drops nothing", collector.dropped, 0)
        equal(said + "all arrive", len(collector.flows), count)
        equal(said + "each once", len({r.src for r in collector.flows}), count)
        equal(said + "no sequence error", collector.count("Sequence Errors"),
            0)


def several_files_into_nfcapd():
    names = ["zeek__conn-size.pcap", "zeek__wikipedia.pcap",
        "tcpdump__forces2.pcap"]
    for version in VERSIONS:
        collector = Nfcapd()
        args = [word for n in names for word in ("-r", e2e.capture(n))]
        result = probe("-v", version, "-n", collector.name, *args)
        collector.finish()
        truth = {}
        for name in names:
            truth.update(e2e.expected()[name])
        if version in FIXED:
            truth = {k: s for k, s in truth.items() if k[0] == 4}
        check("v%s: three files in one replay: exit 0" % version,
            result.code == 0, result)
        e2e.compare("v%s: three files in one replay" % version,
            as_nfdump_shows(e2e.add_up(collector.flows), version),
            as_nfdump_shows(truth, version), unit_ns=10**6)
        equal("v%s: three files: no sequence error" % version,
            collector.count("Sequence Errors"), 0)


if __name__ == "__main__":
    e2e.main([real_captures_into_nfcapd, with_and_without_options,
        several_files_into_nfcapd, large_file]
        if e2e.need("replay into nfcapd", "nfcapd", "nfdump") else [])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_nfacctd.py - replays into a real nfacctd (pmacct): every capture in NetFlow
v5, v9 and IPFIX, with and without options data, every flow against what went
in, and nothing in its log.
"""
import json
import subprocess
import tempfile

import e2e
from e2e import check, equal
from frames import at, eth, pcap, udp4

VERSIONS = ("5", "9", "10")
FLOWS = 1500  # of many messages, yet no more than a socket holds
PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47,
    "esp": 50, "ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112,
    "sctp": 132}

CONFIGURATION = """
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: %(port)d
logfile: %(directory)s/log
plugins: print[p]
print_refresh_time[p]: 3600
print_output[p]: json
print_output_file[p]: %(directory)s/flows
plugin_buffer_size: 10240
plugin_pipe_size: 10240000
timestamps_since_epoch: true
aggregate[p]: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, \
export_proto_sysid, timestamp_start, timestamp_end
"""


class Nfacctd:
    """A collector of many replays, each with an Observation Domain ID."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(dir=e2e.scratch(), prefix="nfacctd-")
        for _ in range(20):  # another test may take the port first
            self.port = e2e.free_port()
            name = self.directory + "/conf"
            with open(name, "w", encoding="ascii") as f:
                f.write(CONFIGURATION % vars(self))
            self.process = subprocess.Popen(["nfacctd", "-f", name],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            e2e.wait_for(lambda: "waiting for" in self.log() or
                self.process.poll() is not None)
            if self.process.poll() is None:
                return
        raise RuntimeError("nfacctd does not start: " + self.log())

    @property
    def name(self):
        return "127.0.0.1:%d" % self.port

    def log(self):
        try:
            with open(self.directory + "/log", encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def finish(self):
        """Let it read all, stop it: {domain: its flows}."""
        e2e.wait_for(lambda: e2e.udp_socket(self.port)[0] == 0)
        self.process.send_signal(2)
        self.process.wait(30)
        flows = {}
        with open(self.directory + "/flows", encoding="ascii") as lines:
            for j in map(json.loads, lines):
                flows.setdefault(j["export_proto_sysid"], []).append(Row(j))
        return flows

    def complaints(self):
        """What is in the log beyond its start and its end."""
        return [line for line in self.log().splitlines()
            if "unable" in line or "expecting" in line or
            "INFO" not in line and "Build" not in line]


class Row(e2e.Flow):
    """A line of nfacctd; times in full seconds, as it has those of v5, v9."""

    def __init__(self, j):
        self.src, self.dst = j["ip_src"], j["ip_dst"]
        self.af = 6 if ":" in self.src else 4
        name = j["ip_proto"]
        self.protocol = int(name) if name.isdigit() else PROTOCOLS[name]
        self.sport, self.dport = j["port_src"], j["port_dst"]
        self.flags, self.tos = int(j["tcp_flags"]), j["tos"]
        self.packets, self.octets = j["packets"], j["bytes"]
        self.first_ns = int(float(j["timestamp_start"])) * 10**9
        self.last_ns = int(float(j["timestamp_end"])) * 10**9


def as_nfacctd_shows(sums, version):
    """In v5 no ports but of TCP, UDP and ICMP; e2e_wire.py compares those."""
    shown = {}
    for key, s in sums.items():
        if version == "5" and key[0] != 4:
            continue
        if version == "5" and key[3] not in (1, 6, 17):
            key = key[:4] + (0, 0)
        shown.setdefault(key, e2e.Sum()).add(s.packets, s.octets, s.flags,
            s.tos, s.first_ns, s.last_ns)
    return shown


def sent(version, options):
    """All captures to one nfacctd: {domain: (name, run)} and what it has."""
    collector = Nfacctd()
    many = e2e.path("many-%s-%s.pcap" % (version, options))
    with open(many, "wb") as f:
        f.write(pcap([(at(n * 0.001), eth(udp4(n))) for n in range(FLOWS)]))
    files = [e2e.capture(name) for name in e2e.captures()] + [many]
    runs = {domain + 1: (name, e2e.probe_then_wait(collector.port, "-v",
        version, "-r", name, "-n", collector.name, "--domain", domain + 1,
        *options)) for domain, name in enumerate(files)}
    return runs, collector.finish(), collector.complaints()


def real_captures_into_nfacctd():
    wanted = e2e.expected()
    kinds = [(v, o) for v in VERSIONS for o in ((), ("--options", "none"),
        ("--options", "all")) if v != "5" or not o]
    for (version, options), (runs, flows, complaints) in zip(kinds, e2e.each(
            lambda kind: sent(*kind), kinds, len(kinds))):
        said = "v%s %s: " % (version, " ".join(options))
        equal(said + "nfacctd complains of nothing", complaints[:3], [])
        for domain, (name, result) in runs.items():
            name = name.rsplit("/", 1)[1]
            check(said + name + ": exit 0, account balanced", result.code == 0
                and e2e.balanced(result.err), result)
            seen = flows.get(domain, [])
            if name not in wanted:
                equal(said + "%d flows arrive" % FLOWS, (len(seen),
                    sum(f.packets for f in seen)), (FLOWS, FLOWS))
                continue
            # Of the 16 TCP flags of IPFIX it reads the upper eight only; the
            # times of v5 and v9 it has from the second of the header.
            e2e.compare(said + name + ": packets, octets, flags, class, times",
                e2e.add_up(seen), as_nfacctd_shows(wanted[name], version),
                unit_ns=10**9 if version == "10" else 0,
                flags=0 if version == "10" else 0xff)


if __name__ == "__main__":
    e2e.main([real_captures_into_nfacctd]
        if e2e.need("replay into nfacctd", "nfacctd") else [])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_nfacctd.py - replays into a real nfacctd (pmacct): every capture in NetFlow
v5, v9 and IPFIX, with and without options data, every flow against what went
in, as JSON lines, in memory and in an SQLite table, and nothing in its log.
"""
import contextlib
import json
import sqlite3
import subprocess
import tempfile

import e2e
from e2e import check, equal
from frames import at, eth, pcap, udp4

VERSIONS = ("5", "9", "10")
SAMPLED = 4
FLOWS = 1500  # of many messages, yet no more than a socket holds
PUSHING = 255  # a domain whose flows push those of others out of its buffers
PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47,
    "esp": 50, "ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112,
    "sctp": 132}

CONFIGURATION = """
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: %(port)d
logfile: %(directory)s/log
plugins: print[p], memory[m], sqlite3[s]
print_refresh_time[p]: 3600
print_output[p]: json
print_output_file[p]: %(directory)s/flows
plugin_buffer_size: 10240
plugin_pipe_size: 10240000
timestamps_since_epoch: true
num_protos: true
imt_path[m]: %(directory)s/memory
imt_mem_pools_number[m]: 64
imt_mem_pools_size[m]: 65536
sql_db[s]: %(directory)s/db
sql_table[s]: flows
sql_refresh_time[s]: 3600
sql_optimize_clauses[s]: true
sql_dont_try_update[s]: true
aggregate: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, \
export_proto_sysid, timestamp_start, timestamp_end
"""
TABLE = """CREATE TABLE flows (ip_src TEXT, ip_dst TEXT, src_port INTEGER,
dst_port INTEGER, ip_proto TEXT, tos INTEGER, tcp_flags INTEGER,
export_proto_sysid INTEGER, timestamp_start TEXT,
timestamp_start_residual INTEGER, timestamp_end TEXT,
timestamp_end_residual INTEGER, packets INTEGER, bytes INTEGER)"""
COLUMNS = """SELECT *, src_port AS port_src, dst_port AS port_dst FROM flows"""


class Nfacctd:
    """A collector of many replays, each with an Observation Domain ID."""

    def __init__(self, more=""):
        self.directory = tempfile.mkdtemp(dir=e2e.scratch(), prefix="nfacctd-")
        for _ in range(20):  # another test may take the port first
            self.port = e2e.free_port()
            name = self.directory + "/conf"
            with open(name, "w", encoding="ascii") as f:
                f.write(CONFIGURATION % vars(self) + more)
            self.select(TABLE.replace("TABLE", "TABLE IF NOT EXISTS"))
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

    def select(self, statement):
        with contextlib.closing(sqlite3.connect(
                self.directory + "/db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement)]

    def memory(self):
        """What its client shows while it runs."""
        return [json.loads(line) for line in e2e.sh("pmacct", "-p",
            self.directory + "/memory", "-s", "-I", "-0", "-u", "-O", "json",
            ok=False).splitlines() if line.startswith("{")]

    def finish(self, packets):
        """
        Wait until these are in memory, stop it, which writes the rest:
        {output: {domain: its flows}}.
        """
        e2e.wait_for(lambda: sum(j["packets"] for j in self.memory() if
            j["export_proto_sysid"] != PUSHING) >= packets, 30)
        outputs = {"memory": self.memory()}
        self.process.send_signal(2)
        self.process.wait(30)
        e2e.wait_for(lambda: self.log().count("Purging cache - END") == 2, 60)
        with open(self.directory + "/flows", encoding="ascii") as lines:
            outputs["print"] = [json.loads(line) for line in lines]
        outputs["sqlite3"] = self.select(COLUMNS)
        return {name: by_domain(rows) for name, rows in outputs.items()}

    def complaints(self):
        """What is in the log beyond its start and its end."""
        return [line for line in self.log().splitlines()
            if "unable" in line or "expecting" in line or
            "INFO" not in line and "Build" not in line and
            "waiting for data" not in line]


class Row(e2e.Flow):
    """A line of nfacctd; times in full seconds, as it has those of v5, v9."""

    def __init__(self, j):
        self.src, self.dst = j["ip_src"], j["ip_dst"]
        self.af = 6 if ":" in self.src else 4
        name = j["ip_proto"]  # in JSON lines
        self.protocol = int(name) if name.isdigit() else PROTOCOLS[name]
        self.sport, self.dport = j["port_src"], j["port_dst"]
        self.flags, self.tos = int(j["tcp_flags"]), j["tos"]
        self.packets, self.octets = j["packets"], j["bytes"]
        self.first_ns = int(float(j["timestamp_start"])) * 10**9
        self.last_ns = int(float(j["timestamp_end"])) * 10**9


def by_domain(rows):
    flows = {}
    for j in rows:
        flows.setdefault(j["export_proto_sysid"], []).append(Row(j))
    return flows


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
    e2e.probe_then_wait(collector.port, "-v", version, "-r", many, "-n",
        collector.name, "--domain", PUSHING)
    packets = sum(int(e2e.collectors(run.err)[collector.name]["packets"])
        for _, run in runs.values())
    return runs, collector.finish(packets), collector.complaints()


def real_captures_into_nfacctd():
    wanted = e2e.expected()
    kinds = [(v, o) for v in VERSIONS for o in ((), ("--options", "none"),
        ("--options", "all")) if v != "5" or not o]
    for (version, options), (runs, outputs, complaints) in zip(kinds, e2e.each(
            lambda kind: sent(*kind), kinds, len(kinds))):
        said = "v%s %s: " % (version, " ".join(options))
        equal(said + "nfacctd complains of nothing", complaints[:3], [])
        for domain, (name, result) in runs.items():
            name = name.rsplit("/", 1)[1]
            check(said + name + ": exit 0, account balanced", result.code == 0
                and e2e.balanced(result.err), result)
            for output, flows in outputs.items():
                compare(version, said + name + ": " + output, flows.get(domain,
                    []), wanted.get(name))


def compare(version, said, seen, wanted):
    if wanted is None:
        equal(said + ": %d flows arrive" % FLOWS, (len(seen),
            sum(f.packets for f in seen)), (FLOWS, FLOWS))
        return
    # Of the 16 TCP flags of IPFIX it reads the upper eight only; the times of
    # v5 and v9 it has from the second of the header.
    e2e.compare(said + ": packets, octets, flags, class, times",
        e2e.add_up(seen), as_nfacctd_shows(wanted, version),
        unit_ns=10**9 if version == "10" else 0,
        flags=0 if version == "10" else 0xff)


def sampled_flows_are_multiplied():
    """By the rate that v5 has in its header and the others in options data."""
    def multiplied(kind):
        collector = Nfacctd("nfacctd_renormalize: true\n")
        run = e2e.probe_then_wait(collector.port, "-v", *kind, "-s",
            str(SAMPLED), "-n", collector.name, "-r", e2e.capture(
            "zeek__wikipedia.pcap"))
        sent = int(e2e.collectors(run.err)[collector.name]["packets"])
        flows = collector.finish(0)["print"].get(0, [])
        return kind, sent, sum(f.packets for f in flows)
    for kind, sent, seen in e2e.each(multiplied, (("5",), ("9",), ("10",
            "--options", "sampling")), 3):
        equal("v%s: packets of sampled flows" % " ".join(kind), seen,
            SAMPLED * sent)


if __name__ == "__main__":
    e2e.main([real_captures_into_nfacctd, sampled_flows_are_multiplied]
        if e2e.need("replay into nfacctd", "nfacctd") else [])

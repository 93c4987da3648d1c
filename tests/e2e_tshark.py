#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_tshark.py - every datagram of every replay through tshark: nothing
malformed, and each record's packets, octets and endpoints as they went in.
"""
import collections
import json
import os
import subprocess

import e2e
import frames
from collect import Collector
from e2e import check, equal, probe
from frames import at, eth, ip4, pcap, udp

KINDS = (("1",), ("5",), ("9",), ("10",), ("10", "--options", "all"),
    ("10", "-b"), ("10", "-A", "nano"))
FIXED = ("1", "5")  # no templates, no IPv6
PORT = 2055
FIELDS = {  # what tshark calls the elements that are compared
    "packets": "cflow.packets", "octets": "cflow.octets",
    "protocol": "cflow.protocol", "src4": "cflow.srcaddr",
    "dst4": "cflow.dstaddr", "src6": "cflow.srcaddrv6",
    "dst6": "cflow.dstaddrv6", "sport": "cflow.srcport",
    "dport": "cflow.dstport"}


def replays(kind):
    """{exporter's address: (capture, datagrams)}; one address a capture."""
    def run(name):
        with Collector() as collector:
            probe("-v", *kind, "-n", collector.name, "-r", e2e.capture(name))
        return name, collector.datagrams
    done = e2e.each(run, e2e.captures())
    return {"10.0.0.%d" % (n + 1): one for n, one in enumerate(done)}


def walk(value, found):
    """All flow records in tshark's JSON: objects that hold a packet count."""
    if isinstance(value, dict):
        if FIELDS["packets"] in value:
            found.append(value)
        for inner in value.values():
            walk(inner, found)
    elif isinstance(value, list):
        for inner in value:
            walk(inner, found)


def tshark(name, *args):
    done = subprocess.run(["tshark", "-r", name, "-d",
        "udp.port==%d,cflow" % PORT, "-n"] + list(args),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=e2e.SECONDS,
        env=dict(os.environ, HOME=e2e.scratch()))  # nobody's preferences
    return done.stdout.decode()


def counts(value):
    """Of a biflow there are two, the reverse one under the same name."""
    return tuple(int(v) for v in (value if isinstance(value, list) else
        [value]))


def expected_counts(r, name):
    """The same of a JSON record."""
    back = r.json.get("reverse" + name[0].upper() + name[1:])
    return (r.json[name],) + ((back,) if back else ())


def dissected(name):
    """{exporter's address: Counter of records} as tshark reads a file."""
    records = collections.defaultdict(collections.Counter)
    # A repeated key, as for several records of a set, becomes a list.
    def merge(pairs):
        merged = {}
        for key, value in pairs:
            merged.setdefault(key, []).append(value)
        return {k: v[0] if len(v) == 1 else v for k, v in merged.items()}
    packets = json.loads(tshark(name, "-T", "json"), object_pairs_hook=merge)
    for packet in packets:
        layers = packet["_source"]["layers"]
        found = []
        walk(layers.get("cflow", {}), found)
        for r in found:
            get = {k: r.get(f) for k, f in FIELDS.items()}
            records[layers["ip"]["ip.src"]][(get["src4"] or get["src6"],
                get["dst4"] or get["dst6"], int(get["protocol"]),
                int(get["sport"] or 0), counts(get["packets"]),
                counts(get["octets"]))] += 1
    return records


def real_captures_in_tshark():
    records = {more: {name: probe("--json", "-r", e2e.capture(name),
        *more).records() for name in e2e.captures()} for more in ((), ("-b",))}
    for kind in KINDS:
        version, said = kind[0], "v" + " ".join(kind)
        sent = replays(kind)
        name = e2e.path("datagrams.pcap")
        packets = [(at(n * 0.001), eth(ip4(address, "10.9.9.9", 17,
            udp(5000, PORT, datagram))))
            for address, (_, datagrams) in sent.items()
            for n, datagram in enumerate(datagrams)]
        with open(name, "wb") as f:
            f.write(pcap(packets))
        bad = tshark(name, "-Y", "_ws.malformed || _ws.expert.severity >= "
            "\"Warning\" || _ws.short || cflow.no_template_found")
        equal(said + ": tshark flags no datagram", bad[:1000], "")
        versions = set(tshark(name, "-T", "fields", "-e",
            "cflow.version").split())
        equal(said + ": tshark reads the version of all", versions, {version})
        seen = dissected(name)
        for address, (capture, datagrams) in sent.items():
            wanted = collections.Counter(
                (r.src, r.dst, r.protocol, r.sport, expected_counts(r,
                "packetDeltaCount"), expected_counts(r, "octetDeltaCount"))
                for r in records[("-b",) if "-b" in kind else ()][capture]
                if version not in FIXED or r.af == 4)
            check("%s %s: tshark reads each record" % (capture, said),
                seen[address] == wanted, "not wanted %s, missing %s" % (
                list((seen[address] - wanted).items())[:3],
                list((wanted - seen[address]).items())[:3]))


if __name__ == "__main__":
    e2e.main([real_captures_in_tshark]
        if e2e.need("replays through tshark", "tshark") else [])

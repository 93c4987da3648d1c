# SPDX-License-Identifier: ISC
"""
goflow2.py - what the tests with a real GoFlow2 share: the collector itself,
and its flows out of JSON lines and out of protobuf messages.

It is looked for where tests/interop-install.sh puts it, then on the path.
"""
import ipaddress
import json
import os
import shutil
import subprocess
import tempfile

import e2e

INTEROP = os.environ.get("INTEROP", os.path.join(e2e.TREE, "build", "interop"))
PROGRAM = shutil.which("goflow2", path=os.pathsep.join(
    (os.path.join(INTEROP, "bin"), os.environ.get("PATH", os.defpath))))

PROTOCOLS = {"ICMP": 1, "IGMP": 2, "TCP": 6, "UDP": 17, "DCCP": 33, "IPv6": 41,
    "GRE": 47, "ESP": 50, "IPv6-ICMP": 58, "IPv6-NoNxt": 59, "OSPFIGP": 89,
    "PIM": 103, "VRRP": 112, "SCTP": 132, "Mobility Header": 135}
# The fields of its flow.proto that are compared, by their names in JSON.
FIELDS = {3: "sampling_rate", 6: "src_addr", 7: "dst_addr", 9: "bytes",
    10: "packets", 11: "sampler_address", 20: "proto", 21: "src_port",
    22: "dst_port", 23: "ip_tos", 26: "tcp_flags", 31: "icmp_type",
    32: "icmp_code", 70: "observation_domain_id", 111: "time_flow_start_ns",
    112: "time_flow_end_ns"}
ADDRESSES = ("src_addr", "dst_addr", "sampler_address")


class GoFlow2:
    """
    A collector of many replays.  One worker: of several, one may come to a
    datagram's records before another has read the templates sent earlier.
    """

    def __init__(self, form, *transport):
        self.log_name = tempfile.mktemp(dir=e2e.scratch(), prefix="goflow2-")
        for _ in range(20):  # another test may take the port first
            self.port = e2e.free_port()
            with open(self.log_name, "wb") as log:
                self.process = subprocess.Popen([PROGRAM, "-listen",
                    "netflow://127.0.0.1:%d?workers=1" % self.port, "-addr",
                    "127.0.0.1:0", "-format", form, *transport],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            e2e.wait_for(lambda: "starting collection" in self.log() or
                self.process.poll() is not None, 30)
            if self.process.poll() is None:
                return
        raise RuntimeError("goflow2 does not start: " + self.log())

    @property
    def name(self):
        return "127.0.0.1:%d" % self.port

    def log(self):
        with open(self.log_name, encoding="utf-8") as f:
            return f.read()

    def complaints(self):
        return [l for l in self.log().splitlines() if "level=INFO" not in l]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Row(e2e.Flow):
    """One of its messages; `probe` is the address that it came from."""

    def __init__(self, j):
        self.src, self.dst = j["src_addr"], j["dst_addr"]
        self.af = 6 if ":" in self.src else 4
        name = j["proto"]  # in JSON lines
        self.protocol = PROTOCOLS[name] if isinstance(name, str) else name
        self.sport, self.dport = j["src_port"], j["dst_port"]
        if self.protocol in (1, 58):
            self.dport = self.dport or j["icmp_type"] * 256 + j["icmp_code"]
        self.packets, self.octets = j["packets"], j["bytes"]
        self.flags, self.tos = j["tcp_flags"], j["ip_tos"]
        self.first_ns = j["time_flow_start_ns"]
        self.last_ns = j["time_flow_end_ns"]
        self.probe, self.domain = j["sampler_address"], j.get(
            "observation_domain_id")
        self.sampling = j["sampling_rate"]


def from_json(text):
    whole = text[:text.rfind(b"\n") + 1]  # it may be writing
    return [Row(json.loads(line)) for line in whole.splitlines()]


def varint(octets, at):
    value = shift = 0
    while True:
        value |= (octets[at] & 0x7f) << shift
        shift += 7
        at += 1
        if not octets[at - 1] & 0x80:
            return value, at


def message(octets):
    """A protobuf message: {field number: its last value}."""
    fields, at = {}, 0
    while at < len(octets):
        tag, at = varint(octets, at)
        value, at = varint(octets, at)
        if tag & 7 == 2:  # that many octets; it has no other type than varint
            value, at = octets[at:at + value], at + value
        fields[tag >> 3] = value
    return fields


def from_protobuf(octets):
    """Messages, each with its length before it."""
    rows, at = [], 0
    while at < len(octets):
        length, begin = varint(octets, at)
        at = begin + length
        if at > len(octets):
            break  # it is writing
        fields = message(octets[begin:at])
        j = {name: fields.get(number, 0) for number, name in FIELDS.items()}
        for name in ADDRESSES:
            j[name] = str(ipaddress.ip_address(j[name]))
        rows.append(Row(j))
    return rows


READ = {"json": from_json, "bin": from_protobuf}

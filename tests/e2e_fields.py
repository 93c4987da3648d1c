#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_fields.py - what --fields and -x add to records, against tshark's own
dissection of the captures, on the wire in each format, and in collectors.
"""
import collections
import json
import os
import re
import subprocess

import e2e
import frames
from collect import Collector
from e2e import check, equal, probe
from e2e_nfdump import Nfcapd
from session import ELEMENTS

LABELS = ["mplsTopLabelStackSection"] + [
    "mplsLabelStackSection%d" % n for n in range(2, 11)]

# What the first packet of a direction says, and what all of them do.
FIRST = ["sourceMacAddress", "destinationMacAddress", "dot1qVlanId",
    "dot1qPriority", "dot1qCustomerVlanId", "dot1qCustomerPriority", "ipTTL",
    "fragmentIdentification", "fragmentFlags", "flowLabelIPv6",
    "tcpSequenceNumber", "tcpAcknowledgementNumber", "tcpWindowSize",
    "mplsTopLabelTTL", "mplsTopLabelExp", "mplsLabelStackDepth"] + LABELS
LEAST, MOST = {"minimumTTL", "minimumIpTotalLength"}, {"maximumTTL",
    "maximumIpTotalLength"}
ANY = {"tcpOptions", "ipv4Options", "ipv6ExtensionHeaders"}
FIELDS = FIRST + sorted(LEAST) + sorted(MOST) + sorted(ANY)

OTHERS = ["vlanId", "postVlanId", "flowId", "octetTotalCount",
    "packetTotalCount", "flowDurationMilliseconds", "flowDurationMicroseconds",
    "ipDiffServCodePoint", "ingressPhysicalInterface",
    "egressPhysicalInterface", "samplingInterval", "samplingAlgorithm",
    "interfaceName", "interfaceDescription"]

# One record a direction of two addresses: what tshark calls ports and
# connections does not matter then.
ONE_RECORD = ["-T", "ip", "-t", "idle=24d", "-t", "tcp.fin=24d", "-t",
    "tcp.rst=24d", "-t", "maxlife=0"]

COLUMNS = """frame.protocols ip.src ip.dst ipv6.src ipv6.dst eth.src eth.dst sll.src.eth
    vlan.id vlan.priority mpls.label mpls.exp mpls.bottom mpls.ttl ip.ttl
    ip.len ip.id ip.flags ip.opt.type.number ipv6.hlim ipv6.plen ipv6.flow
    ipv6.fraghdr.ident ipv6.fraghdr.more ipv6.fraghdr.offset ipv6.hopopts.nxt
    ipv6.dstopts.nxt ipv6.routing.nxt ah.spi esp.spi mip6.proto tcp.seq_raw
    tcp.ack_raw tcp.window_size_value tcp.option_kind frame.cap_len
    frame.len""".split()


def tshark(name, columns, *args):
    done = subprocess.run(["tshark", "-n", "-r", name, "-o",
        "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields",
        "-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=,"] +
        [word for column in columns for word in ("-e", column)] + list(args),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, timeout=e2e.SECONDS, check=True,
        env=dict(os.environ, HOME=e2e.scratch()))  # nobody's preferences
    for line in done.stdout.decode().splitlines():
        yield dict(zip(columns, line.split("|")))


def numbers(text):
    """All values of a column."""
    words = {"True": 1, "False": 0}
    return [words[w] if w in words else int(w, 0) for w in text.split(",")
        if w]


def outer(p):
    """4 or 6: the IP header that comes first; None if there is none."""
    found = re.search(r":(ipv6|ip)(:|$)", ":" + p["frame.protocols"])
    return found and (6 if found.group(1) == "ipv6" else 4)


def dissected(p, version):
    """The values of one packet, as tshark says them."""
    def first(column):
        return (numbers(p[column]) + [0])[0]
    # What is behind another IP header is not this packet's.
    inner = p["frame.protocols"].split(":")
    inner = inner[inner.index("ip" if version == 4 else "ipv6") + 1:]
    def here(protocol):
        return protocol in inner and not {"ip", "ipv6", "icmp", "icmpv6"} & (
            set(inner[:inner.index(protocol)]))
    tags = list(zip(numbers(p["vlan.id"]), numbers(p["vlan.priority"])))
    tags = (tags + [(0, 0), (0, 0)])[:2]
    stack = list(zip(*(numbers(p["mpls." + c]) for c in ("label", "exp",
        "bottom", "ttl")))) or [(0, 0, 0, 0)]
    depth = len(numbers(p["mpls.label"]))
    none = "00:00:00:00:00:00"
    v = {"sourceMacAddress": (p["eth.src"] or p["sll.src.eth"] or none)[:17],
        "destinationMacAddress": (p["eth.dst"] or none)[:17],
        "dot1qVlanId": tags[0][0], "dot1qPriority": tags[0][1],
        "dot1qCustomerVlanId": tags[1][0], "dot1qCustomerPriority": tags[1][1],
        "mplsTopLabelTTL": stack[0][3], "mplsTopLabelExp": stack[0][1],
        "mplsLabelStackDepth": depth}
    for n, name in enumerate(LABELS):
        label, traffic, bottom, _ = stack[n] if n < depth else (0, 0, 0, 0)
        v[name] = "0x%06x" % (label << 4 | traffic << 1 | bottom)
    tcp = here("tcp")
    if not tcp or p["tcp.seq_raw"]:  # no header length below 20 in tshark
        v.update({"tcpSequenceNumber": tcp and first("tcp.seq_raw"),
            "tcpAcknowledgementNumber": tcp and first("tcp.ack_raw"),
            "tcpWindowSize": tcp and first("tcp.window_size_value"),
            "tcpOptions": tcp and bits(numbers(p["tcp.option_kind"]))})
    if version == 4:
        v.update({"ipTTL": first("ip.ttl"), "length": first("ip.len"),
            "fragmentIdentification": first("ip.id"),
            "fragmentFlags": first("ip.flags") << 5 & 0xe0,
            "ipv4Options": bits(numbers(p["ip.opt.type.number"]))})
        return v
    fragment = here("ipv6.fraghdr")
    headers = {0: "ipv6.dstopts", 1: "ipv6.hopopts", 5: "ipv6.routing",
        12: "mipv6", 13: "esp", 14: "ah"}
    v.update({"ipTTL": first("ipv6.hlim"), "length": 40 + first("ipv6.plen"),
        "flowLabelIPv6": first("ipv6.flow"),
        "fragmentIdentification": fragment and first("ipv6.fraghdr.ident"),
        "fragmentFlags": fragment and first("ipv6.fraghdr.more") * 0x20,
        "ipv6ExtensionHeaders": bits([bit for bit, name in headers.items() if
            here(name)] + ([6 if first("ipv6.fraghdr.offset") else 4] if
            fragment else []))})
    return v


def bits(kinds):
    return sum({1 << k for k in kinds if k < 64})


def truth(name):
    """{(source, destination): values} of a capture, by tshark."""
    sums = {}
    for p in tshark(e2e.capture(name), COLUMNS):
        version = outer(p)
        if version is None:
            continue
        ends = tuple((p["ip." + c] if version == 4 else p["ipv6." + c]).split(
            ",")[0] for c in ("src", "dst"))
        if not all(ends):  # a header that is none
            continue
        v = dissected(p, version)
        for kind in ("TTL", "IpTotalLength"):
            for most in ("minimum", "maximum"):
                v[most + kind] = v["ipTTL" if kind == "TTL" else "length"]
        s = sums.setdefault(ends, v)
        for field in LEAST:
            s[field] = min(s[field], v[field])
        for field in MOST:
            s[field] = max(s[field], v[field])
        for field in ANY & set(v):
            s[field] |= v[field]
    return sums


def values_are_those_of_the_packets():
    names = e2e.captures()
    wanted = dict(zip(names, e2e.each(truth, names)))
    for name in names:
        result = probe("-r", e2e.capture(name), "--json", "--fields",
            ",".join(FIELDS), *ONE_RECORD)
        seen = {}
        for line in result.out.splitlines():
            r = json.loads(line)
            v = 4 if r["ipVersion"] == 4 else 6
            ends = tuple(r["%sIPv%dAddress" % (side, v)] for side in (
                "source", "destination"))
            check("%s: one record a direction" % name, ends not in seen, ends)
            seen[ends] = r
        equal("%s: its directions" % name, set(seen), set(wanted[name]))
        for ends, values in wanted[name].items():
            for field in FIELDS:
                if field not in values or ends not in seen:
                    continue
                equal("%s %s: %s is what tshark says" % (name, ends, field),
                    seen[ends][field], int(values[field]) if isinstance(
                    values[field], (bool, int)) else values[field])


def lines(result):
    return [json.loads(line) for line in result.out.splitlines()]


def as_told(element, raw):
    """An element of a Data Record as JSON has it."""
    kind = ELEMENTS[element][1]
    if kind == "octetArray":
        return "0x" + raw.hex()
    if kind == "macAddress":
        return ":".join("%02x" % octet for octet in raw)
    if kind == "string":
        return raw.rstrip(b"\0").decode()
    return int.from_bytes(raw, "big")


CAPTURES = ["zeek__mixed-vlan-mpls.pcap", "zeek__pppoe-over-qinq.pcap",
    "tcpdump__mpls-traceroute.pcap", "zeek__ipv6-fragmented-dns.pcap",
    "zeek__conn-size.pcap", "tcpdump__forces2.pcap"]


def exported(version, name, *args):
    """A replay to a strict collector."""
    with Collector() as collector:
        result = probe("-v", version, "-n", collector.name, "-r",
            e2e.capture(name), *args)
    return result, collector


def records_on_the_wire_say_what_json_says():
    every = ["--fields", ",".join(FIELDS + OTHERS)]
    for name in CAPTURES:
        for version, biflow in ((9, []), (10, []), (10, ["-b"])):
            said = "%s v%d %s" % (name, version, " ".join(biflow))
            result, collector = exported(version, name, *every, *biflow)
            session = collector.decoded()
            told = lines(probe("-r", e2e.capture(name), "--json", *every,
                *biflow))
            check(said + ": exit 0, account balanced", result.code == 0 and
                e2e.balanced(result.err), result)
            equal(said + ": no rule is broken", session.errors, [])
            equal(said + ": as many records", len(session.records), len(told))
            wrong = collections.Counter()
            for r, j in zip(session.records, told):
                for element, raw in r.raw.items():
                    if isinstance(element, tuple):
                        continue
                    field = ELEMENTS[element][0]
                    if field in FIELDS + OTHERS:
                        wrong[field] += as_told(element, raw) != j[field]
                for element, raw in (r.reverse.raw if r.reverse else
                        {}).items():
                    field = ELEMENTS[element][0]
                    back = "reverse" + field[0].upper() + field[1:]
                    if field in FIELDS + OTHERS:
                        wrong[back] += as_told(element, raw) != j[back]
            equal(said + ": each value is that of JSON", +wrong,
                collections.Counter())
            check(said + ": and all are there", len(wrong) >= len(FIELDS +
                OTHERS) - 2, sorted(set(FIELDS + OTHERS) - set(wrong)))


def totals_and_numbers_of_flows():
    name = e2e.capture("zeek__conn-size.pcap")
    args = ["-r", name, "--json", "--fields",
        "flowId,packetTotalCount,octetTotalCount", "-t", "maxlife=1"]
    told = lines(probe(*args))
    flows = collections.defaultdict(list)
    for r in told:
        flows[r["flowId"]].append(r)
    check("an active timeout cuts some flows into several records",
        max(len(records) for records in flows.values()) > 1)
    for number, records in flows.items():
        ends = {(r["sourceIPv4Address"], r["sourceTransportPort"],
            r["destinationIPv4Address"], r["destinationTransportPort"])
            for r in records}
        equal("flow %d has one key" % number, len(ends), 1)
        packets = octets = 0
        for r in records:
            packets += r["packetDeltaCount"]
            octets += r["octetDeltaCount"]
            equal("flow %d: totals so far" % number, (r["packetTotalCount"],
                r["octetTotalCount"]), (packets, octets))
    both = lines(probe(*args, "-b"))
    equal("of a biflow, the number is that of its first direction",
        {r["flowId"] for r in both}, {n // 2 * 2 for n in flows})


def workers_and_sampling_keep_packets_and_what_they_tell_together():
    # Why a flow ended also depends on packets that were left out.
    fields = [f for f in FIELDS + OTHERS if f != "flowId"] + ["-flowEndReason"]
    for more in ([], ["-s", "3"], ["-s", "hash:2"]):
        args = ["--json", "--fields", ",".join(fields)] + more
        for name in CAPTURES[:5]:
            one, three = (sorted(probe("-r", e2e.capture(name), *args,
                "--workers", n).out.splitlines()) for n in (1, 3))
            equal("%s %s: three workers tell what one does" % (name,
                " ".join(more)), three, one)
    told = lines(probe("-r", e2e.capture("zeek__wikipedia.pcap"), "--json",
        "--fields", "flowId", "--workers", "3"))
    flows = collections.Counter(r["flowId"] for r in told)
    check("three workers number no two flows alike", len(flows) == len(told),
        flows.most_common(2))


def with_ttl(ttl, packet):
    return packet[:8] + bytes([ttl]) + packet[9:]


def a_sampled_record_tells_of_the_packets_that_were_chosen():
    name = e2e.path("hops.pcap")
    with open(name, "wb") as f:
        f.write(frames.pcap([(frames.at(n * 0.001), frames.eth(with_ttl(200 -
            n, frames.ip4("10.0.0.1", "10.0.0.2", 17, frames.udp(1, 2, b"x" *
            n))))) for n in range(100)]))
    r, = lines(probe("-r", name, "--json", "-s", "10", "--fields", "ipTTL,"
        "minimumTTL,maximumTTL,minimumIpTotalLength,maximumIpTotalLength,"
        "samplingInterval"))
    equal("every tenth packet's hop limits and lengths", [r[k] for k in (
        "packetDeltaCount", "ipTTL", "minimumTTL", "maximumTTL",
        "minimumIpTotalLength", "maximumIpTotalLength", "samplingInterval")],
        [10, 200, 110, 200, 28, 118, 10])


def what_cannot_be_sent_is_refused_before_anything_is_opened():
    there = ["-r", e2e.capture("zeek__wikipedia.pcap"), "-n", "127.0.0.1:9"]
    every = ",".join(FIELDS + OTHERS)
    for args, why in (
            (["--fields", "minTTL"], '"minTTL" is no element'),
            (["--fields", "minTTL"], "minimumTTL"),
            (["--fields", "minimumTTL", "-v", "5"], "NetFlow v5"),
            (["-x", "2", "-v", "1"], "NetFlow v1"),
            (["-x", "11"], "0 to 10"),
            (["--fields", "flowStartSeconds", "-v", "9"],
                "flowStartSeconds: not in NetFlow v9 records\n"),
            (["--fields", "reverseMinimumTTL"], "without -b"),
            (["--fields", every, "--mtu", "256"], "--mtu 256: "),
            (["--fields", "-" + ",-".join(n for n in
                names_of("*+") if "reverse" not in n)], "fewer than 4 octets"),
            (["--fields", "-" + ",-".join(n for n in names_of("*+")
                if "reverse" not in n and n != "protocolIdentifier")],
                "fewer than 4 octets"),
            (["-n", "udp://127.0.0.1:9?mtu=300", "-b", "--fields", every],
                "--mtu 300: ")):
        result = probe(*there, *args)
        said = " ".join(args)[:60]
        equal(said + ": exit 2", result.code, 2)
        check(said + ": one line says why", why in result.err and
            result.err.count("\n") == 1, result)
    least = re.search(r"takes (\d+) octets", probe(*there, "--fields", every,
        "--mtu", "256").err).group(1)
    for version in ("9", "10"):
        result, collector = exported(version, "zeek__mixed-vlan-mpls.pcap",
            "--fields", every, "--mtu", least)
        session = collector.decoded()
        equal("v%s --mtu %s, the least named: no rule is broken" % (version,
            least), session.errors, [])
        check("v%s --mtu %s: records arrive, no message is longer" % (version,
            least), session.records and session.longest <= int(least) and
            result.code == 0, result)


def names_of(marks):
    """The names in --elements with one of these marks."""
    return [line.split()[-1] for line in
        probe("--elements").out.decode().splitlines()[1:]
        if line[24:25] in marks]


def every_element_that_can_be_chosen_is_told_of():
    with open(os.path.join(e2e.TREE, "man", "softprobe.8"),
            encoding="utf-8") as f:
        manual = f.read()
    chosen = names_of("+")
    check("--elements marks elements to choose", len(chosen) > 80, chosen)
    for name in chosen:
        told = re.sub("Seconds|Micro|Nano", "Milli", name)  # -A
        if re.match("mplsLabelStackSection[3-9]|reverse|flow(Start|End)",
                told):
            continue  # told of as a range
        check("softprobe(8) has " + name, name in manual)


def without_them_records_are_as_they_were():
    name = e2e.capture("zeek__mixed-vlan-mpls.pcap")
    plain = exported(10, "zeek__mixed-vlan-mpls.pcap")[1].datagrams
    taken_back = exported(10, "zeek__mixed-vlan-mpls.pcap", "--fields",
        "+minimumTTL,+flowId,-minimumTTL,-flowId", "-x", "0")[1].datagrams
    equal("what is chosen and taken back leaves no octet behind", taken_back,
        plain)
    less = lines(probe("-r", name, "--json", "--fields",
        "-octetDeltaCount,-sourceIPv4Address"))
    check("what is taken out is in no record", less and not any(
        "octetDeltaCount" in r or "sourceIPv4Address" in r for r in less))
    table = probe("-r", name, "--fields", "minimumTTL,dot1qVlanId").out
    check("in the table, fields follow the columns", all(re.search(
        rb" (dot1qVlanId=\d+) (minimumTTL=\d+)$", line) for line in
        table.splitlines()[1:]), table)


TSHARK = {"minimumTTL": "ttl_min", "maximumTTL": "ttl_max",
    "dot1qVlanId": "dot1q_vlan_id", "dot1qPriority": "dot1q_priority",
    "dot1qCustomerVlanId": "dot1q_customer_vlan_id", "ipTTL": "ip_ttl",
    "fragmentIdentification": "frag_ident", "flowId": "flow_id",
    "tcpSequenceNumber": "tcp_seq_num", "tcpWindowSize": "tcp_windows_size",
    "minimumIpTotalLength": "length_min", "maximumIpTotalLength": "length_max",
    "mplsTopLabelTTL": "mpls_top_label_ttl", "postVlanId": "post_vlanid",
    "mplsLabelStackDepth": "mpls_label_depth", "sourceMacAddress": "srcmac",
    "fragmentFlags": "ip_fragment_flags", "ipDiffServCodePoint": "ip_dscp"}


def tshark_reads_them_in_exported_messages():
    for version in ("9", "10"):
        for name in CAPTURES:
            _, collector = exported(version, name, "--fields",
                ",".join(TSHARK))
            sent = e2e.path("sent.pcap")
            with open(sent, "wb") as f:
                f.write(frames.pcap([(frames.at(n * 0.001), frames.eth(
                    frames.ip4("10.0.0.1", "10.9.9.9", 17, frames.udp(5000,
                    2055, d)))) for n, d in enumerate(collector.datagrams)]))
            told = lines(probe("-r", e2e.capture(name), "--json", "--fields",
                ",".join(TSHARK)))
            seen = collections.defaultdict(collections.Counter)
            for p in tshark(sent, ["cflow." + c for c in TSHARK.values()],
                    "-d", "udp.port==2055,cflow"):
                for field, column in TSHARK.items():
                    seen[field].update(w if ":" in w else int(w, 0) for w in
                        p["cflow." + column].split(",") if w)
            for field in TSHARK:
                equal("v%s %s: tshark reads %s" % (version, name, field),
                    seen[field], collections.Counter(r[field] for r in told))


def nfdump_shows_labels_tags_and_macs():
    for version in ("9", "10"):
        for name in CAPTURES[:3]:
            collector = Nfcapd()
            args = ["-r", e2e.capture(name), "-x", "3", "--fields",
                "sourceMacAddress,destinationMacAddress,vlanId,postVlanId"]
            probe("-v", version, "-n", collector.name, *args)
            collector.finish()
            wanted = collections.Counter()
            for r in lines(probe("--json", *args)):
                stack = [int(r[label], 16) for label in LABELS[:3]]
                wanted[tuple(["%d-%d-%d" % (s >> 4, s >> 1 & 7, s & 1) for s in
                    stack] + [str(r["vlanId"]), str(r["postVlanId"]),
                    r["sourceMacAddress"], r["destinationMacAddress"]])] += 1
            done = subprocess.run(["nfdump", "-q", "-R", collector.directory,
                "-o", "fmt:%mpls1 %mpls2 %mpls3 %svln %dvln %ismc %idmc"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, timeout=e2e.SECONDS, check=True)
            seen = collections.Counter(tuple(line.split()) for line in
                done.stdout.decode().splitlines() if line.strip())
            equal("v%s %s: nfdump shows labels, tags and MACs" % (version,
                name), seen, wanted)


if __name__ == "__main__":
    e2e.main([records_on_the_wire_say_what_json_says,
        totals_and_numbers_of_flows,
        workers_and_sampling_keep_packets_and_what_they_tell_together,
        a_sampled_record_tells_of_the_packets_that_were_chosen,
        what_cannot_be_sent_is_refused_before_anything_is_opened,
        every_element_that_can_be_chosen_is_told_of,
        without_them_records_are_as_they_were] + ([
        values_are_those_of_the_packets,
        tshark_reads_them_in_exported_messages]
        if e2e.need("fields against tshark", "tshark") else []) + (
        [nfdump_shows_labels_tags_and_macs]
        if e2e.need("fields into nfcapd", "nfcapd", "nfdump") else []))

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_wire.py - what leaves softprobe, octet by octet, read by an independent
decoder (collect.py): NetFlow v5, v9 and IPFIX to one or more collectors.
"""
import os
import re
import socket
import ssl
import time

import e2e
import frames
from collect import Collector, StreamCollector
from e2e import check, equal, probe
from frames import at, eth, ip4, ip6, pcap, udp, udp4
from session import ELEMENTS, fits

VERSIONS = ("1", "5", "9", "10")
FIXED = ("1", "5")  # no templates, no IPv6


def sent(version, *args, collector=None, code=0, **more):
    """Replay to a collector; returns the run and the decoded session."""
    own = collector or Collector()
    result = probe("-v", version, "-n", own.name, *args, **more)
    own.finish()
    name = "v%s %s" % (version, " ".join(os.path.basename(str(a))
        for a in args))
    check(name + ": exit %s" % code, result.code == code, result)
    check(name + ": account balanced", e2e.balanced(result.err), result)
    session = own.decoded()
    equal(name + ": no rule of the format is broken", session.errors[:5], [])
    return result, session


def stream(version, packets, *args, **more):
    return sent(version, "-r", "-", *args, stdin=pcap(packets), **more)


def real_captures_on_the_wire():
    wanted = e2e.expected()
    def run(work):
        name, version = work
        with Collector() as collector:
            return name, version, sent(version, "-r", e2e.capture(name),
                collector=collector)
    work = [(n, v) for n in wanted for v in VERSIONS]
    for name, version, (result, session) in e2e.each(run, work):
        truth = wanted[name]
        said = "%s v%s" % (name, version)
        if version in FIXED:
            truth = {k: s for k, s in truth.items() if k[0] == 4}
        e2e.compare(said + ": packets, octets, flags, class, times",
            e2e.add_up(session.records), truth, unit_ns=10**6)
        # v9 also tells that all was ignored.
        equal(said + ": one version", session.versions, {int(version)} if
            truth or version == "9" else set())
        check(said + ": datagrams are at most 1400 octets",
            session.longest <= 1400, session.longest)
        six = sum(s.packets for k, s in wanted[name].items() if k[0] == 6)
        if version in FIXED and six:
            check(said + ": IPv6 flows are counted as unfit",
                "unfit" in result.err and str(six) in result.err, result)
            equal(said + ": and said once", result.err.count("IPv6"), 1)


def secure_context():
    """Of a collector that shows a certificate for 127.0.0.1, in cert.pem."""
    cert, key = e2e.path("cert.pem"), e2e.path("key.pem")
    e2e.sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
        "2", "-subj", "/CN=127.0.0.1", "-addext",
        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def real_captures_in_sessions():
    """Each capture in one session over TCP, and over TLS."""
    wanted = e2e.expected()
    kinds = [("tcp", version, None) for version in ("9", "10")]
    if "without" in probe("-n", "tls://127.0.0.1:9?ca=none", "-r",
            "/dev/null").err:
        e2e.skip("captures over TLS", "softprobe was built without OpenSSL")
    elif e2e.need("captures over TLS", "openssl"):
        kinds.append(("tls", "10", secure_context()))
    def run(work):
        name, (kind, version, context) = work
        with StreamCollector(context=context) as collector:
            to = "%s://%s" % (kind, collector.name)
            if context is not None:
                to += "?ca=" + e2e.path("cert.pem")
            result = probe("-v", version, "--options", "all", "-n", to, "-r",
                e2e.capture(name))
        return "%s over %s, v%s: " % (name, kind, version), name, result, (
            collector.decoded())
    for said, name, result, sessions in e2e.each(run, [(n, k) for n in wanted
            for k in kinds]):
        check(said + "exit 0, the account adds up", result.code == 0 and
            e2e.balanced(result.err) and e2e.accounted(result.err), result)
        if not equal(said + "one session", len(sessions), 1):
            continue
        equal(said + "no rule is broken", sessions[0].errors[:3], [])
        e2e.compare(said + "packets, octets, flags, class, times",
            e2e.add_up(sessions[0].records), wanted[name], unit_ns=10**6)


def wire_equals_json():
    for name in ("zeek__wikipedia.pcap", "zeek__var-services-std-ports.pcap"):
        records = probe("--json", "-r", e2e.capture(name)).records()
        _, session = sent("10", "-r", e2e.capture(name))
        def seen(flows):
            return sorted((r.key(), r.packets, r.octets, r.flags, r.tos,
                r.first_ms, r.last_ms, r.reason) for r in flows)
        equal(name + ": the same records in JSON and IPFIX",
            seen(records), seen(session.records))


def same_file_same_datagrams():
    for version in VERSIONS:
        for name in ("zeek__var-services-std-ports.pcap",
                "tcpdump__vrrp.pcap"):
            runs = []
            for _ in range(2):
                with Collector() as collector:
                    probe("-v", version, "-n", collector.name, "-r",
                        e2e.capture(name))
                runs.append(collector.datagrams)
            check("%s v%s: the same datagrams twice, bit for bit" % (
                name, version), runs[0] and runs[0] == runs[1])


def headers():
    many = [(at(n * 0.001), eth(udp4(n))) for n in range(200)]
    for version, most in (("5", 8), ("9", 12), ("10", 14)):
        _, session = stream(version, many)
        equal("v%s: 200 flows arrive" % version, len(session.records), 200)
        check("v%s: 200 flows are few messages" % version,
            session.messages <= most, session.counts)
        equal("v%s: the first sequence number is 0" % version,
            session.first_sequence, 0)
        if version not in FIXED:
            equal("v%s: templates first" % version, session.template_at[:1],
                [0])
    mixed = [(at(0), eth(udp4())), (at(0), eth(ip6("fe80::1", "fe80::2", 17,
        udp(1, 2)))), (at(0), eth(ip4("10.0.0.1", "10.0.0.2", 1,
        frames.icmp(8, 0)))), (at(0), eth(ip6("fe80::1", "fe80::2", 58,
        frames.icmp(128, 0)))), (at(0), eth(udp4(3), tags=((0x8100, 77),)))]
    for version in ("9", "10"):
        _, session = stream(version, mixed)
        equal("v%s: records of five kinds in one replay" % version,
            sorted((r.af, r.protocol, r.dport) for r in session.records),
            [(4, 1, 2048), (4, 17, 53), (4, 17, 53), (6, 17, 2),
            (6, 58, 32768)])
        equal("v%s: each kind has its template" % version,
            len(set(session.template_of.values())), 5)
        check("v%s: the VLAN is told" % version,
            77 in [r.fields.get(58) for r in session.records])


def elements_are_those_of_the_registry():
    """Numbers, names and octets that --elements prints, by IANA's table."""
    result = probe("--elements")
    text = result.out.decode()
    rows = re.findall(r"^\W*(\d+)\s+(\d+)\s.*?\b([a-z]\w*[A-Z]\w*)", text,
        re.M)
    check("--elements lists them", len(rows) > 30 and len(rows) >= len(
        text.splitlines()) - 4, result)
    for number, octets, name in rows:
        if name.startswith("reverse"):
            name = name[7].lower() + name[8:]
        known, kind = ELEMENTS.get(int(number), (None, None))
        check("element %s is %s, of %s octets" % (number, name, octets),
            name == known and fits(int(number), int(octets), False),
            "the registry has %s, %s" % (known, kind))


def every_element_at_once():
    """All that --fields takes, in every capture, by the rules."""
    names = list(dict.fromkeys(re.findall(r"\b([a-z]\w*[A-Z]\w*)$",
        probe("--elements").out.decode(), re.M)))
    wanted = e2e.expected()
    def run(work):
        name, kind, fields = work
        with Collector() as collector:
            result = probe("-v", *kind, "--fields", ",".join(fields),
                "--options", "all", "-n", collector.name, "-r",
                e2e.capture(name))
        return name, kind, result, collector.decoded()
    work = []
    for kind in (("9",), ("10",), ("10", "-b"), ("10", "-T", "ether")):
        fields = [n for n in names if probe("-v", *kind, "--fields", n, "-n",
            "127.0.0.1:9", "-r", "/dev/null").code != 2]
        check("v%s: --fields takes many" % " ".join(kind), len(fields) > 50,
            fields)
        work += [(name, kind, fields) for name in wanted]
    for name, kind, result, session in e2e.each(run, work):
        said = "v%s, all elements: %s: " % (" ".join(kind), name)
        check(said + "exit 0", result.code == 0, result)
        equal(said + "no rule is broken", session.errors[:3], [])
        e2e.compare(said + "flows", e2e.add_up(half for r in session.records
            for half in r.directions()), wanted[name], unit_ns=10**6)


def counters_have_8_octets():
    mixed = [(at(0), eth(udp4())), (at(0), eth(ip6("fe80::1", "fe80::2", 17,
        udp(1, 2))))]
    for version, args in (("9", ()), ("10", ()), ("10", ("-b",))):
        _, session = stream(version, mixed, *args)
        layouts = [dict(layout) for (_, template_id), layout in
            session.templates.items() if template_id < 512]
        check("v%s %s: octets and packets of all templates" % (version,
            " ".join(args)), layouts and all(layout[1] == layout[2] == 8 for
            layout in layouts), layouts)


def domain_of_every_message():
    for version, given, wanted in (("5", "200", 200), ("9", "4000000000",
            4000000000), ("10", "4000000000", 4000000000), ("10", "0", 0)):
        _, session = stream(version, [(at(0), eth(udp4()))], "--domain", given)
        equal("v%s: --domain %s" % (version, given), session.domains, {wanted})


def v5_messages_are_full():
    many = [(at(n * 0.001), eth(udp4(n))) for n in range(100)]
    for mtu, records in (("1400", 28), ("1463", 29), ("1464", 30),
            ("9000", 30)):
        _, session = stream("5", many, "--mtu", mtu)
        equal("v5: messages of %d records in %s octets" % (records, mtu),
            session.counts[:3], [records] * 3)


def message_size():
    many = [(at(n * 0.001), eth(udp4(n))) for n in range(200)]
    for version in VERSIONS:
        for mtu in (512, 1400, 8972):
            _, session = stream(version, many, "--mtu", str(mtu))
            equal("v%s: 200 flows in datagrams of %d octets" % (version, mtu),
                len(session.records), 200)
            check("v%s: datagrams fit --mtu %d" % (version, mtu),
                session.longest <= mtu, session.longest)
            check("v%s: datagrams use --mtu %d" % (version, mtu),
                session.longest > mtu - 200 or version in FIXED,
                session.longest)


def template_refresh():
    name = "zeek__var-services-std-ports.pcap"
    many = [(at(n * 0.01), eth(udp4(n))) for n in range(1500)]
    for version in ("9", "10"):
        _, session = stream(version, many, "--mtu", "512",
            "--template-refresh", "60,10")
        apart = [b - a for a, b in zip(session.template_at,
            session.template_at[1:])]
        # 10 that have flows: templates may fill messages of their own
        check("v%s: templates again every 10 messages" % version,
            len(apart) > 5 and max(apart) <= 11, apart)
    slow = [(at(n * 30), eth(udp4(n % 5))) for n in range(40)]
    for version in ("9", "10"):
        _, session = stream(version, slow, "-t", "idle=5",
            "--template-refresh", "60")
        check("v%s: templates again every 60 s of the capture's clock" %
            version, len(session.template_at) >= 10, session.template_at)


def replay_clock():
    for year, seconds in ((1970, 3), (2019, 1557000000), (2106, 0xfffffff0)):
        packets = [(seconds * 10**9 + 1000001, eth(udp4())),
            (seconds * 10**9 + 2500999999, eth(udp4()))]
        for version in VERSIONS:
            _, session = stream(version, packets)
            equal("v%s: times of %d" % (version, year),
                [(r.first_ms, r.last_ms) for r in session.records],
                [(seconds * 1000 + 1, seconds * 1000 + 2500)])
    far = [(at(s), eth(udp4(n))) for n, s in enumerate(
        (0, 10**9, 10**9 + 1, 5, 2 * 10**9))]
    for version in VERSIONS:
        _, session = stream(version, far)
        equal("v%s: records round jumps of 10^9 s" % version,
            sum(r.packets for r in session.records), 5)
    month = [(at(n * 86400), eth(udp4())) for n in range(80)]
    for version in VERSIONS:
        _, session = stream(version, month)
        equal("v%s: times past the wrap of sysUptime" % version,
            [r.first_ms for r in session.records],
            [at(n * 86400) // 10**6 for n in range(80)])


def counters():
    most = ip4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), total=65535)
    packets = [(at(n // 1000), eth(most)[:42], 65549) for n in range(70000)]
    for version in VERSIONS:
        _, session = stream(version, packets)
        equal("v%s: 4.6 GB in one flow are told exactly" % version,
            sum(r.octets for r in session.records), 70000 * 65535)


def several_collectors():
    name = e2e.capture("zeek__var-services-std-ports.pcap")
    for version in VERSIONS:
        with Collector() as a, Collector() as b:
            result = probe("-v", version, "-r", name, "-n", a.name + "," +
                b.name)
        equal("v%s: two collectors: exit" % version, result.code, 0)
        check("v%s: two collectors get the same" % version, a.datagrams and
            a.datagrams == b.datagrams)
        equal("v%s: each by the rules" % version, a.decoded().errors[:3], [])
        with Collector() as a, Collector() as b:
            result = probe("-v", version, "-r", name, "-n", a.name, "-n",
                b.name)
        check("v%s: -n may be repeated" % version, a.datagrams and
            a.datagrams == b.datagrams)
        for order in (0, 1):
            with Collector() as c:
                dead = "127.0.0.1:%d" % e2e.free_port()
                both = [dead, c.name] if order else [c.name, dead]
                result = probe("-v", version, "-r", name, "-n", ",".join(both))
            check("v%s: a dead collector costs the other nothing (%d)" % (
                version, order), c.datagrams == a.datagrams and
                not c.decoded().errors, result)
            check("v%s: the dead one is told (%d)" % (version, order),
                dead in result.err, result)


def unknown_name():
    name = e2e.capture("zeek__wikipedia.pcap")
    began = time.monotonic()
    with Collector() as c:
        result = probe("-r", name, "-n", "no-such-host.invalid:2055," + c.name)
    equal("a name that does not resolve: exit", result.code, 1)
    check("a name that does not resolve is said once",
        len([l for l in result.err.splitlines() if "no-such-host" in l and
        ("resol" in l or "look" in l or "name" in l.lower())]) == 1, result)
    check("a name that does not resolve costs the other nothing",
        len(c.decoded().records) == 57 and not c.decoded().errors)
    check("a name that does not resolve does not take long",
        time.monotonic() - began < 30)


def address_families():
    name = e2e.capture("zeek__wikipedia.pcap")
    try:
        six = Collector(socket.AF_INET6)
    except OSError as error:
        e2e.skip("IPv6 collector", error)
    else:
        for version in VERSIONS:
            with six if version in FIXED else Collector(socket.AF_INET6) as c:
                result = probe("-v", version, "-r", name, "-n", c.name)
            check("v%s: an IPv6 collector" % version, result.code == 0 and
                c.datagrams and not c.decoded().errors, result)
        with Collector(socket.AF_INET6) as c:
            probe("-L", "7", "-r", name, "-n", c.name)
        equal("-L sets the hop limit of IPv6", set(c.hops), {7})
    with Collector(e2e.first_family("localhost")) as c:
        result = probe("-r", name, "-n", "localhost:%d" % c.port)
        if not c.datagrams:
            time.sleep(0.2)
    check("a name is resolved", result.code == 0 and
        len(c.decoded().records) == 57, result)
    for limit in (1, 5, 255):
        with Collector() as c:
            probe("-L", str(limit), "-r", name, "-n", c.name)
        equal("-L %d is the hop limit of unicast" % limit, set(c.hops),
            {limit})


def pace():
    """100,000 flows at the default pace lose nothing in a default socket."""
    count = 100000
    data = pcap([(at(n * 0.0001), eth(udp4(n))) for n in range(count)])
    big = e2e.path("100000.pcap")
    with open(big, "wb") as f:
        f.write(data)
    with Collector() as c:
        began = time.monotonic()
        result = probe("-r", big, "-n", c.name, "-m", "200000")
        took = time.monotonic() - began
    session = c.decoded()
    equal("100,000 flows arrive", len(session.records), count)
    equal("100,000 flows break no rule", session.errors[:3], [])
    check("100,000 flows take less than a minute", took < 60, took)
    with Collector() as c:
        began = time.monotonic()
        result = probe("-r", big, "-n", c.name, "-m", "200000",
            "--export-rate", "0")
        unpaced = time.monotonic() - began
    check("--export-rate 0 is not slower than the default", result.code == 0
        and unpaced < took + 1, "%.1f s, %.1f s" % (unpaced, took))


def rate():
    many = pcap([(at(n * 0.001), eth(udp4(n))) for n in range(3000)])
    with Collector() as c:
        began = time.monotonic()
        result = probe("-v", "5", "--mtu", "504", "--export-rate", "100",
            "-r", "-", "-n", c.name, stdin=many)
        seconds = time.monotonic() - began
    equal("--export-rate: all arrives", len(c.decoded().records), 3000)
    # 300 datagrams, less those a burst may have
    check("--export-rate 100 sends about 100 datagrams a second",
        result.code == 0 and len(c.datagrams) == 300 and 2 < seconds < 30,
        "%d datagrams in %.1f s" % (len(c.datagrams), seconds))


if __name__ == "__main__":
    e2e.main([real_captures_on_the_wire, real_captures_in_sessions,
        wire_equals_json, same_file_same_datagrams, headers,
        elements_are_those_of_the_registry, every_element_at_once,
        counters_have_8_octets, domain_of_every_message,
        v5_messages_are_full, message_size, template_refresh, replay_clock,
        counters, several_collectors, unknown_name, address_families, pace,
        rate])

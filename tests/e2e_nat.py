#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_nat.py - a router that translates addresses, in network namespaces of the
test's own: a host on the LAN, a server on the WAN, softprobe on the router.
Each connection's records are compared with what the kernel's own connection
tracking counted.
"""
import collections
import ctypes
import os
import re
import signal
import socket
import struct
import threading
import time

import e2e
from collect import Collector
from e2e import Probe, check, ctl, equal, sh, wait_for
from frames import eth, ip4, pcap, udp

LAN, WAN = "lan0", "wan0"  # of the router
CLONE_NEWNET = 0x40000000
TCP, UDP, ICMP, IGMP, ICMPV6 = 6, 17, 1, 2, 58

# Address by address family: host, router on either side, server.
HOST = {4: "10.1.0.2", 6: "fd00:1::2"}
OTHER = {4: "10.1.0.3", 6: "fd00:1::3"}  # also the host's
INSIDE = {4: "10.1.0.1", 6: "fd00:1::1"}
OUTSIDE = {4: "198.51.100.1", 6: "2001:db8:2::1"}
SERVER = {4: "198.51.100.2", 6: "2001:db8:2::2"}
PREFIX = {4: 24, 6: 64}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

# Both families: what leaves by the WAN is masqueraded; port 8080 is the host's.
RULES = """
table %(table)s nat {
  chain pre {
    type nat hook prerouting priority -100;
    iifname "wan0" tcp dport 8080 dnat to %(to)s;
  }
  chain post {
    type nat hook postrouting priority 100;
    oifname "wan0" %(match)s udp dport != 5400 masquerade random;
    oifname "wan0" %(match)s meta l4proto != udp masquerade random;
  }
}
"""
MATCH = {4: "ip saddr 10.1.0.0/24", 6: "ip6 saddr fd00:1::/64"}

libc = ctypes.CDLL(None, use_errno=True)


# ---- hosts ----------------------------------------------------------------

class In:
    """What is done in the block is done in a namespace; None: the router."""

    def __init__(self, name):
        self.path = "/run/netns/" + name if name else "/proc/self/ns/net"

    def _enter(self, path):
        fd = os.open(path, os.O_RDONLY)
        failed = libc.setns(fd, CLONE_NEWNET)
        os.close(fd)
        if failed:
            raise OSError(ctypes.get_errno(), "setns " + path)

    def __enter__(self):
        self.home = "/proc/self/task/%d/ns/net" % threading.get_native_id()
        self.back = os.open(self.home, os.O_RDONLY)
        self._enter(self.path)

    def __exit__(self, *exc):
        libc.setns(self.back, CLONE_NEWNET)
        os.close(self.back)


def set_sysctl(name, value):
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
        f.write(str(value))


def add_host(name, own, near, addresses):
    """A namespace behind the router's interface `near`."""
    sh("ip", "netns", "add", name)
    sh("ip", "link", "add", near, "type", "veth", "peer", "name", own,
        "netns", name)
    for netns in ([], ["-n", name]):
        end = own if netns else near
        sh("ip", *netns, "link", "set", end, "up")
    sh("ip", "-n", name, "link", "set", "lo", "up")
    with In(name):
        set_sysctl("ipv6/conf/%s/disable_ipv6" % own, 0)
    for address in addresses:
        af = 6 if ":" in address else 4
        sh("ip", "-n", name, "addr", "add", "%s/%d" % (address, PREFIX[af]),
            "dev", own, *(["nodad"] if af == 6 else []))


def add_router_address(interface, address):
    af = 6 if ":" in address else 4
    sh("ip", "addr", "add", "%s/%d" % (address, PREFIX[af]), "dev", interface,
        *(["nodad"] if af == 6 else []))


def build():
    """Make the router; returns why there can be none here, or None."""
    for scope in ("all", "default", "lo"):
        set_sysctl("ipv6/conf/%s/disable_ipv6" % scope, 0)
    add_host("lan", "eth0", LAN, [HOST[4], OTHER[4], HOST[6], OTHER[6]])
    add_host("wan", "eth0", WAN, [SERVER[4], SERVER[6]])
    for af in (4, 6):
        add_router_address(LAN, INSIDE[af])
        add_router_address(WAN, OUTSIDE[af])
        for host, router in (("lan", INSIDE), ("wan", OUTSIDE)):
            sh("ip", "-n", host, "-%d" % af, "route", "add", "default", "via",
                router[af])
    set_sysctl("ipv4/ip_forward", 1)
    set_sysctl("ipv6/conf/all/forwarding", 1)
    for af in (4, 6):
        rules = e2e.path("rules%d" % af)
        with open(rules, "w", encoding="ascii") as f:
            f.write(RULES % {"table": "ip" if af == 4 else "ip6",
                "to": "10.1.0.2:80" if af == 4 else "[fd00:1::2]:80",
                "match": MATCH[af]})
        said = sh("nft", "-f", rules, ok=False)
        if said:
            return "no NAT: " + said.splitlines()[0]
    try:
        set_sysctl("netfilter/nf_conntrack_acct", 1)
        set_sysctl("netfilter/nf_conntrack_timestamp", 1)
    except OSError as error:
        return "no accounting by connection tracking: %s" % error
    return None


# ---- traffic --------------------------------------------------------------

class Server:
    """Answers on a port of a host, each datagram or stream with its like."""

    def __init__(self, netns, af, kind, port):
        with In(netns):
            self.socket = socket.socket(FAMILY[af], kind)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if af == 6:
                self.socket.setsockopt(socket.IPPROTO_IPV6,
                    socket.IPV6_V6ONLY, 1)
            self.socket.bind(("", port))
        self.kind = kind
        self.socket.settimeout(0.05)
        self.closing = False
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.closing:
            try:
                if self.kind == socket.SOCK_STREAM:
                    session, _ = self.socket.accept()
                    session.settimeout(10)
                    session.sendall(session.recv(100) * 2)
                    session.recv(1)  # until the client closes
                    session.close()
                else:
                    data, sender = self.socket.recvfrom(2000)
                    self.socket.sendto(data * 2, sender)
            except TimeoutError:
                continue

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.closing = True
        self.thread.join()
        self.socket.close()


def talk(netns, kind, source, to, port, rounds=3):
    """A session or some datagrams from an address of a host."""
    af = 6 if ":" in to else 4
    with In(netns):
        s = socket.socket(FAMILY[af], kind)
    with s:
        s.settimeout(10)
        s.bind((source, 0))
        s.connect((to, port))
        for _ in range(1 if kind == socket.SOCK_STREAM else rounds):
            s.send(b"x" * 100)
            got = s.recv(2000)
            while len(got) < 200:
                got += s.recv(2000)


def checksum(octets):
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ping(netns, source, to, identifier, rounds=2):
    """Echo requests, each awaiting its reply."""
    af = 6 if ":" in to else 4
    with In(netns):
        s = socket.socket(FAMILY[af], socket.SOCK_RAW, socket.IPPROTO_ICMP if
            af == 4 else socket.IPPROTO_ICMPV6)
    with s:
        s.settimeout(10)
        s.bind((source, 0))
        for n in range(rounds):
            head = lambda sum16: struct.pack("!BBHHH", 8 if af == 4 else 128,
                0, sum16, identifier, n)
            data = b"abcd" * 10
            s.sendto(head(checksum(head(0) + data) if af == 4 else 0) + data,
                (to, 0))
            answer = b""
            while not is_echo_reply(answer, af, identifier, n):
                answer = s.recv(2000)


def is_echo_reply(answer, af, identifier, n):
    at = 20 if af == 4 else 0
    return len(answer) >= at + 8 and answer[at] == (0 if af == 4 else 129) and \
        struct.unpack_from("!HH", answer, at + 4) == (identifier, n)


def make_traffic(af):
    """What a router of a household sees in a second."""
    udp, tcp = socket.SOCK_DGRAM, socket.SOCK_STREAM
    talk("lan", udp, HOST[af], SERVER[af], 5353)
    talk("lan", udp, OTHER[af], SERVER[af], 5353, 5)
    talk("lan", tcp, HOST[af], SERVER[af], 8000)
    talk("wan", tcp, SERVER[af], OUTSIDE[af], 8080)  # forwarded to the host
    own(udp, af)
    talk("lan", udp, HOST[af], SERVER[af], 5400)  # is not translated
    ping("lan", HOST[af], SERVER[af], 77)
    ping("lan", OTHER[af], SERVER[af], 77, 3)  # the same to the server
    ping(None, OUTSIDE[af], SERVER[af], 79, 4)  # of the router itself


def own(kind, af):
    """The router itself, by its own address."""
    with socket.socket(FAMILY[af], kind) as s:
        s.settimeout(10)
        s.connect((SERVER[af], 5353))
        s.send(b"own")
        s.recv(100)


class Traffic:
    """Servers for the traffic."""

    def __enter__(self):
        udp, tcp = socket.SOCK_DGRAM, socket.SOCK_STREAM
        self.servers = [Server(*one) for af in (4, 6) for one in (
            ("wan", af, udp, 5353), ("wan", af, udp, 5400),
            ("wan", af, tcp, 8000),
            ("lan", af, tcp, 80))]
        return self

    def __exit__(self, *exc):
        for server in self.servers:
            server.__exit__()


# ---- what connection tracking knows ----------------------------------------

class Connection:
    """One line of conntrack -L."""

    def __init__(self, line):
        words = line.split()
        self.af = 4 if words[0] == "ipv4" else 6
        self.protocol = int(words[3])
        pairs = collections.defaultdict(list)
        for name, value in re.findall(r"(\w+)=(\S+)", line):
            pairs[name].append(value)
        address = [socket.inet_ntop(FAMILY[self.af], socket.inet_pton(
            FAMILY[self.af], a)) for a in pairs["src"] + pairs["dst"]]
        # In the line: original and reply, of each source and destination.
        self.src, reply_src, self.dst, reply_dst = address
        port = [int(n) for n in pairs["sport"] + pairs["dport"]] or [0] * 4
        self.sport, reply_sport, self.dport, reply_dport = port
        self.post = (reply_dst, reply_dport, reply_src, reply_sport)
        self.identifier = [int(n) for n in pairs["id"]]
        self.packets = [int(n) for n in pairs["packets"]]
        self.octets = [int(n) for n in pairs["bytes"]]

    def original(self):
        return self.src, self.sport, self.dst, self.dport

    def translated(self):
        return self.post != self.original()

    def logged(self):
        """What an event of NAT says of it; identifiers stand for ports."""
        (src, sport, dst, dport), post = self.original(), self.post
        if self.protocol in (ICMP, ICMPV6):
            sport = self.identifier[0]
            post = (post[0], self.identifier[1], post[2], 0)
        return (self.af, self.protocol, src, sport, dst, dport) + post

    def ends(self, reply):
        """Addresses and ports of a record of one direction."""
        src, sport, dst, dport = self.original()
        if self.protocol in (ICMP, ICMPV6):
            kind = {ICMP: (8, 0), ICMPV6: (128, 129)}[self.protocol][reply]
            sport, dport = self.identifier[0], kind << 8
            return (dst, sport, src, dport) if reply else (src, sport, dst,
                dport)
        return (dst, dport, src, sport) if reply else (src, sport, dst, dport)


def connections():
    """Those of the traffic that passed the router's interfaces."""
    lines = [line for family in ("ipv4", "ipv6") for line in sh("conntrack",
        "-L", "-f", family, "-o", "extended").splitlines() if "src=" in line]
    found = [Connection(line) for line in lines]
    return [c for c in found if c.src not in ("127.0.0.1", "::1") and
        not c.dst.startswith("ff") and (c.protocol in (TCP, UDP, ICMP) or (
            c.protocol == ICMPV6 and c.packets[1]))]


def forget_connections():
    sh("conntrack", "-F", ok=False)


def expected():
    """{addresses and ports of a direction: [packets, octets]}."""
    sums = collections.defaultdict(lambda: [0, 0])
    for c in connections():
        for reply in (0, 1):
            sums[(c.af, c.protocol) + c.ends(reply)][0] += c.packets[reply]
            sums[(c.af, c.protocol) + c.ends(reply)][1] += c.octets[reply]
    return {key: tuple(counts) for key, counts in sums.items()}


def is_neighbour(r):
    """Neighbour discovery, IGMP and the like, which is not tracked."""
    return r.protocol == IGMP or (r.protocol == ICMPV6 and
        r.dport >> 8 not in (128, 129))


def seen(records):
    sums = collections.defaultdict(lambda: [0, 0])
    for r in records:
        if not is_neighbour(r):
            key = r.af, r.protocol, r.src, r.sport, r.dst, r.dport
            sums[key][0] += r.packets
            sums[key][1] += r.octets
    return {key: tuple(counts) for key, counts in sums.items()}


def same(name, records, wanted):
    """Check what records add up to; say only what differs."""
    found = seen(records)
    equal(name, {k: found[k] for k in found if found[k] != wanted.get(k)},
        {k: wanted[k] for k in wanted if wanted[k] != found.get(k)})


# ---- running ----------------------------------------------------------------

class Live(Probe):
    """softprobe in the foreground, answering on its control socket."""

    count = 0

    def __init__(self, *args, prefix=()):
        Live.count += 1
        self.ctl = e2e.path("nat%d.ctl" % Live.count)
        super().__init__("-d", "-c", self.ctl, *args, prefix=prefix)
        if not wait_for(lambda: not self.running() or
                ctl(self.ctl, "statistics")[0] == 0, 15):
            raise RuntimeError("not ready: %s" % self)

    def statistics(self):
        return ctl(self.ctl, "statistics")[1]


def post(r):
    """With which addresses and ports packets of a JSON record left."""
    j = r.json
    return (j["postNATSourceIPv%dAddress" % r.af],
        j["postNAPTSourceTransportPort"],
        j["postNATDestinationIPv%dAddress" % r.af],
        j["postNAPTDestinationTransportPort"])


def check_post(said, records):
    """Originators' packets leave translated, replies as they are recorded."""
    wanted = {}
    for c in connections():
        wanted[(c.af, c.protocol) + c.ends(1)] = c.ends(1)
        wanted[(c.af, c.protocol) + c.ends(0)] = c.post if c.protocol not in (
            ICMP, ICMPV6) else (c.post[0], c.identifier[1], c.post[2],
                c.ends(0)[3])
    wrong = [(r.key(), post(r)) for r in records if not is_neighbour(r) and
        wanted.get((r.af, r.protocol, r.src, r.sport, r.dst, r.dport)) !=
            post(r)]
    equal(said + ": each direction tells how its packets left", wrong, [])


def run_traffic(said, *sources):
    """Records of all traffic as captured there, checked in all they say."""
    forget_connections()
    with Live("--json", "--nat", *sources) as run:
        with Traffic():
            for af in (4, 6):
                make_traffic(af)
        code, _ = run.stop()
    equal(said + ": softprobe leaves with 0", code, 0)
    check(said + ": the account is balanced", e2e.balanced(run.err), run)
    records = run.records()
    return run, records


def each_connection_once():
    """Wherever it is captured, each connection is there once, and whole."""
    for said, sources in (
            ("captured inside and outside", ["-i", LAN, "-i", WAN]),
            ("captured outside and inside", ["-i", WAN, "-i", LAN]),
            ("captured on any", ["-i", "any"])):
        run, records = run_traffic(said, *sources)
        wanted = expected()
        same(said + ": each connection once, with packets and octets",
            records, wanted)
        check_post(said, records)
        check(said + ": what was left out is counted", (e2e.number(run.err,
            "packets seen translated") or 0) > 0, run)


def one_side_is_enough():
    """Captured on one side alone, what passes there is there, translated."""
    for said, source in (("captured inside", LAN), ("captured outside", WAN)):
        _, records = run_traffic(said, "-i", source)
        wanted = {key: counts for key, counts in expected().items()
            if source == WAN or not set(OUTSIDE.values()) & {key[2], key[4]} or
            key[3] == 8080 or key[5] == 8080}
        same(said + ": each connection once, with packets and octets",
            records, wanted)
        check_post(said, records)


def ports_of_a_bridge():
    """The LAN is a bridge, of which the only port is captured."""
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "link", "set", "br0", "up")
    sh("ip", "addr", "flush", "dev", LAN)
    sh("ip", "link", "set", LAN, "master", "br0")
    set_sysctl("ipv6/conf/br0/disable_ipv6", 0)
    for af in (4, 6):
        add_router_address("br0", INSIDE[af])
    for sources in (["-i", LAN, "-i", WAN], ["-i", "br0", "-i", WAN],
            ["-i", "any"]):
        said = "a LAN that is a bridge, %s" % " ".join(sources)
        _, records = run_traffic(said, *sources)
        same(said + ": each connection once, with packets and octets",
            records, expected())
        check_post(said, records)


# ---- records of NetFlow v9 and IPFIX ------------------------------------------

# The elements of both address families: source, destination, as they leave.
ENDS = {4: (8, 12, 225, 226), 6: (27, 28, 281, 282)}


def wire_post(r):
    """What post() says, of a record off the wire."""
    get = r.fields.get
    _, _, src, dst = ENDS[r.af]
    family = FAMILY[r.af]
    return (socket.inet_ntop(family, r.raw[src]), get(227),
        socket.inet_ntop(family, r.raw[dst]), get(228))


def formats_carry_both():
    for words in (["-v", "9"], ["-v", "10"], ["-v", "10", "-b"]):
        said = "records of %s: " % " ".join(words)
        forget_connections()
        with Collector() as collector:
            with Live("--nat", "-i", LAN, "-i", WAN, "-n", collector.name,
                    *words) as run:
                with Traffic():
                    for af in (4, 6):
                        make_traffic(af)
                code, _ = run.stop()
            known = connections()
        decoded = collector.decoded()
        equal(said + "softprobe leaves with 0", code, 0)
        equal(said + "no rule of the format is broken", decoded.errors[:3], [])
        forward = {(c.af, c.protocol) + c.ends(0): c.post for c in known
            if c.protocol in (TCP, UDP)}
        found = {(r.af, r.protocol, r.src, r.sport, r.dst, r.dport):
            wire_post(r) for r in decoded.records if r.protocol in (TCP, UDP)}
        equal(said + "originators' packets leave translated",
            {key: found.get(key) for key in forward}, forward)


def old_formats_have_each_connection_once():
    forget_connections()
    with Collector() as collector:
        with Live("--nat", "-i", LAN, "-i", WAN, "-v", "5", "-n",
                collector.name) as run:
            with Traffic():
                make_traffic(4)
            run.stop()
        wanted = expected()
    decoded = collector.decoded()
    equal("records of NetFlow v5: no rule is broken", decoded.errors[:3], [])
    same("records of NetFlow v5: each connection once",
            decoded.records, wanted)


# ---- events ---------------------------------------------------------------------

CREATE, DELETE = {4: 4, 6: 1}, {4: 5, 6: 2}  # natEvent


def logged(event):
    af = 4 if 8 in event else 6
    src, dst, post_src, post_dst = (socket.inet_ntop(FAMILY[af],
        event[e].to_bytes(4 if af == 4 else 16, "big")) for e in ENDS[af])
    return (af, event[4], src, event[7], dst, event[11], post_src, event[227],
        post_dst, event[228])


def told(events, kind):
    return sorted(logged(e) for e in events if
        e[230] == kind[4 if 8 in e else 6])


def events_tell_of_each_translation():
    datagrams, read = [], []
    for number, version in enumerate(("9", "10")):
        said = "NAT events in %s: " % ("IPFIX" if version == "10" else "v9")
        forget_connections()
        began_ms = time.time_ns() // 10**6
        with Collector() as collector:
            with Live("--nat-events", "-i", LAN, "-v", version, "-n",
                    collector.name) as run:
                with Traffic():
                    for af in (4, 6):
                        make_traffic(af)
                    wanted = sorted(c.logged() for c in connections() if
                        c.logged()[2:6] != c.logged()[6:])
                    forget_connections()
                check(said + "each end is told while softprobe runs", wait_for(
                    lambda: len(told(collector.decoded().events, DELETE)) >=
                        len(wanted), 20), run)
                code, _ = run.stop()
        decoded = collector.decoded()
        equal(said + "softprobe leaves with 0", code, 0)
        equal(said + "no rule of the format is broken", decoded.errors[:3], [])
        check(said + "connections were translated", len(wanted) >= 10, wanted)
        equal(said + "each translation that begins is told once",
            told(decoded.events, CREATE), wanted)
        equal(said + "each that ends is told once",
            told(decoded.events, DELETE), wanted)
        times = [e[323] for e in decoded.events]
        check(said + "they have the time", min(times) >= began_ms - 1 and
            max(times) <= time.time_ns() // 10**6 + 1, times)
        check(said + "they are counted", int(list(e2e.collectors(
            run.err).values())[0]["nat-events"]) == len(times), run)
        datagrams += [("10.0.0.%d" % number, d) for d in collector.datagrams]
        read += wanted
    read_by_tshark(datagrams, read)


def read_by_tshark(datagrams, wanted):
    """Both formats at once, each of an exporter of its own."""
    if not e2e.need("NAT events: tshark reads them", "tshark"):
        return
    name = e2e.path("events.pcap")
    with open(name, "wb") as f:
        f.write(pcap([(n * 10**6, eth(ip4(sender, "10.0.1.1", 17,
            udp(1234, 2055, d)))) for n, (sender, d) in enumerate(datagrams)]))
    lines = sh("tshark", "-r", name, "-d", "udp.port==2055,cflow", "-n", "-T",
        "fields", "-e", "cflow.nat_event", "-e",
        "cflow.post_naptsource_transport_port", "-e", "_ws.malformed")
    events = re.findall(r"\b\d+\b", " ".join(line.split("\t")[0]
        for line in lines.splitlines()))
    equal("NAT events: tshark reads as many", collections.Counter(events),
        collections.Counter(str(kind[w[0]]) for w in wanted
            for kind in (CREATE, DELETE)))
    check("NAT events: tshark finds nothing malformed", "Malformed" not in
        lines, lines)


# ---- what cannot be had ---------------------------------------------------------

def without_privilege():
    if not e2e.need("without CAP_NET_ADMIN", "setpriv"):
        return
    with Live("--json", "--nat", "-i", LAN, "-i", WAN, prefix=("setpriv",
            "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")) as run:
        with Traffic():
            make_traffic(4)
        code, _ = run.stop()
    equal("without CAP_NET_ADMIN softprobe runs and leaves with 0", code, 0)
    equal("... and says in one line what it cannot", len(re.findall(
        r"^softprobe: .*CAP_NET_ADMIN.*as they are seen$", run.err, re.M)), 1)
    check("... and exports both sides", {r.src for r in run.records()} >=
        {HOST[4], OUTSIDE[4]}, run)


def a_table_that_is_full():
    with Live("--json", "--nat", "--nat-max", "2", "-i", LAN, "-i", WAN) as run:
        with Traffic():
            for af in (4, 6):
                make_traffic(af)
        run.stop()
    check("a table that is full is counted",
        (e2e.number(run.err, "translated connections evicted") or 0) > 0, run)
    equal("... and said in one line", run.err.count("a larger --nat-max"), 1)
    check("... and the account is balanced", e2e.balanced(run.err), run)


def connections_that_were_there_before():
    """A connection older than softprobe, which speaks on."""
    af, udp_kind = 4, socket.SOCK_DGRAM
    forget_connections()
    with Traffic():
        with In("lan"):
            s = socket.socket(FAMILY[af], udp_kind)
        with s:
            s.settimeout(10)
            s.bind((HOST[af], 0))
            s.connect((SERVER[af], 5353))
            s.send(b"early")
            s.recv(100)
            with Live("--json", "--nat", "-i", WAN) as run:
                s.send(b"late")
                s.recv(100)
                port = s.getsockname()[1]
                run.stop()
    equal("a connection older than softprobe is known", sorted((r.src, r.sport)
        for r in run.records() if r.protocol == UDP), sorted([(HOST[af], port), (SERVER[af], 5353)]))


def messages_that_were_missed():
    """More connections in a moment than the kernel keeps messages of."""
    forget_connections()
    with Live("--json", "--nat", "-i", LAN) as run:
        os.kill(run.pid, signal.SIGSTOP)
        with In("lan"):
            s = socket.socket(FAMILY[4], socket.SOCK_DGRAM)
        with s:
            for n in range(20000):
                s.sendto(b"x", (SERVER[4], 10000 + n))
        os.kill(run.pid, signal.SIGCONT)
        missed = wait_for(lambda: e2e.number(run.statistics(),
            "connection messages missed"), 20)
        code, _ = run.stop()
    check("messages that were missed are counted", missed, run)
    equal("... and said in one line", run.err.count("more at once than"), 1)
    equal("... and softprobe leaves with 0", code, 0)
    forget_connections()


if __name__ == "__main__":
    if not e2e.private_network("a router that translates") or not e2e.need(
            "a router that translates", "nft", "conntrack"):
        e2e.main([])
    refused = e2e.probe("-i", "lo", "--nat", "--check")
    why = refused.err.strip() if refused.code else build()
    if why:
        e2e.skip("a router that translates", why)
        e2e.main([])
    e2e.main([each_connection_once, one_side_is_enough, formats_carry_both,
        old_formats_have_each_connection_once,
        events_tell_of_each_translation, connections_that_were_there_before,
        without_privilege, a_table_that_is_full, messages_that_were_missed,
        ports_of_a_bridge])

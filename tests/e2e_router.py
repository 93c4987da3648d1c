#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_router.py - softprobe on a router in network namespaces, with real ICMP,
UDP and TCP through it, to it and from it: for each way of watching it the exact
records, with interfaces, direction and counts, beside what the kernel counted.
"""
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import threading
import time

import e2e
from e2e import Probe, check, ctl, equal, need, probe, sh, skip, wait_for

CLONE_NEWNET = 0x40000000
ROUTER = "router"
IN, OUT = 0, 1  # flowDirection
NET = {"lan": 1, "wan": 2, "up2": 3, "pc1": 4, "pc2": 4}
HOST = {name: 10 + n for n, name in enumerate(NET)}
PORT = {"lan": "lan0", "wan": "wan0", "up2": "wan1", "pc1": "br0", "pc2": "br0"}
TUNNEL = 8  # the net at the far end of the tunnel
UDP_PORT, TCP_PORT = 7007, 7080
PORTS = ("lan0", "wan0", "wan1", "br0", "port1", "port2", "tun0")
INDEX = {} # of the router's interfaces


# ---- the world ----------------------------------------------------------

def inside(host, *words, ok=True):
    return sh("ip", "netns", "exec", host, *words, ok=ok)


def ip(host, *words):
    return inside(host, "ip", *words)


class Within:
    """The test itself in a host's network, for making sockets there."""

    def __init__(self, host):
        self.host = host

    def __enter__(self):
        self.back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.host, os.O_RDONLY)
        enter(there)
        os.close(there)

    def __exit__(self, *exc):
        enter(self.back)
        os.close(self.back)


def enter(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def make_host(name, forwards=False):
    sh("ip", "netns", "add", name)
    ip(name, "link", "set", "dev", "lo", "up")
    settings = ["net.ipv6.conf.%s.%s=0" % (which, what) for which in
        ("all", "default") for what in ("disable_ipv6", "accept_dad",
        "accept_ra", "router_solicitations")]
    settings += ["net.ipv4.conf.%s.rp_filter=0" % which for which in
        ("all", "default")]
    if forwards:
        settings += ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
    inside(name, "sysctl", "-qw", *settings)


def cable(a, a_port, b, b_port):
    """A pair of interfaces whose packets are as long as on a wire."""
    sh("ip", "link", "add", "name", a_port, "netns", a, "type", "veth", "peer",
        "name", b_port, "netns", b)
    for name, port in ((a, a_port), (b, b_port)):
        inside(name, "ethtool", "-K", port, "tx", "off", "gro", "off",
            "gso", "off", "tso", "off")
        ip(name, "link", "set", "dev", port, "up")


def number_of(host, net, family, n=None):
    n = HOST[host] if n is None else n
    return "10.0.%d.%d" % (net, n) if family == 4 else "fd00:%d::%x" % (net, n)


def address(host, family):
    return number_of(host, NET[host], family)


def gate(net, family):
    """The router's address in a net."""
    return number_of(ROUTER, net, family, 1)


def give(host, port, *addresses):
    for a in addresses:
        wide = "/64" if ":" in a else "/24"
        ip(host, "addr", "add", a + wide, "dev", port,
            *(["nodad"] if ":" in a else []))


def build():
    for name in NET:
        make_host(name, forwards=name == "up2")
    make_host(ROUTER, forwards=True)
    ip(ROUTER, "link", "add", "br0", "type", "bridge")
    ip(ROUTER, "link", "set", "dev", "br0", "up")
    for name, port in {**PORT, "pc1": "port1", "pc2": "port2"}.items():
        cable(name, "eth0", ROUTER, port)
        if port.startswith("port"):
            ip(ROUTER, "link", "set", "dev", port, "master", "br0")
    for net, port in {NET[h]: PORT[h] for h in NET}.items():
        give(ROUTER, port, gate(net, 4), gate(net, 6))
    for name in NET:
        give(name, "eth0", address(name, 4), address(name, 6))
        for family in 4, 6:
            ip(name, "-%d" % family, "route", "add", "default", "via",
                gate(NET[name], family))


def index(port):
    return int(inside(ROUTER, "cat", "/sys/class/net/%s/ifindex" % port))


# ---- a tunnel -----------------------------------------------------------

class Tunnel:
    """A tun device on the router whose other end is on up2."""

    def __init__(self):
        self.ends = [self.tun(ROUTER, "tun0"), self.tun("up2", "tun0")]
        for host, peer in ((ROUTER, "up2"), ("up2", ROUTER)):
            ip(host, "link", "set", "dev", "tun0", "up")
            n = 1 if host == ROUTER else 2
            give(host, "tun0", *(number_of(host, TUNNEL, f, n) for f in (4, 6)))
            if host == "up2":
                for family in 4, 6:
                    net = ("10.0.1.0/24" if family == 4 else "fd00:1::/64")
                    ip(host, "-%d" % family, "route", "add", net, "dev", "tun0")
        INDEX["tun0"] = index("tun0")
        self.leave, self.stop = os.pipe()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    @staticmethod
    def tun(host, name):
        with Within(host):
            fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(),
                0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
        return fd

    def carry(self):
        a, b = self.ends
        while True:
            ready = select.select([a, b, self.leave], [], [])[0]
            if self.leave in ready:
                return
            for fd in ready:
                os.write(b if fd == a else a, os.read(fd, 65536))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.stop)
        self.thread.join()
        for fd in self.ends:
            os.close(fd)


# ---- traffic ------------------------------------------------------------

def family_of(a):
    return socket.AF_INET6 if ":" in a else socket.AF_INET


def at(host, kind, address, port=0):
    """A socket of a host, bound."""
    with Within(host):
        s = socket.socket(family_of(address), kind)
    s.settimeout(10)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    return s


def ping(host, source, to):
    inside(host, "ping", "-q", "-n", "-c", "3", "-i", "0.002", "-s", "200",
        "-W", "5", "-I", source, to)


def udp(host, source, peer, to, shown):
    """Three datagrams there, one back."""
    with at(peer, socket.SOCK_DGRAM, to, UDP_PORT) as server, \
            at(host, socket.SOCK_DGRAM, source) as client:
        client.connect((shown, UDP_PORT))
        for _ in range(3):
            client.send(b"u" * 100)
            _, back = server.recvfrom(2000)
        server.sendto(b"v" * 50, back)
        client.recv(2000)


def tcp(host, source, peer, to, shown):
    """A connection that both sides close, with data both ways."""
    with at(peer, socket.SOCK_STREAM, to, TCP_PORT) as server, \
            at(host, socket.SOCK_STREAM, source) as client:
        server.listen(1)
        client.connect((shown, TCP_PORT))
        accepted = server.accept()[0]
        accepted.settimeout(10)
        for s in client, accepted: # each write a packet
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3):
            client.sendall(b"t" * 1000)
            got = 0
            while got < 1000:
                got += len(accepted.recv(1000 - got))
        accepted.sendall(b"r" * 500)
        client.recv(1000)
        client.close()
        accepted.recv(1)
        accepted.close()


# ---- what the kernel counted --------------------------------------------

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58}


def count_in_kernel(host):
    """Have nftables count each pair of addresses and protocol, once."""
    rules = []
    for family, kind in (("ip", "ipv4_addr"), ("ip6", "ipv6_addr")):
        rules += ["add table %s count" % family,
            "add set %s count seen { type %s . %s . inet_proto; "
            "flags dynamic; counter; size 1024; }" % (family, kind, kind)]
        count = "update @seen { %s saddr . %s daddr . meta l4proto counter }" \
            % (family, family)
        echo = "icmpv6 type { echo-request, echo-reply } " \
            if family == "ip6" else "meta l4proto icmp "
        for hook in "prerouting", "output":
            chain = "%s count %s " % (family, hook)
            rules.append("add chain " + chain + "{ type filter hook %s "
                "priority -300; }" % hook)
            rules += ["add rule " + chain + what + count for what in
                ("meta l4proto { tcp, udp } ", echo)]
    inside(host, "nft", "; ".join(rules))


def kernel_counts(host):
    """{(src, dst, protocol): (packets, octets)} since it was asked last."""
    result = {}
    for family in "ip", "ip6":
        listed = json.loads(inside(host, "nft", "-j", "list", "set", family,
            "count", "seen"))
        for item in listed["nftables"]:
            for elem in item.get("set", {}).get("elem", []):
                src, dst, protocol = elem["elem"]["val"]["concat"]
                counter = elem["elem"]["counter"]
                result[src, dst, PROTOCOLS[protocol]] = (counter["packets"],
                    counter["bytes"])
        inside(host, "nft", "flush", "set", family, "count", "seen")
    return result


# ---- cells --------------------------------------------------------------

class Cell:
    """
    Traffic of one family between two ends, each a host, its address and the
    router's interface towards it (None: it is the router), and what records of
    it shall tell.
    """

    def __init__(self, name, client, server, shown=None):
        self.family = 6 if ":" in client[1] else 4
        self.name = "%s, IPv%d" % (name, self.family)
        self.client, self.server = client, server
        # The server's address as the client knows it, if that is another.
        self.shown = shown or server[1]

    def run(self):
        host, source, _ = self.client
        peer, to, _ = self.server
        ping(host, source, self.shown)
        udp(host, source, peer, to, self.shown)
        tcp(host, source, peer, to, self.shown)

    def wanted(self, told):
        """{(src, dst): (ingress, egress, direction)} of both directions."""
        a, b = self.client[2], self.server[2]
        return {(self.client[1], self.shown): told(a, b),
            (self.shown, self.client[1]): told(b, a)}


def end(host, family, address_=None, port=None):
    return (host, address_ or address(host, family), port or PORT.get(host))


def box(net, family):
    """The router, with its address in a net."""
    return (ROUTER, gate(net, family), None)


def three_ways(a, b):
    """Forwarded, to the box and from it, in both families."""
    cells = []
    for family in 4, 6:
        cells += [Cell("forwarded", end(a, family), end(b, family)),
            Cell("to the box", end(a, family), box(NET[a], family)),
            Cell("from the box", box(NET[b], family), end(b, family))]
    return cells


def as_counted(watched):
    """What a record tells of packets from one interface to another."""
    def told(ingress, egress):
        return (ingress, egress, IN if ingress in watched else OUT)
    return told


class Watch(Probe):
    """softprobe on the router, answering."""

    count = 0

    def __init__(self, sources, *args):
        Watch.count += 1
        self.control = e2e.path("router%d.ctl" % Watch.count)
        words = [word for source in sources for word in ("-i", source)]
        super().__init__("-d", "--json", "-c", self.control, "--user", "none",
            *words, *args, prefix=("ip", "netns", "exec", ROUTER))
        if not wait_for(lambda: not self.running() or self.number(
                "packets received") is not None, 15):
            raise RuntimeError("not ready: %s" % self)

    def number(self, name):
        return e2e.number(ctl(self.control, "statistics")[1], name)

    def counted(self):
        return sum(self.number("packets in " + what) or 0 for what in
            ("records", "active flows"))

    def finish(self, name):
        code, _ = self.stop()
        check(name + ": ends well, its account balanced", code == 0 and
            e2e.balanced(self.err), self)
        return [json.loads(line) for line in self.out.splitlines()]


def add_up(records):
    """
    {(src, dst, protocol): (packets, octets)} and {(src, dst): what is told},
    of tests alone: no neighbour discovery, no reports of groups.
    """
    sums, told = {}, {}
    for r in records:
        src = r.get("sourceIPv4Address", r.get("sourceIPv6Address"))
        dst = r.get("destinationIPv4Address", r.get("destinationIPv6Address"))
        if r.get("icmpTypeCodeIPv6", 128 << 8) >> 8 not in (128, 129):
            continue
        if r["protocolIdentifier"] not in PROTOCOLS.values():
            continue
        packets, octets = sums.get((src, dst, r["protocolIdentifier"]), (0, 0))
        sums[src, dst, r["protocolIdentifier"]] = (packets +
            r["packetDeltaCount"], octets + r["octetDeltaCount"])
        told.setdefault((src, dst), set()).add((r["ingressInterface"],
            r["egressInterface"], r.get("flowDirection")))
    return sums, told


def judge(name, cells, records, truth, told_as, be=equal):
    """Compare each cell; returns a word for each."""
    sums, told = add_up(records)
    words = []
    for cell in cells:
        said = "%s: %s" % (name, cell.name)
        wanted = {pair: {tuple(INDEX.get(port, 0) for port in t[:2]) + t[2:]}
            for pair, t in cell.wanted(told_as).items()}
        keys = [key for key in truth if key[:2] in wanted]
        good = be(said + ": ICMP, UDP and TCP, both ways", len(keys), 6)
        good &= be(said + ": interfaces and direction", {pair:
            told.get(pair) for pair in wanted}, wanted)
        good &= be(said + ": packets and octets, once",
            {key: sums.get(key) for key in keys},
            {key: truth[key] for key in keys})
        words.append("ok" if good else "WRONG")
    be(name + ": nothing else is recorded", set(sums) - set(truth), set())
    return words


def passed(sources):
    """The packets that interfaces of the router counted, both ways."""
    total = 0
    for port in sources:
        for way in "rx", "tx":
            total += int(inside(ROUTER, "cat", "/sys/class/net/%s/statistics/"
                "%s_packets" % (port, way)))
    return total


def ahead(wires, run):
    """How much more they counted than softprobe, once that does not change."""
    seen = []
    def settled():
        seen.append(passed(wires) - run.number("packets received"))
        time.sleep(0.1) # more than a packet waits in the kernel's ring
        return len(seen) > 1 and seen[-1] == seen[-2]
    wait_for(settled)
    return seen[-1]


def watch(name, sources, cells, told_as=None, args=(), truth_of=(ROUTER,),
        rename=None):
    """Run cells under a softprobe, and show a row of the table."""
    for host in truth_of:
        kernel_counts(host)
    wires = [s for s in sources if s in PORTS]
    with Watch(sources, *args) as run:
        before = ahead(wires, run)
        for cell in cells:
            cell.run()
        truth = {}
        for host in truth_of:
            truth.update(kernel_counts(host))
        if rename:
            truth = {rename(*key): count for key, count in truth.items()}
        due = sum(packets for packets, _ in truth.values())
        wait_for(lambda: run.counted() >= due, 5)
        if len(wires) == len(sources):
            check(name + ": as many packets as the interfaces counted",
                wait_for(lambda: run.number("packets received") == passed(
                wires) - before, 5), (passed(wires), before, run))
        records = run.finish(name)
    words = judge(name, cells, records, truth, told_as or as_counted(
        PORTS if sources == ("any",) else sources))
    half = len(words) // 2
    print("    %-34s %-22s IPv4 %s | IPv6 %s" % (name, " ".join(sources),
        " ".join(words[:half]), " ".join(words[half:])))


# ---- the matrix ---------------------------------------------------------

def knows_the_box():
    """Whether softprobe can ask the kernel; else half of this is not known."""
    with Watch(("lan0",)) as run:
        run.stop()
        return "built without libmnl" not in run.err


def two_interfaces():
    for sources in ("lan0", "wan0"), ("any",):
        watch("two interfaces", sources, three_ways("lan", "wan"))
        watch("two interfaces, three workers", sources, three_ways("lan",
            "wan"), args=("--workers", "3"))


def one_interface():
    """The other interface is asked of the kernel."""
    for source in "lan0", "wan0":
        cells = [cell for cell in three_ways("lan", "wan") if source in
            (cell.client[2], cell.server[2])]
        watch("one interface", (source,), cells)


def three_interfaces():
    for sources in ("lan0", "wan0", "br0"), ("any",):
        watch("three interfaces", sources, three_ways("lan", "wan"))
        watch("three interfaces, another way", sources,
            three_ways("wan", "pc1"))


def bridge_and_its_ports():
    for sources in ("br0", "wan0"), ("br0", "port1", "port2", "wan0"), \
            ("port1", "wan0", "br0"), ("any",):
        watch("bridge", sources, three_ways("pc1", "wan"))


def policy_routing_with_two_uplinks():
    """The same server by one uplink or the other, as the source decides."""
    ends = {}
    for family, far, second in ((4, "10.0.9.1", "10.0.1.99"), (6, "fd00:9::1",
            "fd00:1::99")):
        wide = "/128" if family == 6 else "/32"
        give("lan", "eth0", second)
        for uplink in "wan", "up2":
            ip(uplink, "addr", "add", far + wide, "dev", "lo",
                *(["nodad"] if family == 6 else []))
        ip(ROUTER, "-%d" % family, "route", "add", far, "via",
            address("wan", family))
        ip(ROUTER, "-%d" % family, "route", "add", far, "via",
            address("up2", family), "table", "100")
        for source in second, gate(NET["up2"], family):
            ip(ROUTER, "-%d" % family, "rule", "add", "from", source, "lookup",
                "100")
        ends[family] = (far, second)
    first, other = [], []
    for family, (far, second) in ends.items():
        first += [Cell("forwarded", end("lan", family), end("wan", family,
            far)), Cell("to the box", end("lan", family), box(NET["lan"],
            family)), Cell("from the box", box(NET["wan"], family), end("wan",
            family, far))]
        other += [Cell("forwarded", end("lan", family, second), end("up2",
            family, far)), Cell("to the box", end("lan", family, second),
            box(NET["lan"], family)), Cell("from the box", box(NET["up2"],
            family), end("up2", family, far))]
    for sources in ("lan0", "wan0", "wan1"), ("any",):
        watch("policy route, first uplink", sources, first)
        watch("policy route, second uplink", sources, other)
    for family, (_, second) in ends.items():
        for source in second, gate(NET["up2"], family):
            ip(ROUTER, "-%d" % family, "rule", "del", "from", source)


def tunnel():
    cells = []
    with Tunnel():
        for family in 4, 6:
            near, far = (number_of(None, TUNNEL, family, n) for n in (1, 2))
            cells += [Cell("forwarded", end("lan", family), ("up2", far,
                "tun0")), Cell("to the box", ("up2", far, "tun0"), (ROUTER,
                near, None)), Cell("from the box", (ROUTER, near, None),
                ("up2", far, "tun0"))]
        for sources in ("lan0", "tun0"), ("any",):
            watch("tunnel", sources, cells)


def netfilter_log():
    """Each packet passes one of three hooks, and tells the interfaces of it."""
    rules = ["add table inet logs"]
    for hook in "input", "forward", "output":
        rules += ["add chain inet logs %s { type filter hook %s priority 0; }" %
            (hook, hook), "add rule inet logs %s log group 5" % hook]
    try:
        inside(ROUTER, "nft", "; ".join(rules))
    except RuntimeError as error:
        skip("netfilter's log", str(error))
        return
    watch("netfilter's log", ("nflog:5",), three_ways("lan", "wan"),
        as_counted(PORTS))
    inside(ROUTER, "nft", "delete table inet logs")


def translation(name, rules, forwarded, to_box, rename):
    """Watch translated and other traffic under rules of NAT, both families."""
    if "built without" in probe("--nat", "--check", "-i", "lo").err:
        skip(name, "built without libnetfilter_conntrack")
        return
    inside(ROUTER, "nft", "add table inet nat; " + rules)
    inner = forwarded[0].client[2]
    def told(ingress, egress): # replies are counted where the client sees them
        return (ingress, egress, IN if ingress == inner else OUT)
    for sources in ("lan0", "wan1"), ("any",):
        watch(name, sources, forwarded, told, args=("--nat",), rename=rename)
        watch(name + ", not translated", sources, to_box, args=("--nat",))
    inside(ROUTER, "nft", "delete table inet nat")


def outside(family):
    return gate(NET["up2"], family)


def masquerade():
    """
    What is not translated has another address: echo requests of the box and of
    others through it to one host look alike outside.
    """
    forwarded, to_box, inner = [], [], {}
    for family in 4, 6:
        other = number_of(None, NET["up2"], family, 99)
        give("up2", "eth0", other)
        inner[address("up2", family), outside(family)] = (address("up2",
            family), address("lan", family))
        forwarded.append(Cell("forwarded", end("lan", family), end("up2",
            family)))
        to_box += [Cell("to the box", end("up2", family, other), box(
            NET["up2"], family)), Cell("from the box", box(NET["up2"], family),
            end("up2", family, other))]
    translation("masquerade", "add chain inet nat out { type nat hook "
        "postrouting priority srcnat; }; add rule inet nat out oifname wan1 "
        "masquerade", forwarded, to_box, lambda src, dst, protocol: (*inner.get(
        (src, dst), (src, dst)), protocol))


def destination_nat():
    forwarded, to_box, rules, shown = [], [], [], {}
    for family, word in ((4, "ip"), (6, "ip6")):
        shown[address("lan", family), address("up2", family)] = (outside(
            family), address("up2", family))
        forwarded.append(Cell("forwarded", end("up2", family), end("lan",
            family), outside(family)))
        to_box += [Cell("to the box", end("lan", family), box(NET["lan"],
            family)), Cell("from the box", box(NET["up2"], family), end("up2",
            family))]
        rules.append("add rule inet nat in iifname wan1 %s daddr %s dnat %s to "
            "%s" % (word, outside(family), word, address("lan", family)))
    translation("destination NAT", "add chain inet nat in { type nat hook "
        "prerouting priority dstnat; }; " + "; ".join(rules), forwarded, to_box,
        lambda src, dst, protocol: (*shown.get((src, dst), (src, dst)),
        protocol))


if __name__ == "__main__":
    if not e2e.private_network("a router") or not need("a router", "ip", "nft",
            "ping", "ethtool", "sysctl"):
        e2e.main([])
    build()
    count_in_kernel(ROUTER)
    INDEX.update((port, index(port)) for port in PORTS if port != "tun0")
    if not knows_the_box():
        skip("a router", "softprobe was built without libmnl")
        e2e.main([])
    e2e.main([two_interfaces, one_interface, three_interfaces, bridge_and_its_ports,
        policy_routing_with_two_uplinks, tunnel,
        netfilter_log, masquerade, destination_nat])

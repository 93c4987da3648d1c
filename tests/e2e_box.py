#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_box.py - what softprobe knows of the machine it runs on: its interfaces and
routes, and its own sessions to collectors, in private network namespaces.
"""
import ctypes
import socket
import threading
import time

import e2e
from collect import Collector, StreamCollector
from e2e import Probe, check, ctl, equal, sh, wait_for
from frames import eth, udp4

OTHERS = 20  # packets that are not softprobe's


class Live(Probe):
    """softprobe in the foreground, answering on its control socket."""

    count = 0

    def __init__(self, *args):
        Live.count += 1
        self.ctl = e2e.path("box%d.ctl" % Live.count)
        super().__init__("-d", "-c", self.ctl, *args)
        if not wait_for(lambda: not self.running() or
                ctl(self.ctl, "statistics")[0] == 0, 15):
            raise RuntimeError("not ready: %s" % self)

    def statistics(self):
        return ctl(self.ctl, "statistics")[1]

    def counted(self, name):
        return e2e.number(self.statistics(), name) or 0


def set_sysctl(name, value):
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
        f.write(str(value))


# ---- own sessions ---------------------------------------------------------

def chat(port):
    """Datagrams on lo to a port where nobody is softprobe."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.connect(("127.0.0.1", port))
        for _ in range(OTHERS):
            s.send(b"x" * 100)
            time.sleep(0.001)
        return s.getsockname()[1]


def is_to(record, ports):
    return record.sport in ports or record.dport in ports


def own_sessions_are_left_out():
    with Collector() as v4, Collector(socket.AF_INET6) as v6, \
            StreamCollector() as tcp, Collector() as other:
        names = [v4.name, v6.name, "tcp://" + tcp.name,
            "json:" + e2e.path("own.json")]
        ports = [c.port for c in (v4, v6, tcp)]
        with Live("-i", "lo", "-t", "idle=1", *(word for name in names
                for word in ("-n", name))) as run:
            near = chat(other.port)
            check("own sessions are counted under a name", wait_for(lambda:
                run.counted("packets of own sessions") > 0 and
                run.counted("records of own sessions") >= 3, 30), run)
            check("the account with own sessions is balanced",
                e2e.balanced(run.statistics()), run.statistics())
            code, _ = run.stop()
        equal("softprobe that watches itself leaves with 0", code, 0)
        check("at the end the account is balanced", e2e.balanced(run.err), run)
        check("each collector got or was denied all packets in records",
            e2e.accounted(run.err), run)
    with open(e2e.path("own.json"), "rb") as lines:
        records = e2e.Result([], 0, lines.read(), b"").records()
    equal("no own session is in any record, over UDP, TCP, IPv4 and IPv6",
        [r.key() for r in records if is_to(r, ports)], [])
    others = [r for r in records if r.sport == near and r.dport == other.port]
    check("others' packets to such a port are all there",
        sum(r.packets for r in others) >= OTHERS, run)
    equal("no rule of IPFIX is broken", v4.decoded().errors[:3], [])


def own_sessions_are_metered_if_wanted():
    with Collector() as v4:
        with Live("-i", "lo", "-t", "idle=1", "--no-exclude-self", "-n",
                v4.name) as run:
            check("with --no-exclude-self own sessions are metered",
                wait_for(lambda: any(is_to(r, [v4.port])
                    for r in v4.decoded().records), 30), run)
            equal("... and not counted as left out",
                run.counted("packets of own sessions"), 0)
            code, _ = run.stop()
        equal("... and it ends", code, 0)


def sessions_that_were_opened_again_are_left_out():
    """Each session has a port of its own, and its flow ends after it."""
    with StreamCollector() as tcp:
        path = e2e.path("again.json")
        with Live("-i", "lo", "-t", "idle=1", "-t", "tcp.fin=1", "-t",
                "tcp.rst=1", "--reconnect", "1s", "-n", "tcp://" + tcp.name,
                "-n", "json:" + path) as run:
            for n in range(1, 3):
                check("session %d begins" % n,
                    wait_for(lambda: len(tcp.streams) >= n, 30), run)
                tcp.hang_up()
            check("all sessions are recognised", wait_for(lambda:
                run.counted("records of own sessions") >= 2, 30),
                run.statistics())
            code, _ = run.stop()
        equal("softprobe ends after them", code, 0)
    with open(path, "rb") as lines:
        records = e2e.Result([], 0, lines.read(), b"").records()
    equal("no session is in any record, ended or not",
        [r.key() for r in records if is_to(r, [tcp.port])], [])


# ---- a router ---------------------------------------------------------------

THERE, BACK = 7, 5  # packets of each conversation
CLONE_NEWNET = 0x40000000
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
NET = {4: "10.%d.0.%d", 6: "fd%02d::%d"}
LAN, WAN, UPLINK = 1, 2, 3  # networks of the router, which is host 1 of each


def address(family, net, host):
    return NET[family] % (net, host)


def prefix(family, net, host):
    return address(family, net, host) + ("/24" if family == 4 else "/64")


class Host:
    """A network namespace beside the router's, which is the test's own."""

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        self.sh("ip", "link", "set", "lo", "up")
        self.sh("sysctl", "-q", "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_dad=0")

    def sh(self, *words):
        return sh("ip", "netns", "exec", self.name, *words)

    def socket(self, family):
        """A UDP socket there, made by a thread that goes there."""
        made = []
        def make():
            with open("/run/netns/" + self.name, "rb") as place:
                if ctypes.CDLL(None).setns(place.fileno(), CLONE_NEWNET) == 0:
                    made.append(Router.socket(family))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


class Router:
    """The router itself, as an end of conversations."""

    @staticmethod
    def socket(family):
        return socket.socket(FAMILIES[family], socket.SOCK_DGRAM)


def connect(net, near, host, far):
    """A cable from the router's `near` to a host's `far`, with addresses."""
    sh("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns",
        host.name)
    for family in FAMILIES:
        host.sh("ip", "address", "add", prefix(family, net, 2), "dev", far)
    host.sh("ip", "link", "set", far, "up")
    sh("ip", "link", "set", near, "up")
    for family in FAMILIES:
        host.sh("ip", "-%d" % family, "route", "add", "default", "via",
            address(family, net, 1))


def route_here(net, near):
    for family in FAMILIES:
        sh("ip", "address", "add", prefix(family, net, 1), "dev", near)


def index(name):
    return socket.if_nametoindex(name) if name else 0


class Talk:
    """
    One conversation: THERE datagrams, then BACK as answers; and where each
    direction comes in and leaves, by names of interfaces ("" = the router).
    """

    def __init__(self, what, family, near, far, to, path, back=None, host=None):
        self.what, self.family, self.path = what, family, path
        self.back = back or path[::-1]
        with near.socket(family) as client, far.socket(family) as server:
            server.bind((to, 0))
            for s in (client, server):
                s.settimeout(10)
            if host:
                client.bind((host, 0))
            client.connect((to, server.getsockname()[1]))
            for n in range(THERE):
                client.send(b"there %d" % n)
                _, peer = server.recvfrom(100)
            for n in range(BACK):
                server.sendto(b"back %d" % n, peer)
                client.recv(100)
            self.key = client.getsockname()[:2] + server.getsockname()[:2]

    def wanted(self, watched):
        """
        What records shall say of it where these interfaces are watched:
        {there: (packets, ingress, egress, flowDirection)}.
        """
        def half(packets, path):
            if path[0] in watched and path[0]:
                return packets, index(path[0]), index(path[1]), 0
            return packets, index(path[0]), index(path[1]), 1
        if not any(name in watched for name in self.path if name):
            return {}
        return {True: half(THERE, self.path), False: half(BACK, self.back)}

    def seen(self, records):
        result = {}
        for r in records:
            near, far = (r.src, r.sport), (r.dst, r.dport)
            if r.protocol == 17 and self.key in (near + far, far + near):
                there = near + far == self.key
                packets, *where = result.get(there, (0,))
                result[there] = (packets + r.packets,
                    r.json.get("ingressInterface"),
                    r.json.get("egressInterface"), r.json.get("flowDirection"))
        return result


def forwarded_to_and_from(lan, wan, inside="lan0", outside="wan0"):
    """A conversation of each kind and family, while softprobe runs."""
    return [talk for family in FAMILIES for talk in (
        Talk("forwarded", family, lan, wan, address(family, WAN, 2),
            (inside, outside)),
        Talk("forwarded, from outside", family, wan, lan,
            address(family, LAN, 2), (outside, inside)),
        Talk("to the box", family, lan, Router, address(family, LAN, 1),
            (inside, "")),
        Talk("to the box's other address", family, lan, Router,
            address(family, WAN, 1), (inside, "")),
        Talk("from the box", family, Router, wan, address(family, WAN, 2),
            ("", outside)))]


def watch(*sources, options=(), talks):
    """softprobe over some interfaces while there is talk; checks each."""
    words = [word for source in sources for word in ("-i", source)]
    name = " ".join(sources + tuple(options))
    watched = sources if sources != ("any",) else ("lan0", "wan0", "up0",
        "br0", "port0")
    with Live("--json", *options, *words) as run:
        heard = talks()
        total = sum(THERE + BACK for talk in heard
            if talk.wanted(watched))
        wait_for(lambda: run.counted("packets in active flows") >= total, 20)
        code, _ = run.stop()
    check(name + ": exit 0, account balanced",
        code == 0 and e2e.balanced(run.err), run)
    records = run.records()
    for talk in heard:
        equal("%s: %s, IPv%d" % (name, talk.what, talk.family),
            talk.seen(records), talk.wanted(watched))
    return records


def interfaces_of_a_router_are_looked_up():
    """Each interface alone, where the other is looked up; several; all."""
    def talks():
        return forwarded_to_and_from(lan, wan)
    lan, wan = WORLD["lan"], WORLD["wan"]
    for sources in (("lan0",), ("wan0",), ("lan0", "wan0"),
            ("lan0", "wan0", "up0"), ("any",)):
        watch(*sources, talks=talks)


def policy_routes_are_asked_by_source_and_class_of_service():
    """Two uplinks: one host of the LAN goes by the other one."""
    lan, up = WORLD["lan"], WORLD["up"]
    for family in FAMILIES:
        ip = ("ip", "-%d" % family)
        far = {4: "192.0.2.1", 6: "2001:db8::1"}[family]
        lan.sh("ip", "address", "add", prefix(family, LAN, 3), "dev", "eth0")
        for host in ("wan", "up"):
            WORLD[host].sh("ip", "address", "add", far, "dev", "lo")
        sh(*ip, "route", "add", "default", "via", address(family, WAN, 2))
        sh(*ip, "route", "add", "default", "via", address(family, UPLINK, 2),
            "table", "100")
        sh(*ip, "rule", "add", "from", address(family, LAN, 3), "iif", "lan0",
            "lookup", "100")
    def talks():
        return [talk for family, far in ((4, "192.0.2.1"), (6, "2001:db8::1"))
            for talk in (
                Talk("by the first uplink", family, lan, WORLD["wan"], far,
                    ("lan0", "wan0"), host=address(family, LAN, 2)),
                Talk("by the second uplink", family, lan, up, far,
                    ("lan0", "up0"), host=address(family, LAN, 3)))]
    for sources in (("lan0",), ("lan0", "wan0", "up0"), ("any",)):
        watch(*sources, talks=talks)
    for family in FAMILIES:
        ip = ("ip", "-%d" % family)
        sh(*ip, "rule", "del", "from", address(family, LAN, 3), "iif", "lan0",
            "lookup", "100")
        sh(*ip, "route", "del", "default")


def numbers_that_were_given_are_those_of_records():
    lan, wan = WORLD["lan"], WORLD["wan"]
    with Live("--json", "-i", "7001:lan0", "-i", "7002:up0") as run:
        talk = Talk("forwarded", 4, lan, wan, address(4, WAN, 2),
            ("lan0", "wan0"))
        back = Talk("forwarded", 4, WORLD["up"], lan, address(4, LAN, 2),
            ("up0", "lan0"))
        wait_for(lambda: run.counted("packets in active flows") >=
            2 * (THERE + BACK), 20)
        run.stop()
    records = run.records()
    equal("-i N:NAME: what leaves by an interface not watched has its number",
        talk.seen(records), {True: (THERE, 7001, index("wan0"), 0),
            False: (BACK, index("wan0"), 7001, 1)})
    equal("-i N:NAME: interfaces that are watched have the numbers given",
        back.seen(records), {True: (THERE, 7002, 7001, 0),
            False: (BACK, 7001, 7002, 0)})


def routes_that_change_are_asked_anew():
    """The same destination by one uplink, then by the other."""
    lan, far = WORLD["lan"], "198.51.100.1"
    for host in ("wan", "up"):
        WORLD[host].sh("ip", "address", "add", far, "dev", "lo")
    with Live("--json", "-i", "lan0", "-t", "idle=1") as run:
        for host, near, net in (("wan", "wan0", WAN), ("up", "up0", UPLINK)):
            sh("ip", "route", "replace", far, "via", address(4, net, 2))
            talk = Talk("by " + near, 4, lan, WORLD[host], far, ("lan0", near))
            seen = wait_for(lambda: talk.seen(run.records()), 30)
            equal("an egress follows the route: " + talk.what,
                seen.get(True, ())[1:3], (index("lan0"), index(near)))
        run.stop()


def nothing_is_asked_if_not_wanted():
    lan, wan = WORLD["lan"], WORLD["wan"]
    with Live("--json", "--no-routes", "-i", "lan0") as run:
        talk = Talk("forwarded", 4, lan, wan, address(4, WAN, 2),
            ("lan0", "wan0"))
        wait_for(lambda: run.counted("packets in active flows") >=
            THERE + BACK, 20)
        run.stop()
    equal("--no-routes: the interface that is not watched is 0",
        talk.seen(run.records()), {True: (THERE, index("lan0"), 0, 0),
            False: (BACK, 0, index("lan0"), 1)})


def what_passes_by_is_not_looked_up():
    """Frames for another station, on a mirrored port: they go nowhere."""
    frame = eth(udp4(src="10.1.0.77", dst="10.2.0.2"))
    def send():
        with open("/run/netns/lan", "rb") as place:
            ctypes.CDLL(None).setns(place.fileno(), CLONE_NEWNET)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            wire.send(frame)
    with Live("--json", "-i", "lan0") as run:
        thread = threading.Thread(target=send)
        thread.start()
        thread.join()
        wait_for(lambda: run.counted("packets in active flows") > 0, 20)
        run.stop()
    passed = [r.json for r in run.records() if r.src == "10.1.0.77"]
    equal("what is for another station has no direction and no egress",
        [(j["ingressInterface"], j["egressInterface"],
            j.get("flowDirection")) for j in passed],
        [(index("lan0"), 0, None)])


def a_bridge_knows_the_ports_of_its_stations():
    """The LAN behind a bridge with two ports, of which one is the host's."""
    lan, wan = WORLD["lan"], WORLD["wan"]
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "link", "add", "spare0", "type", "veth", "peer", "name", "spare1")
    for port in ("spare0", "lan0"):
        sh("ip", "link", "set", port, "master", "br0", "up")
    sh("ip", "link", "set", "br0", "up")
    for family in FAMILIES:
        sh("ip", "-%d" % family, "address", "flush", "dev", "lan0", "scope",
            "global")
    route_here(LAN, "br0")
    def talks():
        return forwarded_to_and_from(lan, wan, inside="br0")
    ports = "+ingressPhysicalInterface,+egressPhysicalInterface"
    for sources in (("br0",), ("wan0",), ("br0", "wan0"),
            ("lan0", "br0", "wan0"), ("any",)):
        records = watch(*sources, options=("--fields", ports), talks=talks)
        if sources == ("wan0",):
            continue
        below = {index("br0"): index("lan0"), 0: 0}
        equal(" ".join(sources) + ": the port of a bridge is told",
            [r.json for r in records if r.protocol == 17 and any(
                r.json[way + "PhysicalInterface"] != below.get(
                    r.json[way + "Interface"], r.json[way + "Interface"])
                for way in ("ingress", "egress"))][:1], [])
    sh("ip", "link", "del", "br0")
    sh("ip", "link", "del", "spare0")
    route_here(LAN, "lan0")


def offloads_are_said():
    """What ethtool(8) changes, softprobe says; nothing twice."""
    if not e2e.need("what interfaces merge and cut is said", "ethtool"):
        return
    sh("ethtool", "-K", "lan0", "gro", "on", "tso", "off", "gso", "off")
    with Live("-i", "lan0", "-i", "wan0") as run:
        check("at the start it is said what merges packets", wait_for(lambda:
            "lan0: receive offload merges" in run.err, 20), run)
        check("and what cuts them", "wan0: segmentation offload" in run.err and
            "lan0, wan0: segm" not in run.err, run)
        sh("ethtool", "-K", "lan0", "gro", "off")
        check("it is said when that is over", wait_for(lambda:
            "no longer so: lan0: receive offload" in run.err, 30), run)
        equal("nothing is said twice",
            run.err.count("wan0: segmentation offload"), 1)
        run.stop()
    sh("ethtool", "-K", "lan0", "tso", "on", "gso", "on")


WORLD = {}


def build_router():
    """LAN and WAN hosts, and another uplink, around a router that is here."""
    for scope in ("all", "default"):
        set_sysctl("ipv6/conf/%s/accept_dad" % scope, 0)
    for net, name in ((LAN, "lan"), (WAN, "wan"), (UPLINK, "up")):
        WORLD[name] = Host(name)
        connect(net, name + "0", WORLD[name], "eth0")
        route_here(net, name + "0")
    set_sysctl("ipv4/ip_forward", 1)
    set_sysctl("ipv6/conf/all/forwarding", 1)


def asks_the_kernel():
    with Live("-i", "lo") as run:
        run.stop()
        return "built without libmnl" not in run.err


if __name__ == "__main__":
    if not e2e.private_network("what is known of this machine"):
        e2e.main([])
    for scope in ("all", "default", "lo"):
        set_sysctl("ipv6/conf/%s/disable_ipv6" % scope, 0)
    build_router()
    TESTS = [own_sessions_are_left_out, own_sessions_are_metered_if_wanted,
        sessions_that_were_opened_again_are_left_out,
        nothing_is_asked_if_not_wanted]
    if asks_the_kernel():
        TESTS += [interfaces_of_a_router_are_looked_up,
            policy_routes_are_asked_by_source_and_class_of_service,
            numbers_that_were_given_are_those_of_records,
            routes_that_change_are_asked_anew, what_passes_by_is_not_looked_up,
            a_bridge_knows_the_ports_of_its_stations, offloads_are_said]
    else:
        e2e.skip("interfaces that are looked up, and what changes",
            "softprobe was built without libmnl")
    e2e.main(TESTS)

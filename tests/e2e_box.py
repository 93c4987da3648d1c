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
        with Live("-i", "lo", "-t", "idle=1", "--reconnect", "1s", "-n",
                "tcp://" + tcp.name, "-n", "json:" + path) as run:
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


if __name__ == "__main__":
    if not e2e.private_network("what is known of this machine"):
        e2e.main([])
    for scope in ("all", "default", "lo"):
        set_sysctl("ipv6/conf/%s/disable_ipv6" % scope, 0)
    build_router()
    e2e.main([interfaces_of_a_router_are_looked_up, own_sessions_are_left_out, own_sessions_are_metered_if_wanted,
        sessions_that_were_opened_again_are_left_out])

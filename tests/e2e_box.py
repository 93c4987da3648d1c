#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_box.py - what softprobe knows of the machine it runs on: its own sessions
to collectors, in a private network namespace.
"""
import socket
import time

import e2e
from collect import Collector, StreamCollector
from e2e import Probe, check, ctl, equal, wait_for

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


if __name__ == "__main__":
    if not e2e.private_network("what is known of this machine"):
        e2e.main([])
    for scope in ("all", "default", "lo"):
        set_sysctl("ipv6/conf/%s/disable_ipv6" % scope, 0)
    e2e.main([own_sessions_are_left_out, own_sessions_are_metered_if_wanted,
        sessions_that_were_opened_again_are_left_out])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_faults.py - one of several collectors fails under load: what the others
receive does not change, and each one's account adds up.
"""
import socket
import threading
import time

import e2e
from collect import Collector, StreamCollector
from e2e import accounted, check, ctl, equal, probe, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from frames import at, eth, pcap, udp4
from session import Session

FLOWS = 10000
PACE = ("--export-rate", "200")  # so that it takes some seconds


def kinds():
    return [(Udp, version) for version in ("5", "9", "10")] + [(Tcp, "10")]


def capture():
    name = e2e.path("load.pcap")
    with open(name, "wb") as f:
        f.write(pcap([(at(n * 0.0001), eth(udp4(n))) for n in range(FLOWS)]))
    return name


class Udp(Collector):
    url = "udp://%s"

    def has(self):
        return len(self.datagrams)

    def sessions(self):
        return [self.decoded()]


class Tcp(StreamCollector):
    url = "tcp://%s?reconnect=1s"

    def has(self):
        return sum(len(octets) for octets in self.streams) // 1400

    def sessions(self):
        return self.decoded()


def killed_and_restarted(kind, version, name):
    """A replay to three collectors, the second of them gone for a second."""
    with Collector() as a, Collector() as c:
        first = kind()
        then = []
        def fail():
            wait_for(lambda: first.has() > 100)
            first.kill()
            time.sleep(0.7)
            then.append(kind(port=first.port))
        failing = threading.Thread(target=fail)
        failing.start()
        result = probe("-v", version, "-r", name, "-m", "65536", *PACE, "-n",
            a.name, "-n", kind.url % first.name, "-n", c.name)
        failing.join()
        then[0].finish()
    return result, a, first, then[0], c


def one_of_three_is_killed_and_restarted_in_a_replay():
    name = capture()
    def run(work):
        kind, version = work
        with Collector() as alone:
            probe("-v", version, "-r", name, "-m", "65536", *PACE, "-n",
                alone.name)
        return work, alone, killed_and_restarted(kind, version, name)
    for (kind, version), alone, (result, a, first, then, c) in e2e.each(run,
            kinds(), 4):
        said = "%s v%s: " % (kind.__name__, version)
        equal(said + "all flows without a fault",
            len(alone.decoded().records), FLOWS)
        check(said + "the first gets the same, octet for octet",
            a.datagrams == alone.datagrams, len(a.datagrams))
        check(said + "the third gets the same, octet for octet",
            c.datagrams == alone.datagrams, len(c.datagrams))
        check(said + "the second got some before and some after",
            first.has() > 100 and then.has(), (first.has(), then.has()))
        errors = [e for s in then.sessions() for e in s.errors]
        if kind is Udp:  # what went between is a gap to who begins anew
            errors = [e for e in errors if ": sequence: " not in e]
        equal(said + "after its restart no rule is broken", errors, [])
        check(said + "the account of each adds up", accounted(result.err),
            result)


def one_of_three_is_killed_and_restarted_live():
    for kind in (Udp, Tcp):
        said = "live, %s" % kind.__name__
        with Collector() as a, Collector() as c:
            b = kind()
            with Live("-n", a.name, "-n", kind.url % b.name, "-n", c.name,
                    "-t", "idle=1", "-t", "expint=0") as run, Wire() as wire:
                for second in range(3):
                    if second == 1:
                        b.kill()
                    if second == 2:
                        b = kind(port=b.port)
                    for n in range(2000):
                        wire.send(eth(udp4(second * 2000 + n)))
                    time.sleep(1)
                wait_for(lambda: run.received() == 6000)
                ended_well(said, run)
            b.finish()
        first, third = a.decoded(), c.decoded()
        equal(said + ": the first breaks no rule and has all",
            (first.errors[:3], len(first.records)), ([], 6000))
        check(said + ": the third has the same, octet for octet",
            a.datagrams == c.datagrams)
        check(said + ": the second is sent to again", b.has())
        check(said + ": the account of each adds up", accounted(run.err),
            run)


def a_collector_that_does_not_read_costs_only_itself():
    """Its window closes; what its queue does not hold is lost and counted."""
    count = 0
    with Collector() as other, StreamCollector() as slow:
        slow.reading.clear()
        with Live("-n", "tcp://%s?queue=64k" % slow.name, "-n", other.name,
                "-t", "idle=1", "-t", "expint=0", "-m", "100000", "--fields",
                "interfaceName,interfaceDescription") as run, Wire() as wire:
            while lost(run, slow.name) == 0 and count < 100000:
                wire.send(*(eth(udp4(count + n)) for n in range(500)))
                count += 500
                time.sleep(0.04)
            check("slow: its queue is full", lost(run, slow.name) > 0, count)
            wait_for(lambda: run.received() == count)
            slow.reading.set()
            ended_well("slow", run)
        slow.finish()
    check("slow: the account of each adds up", accounted(run.err), run)
    equal("slow: the other has all", (other.decoded().errors[:3],
        len(other.decoded().records)), ([], count))
    row = next(row for url, row in e2e.collectors(run.err).items()
        if slow.name in url)
    sessions = slow.decoded()
    equal("slow: what was sent and what was lost are all there were",
        (sum(len(s.records) for s in sessions), int(row["records"]) +
        int(row["lost"])), (int(row["records"]), count))
    check("slow: it has whole messages, with gaps where some were lost",
        {e.split(": ")[1] for s in sessions for e in s.errors} <=
        {"sequence"}, [s.errors[:2] for s in sessions])


def lost(run, name):
    """Records lost for one collector so far."""
    rows = e2e.collectors(ctl(run.ctl, "collectors")[1])
    return sum(int(row.get("lost", 0)) for url, row in rows.items()
        if name in url)


def three_hundred_collectors_are_served():
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(300)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
        s.settimeout(1)
    result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n", ",".join(
        "127.0.0.1:%d" % s.getsockname()[1] for s in sockets))
    got = []
    for s in sockets:
        got.append([s.recv(65536) for _ in range(3)])
        s.close()
    check("300 collectors: exit 0, each account adds up", result.code == 0 and
        accounted(result.err) and len(e2e.collectors(result.err)) == 300,
        result)
    check("300 collectors: each gets the same", all(g == got[0] for g in got))
    equal("300 collectors: and all of it", len(Session().feed_all(
        got[0]).records), 57)


def an_mtu_smaller_than_a_record_is_refused_at_start():
    names = ("interfaceName,interfaceDescription,flowId,tcpOptions,"
        "octetTotalCount,packetTotalCount,minimumIpTotalLength,"
        "maximumIpTotalLength,flowStartNanoseconds,flowEndNanoseconds,"
        "flowStartMicroseconds,flowEndMicroseconds,sourceMacAddress")
    for mtu, code in ((256, 2), (1400, 0)):
        with Collector() as collector:
            result = probe("--mtu", mtu, "--fields", names, "-n",
                collector.name, "-r", e2e.capture("zeek__wikipedia.pcap"))
        equal("--mtu %d with long records: exit" % mtu, result.code, code)
        check("--mtu %d with long records: one line names it" % mtu, code == 0
            or "--mtu" in result.err and len(result.err.splitlines()) == 1 and
            not collector.datagrams, result)


if __name__ == "__main__":
    live = e2e.private_network("collectors that fail, live")
    if live:
        e2e.veth(NEAR, FAR)
    e2e.main([one_of_three_is_killed_and_restarted_in_a_replay,
        three_hundred_collectors_are_served,
        an_mtu_smaller_than_a_record_is_refused_at_start] +
        ([one_of_three_is_killed_and_restarted_live,
        a_collector_that_does_not_read_costs_only_itself] if live else []))

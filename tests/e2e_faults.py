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
from collect import Collector
from e2e import accounted, check, equal, probe, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from frames import at, eth, pcap, udp4
from session import Session

FLOWS = 10000
PACE = ("--export-rate", "200")  # so that it takes some seconds
VERSIONS = ("5", "9", "10")


def capture():
    name = e2e.path("load.pcap")
    with open(name, "wb") as f:
        f.write(pcap([(at(n * 0.0001), eth(udp4(n))) for n in range(FLOWS)]))
    return name


def killed_and_restarted(version, name):
    """A replay to three collectors, the second of them gone for a second."""
    with Collector() as a, Collector() as c:
        b = Collector()
        later = []
        def fail():
            wait_for(lambda: len(b.datagrams) > 100)
            b.kill()
            time.sleep(0.7)
            later.append(Collector(port=b.port))
        failing = threading.Thread(target=fail)
        failing.start()
        result = probe("-v", version, "-r", name, "-m", "65536", *PACE, "-n",
            ",".join((a.name, b.name, c.name)))
        failing.join()
        later[0].finish()
    return result, a, b, later[0], c


def one_of_three_is_killed_and_restarted_in_a_replay():
    name = capture()
    def run(version):
        with Collector() as alone:
            probe("-v", version, "-r", name, "-m", "65536", *PACE, "-n",
                alone.name)
        return version, alone, killed_and_restarted(version, name)
    for version, alone, (result, a, b, again, c) in e2e.each(run, VERSIONS, 3):
        said = "v%s: " % version
        equal(said + "all flows without a fault",
            len(alone.decoded().records), FLOWS)
        check(said + "the first gets the same, octet for octet",
            a.datagrams == alone.datagrams, len(a.datagrams))
        check(said + "the third gets the same, octet for octet",
            c.datagrams == alone.datagrams, len(c.datagrams))
        check(said + "the second got some before and some after", b.datagrams
            and again.datagrams, (len(b.datagrams), len(again.datagrams)))
        equal(said + "after its restart templates came before data",
            [e for e in again.decoded().errors if "template first" in e], [])
        check(said + "the account of each adds up", result.code == 0 and
            accounted(result.err), result)


def one_of_three_is_killed_and_restarted_live():
    with Collector() as a, Collector() as c:
        b = Collector()
        with Live("-n", ",".join((a.name, b.name, c.name)), "-t", "idle=1",
                "-t", "expint=0") as run, Wire() as wire:
            for second in range(3):
                if second == 1:
                    b.kill()
                if second == 2:
                    b = Collector(port=b.port)
                for n in range(2000):
                    wire.send(eth(udp4(second * 2000 + n)))
                time.sleep(1)
            wait_for(lambda: len(a.decoded().records) == 6000)
            ended_well("live", run)
            statistics = run.err
        again = b.finish()
    first, third = a.decoded(), c.decoded()
    equal("live: the first breaks no rule and has all", (first.errors[:3],
        len(first.records)), ([], 6000))
    check("live: the third has the same, octet for octet",
        a.datagrams == c.datagrams)
    check("live: the second is sent to again", again)
    check("live: the account of each adds up", accounted(statistics),
        statistics[-800:])


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
        ([one_of_three_is_killed_and_restarted_live] if live else []))

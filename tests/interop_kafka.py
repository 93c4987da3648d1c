#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
interop_kafka.py - many probes -> two GoFlow2 -> one topic of a real Kafka
broker, in KRaft mode: every capture is a probe, and every flow in the topic is
compared with what went in.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile

import e2e
import goflow2
from e2e import check, equal
from frames import at, eth, pcap, udp4

JARS = os.path.join(goflow2.INTEROP, "kafka")
JAVA = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", JARS + "/*"]
CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"  # any 16 octets in base64
FLOWS = 300
PROBES = 5

CONFIGURATION = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%(controller)d
listeners=PLAINTEXT://127.0.0.1:%(port)d,CONTROLLER://127.0.0.1:%(controller)d
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%(directory)s/data
offsets.topic.replication.factor=1
num.partitions=3
"""


class Broker:
    """A Kafka of one node, ended when the block is left."""

    def __init__(self):
        for _ in range(3):  # another test may take a port first
            self.directory = tempfile.mkdtemp(dir=e2e.scratch(),
                prefix="kafka-")
            self.port, self.controller = (e2e.free_port(
                kind=socket.SOCK_STREAM) for _ in range(2))
            name = self.directory + "/conf"
            with open(name, "w", encoding="ascii") as f:
                f.write(CONFIGURATION % vars(self))
            e2e.sh(*JAVA, "kafka.tools.StorageTool", "format", "-t", CLUSTER,
                "-c", name)
            with open(self.directory + "/log", "wb") as log:
                self.process = subprocess.Popen([*JAVA, "kafka.Kafka", name],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            e2e.wait_for(lambda: self.kcat("-L", "-m", "2").returncode == 0 or
                self.process.poll() is not None, 120)
            if self.process.poll() is None:
                return
        with open(self.directory + "/log", encoding="utf-8") as log:
            raise RuntimeError("Kafka does not start: " + log.read()[-1000:])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()

    @property
    def name(self):
        return "127.0.0.1:%d" % self.port

    def kcat(self, *words):
        return subprocess.run(["kcat", "-b", self.name, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=e2e.SECONDS)

    def goflow2(self, form, topic, *more):
        """A GoFlow2 that feeds this topic."""
        return goflow2.GoFlow2(form, "-transport", "kafka",
            "-transport.kafka.brokers", self.name, "-transport.kafka.topic",
            topic, "-transport.kafka.flushfreq", "100ms", *more)

    def flows(self, form, topic):
        """All flows that are in a topic now."""
        return goflow2.READ[form](self.kcat("-C", "-t", topic, "-o",
            "beginning", "-e", "-q", "-f", "%s\n" if form == "json" else
            "%s").stdout)


def count(result, collector, column):
    return int(e2e.collectors(result.err)[collector.name][column])


def probe(collectors, version, n, name, *options, **more):
    """A probe at an address and with a domain of its own."""
    return e2e.probe("-v", version, "-r", name, "-n", ",".join(c.name for c in
        collectors), "-e", "127.0.1.%d" % n, "--domain", n, *options, **more)


def compare(version, said, n, seen, wanted):
    if version != "5":  # whose engine GoFlow2 does not tell
        equal(said + ": each has the probe's domain", {f.domain for f in seen},
            {n} if seen else set())
    e2e.compare(said + ": packets, octets, flags, class, times", e2e.add_up(
        seen), {k: s for k, s in wanted.items() if version != "5" or
        k[0] == 4}, unit_ns=10**6)


def many_probes_share_two_collectors_of_one_topic(broker):
    wanted = e2e.expected()
    names = list(enumerate(e2e.captures(), 1))
    for version, form in (("5", "json"), ("9", "bin"), ("10", "json"),
            ("10", "bin")):
        topic = "flows-%s-%s" % (version, form)
        collectors = [broker.goflow2(form, topic) for _ in range(2)]
        # At the same time: all they send fits into the buffer of one socket.
        runs = e2e.each(lambda one: probe(collectors, version, one[0],
            e2e.capture(one[1]), "-l"), names, 8)
        shares = [sum(count(run, c, "records") for run in runs)
            for c in collectors]
        e2e.wait_for(lambda: len(broker.flows(form, topic)) >= sum(shares), 30)
        flows = {}
        for flow in broker.flows(form, topic):
            flows.setdefault(flow.probe, []).append(flow)
        said = "v%s %s through Kafka: " % (version, form)
        check(said + "each collector has a share", all(shares), shares)
        equal(said + "as many flows as the probes sent", sum(map(len,
            flows.values())), sum(shares))
        for c in collectors:
            c.stop()
            equal(said + "GoFlow2 complains of nothing", c.complaints()[:3],
                [])
        for n, name in names:
            compare(version, said + name, n, flows.get("127.0.1.%d" % n, []),
                wanted[name])


def a_probe_goes_on_to_the_second_collector(broker):
    """All but what its statistics say was sent to the one that is not there."""
    first, second = [broker.goflow2("json", "failover") for _ in range(2)]
    first.stop()
    packets = pcap([(at(n), eth(udp4(n))) for n in range(FLOWS)])
    result = probe((first, second), "10", 1, "-", "--failover",
        "--export-rate", "100", "-t", "idle=1", stdin=packets)
    records = [count(result, c, "records") for c in (first, second)]
    e2e.wait_for(lambda: len(broker.flows("json", "failover")) >= records[1],
        30)
    flows = broker.flows("json", "failover")
    second.stop()
    check("failover: exit 0, and it is said", result.code == 0 and
        "%s: gets the records now, not %s" % (second.name, first.name) in
        result.err, result)
    equal("failover: all records are sent to one of them", sum(records), FLOWS)
    equal("failover: those sent to the second are in the topic",
        len({f.key() for f in flows}), records[1])
    check("failover: most are", records[1] > FLOWS / 2, records)


def a_key_keeps_a_probe_in_one_partition(broker):
    """By the settings of docs/scale.md."""
    name = e2e.path("map.yaml")
    with open(name, "w", encoding="ascii") as f:
        f.write("formatter:\n  fields: [sampler_address, packets]\n"
            "  key: [sampler_address]\n")
    collector = broker.goflow2("json", "keyed", "-transport.kafka.hashing",
        "-mapping", name)
    runs = [probe([collector], "9", n, e2e.capture("zeek__wikipedia.pcap"))
        for n in range(1, PROBES + 1)]
    sent = sum(count(run, collector, "records") for run in runs)
    def placed():
        return [line.split(" ", 1) for line in broker.kcat("-C", "-t", "keyed",
            "-o", "beginning", "-e", "-q", "-f", "%p %s\n").stdout.decode()
            .splitlines()]
    e2e.wait_for(lambda: len(placed()) >= sent, 30)
    collector.stop()
    partitions = {}
    for partition, flow in placed():
        partitions.setdefault(json.loads(flow)["sampler_address"], set()).add(
            partition)
    equal("keyed: all flows are in the topic", len(placed()), sent)
    equal("keyed: each probe is in one partition", [len(p) for p in
        partitions.values()], [1] * PROBES)
    check("keyed: not all in the same", len(set.union(*partitions.values())) >
        1, partitions)


def everything():
    with Broker() as broker:
        many_probes_share_two_collectors_of_one_topic(broker)
        a_probe_goes_on_to_the_second_collector(broker)
        a_key_keeps_a_probe_in_one_partition(broker)


def lacking():
    """What is not there, or None."""
    if goflow2.PROGRAM is None:
        return "goflow2"
    if not glob.glob(JARS + "/kafka_*.jar"):
        return "Apache Kafka"
    return next((p for p in ("java", "kcat") if shutil.which(p) is None), None)


if __name__ == "__main__":
    if lacking():
        e2e.skip("replay through GoFlow2 and Kafka",
            "there is no %s (sh tests/interop-install.sh)" % lacking())
    e2e.main([everything] if not lacking() else [])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_metrics.py - the counters of a running probe as metrics: of each format
every rule is kept, every counter of the statistics is there, and with the
same value.
"""
import http.client
import json
import os
import socket
import subprocess
import urllib.parse

import e2e
from collect import Collector
from e2e import check, equal, need, probe, skip, wait_for
from e2e_control import Fed, OnLo, conversations
from frames import at, eth, ip6, udp
from openmetrics import Page

# Where the statistics have a counter: the metric of the same, or a function of
# the page.
PLAIN = {
    "account.packetsReceived": "received_packets",
    "account.packetsInRecords": "recorded_packets",
    "account.packetsInActiveFlows": "active_packets",
    "account.packetsDeleted": "deleted_packets",
    "account.packetsSeenAgain": "repeated_packets",
    "account.packetsOfOwnSessions": "own_packets",
    "account.packetsSeenTranslated": "translated_packets",
    "account.offBy": "unaccounted_packets",
    "account.notSentPacketTotalCount": "unexported_packets",
    "account.notSentOctetTotalCount": "unexported_octets",
    "account.notSentFlowTotalCount": "unexported_records",
    "gathering": "gathering",
    "router.ownRecords": "own_records",
    "router.ownOctets": "own_octets",
    "router.recordsSeenTranslated": "translated_records",
    "router.octetsSeenTranslated": "translated_octets",
    "router.natConnections": "nat_connections",
    "router.natConnectionsBegun": "nat_begun_connections",
    "router.natConnectionsEvicted": "nat_evicted_connections",
    "router.conntrackMessages": "conntrack_messages",
    "router.conntrackMissed": "conntrack_missed",
    "router.conntrackUnknown": "conntrack_unknown_messages",
    "router.routeLookupsFailed": "route_lookup_failures",
    "notes.shortTransport": "short_transport_packets",
    "notes.aboveMtu": "above_mtu_packets",
    "notes.lengthFromFrame": "frame_length_packets",
    "notes.fragments": "fragment_packets",
    "notes.fragmentsWithoutFirst": "orphan_fragment_packets",
    "drops.reopened": "reopened_interfaces",
    "flows.active": "active_flows",
    "flows.activeMax": "active_most_flows",
    "flows.observedFlowTotalCount": "created_flows",
    "flows.deleted": "deleted_flows",
    "octets.octetsReceived": "received_octets",
    "octets.octetsInFlows": "flow_octets",
    "octets.octetsInRecords": "recorded_octets",
    "octets.octetsDeleted": "deleted_octets",
    "octets.octetsSeenAgain": "repeated_octets",
}
DERIVED = {
    "account.ignoredPacketTotalCount": lambda p: p.sum("ignored_packets"),
    "account.balanced": lambda p: p.value("unaccounted_packets") == 0,
    "drops.kernelDrops": lambda p: p.value("dropped_packets", by="kernel"),
    "drops.interfaceDrops":
        lambda p: p.value("dropped_packets", by="interface"),
}
# Objects with a member for each value of a label.
LABELLED = {
    "ignored": ("ignored_packets", "reason"),
    "ethertypes": ("ignored_frames", "ethertype"),
    "records": ("ended_records", "reason"),
}
COLLECTORS = {
    "exportedMessageTotalCount": "sent_messages",
    "exportedOctetTotalCount": "sent_octets",
    "exportedFlowRecordTotalCount": "sent_records",
    "packets": "sent_packets",
    "flowOctets": "sent_flow_octets",
    "templates": "sent_templates",
    "natEvents": "sent_nat_events",
    "waitingRecords": "waiting_records",
    "waitingPackets": "waiting_packets",
    "waitingOctets": "waiting_flow_octets",
    "queuedOctets": "queue_octets",
    "reconnects": "reconnects",
    "refused": "refused",
    "errors": "errors",
    "droppedMessages": "dropped_messages",
    "droppedOctets": "dropped_octets",
    "notSentFlowTotalCount": "lost_records",
    "notSentPacketTotalCount": "lost_packets",
    "notSentOctetTotalCount": "lost_flow_octets",
    "unfitRecords": "unfit_records",
    "unfitPackets": "unfit_packets",
    "unfitOctets": "unfit_flow_octets",
    "elsewhereRecords": "elsewhere_records",
    "elsewherePackets": "elsewhere_packets",
    "elsewhereOctets": "elsewhere_flow_octets",
}
INTERFACES = {
    "ifindex": ("interface_index", {}),
    "frames": ("interface_received_packets", {}),
    "packets": ("interface_decoded_packets", {}),
    "ignored": ("interface_ignored_packets", {}),
    "kernelDrops": ("interface_dropped_packets", {"by": "kernel"}),
    "interfaceDrops": ("interface_dropped_packets", {"by": "interface"}),
    "reopened": ("interface_reopened", {}),
}


def page_of(run, name, *words):
    """What `softprobectl metrics` says, parsed; its errors are checked."""
    code, text, err = run.ask("metrics", *words)
    equal(name + ": exit", code, 0)
    page = Page(text.encode(), prometheus="prometheus" in words)
    equal(name + ": no rule of the format is broken", page.errors[:5], [])
    return page


def compare_lists(name, page, statistics):
    """The counters of the tables: protocols and collectors."""
    wrong = []
    for row in statistics["protocols"]:
        for key in ("packets", "octets", "flows"):
            seen = page.value("protocol_" + key, protocol=row["name"])
            if seen != row[key]:
                wrong.append((row["name"], key, seen, row[key]))
    for number, row in enumerate(statistics["collectors"], 1):
        labels = {"collector": row["name"], "number": str(number)}
        for key, value in row.items():
            if key in ("name", "state", "format", "transport"):
                continue
            seen = page.value("collector_" + COLLECTORS[key], **labels)
            if seen != value:
                wrong.append((row["name"], key, seen, value))
        equal("%s: %s is up as its state says" % (name, row["name"]),
            page.value("collector_up", **labels), row["state"] == "up")
        check("%s: %s has its format and transport" % (name, row["name"]),
            page.value("collector", format=row["format"],
            transport=row["transport"], **labels) == 1)
    equal(name + ": protocols and collectors are the same", wrong, [])


def compare(name, page, statistics):
    """Each counter of the statistics, which were asked for at rest."""
    wrong = []
    for group, members in statistics.items():
        if group in ("time", "protocols", "collectors"):
            continue
        if not isinstance(members, dict):
            members = {"": members}
        for key, value in members.items():
            at_ = (group + "." + key).rstrip(".")
            if group in LABELLED:
                metric, label = LABELLED[group]
                seen = page.value(metric, **{label: key})
            elif at_ in DERIVED:
                seen = DERIVED[at_](page)
            else:  # a counter that is in no table here is an error
                seen = page.value(PLAIN.get(at_, "?"))
            if seen != value:
                wrong.append((at_, seen, value))
    equal(name + ": every counter of the statistics is there, and the same",
        wrong, [])
    compare_lists(name, page, statistics)


def statistics_of(run):
    return json.loads(run.ask("--json", "statistics")[1])


# ---- against the statistics ---------------------------------------------

def statistics_and_metrics_are_the_same():
    """Packets of many kinds; a collector that cannot be told IPv6."""
    six = [(at(0), eth(ip6("2001:db8::1", "2001:db8::2", 17, udp(1, 2))))] * 3
    arp = [(at(0), eth(b"\0" * 40, 0x0806))]
    lldp = [(at(0), eth(b"\0" * 40, 0x88cc))] * 2
    with Collector() as one, Collector() as two, Fed("-n",
            "udp://%s?version=5,udp://%s" % (one.name, two.name)) as run:
        run.feed(*conversations(40), *six, *arp, *lldp)
        run.ask("delete-all")
        run.feed(*conversations(30, 1), *six)
        run.ask("expire-all")
        wait_for(lambda: sum(row["exportedFlowRecordTotalCount"] +
            row["waitingRecords"] for row in
            statistics_of(run)["collectors"]) == 61, 10)
        run.ask("stop-gather")
        run.feed(*conversations(5, 2))
        run.ask("start-gather")
        run.feed(*conversations(7, 3))
        statistics = statistics_of(run)
        page = page_of(run, "openmetrics")
        compare("openmetrics", page, statistics)
        equal("packets were ignored, deleted, exported and unfit",
            [page.sum("ignored_packets"), page.value("deleted_packets"),
            page.sum("collector_sent_records") +
            page.sum("collector_waiting_records"),
            page.sum("collector_unfit_records")], [8, 43, 61, 1])
        check("the time of the newest packet is that of the capture",
            page.value("last_packet_seconds") - page.value(
            "first_packet_seconds") == 3)
        text = page_of(run, "prometheus", "prometheus")
        equal("both formats have the same metrics",
            sorted(name + {"counter": "_total", "info": "_info"}.get(
            f.meta["TYPE"], "") for name, f in page.family.items()),
            sorted(text.family))
        check("timeouts are told", page.value("timeout_seconds",
            timeout="tcp.fin") == 10)
        check("the ring has room, and what waits there does not lag",
            page.value("ring_capacity_records", worker="0") >= 1024 and
            page.value("ring_records", worker="0") == 0 and
            page.value("export_lag_seconds") == 0)
        run.end()


def every_column_of_a_table_has_its_metric():
    """No table of the statistics has a column that is unknown here."""
    with Collector() as collector, Fed("-n", collector.name) as run:
        run.feed(*conversations(2))
        row = statistics_of(run)["collectors"][0]
        equal("columns of collectors", set(row) - set(COLLECTORS),
            {"name", "state", "format", "transport"})
        row = json.loads(run.ask("--json", "interfaces")[1])["interfaces"][0]
        equal("columns of interfaces", set(row) - set(INTERFACES),
            {"name", "state"})
        run.end()


def mistakes_are_told():
    with Fed("--json") as run:
        for words in (("metrics", "nonsense"), ("--json", "metrics")):
            code, out, err = run.ask(*words)
            check("%s is refused in one line" % " ".join(words), code == 1 and
                not out and len(err.splitlines()) == 1, (code, out, err))
        run.end()


def promtool_finds_nothing():
    if not need("promtool check metrics", "promtool"):
        return
    with Collector() as collector, Fed("-n", collector.name) as run:
        run.feed(*conversations(9))
        _, text, _ = run.ask("metrics", "prometheus")
        done = subprocess.run(["promtool", "check", "metrics"],
            input=text.encode(), capture_output=True, timeout=e2e.SECONDS)
        check("promtool check metrics finds nothing", done.returncode == 0 and
            not done.stdout + done.stderr, done)
        run.end()


def figures_of_a_lost_collector():
    """A TCP collector that goes away: up, errors, queue, reconnects."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        listener.settimeout(30)
        name = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
        with Fed("-n", name + "?reconnect=1&queue=64k") as run:
            session, _ = listener.accept()
            check("it is up at first", wait_for(lambda: page_of(run,
                "up").value("collector_up", collector=name) == 1, 10))
            session.close()
            listener.close()
            check("a collector that went away is not up", wait_for(
                lambda: page_of(run, "away").value("collector_up",
                collector=name) == 0, 10))
            run.feed(*conversations(4000))
            run.ask("expire-all")
            page = [None]
            def lost():
                page[0] = page_of(run, "lost")
                return page[0].value("collector_lost_records") > 0
            check("what its queue has no room for is lost, and counted",
                wait_for(lost, 10), statistics_of(run)["collectors"])
            equal("sent, waiting and lost are all records there were",
                sum(page[0].value("collector_" + what + "_records") for what in
                ("sent", "waiting", "lost")), page[0].sum("ended_records"))
            check("its queue is within its limit", page[0].value(
                "collector_queue_octets") <= page[0].value(
                "collector_queue_limit_octets") == 65536)
            compare("a lost collector", page_of(run, "lost"),
                statistics_of(run))
            run.ask("exit")
            run.wait(20)


# ---- by HTTP -------------------------------------------------------------

def free_address():
    """An address of TCP that nobody listens at just now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


def has_http(name):
    """Whether this build serves metrics; counts a skipped check if not."""
    tried = probe("-r", "x", "--metrics", "127.0.0.1:1", "--check")
    if tried.code != 0:
        skip(name, tried.err.strip())
    return tried.code == 0


def fetch(address, path="/metrics", accept=None, method="GET", source=None):
    """Status, headers, body; status 0 if there was no answer."""
    http_ = http.client.HTTPConnection(address, timeout=20,
        source_address=source and (source, 0))
    try:
        http_.request(method, path,
            headers={} if accept is None else {"Accept": accept})
        reply = http_.getresponse()
        return reply.status, reply.headers, reply.read()
    except (OSError, http.client.HTTPException):
        return 0, {}, b""
    finally:
        http_.close()


def metrics_are_served_by_http():
    if not has_http("metrics by HTTP"):
        return
    address = free_address()
    with Collector() as collector, Fed("-n", collector.name, "--metrics",
            address) as run:
        run.feed(*conversations(20))
        status, headers, body = fetch(address,
            accept="application/openmetrics-text;version=1.0.0,*/*;q=0.1")
        equal("OpenMetrics to who accepts it", (status,
            headers["Content-Type"]), (200,
            "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        page = Page(body)
        equal("by HTTP no rule of OpenMetrics is broken", page.errors[:5], [])
        compare("by HTTP", page, statistics_of(run))
        status, headers, body = fetch(address)
        page = Page(body, prometheus=True)
        equal("the text of Prometheus to others", (status,
            headers["Content-Type"], page.errors[:5]), (200,
            "text/plain; version=0.0.4; charset=utf-8", []))
        compare("as text", page, statistics_of(run))
        status, headers, nothing = fetch(address, method="HEAD")
        equal("HEAD has the length alone", (status,
            headers["Content-Length"], nothing), (200, str(len(body)), b""))
        status, _, body = fetch(address, "/")
        check("/ leads to the metrics", status == 200 and
            b'href="/metrics"' in body, body)
        equal("other pages are not found", fetch(address, "/x")[0], 404)
        status, headers, _ = fetch(address, method="POST")
        equal("other methods are not allowed", (status, headers["Allow"]),
            (405, "GET, HEAD"))
        run.end()
        check("the account is balanced in the end", e2e.balanced(run.err), run)


def silent(address, n, request=b"GET /metrics HT"):
    """Clients that say so much and no more."""
    host, port = address.split(":")
    crowd = []
    for _ in range(n):
        crowd.append(socket.create_connection((host, int(port)), 20))
        crowd[-1].sendall(request)
    return crowd


def slow_clients_block_nobody():
    if not has_http("slow clients of HTTP"):
        return
    address = free_address()
    with Fed("--json", "--metrics", address.replace("127.0.0.1",
            "0.0.0.0")) as run:
        run.feed(*conversations(5))
        crowd = silent(address, 8)
        run.feed(*conversations(5, 1))
        check("beside silent clients softprobectl is answered",
            e2e.balanced(run.statistics()), run.statistics())
        equal("and metrics are there for who comes from elsewhere",
            fetch(address, source="127.0.0.2")[0], 200)
        crowd += silent(address, 40, b"")
        check("a crowd does not end the probe", run.ask("version")[0] == 0 and
            run.running(), run)
        for s in crowd:
            s.close()
        check("when it has gone others are answered", wait_for(
            lambda: fetch(address)[0] == 200, 20))
        readers = silent(address, 4, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        run.feed(*conversations(5, 2))
        for s in readers:
            s.close()
        check("who asks and leaves does not end the probe", wait_for(
            lambda: fetch(address)[0] == 200, 20))
        run.end()
        equal("clients cost no packet", sum(r.packets for r in run.records()),
            15)


def a_wrong_address_is_told():
    if not has_http("addresses of --metrics"):
        return
    for bad in ("", "9191", ":9191", "localhost:9191", "127.0.0.1",
            "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "::1:9191",
            "[::1]", "1.2.3:9", "a" * 400):
        done = probe("-r", "x", "--metrics", bad)
        check("--metrics '%s' is refused in one line" % bad[:20],
            done.code == 2 and len(done.err.splitlines()) == 1 and
            "127.0.0.1:9191" in done.err, done)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = "127.0.0.1:%d" % s.getsockname()[1]
        done = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "--metrics",
            address)
        check("a port in use is one line that names it", done.code == 1 and
            not done.out and len(done.err.splitlines()) == 1 and address in
            done.err and "in use" in done.err, done)


# ---- live ----------------------------------------------------------------

def interfaces_have_their_metrics():
    with Collector() as collector, OnLo("-n", collector.name,
            "udp port 9999") as run:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(50):
                s.sendto(b"x", ("127.0.0.1", 9999))
        check("packets are metered", wait_for(lambda: page_of(run,
            "live").value("received_packets") == 50, 10))
        row = json.loads(run.ask("--json", "interfaces")[1])["interfaces"][0]
        page = page_of(run, "live")
        equal("each column of an interface is there, and the same",
            {key: page.value(metric, interface="lo", **labels) for
            key, (metric, labels) in INTERFACES.items()},
            {key: row[key] for key in INTERFACES})
        equal("the interface is up", page.value("interface_up",
            interface="lo"), 1)
        compare("live", page_of(run, "live"), statistics_of(run))
        run.ask("shutdown")
        equal("it leaves with 0", run.wait(20), 0)


def collectors_that_change_have_their_metrics():
    """A collector in front of the first one, and another queue, by reload."""
    conf = e2e.path("metrics.conf")
    def write(*lines):
        with open(conf, "w", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))
        os.chmod(conf, 0o644)
    with Collector() as one, Collector() as two:
        write("collector udp://%s" % one.name)
        with OnLo("--config", conf) as run:
            write("collector udp://%s?version=9&queue=64k" % two.name,
                "collector udp://%s" % one.name)
            equal("reload: exit", run.ask("reload")[0], 0)
            run.ask("stop-gather")
            page = page_of(run, "reloaded")
            equal("each has its number and its queue", [page.value(
                "collector_queue_limit_octets", collector=to.name,
                number=number) for to, number in ((two, "1"), (one, "2"))],
                [65536, 1048576])
            check("and its format", page.value("collector", number="1",
                collector=two.name, format="NetFlow v9") == 1)
            write("collector udp://%s" % two.name)
            equal("reload again: exit", run.ask("reload")[0], 0)
            page = page_of(run, "reloaded again")
            equal("one that was removed has none", len(page.named(
                "collector_up").samples), 1)
            run.ask("exit")
            run.wait(20)


class Prometheus:
    """The real one, that scrapes an address every second."""

    def __init__(self, target):
        self.address = free_address()
        config = e2e.path("prometheus.yml")
        with open(config, "w", encoding="ascii") as f:
            f.write("scrape_configs:\n- job_name: softprobe\n"
                "  scrape_interval: 1s\n  static_configs:\n"
                "  - targets: ['%s']\n" % target)
        with open(e2e.path("prometheus.log"), "wb") as log:
            self.process = subprocess.Popen(["prometheus",
                "--config.file=" + config, "--web.listen-address=" +
                self.address, "--storage.tsdb.path=" + e2e.path("tsdb")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()

    def ask(self, expression):
        """The values of an expression; None while it does not answer."""
        try:
            _, _, body = fetch(self.address, "/api/v1/query?query=" +
                urllib.parse.quote(expression))
            return [float(row["value"][1]) for row in
                json.loads(body)["data"]["result"]]
        except (ValueError, KeyError):
            return None

    def log(self):
        with open(e2e.path("prometheus.log"), encoding="utf-8") as f:
            return f.read()[-1000:]


def prometheus_scrapes():
    """Started as a user would: in the sandbox, with root given up."""
    if not has_http("a scrape by Prometheus") or not need(
            "a scrape by Prometheus", "prometheus"):
        return
    address = free_address()
    with Collector() as collector, OnLo("-n", collector.name, "--metrics",
            address, "udp port 9999") as run, Prometheus(address) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(70):
                s.sendto(b"x", ("127.0.0.1", 9999))
        seen = [None]
        def metered():
            seen[0] = server.ask("softprobe_received_packets_total")
            return seen[0] == [70.0]
        check("Prometheus sees what was metered", wait_for(metered, 60),
            "%s %s" % (seen, server.log()))
        equal("it finds the probe up", server.ask("up"), [1.0])
        equal("it has the collector by name", server.ask(
            'softprobe_collector_up{collector="%s"}' % collector.name), [1.0])
        equal("it adds reasons up", server.ask(
            "sum(softprobe_ignored_packets_total)"), [0.0])
        run.ask("shutdown")
        equal("the probe leaves with 0", run.wait(20), 0)
        check("and nothing was refused by the sandbox", "sandbox" not in
            run.err, run)


if __name__ == "__main__":
    tests = [statistics_and_metrics_are_the_same,
        every_column_of_a_table_has_its_metric, mistakes_are_told,
        promtool_finds_nothing, figures_of_a_lost_collector,
        metrics_are_served_by_http, slow_clients_block_nobody,
        a_wrong_address_is_told]
    if e2e.private_network("metrics of a live run"):
        tests += [interfaces_have_their_metrics,
            collectors_that_change_have_their_metrics, prometheus_scrapes]
    e2e.main(tests)

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_reload.py - a configuration that is read again while packets are metered:
what changes, what stays, what is refused; in network namespaces of its own.
"""
import json
import os
import re
import signal
import threading

import e2e
from collect import Collector, StreamCollector, read_file
from e2e import accounted, check, ctl, equal, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from e2e_notify import Manager
from e2e_transport import small_buffers
from frames import eth, udp4
from session import Session

BASE = "interface %s\ntimeout idle=50ms\ntimeout expint=0\n" % FAR
FLOW_ID = 148


class Configured(Live):
    """softprobe with a configuration file of its own."""

    count = 0

    def __init__(self, text, *args, **more):
        Configured.count += 1
        self.conf = e2e.path("reload%d.conf" % Configured.count)
        self.sent = 0
        self.write(text)
        super().__init__("--config", self.conf, *args, sources=(), **more)

    def write(self, text):
        """Put another file in the place of the one there is."""
        with open(self.conf + ".new", "w", encoding="utf-8") as f:
            f.write(BASE + text)
        os.chmod(self.conf + ".new", 0o644)
        os.rename(self.conf + ".new", self.conf)

    def reload(self, text=None):
        """Change the file and have it read: what softprobectl says."""
        if text is not None:
            self.write(text)
        code, out, err = ctl(self.ctl, "reload")
        return out if code == 0 else err

    def send(self, *numbers, **more):
        """Send a packet of each of these flows and wait for their records."""
        with Wire(NEAR) as wire:
            for n in numbers:
                wire.send(eth(udp4(n, **more)))
        self.sent += len(numbers)
        return self.exported()

    def exported(self, flows=None):
        """Wait until so many flows have become records."""
        wanted = self.sent if flows is None else flows
        return check("packets become records", wait_for(lambda: e2e.number(
            self.statistics(), "packets in records") == wanted),
            self.statistics())

    def said(self, text):
        return wait_for(lambda: text in self.err)


def sources(session):
    return [r.src for r in session.records]


def addresses(*numbers):
    return ["10.0.0.%d" % n for n in numbers]


def well(name, session):
    equal(name + ": no rule is broken", session.errors[:3], [])


# ---- collectors ---------------------------------------------------------

def kept_collectors_are_not_disturbed():
    """Over UDP, over TCP and into a file, while others come and go."""
    with Collector() as udp, Collector() as other, \
            StreamCollector() as stream:
        path = e2e.path("kept.json")
        kept = "collector %s\ncollector tcp://%s\ncollector json:%s\n" % (
            udp.name, stream.name, path)
        with Configured(kept) as run:
            check("a session begins", wait_for(lambda: any(stream.streams)))
            run.send(1)
            equal("one is added", run.reload("collector udp://%s?version=9\n" %
                other.name + kept), "changed: collector\n")
            run.send(2)
            equal("it is removed", run.reload(kept), "changed: collector\n")
            check("that is logged", run.said(
                "collector %s: removed; 1 records were sent, 0 were not" %
                other.name), run)
            run.send(3)
            equal("nothing changes", run.reload(), "changed: nothing\n")
            run.send(4)
            text = run.statistics()
            ended_well("after all that", run)
    check("each collector adds up", accounted(text), text)
    session = udp.decoded()
    well("UDP", session)
    equal("UDP: all records", sources(session), addresses(1, 2, 3, 4))
    equal("UDP: one session", len(set(udp.senders)), 1)
    sessions = stream.decoded()
    equal("TCP: one session", len(sessions), 1)
    well("TCP", sessions[0])
    equal("TCP: all records", sources(sessions[0]), addresses(1, 2, 3, 4))
    with open(path, encoding="ascii") as lines:
        equal("a file: all records", [json.loads(l)["sourceIPv4Address"]
            for l in lines], addresses(1, 2, 3, 4))
    session = other.decoded()
    well("the one for a while", session)
    equal("the one for a while: what was then", sources(session), addresses(2))


def settings_of_one_begin_a_session_of_its_own():
    with Collector() as one, Collector() as two:
        both = "collector %s\ncollector %s" % (one.name, two.name)
        with Configured(both + "\n") as run:
            run.send(1)
            run.reload(both + "?domain=7\n")  # no URL: refused
            run.reload("collector %s\ncollector udp://%s?domain=7\n" % (
                one.name, two.name))
            run.send(2)
            ended_well("after it", run)
    equal("the other goes on", len(set(one.senders)), 1)
    equal("the changed one begins again", len(set(two.senders)), 2)
    sessions = [Session().feed_all([d for d, s in zip(two.datagrams,
        two.senders) if s == sender]) for sender in dict.fromkeys(two.senders)]
    for session, domain, flow in zip(sessions, (0, 7), (1, 2)):
        well("domain %d" % domain, session)
        equal("domain %d: its record" % domain, (session.domains,
            sources(session)), ({domain}, addresses(flow)))


def removed_collector_with_a_full_queue_adds_up():
    """It does not read; what waits has a few seconds, then it is lost."""
    flows = 15000
    with Collector() as kept, StreamCollector() as stuck:
        stuck.reading.clear()
        text = "export-rate 0\nmax-flows 20000\ncollector %s\n" % kept.name
        with Configured(text + "collector tcp://%s?queue=64k\n" %
                stuck.name) as run:
            check("a session begins", wait_for(lambda: stuck.open))
            run.send(*range(flows))
            check("its queue is full", wait_for(lambda: int(e2e.collectors(
                run.statistics())["tcp://" + stuck.name].get("lost", 0)) > 0),
                run.statistics())
            check("the account of both", accounted(run.statistics()),
                run.statistics())
            equal("it is removed", run.reload(text), "changed: collector\n")
            run.send(flows)
            found = check("it is given up", wait_for(lambda: re.search(
                r"removed; (\d+) records were sent, (\d+) were not", run.err),
                30), run) and re.search(
                r"removed; (\d+) records were sent, (\d+) were not", run.err)
            ended_well("after it", run)
    if found:
        equal("sent and not sent are all that were for it",
            int(found[1]) + int(found[2]), flows)
        check("some of both", int(found[1]) > 0 and int(found[2]) > 0, found)
    session = kept.decoded()
    well("the other", session)
    equal("the other has all", len(session.records), flows + 1)


def removed_file_is_completed():
    path = e2e.path("removed.ipfix")
    with Collector() as kept:
        text = "collector %s\n" % kept.name
        with Configured(text + "collector file:%s\n" % path) as run:
            run.send(1)
            run.reload(text)
            check("it has its name", wait_for(lambda: os.path.exists(path)),
                run)
            run.send(2)
            ended_well("after it", run)
    session = read_file(path)
    well("the file", session)
    equal("the file has what was then", sources(session), addresses(1))
    check("and statistics of it", any(o.get(42) == 1 for o in
        session.options), session.options)


def collectors_change_how_they_share():
    with Collector() as one, Collector() as two:
        text = "collector %s\ncollector %s\n" % (one.name, two.name)
        with Configured(text + "balance\n") as run:
            run.send(*range(40))
            equal("both then", run.reload(text), "changed: balance\n")
            run.send(100)
            equal("one then", run.reload(text + "failover\n"),
                "changed: failover\n")
            run.send(101)
            text = run.statistics()
            ended_well("after it", run)
    check("each collector adds up", accounted(text), text)
    first, second = set(sources(one.decoded())), set(sources(two.decoded()))
    shared = {"10.0.0.%d" % n for n in range(40)}
    check("each had some of those that were shared", first & shared and
        second & shared)
    equal("none had both", first & second, {"10.0.0.100"})
    equal("together they had all", first | second, shared | set(addresses(
        100, 101)))
    check("the first one had the last", "10.0.0.101" in first)


def own_sessions_to_new_collectors_are_left_out():
    with Collector() as one, Collector() as two:
        text = "interface lo\ncollector %s\n" % one.name
        with Configured(text) as run:
            run.reload(text + "collector %s\n" % two.name)
            for n in 1, 2, 3:
                with Wire(NEAR) as wire:
                    wire.send(eth(udp4(n)))
                check("a record comes", wait_for(lambda: "10.0.0.%d" % n in
                    sources(two.decoded())), run)
            ended_well("after it", run)
    for name, collector in ("one", one), ("the new one", two):
        equal(name + ": no record of a session to it", [r for r in
            collector.decoded().records if {r.sport, r.dport} & {one.port,
            two.port}], [])


# ---- metering -----------------------------------------------------------

def filter_changes_for_all_workers():
    for workers in "1", "2":
        with Collector() as collector:
            text = "workers %s\ncollector %s\n" % (workers, collector.name)
            with Configured(text + "filter 'udp dst port 53'\n") as run:
                run.send(1)
                for port, expression in ((54, "filter 'udp dst port 54'\n"),
                        (55, "")):
                    equal("a filter for port %d" % port, run.reload(text +
                        expression), "changed: filter\n")
                    with Wire(NEAR) as wire:  # the old one let it through
                        if expression:
                            wire.send(eth(udp4(99, dport=53)))
                    run.send(port, dport=port)
                ended_well("%s workers" % workers, run)
            session = collector.decoded()
        well("%s workers" % workers, session)
        equal("%s workers: what passed" % workers, sources(session),
            addresses(1, 54, 55))


def sampling_changes_between_records():
    """v5 tells it in each header, v9 and IPFIX in options data."""
    with Collector() as five, Collector() as nine, Collector() as ten:
        text = "".join("collector udp://%s?version=%s&options=sampling\n" % (
            c.name, v) for c, v in ((nine, 9), (ten, 10)))
        text += "collector udp://%s?version=5\n" % five.name
        with Configured(text + "timeout idle=1h\n") as run:
            with Wire(NEAR) as wire:
                for n in range(20):
                    wire.send(eth(udp4(n)))
            check("flows are there", wait_for(lambda: run.received() == 20))
            equal("one in 4", run.reload(text + "timeout idle=200ms\n"
                "sampling 4\n"), "changed: timeout, sampling\n")
            run.exported(20)
            with Wire(NEAR) as wire:
                for n in range(100, 120):
                    wire.send(eth(udp4(n)))
            run.exported(25)
            statistics = run.statistics()
            ended_well("after it", run)
    equal("what was left out is counted", e2e.number(statistics,
        "ignored sampled-out"), 15)
    # Two bits of mode, 14 of interval; the records of each header.
    headers = [(int.from_bytes(d[22:24], "big") & 0x3fff, int.from_bytes(
        d[2:4], "big")) for d in five.datagrams]
    equal("v5: records with their interval", [sum(n for i, n in headers
        if (i > 1) == sampled) for sampled in (False, True)], [20, 5])
    for name, collector, element in (("v9", nine, 34), ("IPFIX", ten, 305)):
        session = collector.decoded()
        well(name, session)
        equal(name + ": all records", len(session.records), 25)
        told = [o[element] for o in session.options if element in o]
        equal(name + ": the intervals that were told, in order",
            list(dict.fromkeys(told)), [1, 4] if element == 34 else [1])


def timeouts_and_others_change():
    with Collector() as collector:
        text = "collector %s\n" % collector.name
        with Configured(text + "timeout udp=1h\n") as run:
            with Wire(NEAR) as wire:
                wire.send(eth(udp4(1)))
            check("a flow is there", wait_for(lambda: run.received() == 1))
            equal("udp again as others", run.reload(text + "export-rate 7\n"
                "quiet\ndebug\n"),
                "changed: timeout, export-rate, quiet, debug\n")
            run.exported(1)
            before = ctl(run.ctl, "timeouts")
            equal("a timeout is set", ctl(run.ctl, "set", "udp=1h")[0], 0)
            equal("without the others", run.reload(text),
                "changed: export-rate, quiet, debug\n")
            equal("the file's timeouts hold again", ctl(run.ctl, "timeouts"),
                before)
            ended_well("after it", run)


# ---- records ------------------------------------------------------------

def fields_change_with_templates_of_their_own():
    with Collector() as nine, Collector() as ten, StreamCollector() as stream:
        path, lines = e2e.path("fields.ipfix"), e2e.path("fields.csv")
        text = ("collector udp://%s?version=9\ncollector %s\n"
            "collector tcp://%s\ncollector file:%s\ncollector csv:%s\n" % (
            nine.name, ten.name, stream.name, path, lines))
        with Configured(text + "fields flowId\n") as run:
            check("a session begins", wait_for(lambda: any(stream.streams)))
            run.send(1)
            equal("without", run.reload(text), "changed: fields\n")
            run.send(2)
            equal("with", run.reload(text + "fields flowId\n"),
                "changed: fields\n")
            run.send(3)
            text = run.statistics()
            ended_well("after it", run)
    check("each collector adds up", accounted(text), text)
    for name, session in (("v9", nine.decoded()), ("UDP", ten.decoded()),
            ("TCP", stream.decoded()[0]), ("file", read_file(path))):
        well(name, session)
        equal(name + ": all records", sources(session), addresses(1, 2, 3))
        ids = [session.template_of[n] for n in range(3)]
        equal(name + ": each with a template of its own", len(set(ids)), 3)
        equal(name + ": which has the field, or not", [FLOW_ID in dict(
            layout) for n in ids for key, layout in session.templates.items()
            if key[1] == n], [True, False, True])
    equal("UDP, TCP: one session each", (len(set(ten.senders)),
        len(stream.streams)), (1, 1))
    with open(lines, encoding="ascii") as f:
        rows = [line.rstrip("\n").split(",") for line in f]
    equal("CSV: titles again", ["flowId" in row for row in rows[::2]],
        [True, False, True])
    equal("CSV: as many columns as titles", [len(row) for row in rows[::2]],
        [len(row) for row in rows[1::2]])


def biflow_and_units_change():
    with Collector() as collector:
        text = "collector %s\n" % collector.name
        with Configured(text) as run:
            def both(n):
                with Wire(NEAR) as wire:
                    wire.send(eth(udp4(n)), eth(udp4(dst="10.0.0.%d" % n,
                        src="192.0.2.1", sport=53, dport=1000)))
                run.sent += 2
                run.exported()
            both(1)
            equal("biflow", run.reload(text + "biflow\ntime-unit micro\n"),
                "changed: biflow, time-unit\n")
            both(2)
            ended_well("after it", run)
    session = collector.decoded()
    well("both", session)
    equal("two records, then one", sources(session), ["10.0.0.1", "192.0.2.1",
        "10.0.0.2"])


# ---- what is refused, and what waits ------------------------------------

def wrong_file_changes_nothing():
    with Collector() as collector:
        text = "collector %s\n" % collector.name
        with Configured(text) as run:
            before = ctl(run.ctl, "timeouts")
            for more, why in (("mtu 1\n", ":5: mtu 1: give a number from"),
                    ("mtux\n", ":5: mtux: no such option"),
                    ("filter 'udp prt 53'\n", ":5: filter: %s: " % FAR),
                    ("collector json:/nowhere/x\n", ":5: collector: "
                        "/nowhere/x: No such file"),
                    ("export-version 5\nbiflow\n", ":6: -b: biflow needs")):
                said = run.reload(text + more + "timeout idle=9s\n")
                check("%r is refused by line" % more, said.startswith(
                    "softprobectl: %s%s" % (run.conf, why)), said)
                check("%r: that is logged" % more, run.said(
                    "not reloaded: %s%s" % (run.conf, why)), run)
            for name, text2 in (("no collector", ""), ("no file", None)):
                if text2 is None:
                    os.unlink(run.conf)
                said = run.reload(text2)
                check(name + " is refused", said.startswith("softprobectl: "),
                    said)
            equal("timeouts are as they were", ctl(run.ctl, "timeouts"),
                before)
            run.send(1)
            ended_well("after it", run)
    session = collector.decoded()
    well("the collector", session)
    equal("it goes on", (sources(session), len(set(collector.senders))),
        (addresses(1), 1))


def what_cannot_change_is_named_and_kept():
    with Collector() as collector:
        text = "collector %s\n" % collector.name
        with Configured(text) as run:
            wanted = ("interface, no-promiscuous, buffer, snaplen, wait, "
                "flow-key, max-flows, workers, pidfile, user, no-sandbox, "
                "fields")
            said = run.reload(text + "interface lo\nno-promiscuous\n"
                "buffer 4M\nsnaplen 99\nwait\nflow-key ether\nmax-flows 7\n"
                "workers 2\npidfile /run/p\nuser none\nno-sandbox\n"
                "fields flowId\ntimeout active=7s\n")
            equal("they are told", said, "changed: timeout\nunchanged until a "
                "restart: %s\n" % wanted)
            check("they are logged", run.said("changed: timeout; unchanged "
                "until a restart: " + wanted), run)
            equal("JSON", json.loads(ctl(run.ctl, "-j", "reload")[1]),
                {"changed": [], "unchangedUntilRestart": wanted.split(", ")})
            run.send(1)
            equal("the sources are as they were", FAR in ctl(run.ctl,
                "interfaces")[1] and "lo " not in ctl(run.ctl,
                "interfaces")[1], True)
            ended_well("after it", run)
    session = collector.decoded()
    well("records", session)
    equal("records are as they were", (sources(session), FLOW_ID in dict(
        session.templates[0, session.template_of[0]])), (addresses(1), False))


def command_line_overrides_the_new_file_too():
    with Collector() as one, Collector() as two:
        with Configured("collector %s\n" % two.name, "-n", one.name, "-t",
                "udp=100ms") as run:
            run.send(1)
            equal("it is all the same", run.reload("collector 192.0.2.1:1\n"
                "timeout udp=1h\n"), "changed: nothing\n")
            run.send(2)
            ended_well("after it", run)
    equal("the collector of the command line", sources(one.decoded()),
        addresses(1, 2))
    equal("not that of the file", two.datagrams, [])


# ---- ways to ask --------------------------------------------------------

def service_manager_is_told():
    with Manager() as manager, Configured("collector 127.0.0.1:9\n") as run:
        run.reload("nonsense\n")
        run.reload("collector 127.0.0.1:9\n")
        run.stop()
        states = [re.sub(r"USEC=\d+", "USEC=n", s) for s in manager.told()]
    again = "RELOADING=1\nMONOTONIC_USEC=n"
    equal("it reloads, and is ready again", states, ["READY=1", again,
        "READY=1\nSTATUS=%s:4: nonsense: no such option; see "
        "softprobe.conf(5)" % run.conf, again, "READY=1\nSTATUS=",
        "STOPPING=1"])


def sighup_reads_again_and_begins_files_anew():
    path = e2e.path("hup.json")
    with Configured("collector json:%s\n" % path) as run:
        run.send(1)
        check("a file is written", wait_for(lambda: os.path.getsize(path)))
        os.rename(path, path + ".1")
        run.write("collector json:%s\ntimeout active=9s\n" % path)
        run.process.send_signal(signal.SIGHUP)
        check("it is read", run.said("reloaded %s: changed: timeout" %
            run.conf), run)
        run.send(2)
        check("a file is begun", wait_for(lambda: os.path.exists(path) and
            os.path.getsize(path)), run)
        run.write("nonsense\n")
        os.rename(path, path + ".2")
        run.process.send_signal(signal.SIGHUP)
        check("a wrong one is refused", run.said("not reloaded: %s:4: "
            "nonsense: no such option" % run.conf), run)
        run.send(3)
        check("and a file begun all the same", wait_for(lambda:
            os.path.exists(path) and os.path.getsize(path)), run)
        ended_well("after it", run)


def link_to_another_file_is_followed():
    """As configuration management has it."""
    folder = e2e.path("management")
    os.mkdir(folder)
    with Collector() as collector:
        text = BASE + "collector %s\n" % collector.name
        for name, more in (("a", ""), ("b", "timeout active=9s\n")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write(text + more)
            os.chmod(os.path.join(folder, name), 0o644)
        link = e2e.path("link.conf")
        os.symlink(os.path.join(folder, "a"), link)
        with Live("--config", link, sources=()) as run:
            os.unlink(link)
            os.symlink(os.path.join(folder, "b"), link)
            equal("it is followed", ctl(run.ctl, "reload")[1],
                "changed: timeout\n")
            ended_well("after it", run)


def without_a_file_there_is_nothing_to_reload():
    with Live("-n", "127.0.0.1:9") as run:
        code, _, err = ctl(run.ctl, "reload")
        equal("it is refused", (code, err), (1, "softprobectl: there is no "
            "file to read again; start softprobe with --config\n"))
        run.process.send_signal(signal.SIGHUP)
        ended_well("after it", run)


def reloads_under_load_lose_no_packet():
    """Two collectors; a third comes and goes, filters and sampling change."""
    stop = threading.Event()
    with Collector() as one, Collector() as two:
        text = "export-rate 0\ncollector %s\ncollector udp://%s?version=9\n" % (
            one.name, two.name)
        def load(wire):
            n = 0
            while not stop.is_set():
                wire.send(eth(udp4(n % 50000)))
                n += 1
        with Configured(text) as run, Wire(NEAR) as wire:
            sender = threading.Thread(target=load, args=(wire,))
            sender.start()
            try:
                for n in range(10):
                    said = run.reload(text + ("", "sampling 3\n",
                        "collector 127.0.0.1:9\n", "filter udp\n",
                        "balance\n")[n % 5])
                    check("reload %d" % n, said.startswith("changed: "), said)
            finally:
                stop.set()
                sender.join()
            ended_well("under load", run)
            text = run.err
    check("each collector adds up", accounted(text), text)
    for name, collector in (("IPFIX", one), ("v9", two)):
        well(name, collector.decoded())


FUNCTIONS = [kept_collectors_are_not_disturbed,
    settings_of_one_begin_a_session_of_its_own,
    removed_collector_with_a_full_queue_adds_up, removed_file_is_completed,
    collectors_change_how_they_share,
    own_sessions_to_new_collectors_are_left_out, filter_changes_for_all_workers,
    sampling_changes_between_records, timeouts_and_others_change,
    fields_change_with_templates_of_their_own, biflow_and_units_change,
    wrong_file_changes_nothing, what_cannot_change_is_named_and_kept,
    command_line_overrides_the_new_file_too,
    service_manager_is_told, sighup_reads_again_and_begins_files_anew, link_to_another_file_is_followed,
    without_a_file_there_is_nothing_to_reload,
    reloads_under_load_lose_no_packet]

if __name__ == "__main__":
    if not e2e.private_network("reloads"):
        e2e.main([])
    small_buffers()
    e2e.veth(NEAR, FAR)
    e2e.main(FUNCTIONS)

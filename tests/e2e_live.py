#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_live.py - live capture in network namespaces of the test's own: a veth
pair, tcpreplay or own frames on one end, softprobe on the other.
"""
import os
import shutil
import signal
import socket
import threading
import time

import e2e
import frames
from collect import Collector
from e2e import Probe, check, ctl, equal, probe, sh, wait_for
from frames import eth, udp4

NEAR, FAR = "near0", "far0"  # what is sent on NEAR arrives on FAR
VERSIONS = ("1", "5", "9", "10")
FIXED = ("1", "5")  # no templates, no IPv6
FRAME_MAX = 9014


class Wire:
    """A raw socket that puts frames on an interface."""

    def __init__(self, interface=NEAR):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))

    def send(self, *sent):
        for frame in sent:
            while True:
                try:
                    self.socket.send(frame)
                    break
                except OSError as error:
                    if error.errno != 105:  # ENOBUFS: the queue is full
                        raise
                    time.sleep(0.001)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


class Live(Probe):
    """softprobe on FAR in the foreground, answering on its control socket."""

    count = 0

    def __init__(self, *args, sources=("-i", FAR), ready=True):
        Live.count += 1
        self.ctl = e2e.path("live%d.ctl" % Live.count)
        super().__init__("-d", "-c", self.ctl, *sources, *args)
        if ready and not wait_for(self.answers, 15):
            raise RuntimeError("not ready: %s" % self)

    def answers(self):
        return not self.running() or ctl(self.ctl, "statistics")[0] == 0

    def statistics(self):
        return ctl(self.ctl, "statistics")[1]

    def received(self):
        return e2e.number(self.statistics(), "packets received") or 0


def ended_well(name, run, signum=signal.SIGTERM):
    """Stop a run; exit 0 within 5 s, its account balanced."""
    code, seconds = run.stop(signum, 20)
    check(name + ": exit 0", code == 0, run)
    check(name + ": leaves within 5 s", seconds < 5, "%.1f s" % seconds)
    check(name + ": account balanced", e2e.balanced(run.err), run)


# ---- live as offline ----------------------------------------------------

def sendable():
    """The captures that an Ethernet carries as they are."""
    names = []
    for name in e2e.captures():
        with open(e2e.capture(name), "rb") as f:
            data = f.read()
        if not frames.is_pcapng(data) and frames.link_type(data) == 1 and all(
                len(frame) == wire and 14 <= wire <= FRAME_MAX
                for _, frame, wire in frames.read_pcap(data)):
            names.append(name)
    return names


def send_captures(names):
    """Put them on the wire, by tcpreplay where it is; returns the packets."""
    sent = []
    for name in names:
        with open(e2e.capture(name), "rb") as f:
            sent += [frame for _, frame, _ in frames.read_pcap(f.read())]
    if shutil.which("tcpreplay"):
        sh("tcpreplay", "--topspeed", "-q", "-i", NEAR,
            *(e2e.capture(name) for name in names))
    else:
        with Wire() as wire:
            wire.send(*sent)
    return len(sent)


def live_totals_are_those_of_the_file():
    names = sendable()
    check("many captures can be sent on an Ethernet", len(names) > 15, names)
    e2e.need("captures sent by tcpreplay (own frames instead)", "tcpreplay")
    truth = {}
    for name in names:
        for key, s in e2e.expected()[name].items():
            truth.setdefault(key, e2e.Sum()).add(s.packets, s.octets, s.flags,
                0, 0, 0)
    for version in (None,) + VERSIONS:
        said = "live v%s" % version if version else "live JSON"
        with Collector() as collector:
            args = ["-v", version, "-n", collector.name] if version else [
                "--json"]
            with Live(*args) as run:
                sent = send_captures(names)
                wait_for(lambda: run.received() >= sent)
                equal(said + ": all packets are seen", run.received(), sent)
                ended_well(said, run)
        flows = collector.decoded().records if version else run.records()
        wanted = {k: s for k, s in truth.items()
            if version not in FIXED or k[0] == 4}
        e2e.compare(said + ": packets, octets and flags of each 5-tuple",
            e2e.add_up(flows), wanted, unit_ns=0, tos=False)
        if version:
            equal(said + ": no rule of the format is broken",
                collector.decoded().errors[:3], [])


# ---- a quiet link -------------------------------------------------------

def single_packet_is_metered_at_once():
    with Live("--json") as run, Wire() as wire:
        quick = 0
        for n in range(5):
            wire.send(eth(udp4(n)))
            time.sleep(0.1)
            quick += run.received() == n + 1
        # A test machine may be busy; a probe that sits on packets gets none.
        check("a packet on a quiet link is metered within 100 ms", quick >= 3,
            "%d of 5" % quick)
        equal("packets on a quiet link: all are metered", run.received(), 5)


def quiet_link_exports_within_the_timeout():
    for version in (None, "10"):
        with Collector() as collector:
            args = ["-v", version, "-n", collector.name] if version else [
                "--json"]
            said = "a quiet link, %s: " % ("IPFIX" if version else "JSON")
            def exported():
                return len(collector.decoded().records if version else
                    run.records())
            with Live("-t", "idle=1", *args) as run, Wire() as wire:
                wire.send(eth(udp4()))
                began = time.monotonic()
                wait_for(exported, 8)
                check(said + "one packet is exported within its idle timeout "
                    "and 2 s", exported() == 1 and
                    time.monotonic() - began < 1 + 2 + 0.5,
                    "%.1f s" % (time.monotonic() - began))
                wire.send(*(eth(udp4(n, payload=b"x" * 29))
                    for n in range(200)))
                wait_for(lambda: exported() == 201, 5)
                equal(said + "200 packets of 71 octets are exported in time",
                    exported(), 201)
                wire.send(eth(udp4(999)))
                ended_well(said.rstrip(": "), run)


def records_are_printed_as_they_come():
    """A record every 0.3 s: each is seen soon, not when a buffer is full."""
    with Live("--json", "-t", "idle=1", "-t", "expint=0") as run, (
            Wire()) as wire:
        for n in range(10):
            wire.send(eth(udp4(n)))
            time.sleep(0.3)
        time.sleep(0.5)
        check("records on standard output are seen as they come",
            len(run.records()) >= 3, run)


def active_timeout_on_a_live_link():
    with Live("--json", "-t", "active=1") as run, Wire() as wire:
        for _ in range(30):
            wire.send(eth(udp4()))
            time.sleep(0.1)
        check("a long flow is exported while it lasts", wait_for(
            lambda: (e2e.number(run.statistics(), "packets in records") or 0)
            >= 10, 1), run)
        ended_well("a long flow", run)
        equal("a long flow loses nothing",
            sum(r.packets for r in run.records()), 30)
        check("records of a long flow are reason 2 but for the last",
            [r.reason for r in run.records()][:-1] ==
            [2] * (len(run.records()) - 1), run)


# ---- leaving ------------------------------------------------------------

def signals_export_everything():
    for signum in (signal.SIGTERM, signal.SIGINT):
        for version in VERSIONS:
            said = "v%s, signal %d" % (version, signum)
            with Collector() as collector:
                with Live("-v", version, "-n", collector.name) as run:
                    with Wire() as wire:
                        wire.send(*(eth(udp4(n)) for n in range(200)))
                    ended_well(said, run, signum)
                check(said + ": socket removed", not os.path.exists(run.ctl))
            equal(said + ": 200 active flows are exported",
                len(collector.decoded().records), 200)


def harmless_signals():
    with Live("--json") as run, Wire() as wire:
        for signum in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
                signal.SIGPIPE, signal.SIGALRM):
            run.process.send_signal(signum)
            time.sleep(0.05)
            check("signal %d does not end the probe" % signum, run.running(),
                run)
        wire.send(eth(udp4()))
        wait_for(lambda: run.received() == 1, 2)
        ended_well("after harmless signals", run)
        equal("after harmless signals packets are metered",
            len(run.records()), 1)


def under_load():
    stop = threading.Event()
    def flood():
        with Wire() as wire:
            while not stop.is_set():
                wire.send(*(eth(udp4(n)) for n in range(500)))
                time.sleep(0.02)
    with Collector() as collector:
        with Live("-n", collector.name, "-m", "100") as run:
            sender = threading.Thread(target=flood)
            sender.start()
            time.sleep(1.5)
            code, seconds = run.stop(signal.SIGTERM, 20)
            stop.set()
            sender.join()
        check("SIGTERM under load: exit 0 within 5 s", code == 0 and
            seconds < 5, "%s %.1f s" % (code, seconds))
        check("SIGTERM under load: account balanced", e2e.balanced(run.err),
            run)
        received = run.summary("packets received") or 0
        check("under load packets are metered", received > 1000, run)
        lost = run.summary("packets lost before export") or 0
        session = collector.decoded()
        equal("under load every packet is in a record or a named counter",
            sum(r.packets for r in session.records) + lost,
            run.summary("packets in records"))
        equal("under load no rule of the format is broken",
            session.errors[:3], [])


# ---- interfaces ---------------------------------------------------------

def several_interfaces():
    e2e.veth("near1", "far1")
    index = socket.if_nametoindex(FAR)
    with Live("--json", sources=("-i", FAR, "-i", "77:far1")) as run:
        with Wire() as a, Wire("near1") as b:
            a.send(eth(udp4(1)))
            b.send(eth(udp4(2)), eth(udp4(2)))
            wait_for(lambda: run.received() == 3, 3)
        _, text, _ = ctl(run.ctl, "interfaces")
        check("both interfaces are listed", FAR in text and "far1" in text,
            text)
        ended_well("two interfaces", run)
        equal("each record has its interface", sorted((r.src, r.packets,
            r.json["ingressInterface"]) for r in run.records()),
            [("10.0.0.1", 1, index), ("10.0.0.2", 2, 77)])
    sh("ip", "link", "del", "near1")


def names_of_interfaces():
    """In records that ask for them, also of a capture from all interfaces."""
    fields = ["--fields", "interfaceName,ingressPhysicalInterface"]
    for sources in (("-i", FAR), ("-i", "any")):
        with Live("--json", *fields, "udp and dst port 777",
                sources=sources) as run:
            with Wire() as wire:
                wire.send(eth(udp4(1, dport=777)))
                wait_for(lambda: run.received() > 0, 3)
            ended_well("%s %s: names in records" % sources, run)
            told = {(r.json["interfaceName"], r.json["ingressInterface"],
                r.json["ingressPhysicalInterface"]) for r in run.records()}
            check("%s %s: its record has the interface's name" % sources,
                told and all(name in (NEAR, FAR) and name ==
                socket.if_indextoname(index) and physical == index for
                name, index, physical in told), told)


def workers_share_an_interface():
    with Live("--json", "--workers", "3", sources=("-i", FAR)) as run:
        with Wire() as wire:
            for host in range(1, 101):
                wire.send(eth(udp4(host)), eth(udp4(host)))
            wait_for(lambda: run.received() == 200, 3)
        ended_well("three workers", run)
        equal("three workers count each packet once", sorted(
            (r.src, r.packets) for r in run.records()), sorted(
            ("10.0.0.%d" % host, 2) for host in range(1, 101)))


def flows_that_end_together_wait():
    """More than the ring holds, slower than they end: none is lost."""
    flows = 6000
    collector = Collector()
    with Live("-t", "idle=1", "--export-rate", "100", "-n",
            collector.name) as run, Wire() as wire:
        wire.send(*[eth(udp4(n)) for n in range(flows)])
        wait_for(lambda: run.received() >= flows, 5)
        wait_for(lambda: "flows active: 0\n" in run.statistics(), 20)
        equal("flows that end together: no packet is lost before export",
            e2e.number(run.statistics(), "packets lost before export"), 0)
        ended_well("flows that end together", run)
        equal("flows that end together: all are told",
            run.summary("packets in records"), flows)
    collector.finish()


def frames_are_cut_by_the_kernel():
    """They take of the capture buffer what is kept of them, no more."""
    count, long = 3000, eth(udp4(payload=b"x" * 1400))
    for more in ((), ("--workers", "2"), ("udp",)):
        said = "3,000 long frames in a buffer of 1 MiB, %s: " % " ".join(
            more or ("default",))
        with Live("--json", "-B", "1M", *more) as run, Wire() as wire:
            run.process.send_signal(signal.SIGSTOP)
            wire.send(*[long] * count)
            run.process.send_signal(signal.SIGCONT)
            wait_for(lambda: run.received() >= count, 3)
            ended_well(said.rstrip(": "), run)
            equal(said + "none is dropped while the probe does not run",
                (run.summary("packets received"), run.summary("kernel drops")),
                (count, 0))
            equal(said + "their length is the wire's", [
                (r.packets, r.octets) for r in run.records()],
                [(count, count * (len(long) - 14))])


def filter_on_an_interface():
    with Live("--json", "udp port 53", sources=("-i", FAR)) as run:
        with Wire() as wire:
            wire.send(eth(udp4(1)), eth(udp4(2, dport=54)), eth(udp4(3)))
            wait_for(lambda: run.received() == 2, 3)
        ended_well("a filter on an interface", run)
        equal("a filter on an interface selects",
            sorted(r.src for r in run.records()), ["10.0.0.1", "10.0.0.3"])


def interface_down_and_up():
    with Live("--json", "-t", "idle=1") as run, Wire() as wire:
        wire.send(eth(udp4(1)))
        wait_for(lambda: run.received() == 1, 3)
        sh("ip", "link", "set", FAR, "down")
        check("an interface that goes down is reported",
            wait_for(lambda: FAR in run.err, 4), run)
        check("its flows go on to expire",
            wait_for(lambda: len(run.records()) == 1, 5), run)
        sh("ip", "link", "set", FAR, "up")
        def back():
            try:
                wire.send(eth(udp4(2)))
            except OSError:  # the carrier needs a moment
                pass
            time.sleep(0.1)
            return run.received() > 1
        check("an interface that is up again is picked up",
            wait_for(back, 10), run)
        ended_well("down and up", run)
        check("packets after it came up are metered",
            any(r.src == "10.0.0.2" for r in run.records()), run)


def interface_deleted_and_recreated():
    e2e.veth("near2", "far2")
    with Live("--json", "-t", "idle=1", sources=("-i", "far2", "-i", FAR)
            ) as run:
        with Wire("near2") as wire:
            wire.send(eth(udp4(1)))
        wait_for(lambda: run.received() == 1, 3)
        sh("ip", "link", "del", "near2")
        check("an interface that disappears is reported",
            wait_for(lambda: "far2" in run.err, 4), run)
        with Wire() as wire:
            wire.send(eth(udp4(3)))
        check("the other interface is metered on",
            wait_for(lambda: run.received() == 2, 3), run)
        check("flows of an interface that disappeared expire",
            wait_for(lambda: len(run.records()) >= 1, 5), run)
        e2e.veth("near2", "far2")
        def back():
            with Wire("near2") as again:
                again.send(eth(udp4(2)))
            time.sleep(0.1)
            return run.received() > 2
        check("an interface that returns is picked up", wait_for(back, 10),
            run)
        check("it is still running", run.running(), run)
        ended_well("deleted and recreated", run)
    sh("ip", "link", "del", "near2")


def missing_interface():
    result = probe("-d", "-i", "nosuch0", "--json", "-c", "none")
    check("a missing interface is an error", result.code == 1, result)
    check("it names those there are", all(name in result.err
        for name in ("nosuch0", "lo", FAR)), result)
    with Live("--json", "--wait", sources=("-i", "late1"), ready=False) as run:
        time.sleep(0.5)
        check("--wait waits for a missing interface", run.running(), run)
        e2e.veth("late0", "late1")
        def sent():
            with Wire("late0") as wire:
                wire.send(eth(udp4()))
            time.sleep(0.1)
            return run.received() > 0
        check("--wait captures when it comes", wait_for(sent, 10), run)
        ended_well("--wait", run)
    sh("ip", "link", "del", "late0")


# ---- collectors ---------------------------------------------------------

def unreachable_collectors():
    """None of them stops the probe, delays it, or costs another its data."""
    with Collector() as collector:
        bad = ["no-such-host.invalid:2055", "192.0.2.1:2055",
            "[2001:db8::1]:2055", "127.0.0.1:%d" % e2e.free_port()]
        with Live("-t", "idle=1", "-n", ",".join(bad + [collector.name])
                ) as run:
            with Wire() as wire:
                wire.send(*(eth(udp4(n)) for n in range(10)))
            check("unreachable collectors do not stop the probe",
                wait_for(lambda: len(collector.decoded().records) == 10, 8),
                run)
            with Wire() as wire:
                wire.send(*(eth(udp4(n)) for n in range(10, 20)))
            wait_for(lambda: len(collector.decoded().records) == 20, 8)
            check("an unresolved name is said once", len([l for l in
                run.err.splitlines() if "no-such-host" in l]) == 1, run)
            _, text, _ = ctl(run.ctl, "collectors")
            check("collectors shows them all", all(b in text for b in bad),
                text)
            run.stop()
        check("unreachable collectors: account balanced",
            e2e.balanced(run.err), run)
        session = collector.decoded()
        equal("unreachable collectors cost the other nothing",
            (len(session.records), session.errors[:3]), (20, []))


def collector_that_comes_back():
    port = e2e.free_port()
    with Live("-t", "idle=1", "-n", "127.0.0.1:%d" % port) as run:
        with Wire() as wire:
            for n in range(3):  # while nobody listens
                wire.send(eth(udp4(n)))
                time.sleep(0.8)
            late = Collector(port=port)
            for n in range(4):
                wire.send(eth(udp4(100 + n)))
                time.sleep(0.8)
            run.stop()
        late.finish()
        session = late.decoded()
        errors = [e for e in session.errors if "sequence" not in e]
        check("a collector that comes back gets templates before data",
            not errors and len(session.records) >= 4,
            (errors[:3], len(session.records)))


# ---- daemon and field command lines -------------------------------------

PIDFILE = "/run/softprobe/softprobe.pid"
CONTROL = "/run/softprobe/softprobe.ctl"


def pid_of(path):
    try:
        with open(path, encoding="ascii") as f:
            return int(f.read())
    except (OSError, ValueError):
        return 0


def alive(pid):
    try:
        os.kill(pid, 0)
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, ValueError):
        return False


def field_command_lines():
    sh("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "eth0")
    for end in ("wire0", "eth0"):
        sh("ip", "link", "set", end, "arp", "off", "up")
    sh("ip", "addr", "add", "192.168.1.100/32", "dev", "lo")
    on_eth0 = [eth(udp4(n)) for n in range(20)]
    for line, where in (
            ("-i eth0 -n 192.168.1.100:2055 -P udp -v 9 -t maxlife=1800 "
                "-t maxflows=8192", [("192.168.1.100", 2055)]),
            ("-i eth0 -n 127.0.0.1:2055 -v 9 -t maxlife=1800",
                [("127.0.0.1", 2055)]),
            ("-v 5 -i lo -n 127.0.0.1:4432 -m 65536 -t udp=1m30s",
                [("127.0.0.1", 4432)]),
            ("-i lo -n 127.0.0.1:4432,127.0.0.1:4433 -d",
                [("127.0.0.1", 4432), ("127.0.0.1", 4433)])):
        collectors = [Collector(address=a, port=p) for a, p in where]
        foreground = None
        if line.endswith("-d"):
            foreground = Probe(*line.split())
        else:
            result = probe(*line.split())
            check(line + ": becomes a daemon", result.code == 0, result)
            check(line + ": says nothing", not result.out, result)
        check(line + ": answers softprobectl", wait_for(
            lambda: ctl(CONTROL, "statistics")[0] == 0, 10), foreground)
        if "-i lo" in line:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for _ in range(20):
                    s.sendto(b"x" * 20, ("127.0.0.1", 9999))
        else:
            with Wire("wire0") as wire:
                wire.send(*on_eth0)
        wait_for(lambda: (e2e.number(ctl(CONTROL, "statistics")[1],
            "packets received") or 0) >= 20, 5)
        check(line + ": account balanced",
            e2e.balanced(ctl(CONTROL, "statistics")[1]))
        pid = foreground.pid if foreground else pid_of(PIDFILE)
        check(line + ": runs", alive(pid), pid)
        equal(line + ": softprobectl shutdown", ctl(CONTROL, "shutdown")[0], 0)
        if foreground:
            foreground.wait(10)
        check(line + ": has left", wait_for(lambda: not alive(pid), 6))
        check(line + ": pidfile and socket are removed", not
            os.path.exists(PIDFILE) and not os.path.exists(CONTROL))
        for collector in collectors:
            collector.finish()
            session = collector.decoded()
            packets = sum(r.packets for r in session.records
                if r.dport in (53, 9999))
            check(line + ": records arrive", packets == 20 or "-i lo" in line
                and packets >= 20, packets)
            equal(line + ": no rule of the format is broken",
                session.errors[:3], [])
    sh("ip", "link", "del", "wire0")


def daemon():
    pidfile, control = e2e.path("d.pid"), e2e.path("d.ctl")
    args = ["-i", FAR, "-n", "127.0.0.1:%d" % e2e.free_port(), "-p", pidfile,
        "-c", control]
    with open(pidfile, "w", encoding="ascii") as f:
        f.write("4194300\n")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(control)
    result = probe(*args)
    pid = pid_of(pidfile)
    check("a stale pidfile and a stale socket are replaced", result.code == 0
        and alive(pid) and pid != 4194300, result)
    check("when the parent has left, capture runs",
        ctl(control, "statistics")[0] == 0)
    with Wire() as wire:
        wire.send(eth(udp4()))
    check("the daemon meters", wait_for(lambda: e2e.number(ctl(control,
        "statistics")[1], "packets received") == 1, 3))
    again = probe(*args)
    check("a second instance on the same pidfile is refused", again.code == 1
        and again.err.strip(), again)
    again = probe(*args[:-3], "none", "-c", control)
    check("a second instance on the same socket is refused", again.code == 1
        and again.err.strip(), again)
    check("the first instance goes on", alive(pid) and
        ctl(control, "statistics")[0] == 0)
    for signum in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
            signal.SIGPIPE, signal.SIGALRM):
        os.kill(pid, signum)
        time.sleep(0.05)
        check("signal %d does not end the daemon" % signum, alive(pid))
    os.kill(pid, signal.SIGTERM)
    check("SIGTERM ends the daemon within 5 s",
        wait_for(lambda: not alive(pid), 5))
    check("the daemon removes pidfile and socket", not os.path.exists(pidfile)
        and not os.path.exists(control))
    result = probe("-i", "nosuch0", *args[2:])
    check("the parent tells what the daemon could not do", result.code == 1 and
        "nosuch0" in result.err and not os.path.exists(pidfile), result)
    with open(control, "w", encoding="ascii") as f:
        f.write("precious")
    result = probe(*args)
    with open(control, encoding="ascii") as f:
        check("a file that is not our socket is never deleted", result.code ==
            1 and f.read() == "precious", result)
    os.unlink(control)
    precious = e2e.path("precious")
    with open(precious, "w", encoding="ascii") as f:
        f.write("precious")
    os.symlink(precious, e2e.path("link.pid"))
    result = probe("-i", FAR, "-n", "127.0.0.1:9", "-p", e2e.path("link.pid"),
        "-c", "none")
    with open(precious, encoding="ascii") as f:
        check("a pidfile that is a link is not followed", f.read() ==
            "precious", result)


def daemon_exports_at_sigterm():
    with Collector() as collector:
        pidfile = e2e.path("e.pid")
        result = probe("-i", FAR, "-n", collector.name, "-p", pidfile, "-c",
            e2e.path("e.ctl"))
        equal("a daemon starts", result.code, 0)
        with Wire() as wire:
            wire.send(*(eth(udp4(n)) for n in range(200)))
        pid = pid_of(pidfile)
        os.kill(pid, signal.SIGTERM)
        check("a daemon leaves", wait_for(lambda: not alive(pid), 5))
    equal("a daemon exports its active flows at SIGTERM",
        len(collector.decoded().records), 200)


def multicast():
    """A multicast collector on lo, with a hop limit."""
    sh("ip", "link", "set", "lo", "multicast", "on")
    sh("ip", "route", "add", "224.0.0.0/4", "dev", "lo")
    with Collector(address="239.1.2.3") as collector:
        collector.socket.setsockopt(socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") +
            socket.inet_aton("127.0.0.1"))
        result = probe("-L", "3", "-n", "239.1.2.3:%d" % collector.port, "-r",
            e2e.capture("zeek__wikipedia.pcap"))
    check("a multicast collector gets the records", result.code == 0 and
        len(collector.decoded().records) == 57, result)
    equal("-L is the hop limit of multicast", set(collector.hops), {3})
    sh("ip", "route", "del", "224.0.0.0/4", "dev", "lo")


if __name__ == "__main__":
    if not e2e.private_network("live capture"):
        e2e.main([])
    e2e.veth(NEAR, FAR)
    e2e.main([live_totals_are_those_of_the_file,
        single_packet_is_metered_at_once,
        quiet_link_exports_within_the_timeout,
        records_are_printed_as_they_come, active_timeout_on_a_live_link,
        signals_export_everything, harmless_signals, under_load,
        several_interfaces, names_of_interfaces, workers_share_an_interface,
        flows_that_end_together_wait, frames_are_cut_by_the_kernel, filter_on_an_interface,
        interface_down_and_up, interface_deleted_and_recreated,
        missing_interface,
        unreachable_collectors, collector_that_comes_back,
        field_command_lines, daemon, daemon_exports_at_sigterm, multicast])

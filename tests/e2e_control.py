#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_control.py - softprobectl and its socket: every command, against a replay
that is fed bit by bit (no rights needed) and against a live run; and clients
that are slow, silent, rude or gone.
"""
import json
import os
import select
import socket
import subprocess
import time

import e2e
from collect import Collector
from e2e import Probe, check, ctl, equal, number, wait_for
from frames import at, eth, pcap, udp4

COMMANDS = ("shutdown", "exit", "expire-all", "delete-all", "statistics",
    "debug+", "debug-", "stop-gather", "start-gather", "dump-flows",
    "timeouts", "send-template", "set", "flows", "collectors", "interfaces",
    "version", "metrics")


class Fed(Probe):
    """A replay from a FIFO, with a control socket, fed by the test."""

    count = 0

    def __init__(self, *args):
        Fed.count += 1
        self.ctl = e2e.path("fed%d.ctl" % Fed.count)
        fifo = e2e.path("fed%d.fifo" % Fed.count)
        os.mkfifo(fifo)
        super().__init__("-r", fifo, "-c", self.ctl, *args)
        self.fifo = open(fifo, "wb", buffering=0)
        self.fifo.write(pcap([]))
        self.fed = 0
        if not wait_for(lambda: self.ask("statistics")[0] == 0 or
                not self.running(), 10):
            raise RuntimeError("not ready: %s" % self)

    def __exit__(self, *exc):
        self.fifo.close()
        super().__exit__(*exc)

    def ask(self, *words):
        return ctl(self.ctl, *words)

    def statistics(self):
        return self.ask("statistics")[1]

    def feed(self, *packets):
        """Hand over packets and wait until they are metered."""
        self.fifo.write(pcap(packets)[24:])
        self.fed += len(packets)
        return check("what is fed is metered", wait_for(lambda: number(
            self.statistics(), "packets received") == self.fed, 10),
            self.statistics()[:300])

    def end(self):
        """The end of the file; the exit code."""
        self.fifo.close()
        return self.wait(20)


def conversations(n, second=0):
    return [(at(second), eth(udp4(i))) for i in range(n)]


# ---- each command -------------------------------------------------------

def what_is_shown():
    with Collector() as collector, Fed("-n", collector.name, "--fields",
            "minimumTTL,packetTotalCount") as run:
        run.feed(*conversations(5))
        code, text, _ = run.ask("statistics")
        check("statistics: packets, and an account that balances", code == 0
            and number(text, "packets received") == 5 and
            number(text, "packets in active flows") == 5 and
            e2e.balanced(text), text)
        code, text, _ = run.ask("--json", "statistics")
        seen = json.loads(text)
        check("statistics --json: the same for programs", code == 0 and
            seen["account"]["packetsReceived"] == 5 and
            seen["account"]["balanced"] is True, text)
        for command in ("flows", "dump-flows"):
            code, text, _ = run.ask(command)
            check(command + " shows each active flow", code == 0 and
                all("10.0.0.%d" % n in text for n in range(5)), text)
            code, text, _ = run.ask("--json", command)
            check(command + " --json: one object a line", code == 0 and
                sorted(json.loads(line)["sourceIPv4Address"]
                for line in text.splitlines()) ==
                ["10.0.0.%d" % n for n in range(5)], text)
        code, text, _ = run.ask("--json", "flows")
        check("flows shows what is in records only if asked to", all(
            json.loads(line)["minimumTTL"] == 64 and json.loads(line)
            ["packetTotalCount"] == 1 and "vlanId" not in line
            for line in text.splitlines()), text)
        check("flows has it behind the columns, too", all(line.endswith(
            " minimumTTL=64 packetTotalCount=1") for line in
            run.ask("flows")[1].splitlines()[1:]), run.ask("flows"))
        code, text, _ = run.ask("collectors")
        check("collectors names each", code == 0 and collector.name in text,
            text)
        seen = json.loads(run.ask("--json", "collectors")[1])
        equal("collectors --json", collector.name in json.dumps(seen), True)
        code, text, _ = run.ask("interfaces")
        check("interfaces shows the file", code == 0 and "fifo" in text, text)
        json.loads(run.ask("--json", "interfaces")[1])
        code, text, _ = run.ask("timeouts")
        check("timeouts shows each", code == 0 and all(name + ": " + value in
            text for name, value in (("general", "60 s"), ("tcp", "60 s"),
            ("tcp.fin", "10 s"), ("udp", "60 s"), ("maxlife", "300 s"))), text)
        seen = json.loads(run.ask("--json", "timeouts")[1])
        equal("timeouts --json", "60000" in json.dumps(seen), True)
        code, text, _ = run.ask("help")
        check("help names every command", code == 0 and
            all(c in text for c in COMMANDS), text)
        equal("exit code of the replay", run.end(), 0)
        check("account balanced in the end", e2e.balanced(run.err), run)


def timeouts_change():
    with Fed("--json") as run:
        run.feed((at(0), eth(udp4())))
        code, _, _ = run.ask("set", "timeout", "udp=5")
        equal("set timeout: exit", code, 0)
        check("set timeout is shown", "udp: 5 s" in run.ask("timeouts")[1])
        run.feed((at(6), eth(udp4())), (at(7), eth(udp4())))
        for bad in ("udp=x", "nope=5", "udp", "udp=-1"):
            code, out, err = run.ask("set", "timeout", bad)
            check("set timeout %s is refused" % bad, code == 1 and err.strip()
                and len(err.splitlines()) == 1, (code, out, err))
        code, _, err = run.ask("set", "nonsense")
        check("set of nothing known is refused", code == 1 and err.strip(),
            err)
        equal("exit after set timeout", run.end(), 0)
        equal("a changed timeout holds", [r.packets for r in run.records()],
            [1, 2])


def flows_end_by_command():
    with Fed("--json") as run:
        run.feed(*conversations(7))
        equal("expire-all: exit", run.ask("expire-all")[0], 0)
        check("expire-all ends all flows", number(run.statistics(),
            "packets in records") == 7 and number(run.statistics(),
            "packets in active flows") == 0, run.statistics())
        run.feed(*conversations(3, 1))
        equal("delete-all: exit", run.ask("delete-all")[0], 0)
        check("delete-all throws them away, counted", number(run.statistics(),
            "packets deleted") == 3 and e2e.balanced(run.statistics()),
            run.statistics())
        run.feed(*conversations(2, 2))
        run.end()
        equal("what was not deleted is in records", len(run.records()), 9)
        equal("expire-all and the end are reason 4",
            {r.reason for r in run.records()}, {4})
        check("after all that the account balances", e2e.balanced(run.err),
            run)


def gathering():
    with Fed("--json") as run:
        run.feed(*conversations(2))
        equal("stop-gather: exit", run.ask("stop-gather")[0], 0)
        run.feed(*conversations(3, 1))
        check("stop-gather: packets are ignored under a name",
            number(run.statistics(), "ignored packets") == 3 and
            "gathering" in run.statistics() and
            e2e.balanced(run.statistics()), run.statistics())
        equal("start-gather: exit", run.ask("start-gather")[0], 0)
        run.feed(*conversations(4, 2))
        run.end()
        equal("start-gather: packets are metered again",
            sum(r.packets for r in run.records()), 6)


def debug_and_templates():
    with Collector() as collector, Fed("-n", collector.name) as run:
        equal("debug+: exit", run.ask("debug+")[0], 0)
        equal("debug-: exit", run.ask("debug-")[0], 0)
        run.feed(*conversations(3))
        before = len(collector.datagrams)
        equal("send-template: exit", run.ask("send-template")[0], 0)
        check("send-template sends templates at once", wait_for(
            lambda: len(collector.datagrams) > before and
            collector.decoded().template_at, 3))
        run.end()
        collector.finish()
        equal("send-template breaks no rule", collector.decoded().errors[:3],
            [])
        equal("send-template loses nothing", len(collector.decoded().records),
            3)


def leaving():
    with Collector() as collector, Fed("-n", collector.name) as run:
        run.feed(*conversations(20))
        equal("shutdown: exit", run.ask("shutdown")[0], 0)
        equal("shutdown: the probe leaves with 0", run.wait(10), 0)
        check("shutdown: account balanced", e2e.balanced(run.err), run)
        check("shutdown: socket removed", not os.path.exists(run.ctl))
    equal("shutdown exports every flow", len(collector.decoded().records), 20)
    with Collector() as collector, Fed("-n", collector.name) as run:
        run.feed(*conversations(20))
        equal("exit: exit", run.ask("exit")[0], 0)
        check("exit: the probe leaves", run.wait(10) in (0, 1), run)
    equal("exit leaves without exporting", len(collector.decoded().records),
        0)


def mistakes():
    with Fed("--json") as run:
        for words in (("nonsense",), ("stat",), ("statistics!",), ("",)):
            code, out, err = run.ask(*words)
            check("command %r is refused in one line" % words, code != 0 and
                not out and len(err.splitlines()) == 1, (code, out, err))
        check("the line names the command",
            "nonsense" in run.ask("nonsense")[2])
        run.end()
    for command in ("version", "help"):
        code, out, err = ctl(e2e.path("nobody.ctl"), command)
        check(command + " needs no daemon", code == 0 and out.strip(), err)
    with open(os.path.join(e2e.TREE, "VERSION"), encoding="ascii") as f:
        equal("version is the bare version", ctl(e2e.path("nobody.ctl"),
            "version")[1], f.read())
    code, out, err = ctl(e2e.path("nobody.ctl"), "statistics")
    check("no daemon is an error that names the socket", code == 1 and not out
        and "nobody.ctl" in err and len(err.splitlines()) == 1, err)
    for words in ([], ["--nonsense"]):
        done = subprocess.run([e2e.SOFTPROBECTL] + words,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        check("softprobectl %s is a usage error" % words, done.returncode == 2
            and not done.stdout and done.stderr, done)


def socket_rights():
    mask = os.umask(0)
    try:
        with Fed("--json") as run:
            mode = os.stat(run.ctl).st_mode & 0o777
            check("others cannot use the socket, whatever the umask", mode in
                (0o600, 0o660), oct(mode))
            run.end()
    finally:
        os.umask(mask)


# ---- clients ------------------------------------------------------------

def connected(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    return s


def impatient_reader(run, name):
    """dump-flows into head: the client's pipe is gone, the probe is not."""
    done = subprocess.run("'%s' -c '%s' dump-flows | head -1" % (
        e2e.SOFTPROBECTL, run.ctl), shell=True, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=20)
    check(name + ": dump-flows | head -1 gives a line",
        len(done.stdout.splitlines()) == 1, done)
    time.sleep(0.1)
    check(name + ": and the probe runs on", run.running() and
        run.ask("statistics")[0] == 0, run)


def silent_clients(run, name):
    quiet = [connected(run.ctl) for _ in range(10)]
    began = time.monotonic()
    equal(name + ": ten silent clients: another is answered",
        run.ask("statistics")[0], 0)
    check(name + ": at once", time.monotonic() - began < 1.5,
        time.monotonic() - began)
    for s in quiet[:5]:
        s.close()
    equal(name + ": silent clients that leave do no harm",
        run.ask("statistics")[0], 0)
    began = time.monotonic()
    ready, _, _ = select.select(quiet[5:], [], [], 8)
    check(name + ": a silent client is let go after 5 s", ready and
        4 < time.monotonic() - began + 1.5 < 8, time.monotonic() - began)
    for s in quiet[5:]:
        s.close()


def too_many_clients(run, name):
    crowd = []
    try:
        for _ in range(40):
            crowd.append(connected(run.ctl))
    except OSError:
        pass
    check(name + ": a crowd does not end the probe", run.running(), run)
    for s in crowd:
        s.close()
    check(name + ": when it has gone others are answered",
        wait_for(lambda: run.ask("statistics")[0] == 0, 8))


def rude_clients(run, name):
    for octets in (b"\n", b"\0\n", b"\xff" * 200 + b"\n", b"x" * 5000,
            b"statistics " + b"y" * 4200 + b"\n", b"statistics",
            b"set timeout " + b"=" * 300 + b"\n", b"A" * 1000000,
            b"statistics\nstatistics\nexit\n"):
        with connected(run.ctl) as s:
            try:
                s.sendall(octets)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    for octets in (b"dump-flows\n", b"statistics\n", b"dump-fl"):
        for _ in range(20):
            s = connected(run.ctl)
            try:
                s.sendall(octets)
            except OSError:
                pass
            s.close()
    check(name + ": rude clients do not end the probe", run.running(), run)
    equal(name + ": and others are answered", wait_for(
        lambda: run.ask("statistics")[0] == 0, 8), True)


def slow_reader(run, name):
    """A client that asks for all flows and reads none of the answer."""
    s = connected(run.ctl)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.sendall(b"dump-flows\n")
    began = time.monotonic()
    for _ in range(3):
        code, text, _ = run.ask("statistics")
        check(name + ": beside a client that does not read others are "
            "answered", code == 0 and e2e.balanced(text), text[:300])
    check(name + ": at once", time.monotonic() - began < 2,
        time.monotonic() - began)
    s.close()


def clients():
    """None of these delays metering, ends the probe, or loses a packet."""
    with Fed("--json", "-t", "idle=1h", "-t", "maxlife=0") as run:
        run.feed(*conversations(3000))
        impatient_reader(run, "fed")
        slow_reader(run, "fed")
        rude_clients(run, "fed")
        too_many_clients(run, "fed")
        silent_clients(run, "fed")
        run.feed(*conversations(3000, 1))
        _, text, _ = run.ask("--json", "dump-flows")
        equal("dump-flows shows all of 3000 flows", len({json.loads(
            line)["sourceIPv4Address"] for line in text.splitlines()}), 3000)
        run.end()
        equal("clients cost no packet", sum(r.packets for r in run.records()),
            6000)
        check("clients cost no balance", e2e.balanced(run.err), run)


# ---- a live run ---------------------------------------------------------

class OnLo(Probe):
    """A live run on lo."""

    def __init__(self, *args):
        self.ctl = e2e.path("lo.ctl")
        super().__init__("-d", "-i", "lo", "-c", self.ctl, *args)
        wait_for(lambda: self.ask("statistics")[0] == 0 or
            not self.running(), 10)

    ask = Fed.ask
    statistics = Fed.statistics


def live_run():
    with OnLo("--json", "-t", "idle=1h", "udp port 9999") as run:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            def send(n):
                for i in range(n):
                    s.sendto(b"x" * 20, ("127.1.%d.%d" % (i >> 8, i & 255),
                        9999))
            def received():
                return number(run.statistics(), "packets received") or 0
            send(1000)
            wait_for(lambda: received() >= 1000, 5)
            check("live: statistics balance", e2e.balanced(run.statistics()),
                run.statistics())
            check("live: interfaces shows lo", "lo" in
                run.ask("interfaces")[1].split())
            impatient_reader(run, "live")
            slow_reader(run, "live")
            rude_clients(run, "live")
            before = received()
            quiet = [connected(run.ctl) for _ in range(8)]
            send(500)
            check("live: silent clients delay no packet",
                wait_for(lambda: received() == before + 500, 1), received())
            for q in quiet:
                q.close()
            run.ask("stop-gather")
            send(10)
            wait_for(lambda: number(run.statistics(), "ignored packets") == 10,
                3)
            equal("live: stop-gather ignores", number(run.statistics(),
                "ignored packets"), 10)
            run.ask("start-gather")
            run.ask("set", "timeout", "idle=1")
            check("live: a changed timeout ends flows that were there",
                wait_for(lambda: number(run.statistics(),
                "packets in active flows") == 0, 5), run.statistics())
            send(50)
            wait_for(lambda: received() == before + 560, 3)
            equal("live: shutdown", run.ask("shutdown")[0], 0)
        equal("live: leaves with 0", run.wait(10), 0)
        check("live: account balanced in the end", e2e.balanced(run.err), run)
        equal("live: every packet is in a record",
            sum(r.packets for r in run.records()), before + 550)


def live_templates():
    with Collector() as collector:
        with OnLo("-n", collector.name, "udp port 9999") as run:
            check("live: templates are sent at start", wait_for(
                lambda: collector.decoded().template_at, 3))
            before = len(collector.datagrams)
            run.ask("send-template")
            check("live: send-template sends them at once", wait_for(
                lambda: len(collector.datagrams) > before, 3))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"x", ("127.0.0.1", 9999))
            wait_for(lambda: number(run.statistics(), "packets received") == 1,
                3)
            run.ask("expire-all")
            check("live: expire-all exports within a second or so", wait_for(
                lambda: len(collector.decoded().records) == 1, 2.5))
            run.ask("exit")
            run.wait(10)
    equal("live: templates break no rule", collector.decoded().errors[:3], [])


if __name__ == "__main__":
    tests = [what_is_shown, timeouts_change, flows_end_by_command, gathering,
        debug_and_templates, leaving, mistakes, socket_rights, clients]
    if e2e.private_network("control of a live run"):
        tests += [live_run, live_templates]
    e2e.main(tests)

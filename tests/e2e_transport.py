#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_transport.py - export over TCP, TLS and DTLS, and collectors that come
late, hang up, do not read, change their address or are not whom they should
be: what each is sent and what is named as not sent add up.
"""
import os
import socket
import ssl
import subprocess
import threading
import time

import e2e
from collect import Collector, StreamCollector
from e2e import accounted, check, equal, probe, sh, wait_for
from e2e_live import FAR, NEAR, Live, Wire, ended_well
from frames import at, eth, pcap, udp4
from session import Session

FLOWS = 15000


def many(flows=FLOWS):
    name = e2e.path("many-%d.pcap" % flows)
    if not os.path.exists(name):
        with open(name, "wb") as f:
            f.write(pcap([(at(n * 0.0001), eth(udp4(n)))
                for n in range(flows)]))
    return name


def messages(octets):
    """The whole messages at the front of a stream of IPFIX."""
    found = []
    while len(octets) >= 16:
        length = int.from_bytes(octets[2:4], "big")
        if length < 16 or length > len(octets):
            break  # it was cut off here
        found.append(octets[:length])
        octets = octets[length:]
    return found


def small_buffers():
    """So that a collector that does not read is noticed soon."""
    for which in ("tcp_rmem", "tcp_wmem"):
        with open("/proc/sys/net/ipv4/" + which, "w", encoding="ascii") as f:
            f.write("4096 16384 65536")


# ---- certificates -------------------------------------------------------

def openssl(*words):
    done = subprocess.run(("openssl",) + words, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=e2e.SECONDS, cwd=e2e.scratch())
    if done.returncode != 0:
        raise RuntimeError(done.stdout.decode())


def authority(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out",
        name + ".pem", "-days", "30", "-subj", "/CN=" + name)


def certificate(name, names, ca="ca", days=30):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj",
        "/CN=" + name)
    with open(e2e.path(name + ".ext"), "w", encoding="ascii") as f:
        f.write("subjectAltName=%s\n" % names)
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem",
        "-CAkey", ca + ".key", "-CAcreateserial", "-days", str(days),
        "-extfile", name + ".ext", "-out", name + ".pem")


HERE = "DNS:localhost,IP:127.0.0.1"


def make_certificates():
    """Those that the tests need, once; False where that cannot be."""
    if os.path.exists(e2e.path("done")):
        return True
    refused = probe("-r", "x", "-n", "tls://h")
    if "OpenSSL" in refused.err:
        e2e.skip("TLS and DTLS", "softprobe was built without OpenSSL")
        return False
    if not e2e.need("TLS and DTLS", "openssl"):
        return False
    authority("ca")
    authority("other-ca")
    certificate("good", HERE)
    certificate("probe", "DNS:probe")
    certificate("elsewhere", "DNS:elsewhere.example")
    certificate("expired", HERE, days=-1)
    certificate("stranger", HERE, ca="other-ca")
    open(e2e.path("done"), "w", encoding="ascii").close()
    return True


def pem(name):
    return e2e.path(name + ".pem")


def key(name):
    return e2e.path(name + ".key")


def context(name, client_ca=None, newest=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(pem(name), key(name))
    if client_ca:
        c.verify_mode = ssl.CERT_REQUIRED
        c.load_verify_locations(pem(client_ca))
    if newest:
        c.maximum_version = newest
    return c


class DtlsCollector:
    """openssl s_server, which writes what it is sent to its output."""

    def __init__(self, name, *options):
        self.port = e2e.free_port()
        self.name = "127.0.0.1:%d" % self.port
        self.path = e2e.path("dtls-%d" % self.port)
        with open(self.path, "wb") as out:
            # It lives for as long as its input is open.
            self.process = subprocess.Popen(["openssl", "s_server", "-dtls",
                "-accept", str(self.port), "-cert", pem(name), "-key",
                key(name), "-quiet"] + list(options),
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL)
        wait_for(self.listens)

    def listens(self):
        """Whether a UDP socket has the port."""
        for table in ("udp", "udp6"):
            with open("/proc/net/" + table, encoding="ascii") as f:
                if (":%04X " % self.port) in f.read():
                    return True
        return False

    def octets(self):
        with open(self.path, "rb") as f:
            return f.read()

    def decoded(self, records):
        """A Session, once it has so many records, or not in time."""
        wait_for(lambda: len(Session().feed_all(messages(self.octets()))
            .records) >= records)
        return Session().feed_all(messages(self.octets()))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()


# ---- replays ------------------------------------------------------------

def check_replay(said, name, sessions, result):
    """One session, no rule broken, and all that the capture promises."""
    check(said + ": exit 0, account balanced", result.code == 0 and
        e2e.balanced(result.err) and accounted(result.err), result)
    equal(said + ": one session", len(sessions), 1)
    if sessions:
        equal(said + ": no rule of the format is broken",
            sessions[0].errors[:3], [])
        e2e.compare(said + ": records are those expected",
            e2e.add_up(sessions[0].records), e2e.expected()[name],
            unit_ns=10**6)


def replays_over_tcp_are_whole():
    def run(work):
        name, options = work
        with StreamCollector() as c:
            result = probe("-r", e2e.capture(name), *options, "-n",
                "tcp://" + c.name)
        return name, options, c, result
    for name, options, c, result in e2e.each(run, [(n, o)
            for n in e2e.captures() for o in ((), ("--options", "all"))]):
        check_replay("tcp %s %s" % (name, " ".join(options)), name,
            c.decoded(), result)
        equal("tcp %s: the end is orderly" % name, c.failures, [])


def netflow_v9_and_v5_over_tcp_have_the_octets_of_their_datagrams():
    name = e2e.capture("zeek__wikipedia.pcap")
    for version in ("9", "5"):
        with Collector() as udp, StreamCollector() as tcp:
            result = probe("-v", version, "-r", name, "-n",
                "%s,tcp://%s" % (udp.name, tcp.name))
        equal("v%s over tcp: exit" % version, result.code, 0)
        equal("v%s over tcp: octets" % version, bytes(tcp.streams[0])[:60],
            b"".join(udp.datagrams)[:60])
        if version == "5":
            equal("v5 over tcp: all octets", bytes(tcp.streams[0]),
                b"".join(udp.datagrams))


def a_replay_waits_for_a_slow_collector_and_loses_nothing():
    with StreamCollector() as c:
        c.reading.clear()
        threading.Timer(2, c.reading.set).start()
        began = time.monotonic()
        result = probe("-r", many(), "-m", "65536", "--queue", "64k", "-n",
            "tcp://" + c.name)
    check("slow collector: it is waited for", time.monotonic() - began > 1.5)
    check("slow collector: exit 0", result.code == 0 and
        accounted(result.err), result)
    session = c.decoded()[0]
    equal("slow collector: all flows, no rule broken", (len(session.records),
        session.errors[:3]), (FLOWS, []))


def a_replay_to_nobody_says_so_and_fails():
    port = e2e.free_port()
    result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
        "tcp://127.0.0.1:%d" % port)
    check("nobody listens: exit 1, one warning, and what was not sent",
        result.code == 1 and result.err.count("Connection refused") == 1 and
        "57 records were not sent" in result.err and accounted(result.err),
        result)


def a_collector_that_hangs_up_in_a_replay_costs_what_is_counted():
    with StreamCollector() as c, StreamCollector() as other:
        c.reading.clear()
        def fail():
            wait_for(lambda: c.open)
            time.sleep(0.5)
            c.hang_up()
        failing = threading.Thread(target=fail)
        failing.start()
        result = probe("-r", many(), "-m", "65536", "-n",
            "tcp://%s?queue=64k,tcp://%s?queue=64k" % (c.name, other.name))
        failing.join()
    check("hang-up: exit 1, said once, all accounted for", result.code == 1 and
        result.err.count("will connect again") == 1 and
        accounted(result.err), result)
    session = other.decoded()[0]
    equal("hang-up: the other has all, no rule broken", (len(session.records),
        session.errors[:3]), (FLOWS, []))


# ---- TLS ----------------------------------------------------------------

def replays_over_tls_are_whole():
    if not make_certificates():
        return
    name = "zeek__wikipedia.pcap"
    for said, newest in (("TLSv1.3", None), ("TLSv1.2",
            ssl.TLSVersion.TLSv1_2)):
        for mutual in (False, True):
            with StreamCollector(context=context("good",
                    "ca" if mutual else None, newest)) as c:
                result = probe("-r", e2e.capture(name), "-n", "tls://%s?ca=%s"
                    % (c.name, pem("ca")) + ("&cert=%s&key=%s" % (
                    pem("probe"), key("probe")) if mutual else ""))
            said_ = said + (", both certified" if mutual else "")
            check_replay(said_, name, c.decoded(), result)
            check(said_ + ": is said to be connected", "connected, " + said in
                result.err, result)
            equal(said_ + ": the end is orderly", c.failures, [])
    with StreamCollector(context=context("elsewhere")) as c:
        result = probe("-r", e2e.capture(name), "--tls-ca", pem("ca"),
            "--tls-name", "elsewhere.example", "-n", "tls://" + c.name)
    check_replay("another name that was asked for", name, c.decoded(), result)
    with StreamCollector(context=context("good")) as c:
        result = probe("-r", many(3000), "-n", "tls://%s?ca=%s" % (c.name,
            pem("ca")))
    equal("tls: 3000 flows", (result.code, len(c.decoded()[0].records)),
        (0, 3000))


def the_end_of_a_tls_session_is_said():
    if not make_certificates():
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = []
        def collect():
            plain, _ = listener.accept()
            plain.settimeout(e2e.SECONDS)
            with context("good").wrap_socket(plain, server_side=True,
                    suppress_ragged_eofs=False) as session:
                try:
                    while True:
                        data = session.recv(65536)
                        seen.append(data)
                        if not data:
                            break
                except ssl.SSLError as error:  # it ended without a word
                    seen.append(error)
        collecting = threading.Thread(target=collect)
        collecting.start()
        result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
            "tls://127.0.0.1:%d?ca=%s" % (listener.getsockname()[1],
            pem("ca")))
        collecting.join()
    check("tls: the last thing said is close_notify", result.code == 0 and
        seen[-1] == b"" and len(seen) > 1, seen[-1])


def without_sctp_in_the_kernel_that_is_said():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM,
            socket.IPPROTO_SCTP).close()
        e2e.skip("no SCTP", "this kernel has it")
        return
    except OSError:
        pass
    result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
        "sctp://127.0.0.1")
    check("no SCTP: exit 1, one line says so", result.code == 1 and
        "this system's kernel has no sctp; will keep trying" in result.err and
        accounted(result.err), result)


# The collector's certificate, whether it wants one, what we are given, and
# what is said.
REFUSALS = (
    ("good", False, ("other-ca",), "its certificate is of an unknown CA"),
    ("stranger", False, ("ca",), "its certificate is of an unknown CA"),
    ("expired", False, ("ca",), "its certificate has expired"),
    ("elsewhere", False, ("ca",), "its certificate is for another address"),
    ("good", True, ("ca",), "it asks for a certificate; see --tls-cert"),
    ("good", True, ("ca", "stranger"),
        "it does not know the CA of our certificate"),
    ("good", True, ("ca", "expired"),
        "it says that our certificate has expired"),
)


def who_is_not_trusted_is_sent_nothing():
    if not make_certificates():
        return
    def run(row):
        name, wants, given, _ = row
        with StreamCollector(context=context(name, "ca" if wants else None)
                ) as c:
            result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
                "tls://%s?ca=%s" % (c.name, pem(given[0])) + ("".join(
                "&cert=%s&key=%s" % (pem(g), key(g)) for g in given[1:])))
        return row, c, result
    for row, c, result in e2e.each(run, REFUSALS):
        said = "%s, given %s: " % (row[0], " ".join(row[2]))
        check(said + "exit 1, and why", result.code == 1 and row[3] in
            result.err and accounted(result.err), result)
        equal(said + "said once", result.err.count("will keep trying"), 1)
        equal(said + "nothing is sent", b"".join(map(bytes, c.streams)), b"")
    with StreamCollector(context=context("elsewhere")) as c:
        result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
            "tls://%s?ca=%s&name=localhost" % (c.name, pem("ca")))
    check("a name that is not the certificate's is refused", result.code == 1
        and "its certificate is for another name" in result.err, result)


def clear_text_is_no_way_out():
    if not make_certificates():
        return
    with StreamCollector() as c:  # speaks no TLS; hears a greeting only
        def answer():
            wait_for(lambda: c.open)
            c.open[0].sendall(b"what is this?\n")
        answering = threading.Thread(target=answer)
        answering.start()
        result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
            "tls://%s?ca=%s" % (c.name, pem("ca")))
        answering.join()
    check("a collector without TLS: exit 1, and why", result.code == 1 and
        "it does not speak TLS" in result.err, result)
    octets = b"".join(map(bytes, c.streams))
    check("a collector without TLS hears a handshake and nothing else",
        octets[:1] == b"\x16" and b"\x00\x0a" not in octets[:2] and
        len(octets) < 5000, octets[:40])


def files_that_cannot_be_used_are_named():
    if not make_certificates():
        return
    for setting, why in (("ca=%s" % e2e.path("none.pem"), "none.pem: No such"),
            ("ca=%s" % key("ca"), "ca.key: "),
            ("cert=%s&key=%s" % (pem("good"), key("probe")),
                "probe.key: key values mismatch")):
        result = probe("-r", e2e.capture("zeek__wikipedia.pcap"), "-n",
            "tls://127.0.0.1:9?" + setting)
        check("%s: exit 1 at once, one line that names it" % why,
            result.code == 1 and why in result.err and
            len(result.err.splitlines()) == 1, result)


def replays_over_dtls_are_whole():
    if not make_certificates():
        return
    name = "zeek__wikipedia.pcap"
    with DtlsCollector("good") as c:
        result = probe("-r", e2e.capture(name), "-n", "dtls://%s?ca=%s" % (
            c.name, pem("ca")))
        session = c.decoded(57)
    check_replay("dtls", name, [session], result)
    with DtlsCollector("good", "-CAfile", pem("ca"), "-Verify", "1",
            "-verify_return_error") as c:
        result = probe("-r", e2e.capture(name), "-n",
            "dtls://%s?ca=%s&cert=%s&key=%s" % (c.name, pem("ca"),
            pem("probe"), key("probe")))
        session = c.decoded(57)
    check_replay("dtls, both certified", name, [session], result)
    for server, why in (("expired", "its certificate has expired"),
            ("elsewhere", "its certificate is for another address"),
            ("stranger", "its certificate is of an unknown CA")):
        with DtlsCollector(server) as c:
            result = probe("-r", e2e.capture(name), "-n", "dtls://%s?ca=%s" % (
                c.name, pem("ca")))
            check("dtls, %s: exit 1, and why" % server, result.code == 1 and
                why in result.err and accounted(result.err), result)
            equal("dtls, %s: nothing is sent" % server, c.octets(), b"")


# ---- live ---------------------------------------------------------------

def send(run, wire, first, flows):
    """Put flows on the wire, and have them exported."""
    seen = run.received()
    for n in range(first, first + flows):
        wire.send(eth(udp4(n)))
    wait_for(lambda: run.received() >= seen + flows)
    e2e.ctl(run.ctl, "expire-all")


def numbers(sessions):
    return [len(s.records) for s in sessions]


def check_streams(said, c):
    """No rule is broken in any session, each with its own sequence."""
    for i, octets in enumerate(c.streams):
        session = Session(kind="stream").feed_all(messages(bytes(octets)))
        equal("%s: session %d breaks no rule" % (said, i + 1),
            session.errors[:3], [])


def a_collector_that_restarts_gets_a_new_session_with_templates():
    with StreamCollector() as c, Collector() as other:
        with Live("-n", "tcp://%s?reconnect=1,%s" % (c.name, other.name)) as run, Wire() as wire:
            send(run, wire, 0, 1000)
            wait_for(lambda: c.streams and numbers(c.decoded()) == [1000])
            c.hang_up()
            wait_for(lambda: len(c.streams) == 2)
            send(run, wire, 1000, 1000)
            wait_for(lambda: len(c.streams) > 1 and
                numbers(c.decoded())[1] >= 1000)
            ended_well("restart", run)
    first, second = c.decoded()
    equal("restart: no record is lost between the sessions",
        (len(first.records), len(second.records)), (1000, 1000))
    check_streams("restart", c)
    check("restart: it is said, and counted", run.err.count("connected") == 2
        and e2e.collectors(run.err)["tcp://" + c.name].get("reconnects") ==
        "1", run.err)
    check("restart: the account adds up", accounted(run.err), run.err)
    equal("restart: the other has all", len(other.decoded().records), 2000)


def a_collector_that_comes_late_is_connected_to():
    port = e2e.free_port()
    with Live("-n", "tcp://127.0.0.1:%d" % port) as run, \
            Wire() as wire:
        send(run, wire, 0, 100)
        time.sleep(1.5)
        with StreamCollector(port=port) as c:
            wait_for(lambda: c.streams)
            send(run, wire, 100, 100)
            wait_for(lambda: numbers(c.decoded()) == [100])
            ended_well("late", run)
    equal("late: it has what came after, templates first", (
        numbers(c.decoded()), c.decoded()[0].errors), ([100], []))
    check("late: what came before is named as lost", accounted(run.err) and
        e2e.collectors(run.err)["tcp://127.0.0.1:%d" % port].get("lost") ==
        "100", run.err)


def a_collector_that_does_not_read_costs_only_itself():
    with StreamCollector() as c, StreamCollector() as other:
        with Live("-n", "tcp://%s?queue=64k,tcp://%s" % (c.name, other.name),
                "-m", "100000") as run, Wire() as wire:
            send(run, wire, 0, 10)
            wait_for(lambda: c.streams and len(c.streams[0]) > 0)
            c.reading.clear()
            sent = 10
            for _ in range(10):  # more than all buffers hold
                send(run, wire, sent, 5000)
                sent += 5000
                if wait_for(lambda: "dropped" in ctl_collectors(run), 1):
                    break
            check("does not read: its queue overflows", "dropped" in
                ctl_collectors(run), ctl_collectors(run))
            wait_for(lambda: numbers(other.decoded()) == [sent], 20)
            ended_well("does not read", run)
        c.reading.set()
    equal("does not read: the other has all", numbers(other.decoded()), [sent])
    check_streams("does not read", other)
    check("does not read: the account of each adds up", accounted(run.err),
        run.err[-900:])


def ctl_collectors(run):
    return e2e.ctl(run.ctl, "collectors")[1]


def a_name_that_changes_is_followed():
    hosts = e2e.path("hosts")
    def give(address):
        with open(hosts, "w", encoding="ascii") as f:
            f.write("127.0.0.1 localhost\n")
            if address:
                f.write(address + " flows.test\n")
    give(None)
    sh("mount", "--bind", hosts, "/etc/hosts")
    try:
        with Collector(address="127.0.0.1") as one, Collector(
                address="127.0.0.2", port=one.port) as two:
            with Live("-n", "udp://flows.test:%d?lookup=1" % one.port) as run, Wire() as wire:
                send(run, wire, 0, 10)
                time.sleep(1.5)
                give("127.0.0.1")
                wait_for(lambda: one.datagrams, 20)
                send(run, wire, 10, 10)
                wait_for(lambda: len(one.decoded().records) >= 10)
                give("127.0.0.2")
                wait_for(lambda: two.datagrams, 20)
                give(None)
                time.sleep(2.5)  # no answer: the old one holds
                send(run, wire, 20, 10)
                wait_for(lambda: len(two.decoded().records) == 10)
                ended_well("names", run)
    finally:
        sh("umount", "/etc/hosts")
    equal("names: each address has what was sent while it was the name's", (
        len(one.decoded().records), len(two.decoded().records)), (10, 10))
    check("names: the account adds up", accounted(run.err), run.err)
    equal("names: no look-up that failed is said twice",
        run.err.count("will keep trying"), 1)


if __name__ == "__main__":
    live = e2e.private_network("sessions, live")
    if live:
        e2e.veth(NEAR, FAR)
        small_buffers()
    e2e.main([replays_over_tcp_are_whole,
        netflow_v9_and_v5_over_tcp_have_the_octets_of_their_datagrams,
        a_replay_to_nobody_says_so_and_fails,
        replays_over_tls_are_whole, the_end_of_a_tls_session_is_said,
        without_sctp_in_the_kernel_that_is_said, who_is_not_trusted_is_sent_nothing,
        clear_text_is_no_way_out, files_that_cannot_be_used_are_named,
        replays_over_dtls_are_whole] + ([
        a_replay_waits_for_a_slow_collector_and_loses_nothing,
        a_collector_that_hangs_up_in_a_replay_costs_what_is_counted,
        a_collector_that_restarts_gets_a_new_session_with_templates,
        a_collector_that_comes_late_is_connected_to,
        a_collector_that_does_not_read_costs_only_itself,
        a_name_that_changes_is_followed] if live else []))

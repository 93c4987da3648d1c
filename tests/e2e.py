# SPDX-License-Identifier: ISC
"""
e2e.py - what the end-to-end tests share: named checks, running softprobe,
its records and its account, the expected flows, private network namespaces.

A test file is a list of functions, each with named checks; a check's name is
the sentence it proves.  The file ends with e2e.main(functions), which prints
"N passed, N failed[, N skipped]".  Python's standard library only.  Nothing
here knows a wire format (collect.py) or a link layer (frames.py).
"""
import atexit
import concurrent.futures
import decimal
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOFTPROBE = os.path.join(TREE, "softprobe")
SOFTPROBECTL = os.path.join(TREE, "softprobectl")
PCAP = os.path.join(TREE, "tests", "pcap")
SECONDS = 60  # any one run; far more than it takes


def _program_has(*symbols):
    try:
        with open(SOFTPROBE, "rb") as program:
            text = program.read()
    except OSError:
        return False
    return any(symbol in text for symbol in symbols)


# A sanitized program, or one under valgrind, starts slowly: tests with many
# runs take fewer.
SANITIZED = _program_has(b"__asan_init", b"__tsan_init", b"exec valgrind")
FOREIGN_THREADS = 1 if _program_has(b"__tsan_init") else 0  # of a sanitizer

# ---- checks -------------------------------------------------------------

_counts = {"passed": 0, "failed": 0, "skipped": 0}


def check(name, condition, detail=""):
    """Count one check; say what was seen if it fails."""
    _counts["passed" if condition else "failed"] += 1
    if not condition:
        print("FAIL %s%s" % (name, ": " + str(detail)[:1500] if detail else ""))
    elif "-v" in sys.argv:
        print("ok   " + name)
    return bool(condition)


def equal(name, seen, wanted):
    return check(name, seen == wanted, "saw %r, wanted %r" % (seen, wanted))


def skip(name, why):
    _counts["skipped"] += 1
    print("skip %s: %s" % (name, why))


def need(name, *programs):
    """Whether these programs are there; counts a skipped check if not."""
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        skip(name, "there is no " + ", ".join(missing))
    return not missing


def main(functions):
    """Run the test functions (those named on the command line, or all)."""
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    sys.stdout.reconfigure(line_buffering=True)
    for function in functions:
        if wanted and function.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            function()
        except Exception:  # a broken test is a failed one; go on with the rest
            check(function.__name__ + " runs to its end", False,
                traceback.format_exc())
        if "-v" in sys.argv:
            print("     %s %.1f s" % (
                function.__name__, time.monotonic() - began))
    print("%d passed, %d failed%s" % (_counts["passed"], _counts["failed"],
        ", %d skipped" % _counts["skipped"] if _counts["skipped"] else ""))
    sys.exit(0 if _counts["failed"] == 0 else 1)


def wait_for(condition, seconds=10.0):
    """Poll until condition() is true; returns its last value."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > until:
            return value
        time.sleep(0.01)


def each(function, items, jobs=2):
    """function over items, a few at a time; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(function, items))


# ---- places -------------------------------------------------------------

_scratch = None


def scratch():
    """A directory of this test file's own, removed at its end."""
    global _scratch
    if _scratch is None:
        _scratch = tempfile.mkdtemp(prefix="softprobe-")
        try:  # who softprobe becomes removes its files there
            os.chown(_scratch, pwd.getpwnam("softprobe").pw_uid, -1)
        except (KeyError, PermissionError):
            pass
        owner = os.getpid()
        atexit.register(lambda: os.getpid() == owner and
            shutil.rmtree(_scratch, ignore_errors=True))
    return _scratch


def path(name):
    return os.path.join(scratch(), name)


def captures():
    """The names of all captures in tests/pcap."""
    return sorted(n for n in os.listdir(PCAP)
        if n.endswith(".pcap") or n.endswith(".pcapng"))


def capture(name):
    return os.path.join(PCAP, name)


def table(name):
    """The rows of a tab-separated file in tests/pcap, as dictionaries."""
    with open(os.path.join(PCAP, name), encoding="ascii") as lines:
        head = lines.readline().rstrip("\n").split("\t")
        return [dict(zip(head, l.rstrip("\n").split("\t"))) for l in lines]


def free_port(family=socket.AF_INET, kind=socket.SOCK_DGRAM):
    """A port, of UDP unless told, that nobody listens on just now."""
    with socket.socket(family, kind) as s:
        s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return s.getsockname()[1]


def udp_socket(port):
    """Octets that wait in a UDP socket, and datagrams the kernel dropped."""
    try:
        with open("/proc/net/udp", encoding="ascii") as sockets:
            lines = sockets.readlines()[1:]
    except OSError:  # a root without /proc
        time.sleep(0.5)
        lines = []
    for words in map(str.split, lines):
        if int(words[1].split(":")[1], 16) == port:
            return int(words[4].split(":")[1], 16), int(words[-1])
    return 0, 0


def first_family(name):
    """Of the addresses of a name, the family of the one that is tried first."""
    return socket.getaddrinfo(name, 9, type=socket.SOCK_DGRAM)[0][0]


def probe_then_wait(port, *args):
    """
    softprobe to a collector on that UDP port, and wait until the collector
    has read all: what its default buffer holds is then lost on no machine.
    """
    result = probe(*args)
    wait_for(lambda: udp_socket(port)[0] == 0)
    return result


# ---- running softprobe --------------------------------------------------

class Result:
    """What one run of softprobe said and how it ended."""

    def __init__(self, args, code, out, err):
        self.args, self.code, self.out = args, code, out
        self.err = err.decode(errors="replace")

    def records(self):
        return [Record(json.loads(line, parse_float=decimal.Decimal))
            for line in self.out.splitlines()]

    def summary(self, name):
        """The number after "name:" in the summary, or None."""
        return number(self.err, name)

    def __str__(self):
        return "softprobe %s: exit %s, stdout %r, stderr %s" % (
            " ".join(self.args), self.code, self.out[:300], self.err[-900:])


def number(text, name):
    """The first number after "name:" in lines of text, or None."""
    found = re.search(r"^\s*%s:\s+(\d+)" % re.escape(name), text, re.M)
    return int(found.group(1)) if found else None


def balanced(text):
    """Whether statistics add up, by their own word and by arithmetic."""
    received = number(text, "packets received")
    others = [number(text, name) for name in ("packets in records",
        "packets in active flows", "ignored packets", "packets deleted")]
    for name in ("packets of own sessions", "packets seen again",
            "packets seen translated"):
        others.append(number(text, name) or 0)
    return (received is not None and None not in others and
        received == sum(others) and
        re.search(r"^account: balanced$", text, re.M) is not None)


def collectors(text):
    """The table of collectors in statistics: {name: {column: word}}."""
    lines = text.splitlines()
    head = next((n for n, line in enumerate(lines)
        if re.match(r"collector\s+", line)), len(lines))
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[head:]]
    return {row[0]: dict(zip(rows[0], row)) for row in rows[1:]
        if len(row) == len(rows[0])}


def accounted(text):
    """
    Whether for each collector all packets in records are in one that was
    sent or waits, or named as not sent: lost, unfit, or for another collector.
    """
    due = number(text, "packets in records")
    early = number(text, "packets lost before export")
    rows = collectors(text)
    def told(row):
        return sum(int(row.get(column, 0)) for column in ("packets",
            "waiting-packets", "lost-packets", "unfit-packets",
            "elsewhere-packets"))
    return bool(rows) and None not in (due, early) and all(
        told(row) + early == due for row in rows.values())


def probe(*args, stdin=None, seconds=SECONDS, **more):
    """Run softprobe to its end; stdin may be octets."""
    args = [str(a) for a in args]
    try:
        done = subprocess.run([SOFTPROBE] + args, timeout=seconds,
            stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
            **({"input": stdin} if stdin is not None else
                {"stdin": subprocess.DEVNULL}), **more)
    except subprocess.TimeoutExpired as late:
        return Result(args, "timeout", late.stdout or b"", late.stderr or b"")
    return Result(args, done.returncode, done.stdout or b"", done.stderr)


def library(name, *flags):
    """Build tests/NAME.c to preload; a check, and where the library is."""
    built = subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC",
        "-D_GNU_SOURCE", "-o", path(name + ".so"),
        os.path.join(TREE, "tests", name + ".c"), "-ldl", *flags],
        capture_output=True, text=True)
    check(name + ".c is built", built.returncode == 0, built.stderr)
    return path(name + ".so")


class Probe:
    """A softprobe that runs beside the test; ended when the block is left."""

    def __init__(self, *args, stdin=subprocess.DEVNULL, prefix=()):
        self.args = [str(a) for a in args]
        self.out_path = tempfile.mktemp(dir=scratch(), prefix="out-")
        self.err_path = self.out_path.replace("out-", "err-")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([*prefix, SOFTPROBE] + self.args,
                stdin=stdin, stdout=out, stderr=err)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def out(self):
        with open(self.out_path, "rb") as f:
            return f.read()

    @property
    def err(self):
        with open(self.err_path, "rb") as f:
            return f.read().decode(errors="replace")

    def running(self):
        return self.process.poll() is None

    def records(self):
        whole = self.out[:self.out.rfind(b"\n") + 1]  # it may be writing
        return Result(self.args, None, whole, b"").records()

    def summary(self, name):
        return number(self.err, name)

    def wait(self, seconds=SECONDS):
        """The exit code, or "timeout"."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return "timeout"

    def stop(self, signum=signal.SIGTERM, seconds=SECONDS):
        """Send a signal and wait; returns the exit code and seconds taken."""
        began = time.monotonic()
        self.process.send_signal(signum)
        code = self.wait(seconds)
        return code, time.monotonic() - began

    def __str__(self):
        return "softprobe %s: exit %s, stdout %r, stderr %s" % (
            " ".join(self.args), self.process.poll(), self.out[:300],
            self.err[-900:])


def threads(pid):
    """The ids of a running softprobe's threads, the exporting one first."""
    ids = sorted(int(t) for t in os.listdir("/proc/%d/task" % pid))
    ids.remove(pid)
    return [pid] + ids[FOREIGN_THREADS:]


def ctl(socket_path, *words, seconds=20):
    """Run softprobectl; returns its exit code, output, error output."""
    try:
        done = subprocess.run(
            [SOFTPROBECTL, "-c", socket_path] + [str(w) for w in words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "timeout", "", ""
    return (done.returncode, done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"))


# ---- records ------------------------------------------------------------

class Flow:
    """What every source of records gives: one unidirectional flow."""

    af = protocol = sport = dport = packets = octets = flags = tos = 0
    src = dst = ""
    first_ns = last_ns = 0
    reason = None

    @property
    def first_ms(self):
        return self.first_ns // 1000000

    @property
    def last_ms(self):
        return self.last_ns // 1000000

    def key(self):
        return (self.af, self.src, self.dst, self.protocol, self.sport,
            self.dport)


class Record(Flow):
    """One Flow Record of --json, by the names of the IANA registry."""

    def __init__(self, j):
        self.json = j
        self.af = 6 if "sourceIPv6Address" in j else 4
        self.src = j["sourceIPv%dAddress" % self.af]
        self.dst = j["destinationIPv%dAddress" % self.af]
        self.protocol = j["protocolIdentifier"]
        self.sport = j.get("sourceTransportPort", 0)
        self.dport = j.get("icmpTypeCodeIPv%d" % self.af,
            j.get("destinationTransportPort", 0))
        self.packets = j["packetDeltaCount"]
        self.octets = j["octetDeltaCount"]
        self.flags = j.get("tcpControlBits", 0)
        self.tos = j.get("ipClassOfService", 0)
        self.first_ns = int(j["flowStartMilliseconds"] * 1000000)
        self.last_ns = int(j["flowEndMilliseconds"] * 1000000)
        self.reason = j.get("flowEndReason")


class Sum:
    """What all records of one unidirectional 5-tuple add up to."""

    def __init__(self):
        self.packets = self.octets = self.flags = 0
        self.tos = self.first_ns = self.last_ns = None

    def add(self, packets, octets, flags, tos, first_ns, last_ns):
        self.packets += packets
        self.octets += octets
        self.flags |= flags
        if self.first_ns is None or first_ns < self.first_ns:
            self.first_ns, self.tos = first_ns, tos
        if self.last_ns is None or last_ns > self.last_ns:
            self.last_ns = last_ns


def add_up(records):
    """Sum of the records of each 5-tuple: {key: Sum}."""
    sums = {}
    for r in records:
        sums.setdefault(r.key(), Sum()).add(r.packets, r.octets, r.flags,
            r.tos, r.first_ns, r.last_ns)
    return sums


# One row of the table holds fragments of two datagrams.  The first fragment of
# one was not captured: that later fragment alone has no ports.
_SPLIT = {"frag,frag-nofirst": (
    {"packets": "1", "octets": "390", "last_ns": "1331084293681153000",
        "ambiguous": "frag-nofirst"},
    {"packets": "2", "octets": "1902", "first_ns": "1331084298676044000",
        "ambiguous": "frag"})}


def _join_fragments(rows):
    """Count later fragments, which the table has apart, to their flow."""
    joined, flow_of = [], {}
    rows = [dict(row, **part) for row in rows
        for part in _SPLIT.get(row["ambiguous"], ({},))]
    for row in rows:
        if row["ambiguous"] == "frag" and row["sport"] != "0":
            flow_of[row["src"], row["dst"], row["proto"]] = row
    for row in rows:
        flow = flow_of.get((row["src"], row["dst"], row["proto"]))
        if flow is not None and row["ambiguous"] == "frag":
            row = dict(row, sport=flow["sport"], dport=flow["dport"])
        joined.append(row)
    return joined


def expected():
    """{capture: {key: Sum}} of what tests/pcap/README promises."""
    rows_of = {name: [] for name in captures()}
    for row in table("expected-flows.tsv"):
        rows_of[row["file"]].append(row)
    result = {}
    for name, rows in rows_of.items():
        sums = result[name] = {}
        for row in _join_fragments(rows):
            key = (int(row["af"]), row["src"], row["dst"], int(row["proto"]),
                int(row["sport"]), int(row["dport"]))
            sums.setdefault(key, Sum()).add(int(row["packets"]),
                int(row["octets"]), int(row["tcp_flags"], 16), int(row["tos"]),
                int(row["first_ns"]), int(row["last_ns"]))
    return result


def compare(name, seen, wanted, unit_ns=1, tos=True, flags=0xff):
    """
    Check that two {key: Sum} say the same, times in units of unit_ns (0: not
    compared), the class of service if `tos`, these bits of the TCP flags: the
    table of expected flows has eight.
    """
    def shown(sums):
        return {key: (s.packets, s.octets, s.flags & flags) +
            ((s.tos,) if tos else ()) + ((s.first_ns // unit_ns,
            s.last_ns // unit_ns) if unit_ns else ())
            for key, s in sums.items()}
    a, b = shown(seen), shown(wanted)
    wrong = ["%s saw %s wanted %s" % (k, a.get(k), b.get(k))
        for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)]
    return check(name, not wrong, "; ".join(wrong[:6]))


# ---- a private world ----------------------------------------------------

def private_network(name):
    """
    Go on in own network, mount and process namespaces, where /run is empty,
    lo is up, everything started dies with the test, and nothing is seen of
    the machine.  Returns False, with a skipped check, where this cannot be.
    """
    if os.environ.get("SOFTPROBE_TEST_WORLD") != "private":
        if not need(name, "unshare", "ip", "mount"):
            return False
        world = ["unshare", "--net", "--mount", "--pid", "--fork",
            "--kill-child", "--mount-proc"]
        if os.geteuid() != 0:
            world[1:1] = ["--user", "--map-root-user"]
        tried = subprocess.run(world + ["mount", "-t", "tmpfs", "tmpfs",
            "/run"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        if tried.returncode != 0:
            skip(name, "no namespaces here: " +
                tried.stderr.decode(errors="replace").strip())
            return False
        os.environ["SOFTPROBE_TEST_WORLD"] = "private"
        sys.stdout.flush()
        os.execvp("unshare", world + [sys.executable] + sys.argv)
    del os.environ["SOFTPROBE_TEST_WORLD"]
    sh("mount", "-t", "tmpfs", "tmpfs", "/run")
    sh("ip", "link", "set", "lo", "up")
    for scope in ("all", "default"):
        quiet = "/proc/sys/net/ipv6/conf/%s/disable_ipv6" % scope
        if os.path.exists(quiet):
            with open(quiet, "w", encoding="ascii") as f:
                f.write("1")
    return True


def make_value(*names):
    """The words that variables of the Makefile come to."""
    return subprocess.run([os.path.join(TREE, "tests", "make-value.sh"),
        *names], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
        timeout=SECONDS).stdout.decode().split()


def sh(*words, ok=True):
    """Run a command; with ok its failure is the test's."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
    if ok and done.returncode != 0:
        raise RuntimeError("%s: %s" % (
            words, done.stdout.decode(errors="replace")))
    return done.stdout.decode(errors="replace")


def veth(near, far):
    """A pair of interfaces: what is sent on `near` arrives on `far`."""
    sh("ip", "link", "add", near, "mtu", "9000", "type", "veth", "peer",
        "name", far, "mtu", "9000")
    for end in (near, far):
        sh("ip", "link", "set", end, "arp", "off", "up")

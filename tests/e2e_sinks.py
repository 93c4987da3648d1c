#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_sinks.py - collectors that are files: lines of JSON, CSV or a table, and
IPFIX files (RFC 5655), read by the strict decoder, ipfixDump and tshark.
"""
import csv
import glob
import io
import json
import os
import signal
import subprocess
import tempfile

import e2e
from collect import Collector, read_file
from e2e import Probe, check, equal, probe, wait_for
from e2e_fixbuf import counted, dumped
from frames import at, eth, pcap, udp4

CAPTURES = ("zeek__wikipedia.pcap", "zeek__var-services-std-ports.pcap",
    "zeek__mixed-vlan-mpls.pcap", "tcpdump__forces2.pcap")


def directory():
    """Of whom softprobe becomes, as scratch is."""
    made = tempfile.mkdtemp(dir=e2e.scratch(), prefix="sinks-")
    os.chown(made, os.stat(e2e.scratch()).st_uid, -1)
    return made


def read(name):
    with open(name, "rb") as f:
        return f.read()


def rows_of(octets):
    """CSV as RFC 4180 has it: a title line, lines that end in CRLF."""
    text = octets.decode("utf-8")
    check("CSV: each line ends in CRLF", text.endswith("\r\n") and
        text.count("\n") == text.count("\r\n"))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def many(count, apart=0.001):
    return pcap([(at(n * apart), eth(udp4(n))) for n in range(count)])


# ---- lines --------------------------------------------------------------

def json_is_what_is_printed_without_a_collector():
    for name in CAPTURES:
        for more in ((), ("-b",), ("-T", "ether", "-A", "nano")):
            said = "%s %s: " % (name, " ".join(more))
            file = os.path.join(directory(), "flows.json")
            args = more + ("-r", e2e.capture(name))
            printed = probe("--json", *args).out
            result = probe("-n", "json:" + file, *args)
            check(said + "exit 0, account balanced", result.code == 0 and
                e2e.balanced(result.err) and result.out == b"", result)
            equal(said + "the file is what is printed", read(file), printed)
            equal(said + "json:- prints it", probe("-n", "json:-", *args,
                "--quiet").out, printed)


def csv_has_a_column_for_each_element():
    for name in CAPTURES:
        for more in ((), ("-b",), ("--fields", "+interfaceName")):
            said = "%s %s: " % (name, " ".join(more))
            args = more + ("-r", e2e.capture(name))
            lines = [json.loads(line, parse_float=str, parse_int=str)
                for line in probe("--json", *args).out.splitlines()]
            rows = rows_of(probe("-n", "csv:-", "--quiet", *args).out)
            equal(said + "each record has the values that JSON has, and no "
                "others", [{k: v for k, v in row.items() if v != ""}
                for row in rows], [{k: v for k, v in line.items() if v != ""}
                for line in lines])
            check(said + "all have the same columns", all(None not in row
                and None not in row.values() for row in rows))


def text_is_the_table():
    args = ("-r", e2e.capture(CAPTURES[0]), "--quiet")
    words = [line.split() for line in probe("-n", "text:-", *args
        ).out.splitlines()]
    equal("text:- has the words of the table", words,
        [line.split() for line in probe(*args).out.splitlines()])


def files_are_appended_to():
    for kind, titles in (("json", 0), ("csv", 1), ("text", 1)):
        file = os.path.join(directory(), "flows")
        sizes = []
        for _ in range(2):
            probe("-r", e2e.capture(CAPTURES[0]), "-n", kind + ":" + file)
            sizes.append(len(read(file).splitlines()))
        second = sizes[1] - sizes[0]
        equal(kind + ": the second run adds to the file", (sizes[0], second),
            (57 + titles, 57 + (1 if kind == "text" else 0)))
        if kind == "csv":
            equal("csv: titles come once", len(rows_of(read(file))), 114)


def sinks_beside_collectors():
    """All that there is, side by side; each has every record."""
    where = directory()
    data = many(5000)
    with Collector() as a, Collector() as b:
        result = probe("-l", "-r", "-", "-n", a.name, "-n", "json:%s/j,csv:%s/c"
            % (where, where), "-n", b.name, "-n", "text:%s/t,file:%s/i" % (
            where, where), "--export-rate", "5000", stdin=data)
    check("exit 0, each account adds up", result.code == 0 and
        e2e.accounted(result.err), result)
    equal("-l shares among the network's alone", len(a.decoded().records) +
        len(b.decoded().records), 5000)
    check("and both have some", min(len(c.decoded().records)
        for c in (a, b)) > 2000)
    equal("JSON has all", len(read(where + "/j").splitlines()), 5000)
    equal("CSV has all", len(rows_of(read(where + "/c"))), 5000)
    equal("the table has all", len(read(where + "/t").splitlines()), 5001)
    session = read_file(where + "/i")
    equal("the IPFIX file has all", (len(session.records), session.errors[:3]),
        (5000, []))


def a_pipe_that_is_slow_or_closed():
    """json:- into a pipe that is read late, then into one that is closed."""
    file = e2e.path("slow.pcap")
    with open(file, "wb") as f:
        f.write(many(20000, 0.0001))
    with subprocess.Popen([e2e.SOFTPROBE, "-r", file, "-n", "json:-", "-m",
            "30000", "--quiet"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as run:
        wait_for(lambda: run.poll() is not None, 1.5)
        out, err = run.communicate(timeout=60)
    equal("a late reader gets every line", (len(out.splitlines()),
        run.returncode, err), (20000, 0, b""))
    with subprocess.Popen([e2e.SOFTPROBE, "-r", file, "-n", "json:-", "-m",
            "30000", "--quiet"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as run:
        run.stdout.readline()
        run.stdout.close()
        err = run.stderr.read().decode()
    check("a reader that leaves is told once, exit 1", run.returncode == 1 and
        err.count("Broken pipe") == 1, err)


def write_errors_cost_nobody_else():
    where = directory()
    for bad in ("json:/dev/full", "csv:/dev/full", "text:/dev/full",
            "json:%s/none/x" % where, "file:%s/none/x" % where):
        with Collector() as c:
            result = probe("-r", "-", "-n", bad, "-n", c.name, stdin=many(300))
        said = bad.replace(where, "") + ": "
        equal(said + "exit 1", result.code, 1)
        equal(said + "said once, and that records were lost",
            [result.err.count(w) for w in ("will keep trying",
            "300 records were not sent")], [1, 1])
        check(said + "each account adds up", e2e.accounted(result.err), result)
        equal(said + "the other has all", (len(c.decoded().records),
            c.decoded().errors[:3]), (300, []))


# ---- IPFIX files --------------------------------------------------------

def real_captures_as_ipfix_files():
    wanted = e2e.expected()
    where = directory()
    def run(name):
        file = "%s/%s.ipfix" % (where, name)
        return name, file, probe("-r", e2e.capture(name), "-n", "file:" + file)
    for name, file, result in e2e.each(run, e2e.captures()):
        said = name + ": "
        check(said + "exit 0, account balanced", result.code == 0 and
            e2e.accounted(result.err), result)
        session = read_file(file)
        equal(said + "no rule is broken", session.errors[:3], [])
        e2e.compare(said + "all records", e2e.add_up(session.records),
            wanted[name], unit_ns=10**6)
        check(said + "statistics stand at the end", not session.records or
            session.options and 41 in session.options[-1] or
            any(41 in o for o in session.options), session.options[-1:])
    equal("nothing else is left", len(os.listdir(where)), len(wanted))


def files_are_read_by_others():
    where = directory()
    for name in CAPTURES:
        file = "%s/%s.ipfix" % (where, name)
        probe("-r", e2e.capture(name), "-n", "file:" + file)
        lines = probe("-r", e2e.capture(name), "--json").records()
        if e2e.need("files by ipfixDump", "ipfixDump"):
            records, complaints = dumped(file)
            equal(name + ": ipfixDump complains of nothing", complaints, "")
            equal(name + ": ipfixDump has all", counted(records), counted(
                [{k: str(v) for k, v in r.json.items()} for r in lines]))
        if e2e.need("files by tshark", "tshark"):
            done = subprocess.run(["tshark", "-r", file, "-T", "fields", "-e",
                "cflow.octets", "-E", "occurrence=a"], env=dict(os.environ,
                HOME=e2e.scratch()), stdin=subprocess.DEVNULL, check=True,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            equal(name + ": tshark has all octets", sum(int(n) for n in
                done.stdout.decode().replace(",", " ").split()),
                sum(r.octets for r in lines))


def rotate_by_time():
    packets = many(600, 1)  # ten minutes
    runs = []
    for _ in range(2):
        where = directory()
        result = probe("-r", "-", "-n", "file:%s/%%Y%%m%%d-%%H%%M%%S?rotate=2m"
            % where, "-t", "idle=5", "-t", "expint=0", stdin=packets)
        check("exit 0, account adds up", result.code == 0 and
            e2e.accounted(result.err), result)
        runs.append({name: read(where + "/" + name)
            for name in sorted(os.listdir(where))})
    check("the same files twice, bit for bit", runs[0] == runs[1],
        [list(run) for run in runs])
    files = list(runs[0])
    check("five or six files", len(files) in (5, 6), files)
    sessions = [read_file(where + "/" + name) for name in files]
    equal("each file stands alone", [s.errors[:3] for s in sessions], [[]] *
        len(files))
    equal("together they have all", sum(len(s.records) for s in sessions), 600)
    ends = [[r.last_ns // 10**9 for r in s.records] for s in sessions]
    check("a file has the flows of two minutes", all(max(e) - min(e) < 125
        for e in ends), [(min(e), max(e)) for e in ends])
    check("each ends with statistics", all(any(41 in o for o in s.options)
        for s in sessions))


def rotate_by_size():
    where = directory()
    result = probe("-r", "-", "-n", "file:%s/%%Y.ipfix?size=64k" % where,
        "-m", "6000", stdin=many(5000))
    check("exit 0, account adds up", result.code == 0 and
        e2e.accounted(result.err), result)
    files = sorted(os.listdir(where))
    check("several files, numbered where the time is the same",
        len(files) > 4 and files[0] + "-1" in files, files)
    check("none is larger than 64k", all(os.path.getsize(where + "/" + f) <=
        65536 for f in files), files)
    sessions = [read_file(where + "/" + f) for f in files]
    equal("each file stands alone", [s.errors[:3] for s in sessions], [[]] *
        len(files))
    equal("together they have all", sum(len(s.records) for s in sessions),
        5000)


def a_file_gets_its_name_when_it_is_complete():
    file = directory() + "/flows.ipfix"
    reader, writer = os.pipe()
    with Probe("-r", "-", "-n", "file:" + file, "-t", "idle=1", "-t",
            "expint=0", "--quiet", stdin=reader) as run:
        os.close(reader)
        with os.fdopen(writer, "wb", 0) as pipe:
            pipe.write(many(5000, 0.01))
            check("until then it is a .part", wait_for(lambda:
                os.path.exists(file + ".part") and os.path.getsize(file +
                ".part") > 1000), os.listdir(os.path.dirname(file)))
            check("and has no name", not os.path.exists(file))
        equal("exit 0", run.wait(), 0)
    equal("then it has", os.listdir(os.path.dirname(file)), ["flows.ipfix"])
    session = read_file(file)
    equal("with all records", (len(session.records), session.errors[:3]),
        (5000, []))


def names_that_are_refused():
    for given, words in (("file:", "give file:PATH"),
            ("json:", "give json:PATH"), ("file:x%Q", "begins a time"),
            ("file:x%", "begins a time"),
            ("file:x?rotate=1h", "need the time in their name"),
            ("file:-?size=1M", "need the time in their name"),
            ("file:x?size=1k", "give 65536 to"),
            ("file:x?version=9", "\"version\" is no key of file"),
            ("json:x?rotate=1h", "\"rotate\" is no key of json"),
            ("json:x,csv:x", "given twice"), ("csv:-,file:-", "given twice")):
        result = probe("-r", "nothing", "-n", given)
        check("%s is refused in a line: %s" % (given, words), result.code == 2
            and words in result.err and result.err.count("\n") == 1, result)
    result = probe("-i", "lo", "-n", "json:flows.json")
    check("a daemon wants a whole path", result.code == 2 and
        "begins with /" in result.err, result)


# ---- live, in namespaces of the test's own ------------------------------

def renamed_files_are_left_at_sighup():
    where = directory()
    with Live("-n", "json:%s/j,file:%s/%%s.ipfix" % (where, where), "-t",
            "idle=100ms", "-t", "expint=0") as run, Wire(NEAR) as wire:
        for n in range(3):
            wire.send(*(eth(udp4(n * 100 + i)) for i in range(100)))
            check("%d: lines are there" % n, wait_for(lambda: os.path.exists(
                where + "/j") and len(read(where + "/j").splitlines()) == 100))
            os.rename(where + "/j", where + "/j.%d" % n)
            run.process.send_signal(signal.SIGHUP)
            check("%d: an IPFIX file is completed" % n, wait_for(lambda:
                len(glob.glob(where + "/*.ipfix*")) -
                len(glob.glob(where + "/*.part")) > n))
        run.stop()
    lines = [json.loads(line) for n in range(3)
        for line in read(where + "/j.%d" % n).splitlines()]
    equal("each line once", len({j["sourceIPv4Address"] for j in lines}), 300)
    sessions = [read_file(f) for f in glob.glob(where + "/*.ipfix*")]
    equal("each record once", sum(len(s.records) for s in sessions), 300)
    equal("no rule is broken", [s.errors[:3] for s in sessions if s.errors],
        [])


def a_full_disk_is_waited_for():
    where = directory()
    e2e.sh("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", where)
    with open(where + "/filler", "wb") as f:
        f.write(bytes((16 << 20) - (64 << 10)))
    with Collector() as c, Live("-n", "json:%s/j" % where, "-n", "file:%s/i"
            % where, "-n", c.name, "-t", "idle=100ms", "-t", "expint=0", "-m",
            "20000") as run, Wire(NEAR) as wire:
        for n in range(6000):
            wire.send(eth(udp4(n)))
        check("it is said of both", wait_for(lambda: run.err.count(
            "No space left") == 2, 30), run)
        os.remove(where + "/filler")
        check("and when there is room", wait_for(lambda: run.err.count(
            "can be written again") == 2, 20), run)
        wire.send(eth(udp4(7001)))
        check("it goes on", wait_for(lambda: b'"10.0.27.89"' in read(where +
            "/j")), run)
        run.stop()
    equal("each trouble is said once", run.err.count("No space left"), 2)
    check("each account adds up", e2e.accounted(run.err), run)
    lines = [json.loads(line) for line in read(where + "/j").splitlines()]
    session = read_file(where + "/i")
    equal("no rule is broken, no half message", session.errors[:3], [])
    rows = e2e.collectors(run.err)
    equal("the file has what was counted as sent", [(name[:4],
        int(row["records"])) for name, row in sorted(rows.items())
        if name[:4] in ("json", "file")], [("file", len(session.records)),
        ("json", len(lines))])
    equal("the other collector has all", len({r.src for r in
        c.decoded().records}), 6001)


if __name__ == "__main__":
    TESTS = [json_is_what_is_printed_without_a_collector,
        csv_has_a_column_for_each_element, text_is_the_table,
        files_are_appended_to, sinks_beside_collectors,
        a_pipe_that_is_slow_or_closed, write_errors_cost_nobody_else,
        real_captures_as_ipfix_files, files_are_read_by_others, rotate_by_time,
        rotate_by_size, a_file_gets_its_name_when_it_is_complete,
        names_that_are_refused]
    if e2e.private_network("files while they are captured"):
        from e2e_live import FAR, NEAR, Live, Wire
        e2e.veth(NEAR, FAR)
        TESTS += [renamed_files_are_left_at_sighup, a_full_disk_is_waited_for]
    e2e.main(TESTS)

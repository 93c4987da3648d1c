#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_instructions - instructions per packet, against a number on record.

Counts what valgrind's callgrind sees while bench/micro takes a generated
capture along the whole path: read, decode, meter, encode.  No thread, socket
or clock is in it, so the count is the same on every machine with the same
compiler and flags; it is compared with bench/instructions.txt, within 5 %.

	tests/e2e_instructions.py            the check
	tests/e2e_instructions.py --figure   print the count and the build's name
	tests/e2e_instructions.py --record   put the count on record

Skips where there is no valgrind, and for a build that is not on record.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PACKETS = 100000
FLOWS = 8192
VERSION = 10
TOLERANCE = 0.05
SECONDS = 300
RECORD = "bench/instructions.txt"
ORIGIN = """\
# Instructions per packet of bench/micro path on %d packets of the mixed
# workload, by build: see tests/e2e_instructions.py.
""" % PACKETS


def build_name():
    """Machine, compiler and the flags that matter; None if not known."""
    if not shutil.which("readelf"):
        return None
    text = subprocess.run(
        ["readelf", "--debug-dump=info", "--dwarf-depth=1", "flowtrack.o"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        timeout=SECONDS, check=False).stdout.decode(errors="replace")
    found = re.search(r"DW_AT_producer.*: (.+)", text)
    if not found:
        return None
    words = found.group(1).split()
    flags = sorted(w for w in words if re.match(
        r"-(O|march=|fsanitize|-?coverage|fprofile|flto)", w))
    name = [w for w in words if not w.startswith("-")]
    return " ".join([os.uname().machine] + name + flags)


def count(directory):
    """Instructions per packet."""
    capture = os.path.join(directory, "mixed.pcap")
    with open(capture, "wb") as out:
        subprocess.run(["bench/generate", "mixed", str(PACKETS)], stdout=out,
                       timeout=SECONDS, check=True)
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=" +
         os.path.join(directory, "callgrind"), "bench/micro", "path",
         capture, str(FLOWS), str(VERSION)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
        check=False)
    found = re.search(rb"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        raise RuntimeError(run.stderr.decode(errors="replace"))
    return int(found.group(1)) / PACKETS


def recorded():
    """The figures on record, by build."""
    figures = {}
    try:
        with open(RECORD) as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    figure, name = line.strip().split(" ", 1)
                    figures[name] = float(figure)
    except FileNotFoundError:
        pass
    return figures


def record(name, figure):
    figures = recorded()
    figures[name] = figure
    with open(RECORD, "w") as f:
        f.write(ORIGIN)
        for key in sorted(figures):
            f.write("%.1f %s\n" % (figures[key], key))


def reason_to_skip(name):
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    for program in ("bench/generate", "bench/micro"):
        if not os.path.exists(program):
            return program + " is not built"
    if name is None:
        return "the build does not tell its compiler"
    if "-fsanitize" in name or "coverage" in name:
        return "an instrumented build"
    return None


def check(name):
    """Returns (passed, failed, skipped)."""
    reason = reason_to_skip(name)
    if reason is None and name not in recorded():
        reason = "no figure on record for " + name
    if reason is not None:
        print("skip instructions_per_packet_stay_within_5_percent: " + reason)
        return 0, 0, 1
    with tempfile.TemporaryDirectory() as directory:
        found = count(directory)
    wanted = recorded()[name]
    good = abs(found - wanted) <= TOLERANCE * wanted
    print("%s instructions_per_packet_stay_within_5_percent: "
          "%.1f, on record %.1f" % ("ok" if good else "FAIL", found, wanted))
    return int(good), int(not good), 0


def main():
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    name = build_name()
    if "--figure" in sys.argv or "--record" in sys.argv:
        with tempfile.TemporaryDirectory() as directory:
            figure = count(directory)
        print("%.1f %s" % (figure, name))
        if "--record" in sys.argv and name is not None:
            record(name, figure)
        return 0
    passed, failed, skipped = check(name)
    print("%d passed, %d failed%s" % (
        passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

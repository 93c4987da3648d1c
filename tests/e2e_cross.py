#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_cross.py - other machines and systems give the same: a build that knows
nothing of Linux, and, where their compilers, libraries and emulator are at
hand, big-endian and 32-bit ones.

The libraries of a machine come from `make cross`, once; in CI (CI is set in
the environment) they are fetched here.  The rest of what make cross runs is
for make cross.
"""
import os
import re
import shutil
import subprocess

import e2e
from e2e import capture, check, equal, need, probe, skip

MACHINES = ("s390x",)
UNITS = "test_bytes test_decode test_golden test_ie test_message"
SECONDS = 550 # a machine with much else to do


def run(words, **more):
    """Run a command; its exit code and all it said."""
    env = {name: value for name, value in os.environ.items()
        if not name.startswith("MAKE") and name != "MFLAGS"}
    env.update(more.pop("env", {}))
    done = subprocess.run(words, stdin=subprocess.DEVNULL, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
        **more)
    return done.returncode, done.stdout.decode(errors="replace")


def copied_sources():
    folder = e2e.path("portable")
    os.makedirs(os.path.join(folder, "tests"))
    for name in os.listdir(e2e.TREE):
        if name.endswith((".c", ".h")) or name in ("Makefile", "VERSION"):
            shutil.copy(os.path.join(e2e.TREE, name), folder)
    return folder


def without_linux_it_builds_and_gives_the_same():
    if not need("a build without Linux", "make", "cc"):
        return
    folder = copied_sources()
    code, said = run(["make", "-s", "-C", folder, "all",
        "CFLAGS=-O0 -Wno-format-truncation",
        "CPPFLAGS=-U__linux__ -U_FORTIFY_SOURCE"])
    check("it builds where there is no Linux", code == 0, said[-500:])
    equal("... without a warning", re.findall(".*warning:.*", said), [])
    name = capture("zeek__wikipedia.pcap")
    native = probe("--json", "--quiet", "-r", name)
    check("there are records", native.out.count(b"\n") > 20)
    e2e.SOFTPROBE, ours = os.path.join(folder, "softprobe"), e2e.SOFTPROBE
    try:
        portable = probe("--json", "--quiet", "-r", name)
    finally:
        e2e.SOFTPROBE = ours
    equal("it gives the same records", portable.out, native.out)


def other_machines_give_the_same():
    for machine in MACHINES:
        name = "softprobe on " + machine
        libraries = os.path.join(e2e.TREE, "build", "cross", machine, "root",
            "complete")
        if not os.environ.get("CI") and not os.path.exists(libraries):
            skip(name, "make cross has not been here")
            continue
        code, said = run([os.path.join(e2e.TREE, "tests", "cross.sh"),
            machine], env={"CROSS_UNITS": UNITS, "NATIVE": e2e.TREE})
        skipped = re.search("SKIPPED, (.*)", said)
        if skipped:
            skip(name, skipped.group(1))
        else:
            check(name + " gives the same as here", code == 0, said[-3000:])


if __name__ == "__main__":
    e2e.main([without_linux_it_builds_and_gives_the_same,
        other_machines_give_the_same])

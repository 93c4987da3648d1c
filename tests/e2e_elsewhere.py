#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_elsewhere.py - the sandbox of OpenBSD and FreeBSD is compiled without a
warning, and asks for what it should: built here with the calls of those
systems in tests/elsewhere, which print how they were called.
"""
import os
import subprocess

import e2e
from e2e import check, equal, path

HERE = os.path.join(e2e.TREE, "tests", "elsewhere")
INTERFACES, NETWORK, FILES = 1, 2, 4
FILES_OF_A_RUN = ["unveil /etc r", "unveil /out rwc", "unveil /run c"]
PLEDGES = "stdio rpath wpath cpath inet unix dns"


def built(system):
    """tests/elsewhere/confine.c and the sandbox as if on that system."""
    program = path("confine-" + system.strip("_"))
    done = subprocess.run(e2e.make_value("CC", "WARN", "DEPS_CFLAGS") + ["-Werror",
        "-std=c11", "-O1", "-D_GNU_SOURCE", "-U__linux__", "-D" + system,
        "-I" + e2e.TREE, "-I" + HERE, "-include", "calls.h", "-o", program,
        os.path.join(HERE, "confine.c")] + [os.path.join(e2e.TREE, name)
        for name in ("sandbox.c", "sandbox_pledge.c", "sandbox_capsicum.c",
        "log.c", "text.c")] + e2e.make_value("DEPS_LIBS") + ["-pthread"],
        capture_output=True, text=True, cwd=e2e.TREE)
    check("%s: it is built without a warning" % system, done.returncode == 0,
        done.stderr)
    return program


def asks(program, needs):
    return subprocess.run([program, str(needs)], capture_output=True,
        text=True, timeout=e2e.SECONDS).stdout.splitlines()


def openbsd():
    program = built("__OpenBSD__")
    told = ["unveil: only the files of its job can be opened",
        "pledge: a replay makes the system calls of its job only"]
    equal("OpenBSD: a replay to standard output computes, and writes",
        asks(program, 0), told + FILES_OF_A_RUN + ["threads run",
        "unveil NULL NULL", "pledge stdio, NULL"])
    for needs in (NETWORK, FILES, NETWORK | FILES):
        equal("OpenBSD: a replay with needs %d has files and network" % needs,
            asks(program, needs)[-2:], ["unveil NULL NULL",
            "pledge %s, NULL" % PLEDGES])
    equal("OpenBSD: a live run keeps its files and /dev/bpf, without a "
        "promise", asks(program, INTERFACES | NETWORK), told +
        ["unveil /dev/bpf rw"] + FILES_OF_A_RUN + ["threads run",
        "unveil NULL NULL"])


def freebsd():
    program = built("__FreeBSD__")
    equal("FreeBSD: a replay to standard output enters capability mode once "
        "all threads run", asks(program, 0), ["capsicum: a replay to "
        "standard output opens nothing any more", "threads run", "cap_enter"])
    for needs in (INTERFACES, NETWORK, FILES):
        equal("FreeBSD: what needs %d does not" % needs,
            asks(program, needs)[1:], ["threads run"])


def files_are_short():
    for name in ("sandbox_pledge.c", "sandbox_capsicum.c"):
        with open(os.path.join(e2e.TREE, name), encoding="ascii") as f:
            lines = len(f.readlines())
        check("%s has fewer than 100 lines" % name, lines < 100, lines)


if __name__ == "__main__":
    if not e2e.need("all of it", e2e.make_value("CC")[0]):
        e2e.main([])
    e2e.main([openbsd, freebsd, files_are_short])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_config.py - the configuration file of a running program: read, checked,
refused, and told in the manual.
"""
import os
import re

import e2e
from e2e import check, equal, probe
from e2e_packaging import listed_options

# Options that no file has: what the program can tell, and what reads it.
NOT_IN_FILE = {"help", "version", "elements", "check", "config"}
CAPTURE = e2e.capture("zeek__wikipedia.pcap")


def write(text, name="softprobe.conf", mode=0o600):
    """A configuration file; returns its path."""
    where = e2e.path(name)
    with open(where, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(where, mode)
    return where


def manual(begin, end):
    """The words .Cm in a part of softprobe.conf(5)."""
    with open(os.path.join(e2e.TREE, "man", "softprobe.conf.5"),
            encoding="ascii") as f:
        text = f.read()
    part = text[text.index(begin):text.index(end)]
    return sorted(word for line in re.findall(r"^(?:\.It )?\.?Cm (.*)", part,
        re.M) for word in line.split() if word not in (",", "."))


def manual_lists_every_option_of_a_file():
    equal("softprobe.conf(5) lists every option once", manual(".Sh OPTIONS",
        ".Sh FILES"), sorted(set(listed_options()) - NOT_IN_FILE))


def manual_tells_what_waits_for_a_restart():
    with open(os.path.join(e2e.TREE, "config.c"), encoding="ascii") as f:
        rows = f.read().split("\n\t{ GROUP_")[1:]
    waits = [row.split('"')[1] for row in rows
        if ".restart = true" in row.split("},\n")[0]]
    check("there are some", 10 < len(waits) < len(rows), waits)
    equal("softprobe.conf(5) tells them", manual(".\\\" restart", ".\\\" end"),
        sorted(waits))


def file_is_as_good_as_a_command_line():
    wanted = probe("-r", CAPTURE, "--json", "--quiet", "-b", "-t", "idle=1s",
        "tcp port 80")
    path = write("# a replay\nread %s\njson\nquiet\nbiflow\n"
        "timeout idle=1s # short\nfilter 'tcp port 80'\n" % CAPTURE)
    seen = probe("--config", path)
    equal("exit status", (wanted.code, seen.code), (0, 0))
    check("there are records", wanted.out)
    equal("the same records", seen.out, wanted.out)
    equal("the command line overrides it", probe("--config", path, "tcp port 1"
        ).out, b"")


def wrong_file_opens_nothing():
    out = e2e.path("out.json")
    path = write("read %s\ncollector json:%s\nmtu 1\n" % (CAPTURE, out))
    result = probe("--config", path)
    equal("exit status, output", (result.code, result.out), (2, b""))
    equal("one line names file, line, option, value and what is right",
        result.err, "softprobe: %s:3: mtu 1: give a number from 256 to 9000\n"
        % path)
    check("nothing was made", not os.path.exists(out))
    missing = e2e.path("missing.conf")
    result = probe("--config", missing, "-r", CAPTURE)
    equal("a file that is not there", (result.code, result.err), (2,
        "softprobe: %s: cannot be read: No such file or directory\n" % missing))


def file_is_checked_without_a_start():
    path = write("interface nosuch0\ncollector 127.0.0.1:9\n")
    result = probe("--config", path, "--check")
    check("a good one is told good", result.code == 0 and
        result.out.startswith(b"user: "), result)
    result = probe("--config", write("interface nosuch0\ncollector x\n"),
        "--check")
    check("a wrong one is told wrong", result.code == 2 and
        result.err.startswith("softprobe: %s:2: collector x: " % path), result)


def file_that_others_can_write_is_refused_by_root():
    for mode in 0o620, 0o602:
        result = probe("--config", write("read %s\nquiet\n" % CAPTURE,
            mode=mode))
        if os.geteuid() != 0:
            equal("mode %o, started by a user" % mode, result.code, 0)
            continue
        check("mode %o, started by root" % mode, result.code == 2 and
            "chmod go-w" in result.err, result)


if __name__ == "__main__":
    e2e.main([manual_lists_every_option_of_a_file,
        manual_tells_what_waits_for_a_restart,
        file_is_as_good_as_a_command_line, wrong_file_opens_nothing,
        file_is_checked_without_a_start,
        file_that_others_can_write_is_refused_by_root])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_combinations.py - command lines put together at random, always the same
ones: whatever options meet, the strict decoder finds no fault, and every
packet is in a record that arrived.  RUNS and SEED in the environment give
more and others.
"""
import os
import random
import re

import e2e
from collect import Collector, StreamCollector, read_file
from e2e import check, equal, probe
from session import Session

RUNS = int(os.environ.get("RUNS", "150"))
SEED = int(os.environ.get("SEED", "1"))

# Of each option: how often it is given, and what it may be.
ANY = (("-T", .5, ("ip", "proto", "full", "tos", "vlan", "ether")),
    ("--mtu", .5, ("300", "512", "576", "1400", "8972")),
    ("-t", .5, ("idle=1", "idle=5", "idle=60", "idle=100ms")),
    ("-t", .4, ("active=1", "active=2", "active=300", "active=0")),
    ("-t", .3, ("expint=0", "expint=1", "expint=60")),
    ("-m", .3, ("10", "64", "1000")), ("--domain", .3, ("0", "1", "200")),
    ("-s", .2, ("2", "10", "random:3", "hash:2")),
    ("--workers", .2, ("1", "2", "3")))
TEMPLATES = (("--template-refresh", .5, ("1,1", "1,3", "5,10", "60,2",
    "60,100")), ("-x", .2, ("0", "3", "10")),
    ("--options", .7, ("all", "none", "sampling", "statistics,exporter",
    "interfaces,sampling")))
IPFIX = (("-A", .3, ("sec", "milli", "micro", "nano")), ("-b", .35, None))


def elements():
    """Names for --fields, but for those that the decoder wants."""
    text = probe("--elements").out.decode()
    return [n for n in dict.fromkeys(re.findall(r"\b([a-z]\w*[A-Z]\w*)$", text,
        re.M)) if not re.search("flow(Start|End)[MNS]", n, re.I) and n not
        in ("packetDeltaCount", "biflowDirection")]


def command_line(rng, names):
    """A version, how it travels, and the other arguments."""
    version = rng.choice(("1", "5", "9", "9", "10", "10", "10"))
    travel = {"10": ("udp", "tcp", "file"), "9": ("udp", "tcp")}.get(version,
        ("udp",))
    args = ["-v", version]
    for option, often, values in ANY + (TEMPLATES if version in ("9", "10")
            else ()) + (IPFIX if version == "10" else ()):
        if rng.random() < often:
            args += [option] + ([rng.choice(values)] if values else [])
    if version in ("9", "10") and rng.random() < .4:
        args += ["--fields", ",".join(rng.choice(("", "+", "-")) + name
            for name in rng.sample(names, rng.randint(1, 12)))]
    for name in rng.sample(e2e.captures(), rng.randint(1, 4)):
        args += ["-r", e2e.capture(name)]
    return version, rng.choice(travel), args


def v5_sampling(args):
    """The word in each v5 header."""
    given = args[args.index("-s") + 1] if "-s" in args else "1"
    mode, interval = 2 if ":" in given else 1, int(given.split(":")[-1])
    return mode << 14 | interval if interval > 1 else 0


def received(version, travel, args, file):
    """Run it; its result and the sessions its collector had."""
    if travel == "tcp":
        with StreamCollector() as collector:
            result = probe(*args, "-n", "tcp://" + collector.name)
        return result, collector.decoded()
    if travel == "file":
        result = probe(*args, "-n", "file:" + file)
        return result, [read_file(file)] if os.path.exists(file) else []
    with Collector() as collector:
        result = probe(*args, "-n", collector.name)
    return result, [Session(v5_sampling(args) if version == "5" else 0
        ).feed_all(collector.datagrams)]


def whatever_options_meet_no_rule_is_broken():
    rng = random.Random(SEED)
    names = elements()
    def run(work):
        number, (version, travel, args) = work
        return travel, args, received(version, travel, args,
            e2e.path("%d.ipfix" % number))
    refused = 0
    for travel, args, (result, sessions) in e2e.each(run, list(enumerate(
            command_line(rng, names) for _ in range(RUNS)))):
        said = "%s %s: " % (travel, " ".join(args).replace(e2e.PCAP + "/", ""))
        if result.code == 2:
            refused += 1
            equal(said + "refused in one line", len(result.err.splitlines()),
                1)
            continue
        check(said + "exit 0, all is accounted for", result.code == 0 and
            e2e.balanced(result.err) and e2e.accounted(result.err), result)
        equal(said + "no rule is broken", [e for s in sessions
            for e in s.errors[:3]], [])
        equal(said + "what was sent is there", sum(half.packets
            for s in sessions for r in s.records for half in r.directions()),
            sum(int(row["packets"]) for row in
            e2e.collectors(result.err).values()))
    check("most of them run", refused < RUNS // 2, refused)


if __name__ == "__main__":
    e2e.main([whatever_options_meet_no_rule_is_broken])

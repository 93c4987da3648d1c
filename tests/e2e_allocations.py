#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_allocations.py - after the start nothing is allocated per packet, per flow
or per record: runs over more of each allocate as often (tests/counting.c is
preloaded).
"""
import os
import socket

import e2e
from e2e import check, equal, path
from frames import at, eth, pcap, udp4

FEW, MANY = 2000, 20000
SHIM = path("counting.so")
LOG = path("count")


def capture(name, packets, flows):
    with open(path(name), "wb") as f:
        f.write(pcap([(at(n * 0.0001), eth(udp4(n % flows)))
            for n in range(packets)]))
    return path(name)


def allocations(*words):
    """How often a run allocates, and the run."""
    result = e2e.probe("-m", "4096", *words, env=dict(os.environ,
        LD_PRELOAD=SHIM, COUNT_LOG=LOG))
    with open(LOG, encoding="ascii") as f:
        return int(f.read()), result


def compare(said, *words):
    """Ten times the packets, of as many flows; then ten times the flows."""
    few = capture("few", FEW, 200)
    more_packets = capture("packets", MANY, 200)
    more_flows = capture("flows", MANY, MANY)
    base, result = allocations(*words, "-r", few)
    check(said + ": it runs, and is counted", result.code == 0 and base > 20,
        (base, result))
    for name, other in (("packets", more_packets), ("flows", more_flows)):
        seen, result = allocations(*words, "-r", other)
        equal("%s: exit with more %s" % (said, name), (result.code,
            result.summary("packets received")), (0, MANY))
        equal("%s: more %s are not more allocations" % (said, name), seen,
            base)


def to_standard_output():
    compare("JSON", "--json")


def with_fields_and_workers():
    compare("with fields, biflows and workers", "--json", "-b", "--workers",
        "2", "--fields", "+sourceMacAddress,flowId,tcpOptions")


def to_collectors():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        name = "127.0.0.1:%d" % s.getsockname()[1]
        for version in ("5", "9", "10"):
            compare("NetFlow v%s" % version if version != "10" else "IPFIX",
                "--export-rate", "0", "-v", version, "-n", name)


if __name__ == "__main__":
    if e2e.SANITIZED or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        e2e.skip("all of it", "tests/counting.c needs glibc's own allocator")
        e2e.main([])
    if not e2e.need("all of it", os.environ.get("CC", "cc").split()[0]):
        e2e.main([])
    e2e.library("counting")
    e2e.main([to_standard_output, with_fields_and_workers, to_collectors])

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
interop_tls.py - replays over TLS, both ends certified, to socat, which hands
them in clear to a collector that speaks only TCP: libfixbuf.
"""
import os
import shutil
import socket
import subprocess

import e2e
import e2e_fixbuf
import e2e_transport
from e2e import check, equal, probe
from e2e_transport import key, pem


class Socat:
    """A TLS server before a TCP one, ended when the block is left."""

    def __init__(self, behind):
        for _ in range(20):  # another test may take the port first
            self.port = e2e.free_port(kind=socket.SOCK_STREAM)
            with open(e2e.path("socat"), "wb") as log:
                self.process = subprocess.Popen(["socat", "-dd",
                    "OPENSSL-LISTEN:%d,bind=127.0.0.1,fork,cert=%s,key=%s,"
                    "cafile=%s,verify=1" % (self.port, pem("good"),
                    key("good"), pem("ca")), "TCP:127.0.0.1:%d" % behind],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            e2e.wait_for(lambda: "listening on" in self.log() or
                self.process.poll() is not None, 30)
            if self.process.poll() is None:
                return
        raise RuntimeError("socat does not start: " + self.log())

    def log(self):
        with open(e2e.path("socat"), encoding="utf-8") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()


def real_captures_over_tls_into_libfixbuf():
    if not e2e_transport.make_certificates():
        return
    wanted = e2e.expected()
    reader = e2e_fixbuf.Reader("tcp")
    with Socat(reader.port) as server:
        runs = {n: (name, probe("-r", e2e.capture(name), "-n",
            "tls://127.0.0.1:%d?ca=%s&cert=%s&key=%s" % (server.port,
            pem("ca"), pem("probe"), key("probe")), "--domain", n))
            for n, name in enumerate(e2e.captures(), 1)}
        flows = reader.finish(sum(run.summary("packets in records") or 0
            for _, run in runs.values()))
    equal("tls: libfixbuf warns of nothing", reader.complaints()[:3], [])
    for n, (name, result) in runs.items():
        check("tls: " + name + ": exit 0, account balanced, over TLS 1.3",
            result.code == 0 and e2e.balanced(result.err) and
            "connected, TLSv1.3" in result.err, result)
        e2e.compare("tls: " + name + ": packets, octets, flags, class, times",
            e2e.add_up(flows.get(n, [])), wanted[name], unit_ns=10**6)


def lacking():
    """What is not there, or None."""
    if not os.path.exists(e2e_fixbuf.READER):
        return "libfixbuf"
    return None if shutil.which("socat") else "socat"


if __name__ == "__main__":
    if lacking():
        e2e.skip("replay over TLS into libfixbuf", "there is no " + lacking())
    e2e.main([real_captures_over_tls_into_libfixbuf] if not lacking() else [])

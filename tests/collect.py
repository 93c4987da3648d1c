# SPDX-License-Identifier: ISC
"""
collect.py - Collecting Processes of the tests: a UDP socket, TCP or TLS
sessions, an IPFIX file.  What they got, session.py decodes strictly.
"""
import socket
import struct
import threading

from session import Session

IP_RECVTTL = 12  # of Linux; Python has no name for it


class Collector:
    """A UDP socket and the thread that empties it."""

    def __init__(self, family=socket.AF_INET, address=None, port=0):
        self.datagrams, self.hops, self.senders = [], [], []
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            self.socket.bind((address or "127.0.0.1", port))
            self.name = "127.0.0.1:%d" % self.socket.getsockname()[1]
        else:
            self.socket.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            self.socket.bind((address or "::1", port))
            self.name = "[::1]:%d" % self.socket.getsockname()[1]
        self.port = self.socket.getsockname()[1]
        self.closing = self.killed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.socket.settimeout(0.02)
        self.thread.start()

    def _run(self):
        while not self.killed:
            closing = self.closing  # before looking: what came is read
            try:
                data, notes, _, sender = self.socket.recvmsg(65536, 256)
            except TimeoutError:
                if closing:
                    return
                continue
            for _, _, value in notes:
                self.hops.append(struct.unpack("i", value)[0])
            self.senders.append(sender)
            self.datagrams.append(data)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.finish()

    def finish(self):
        """Take what the socket still holds, close it, return all of it."""
        if not self.closing:
            self.closing = True
            self.thread.join()
            self.socket.close()
        return self.datagrams

    def kill(self):
        """Close it at once, as a collector that dies."""
        self.killed = True
        self.finish()

    def decoded(self, v5_sampling=0):
        return Session(v5_sampling).feed_all(list(self.datagrams))


class StreamCollector:
    """
    Sessions over TCP, or over TLS if an ssl.SSLContext is given.  `streams`
    has the octets of each session so far, in the order they began.
    """

    def __init__(self, family=socket.AF_INET, port=0, context=None):
        self.streams, self.failures, self.open = [], [], []
        self.socket = socket.create_server(
            ("127.0.0.1" if family == socket.AF_INET else "::1", port),
            family=family)
        self.port = self.socket.getsockname()[1]
        self.name = ("127.0.0.1:%d" if family == socket.AF_INET else
            "[::1]:%d") % self.port
        self.context = context
        self.reading = threading.Event()  # cleared, it leaves windows to close
        self.reading.set()
        self.closing = False
        self.socket.settimeout(0.02)
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            closing = self.closing  # before looking: who came is let in
            try:
                session, _ = self.socket.accept()
            except TimeoutError:
                if closing:
                    return
                continue
            except OSError:  # it was killed
                return
            reader = threading.Thread(target=self._read, args=(session,),
                daemon=True)
            self.threads.append(reader)
            reader.start()

    def _read(self, session):
        session.settimeout(5)
        try:
            if self.context is not None:
                session = self.context.wrap_socket(session, server_side=True)
            octets = bytearray()
            self.streams.append(octets)
            self.open.append(session)
            session.settimeout(0.02)
            while self._more(session, octets):
                pass
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self.failures.append(error)
        session.close()

    def _more(self, session, octets):
        """Read once; returns whether there may be more."""
        if not self.reading.wait(0.02):
            return not self.closing
        closing = self.closing
        try:
            data = session.recv(65536)
        except TimeoutError:
            return not closing
        octets += data
        return bool(data)

    def hang_up(self):
        """Close all sessions at once, as a collector that restarts does."""
        while self.open:
            try:
                self.open.pop().shutdown(socket.SHUT_RDWR)
            except OSError:  # it went first
                pass

    def kill(self):
        """Close all at once, as a collector that dies."""
        self.socket.close()
        self.hang_up()
        self.finish()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.finish()

    def finish(self):
        """Read what has come, close all, return the octets of each session."""
        if not self.closing:
            self.reading.set()
            self.closing = True
            self.threads[0].join()  # it adds the others
            for thread in self.threads:
                thread.join()
            self.socket.close()
        return self.streams

    def decoded(self):
        """A Session for each."""
        return [Session(kind="stream").feed_stream(bytes(octets))
            for octets in list(self.streams)]


def read_file(name):
    """A Session of an IPFIX file (RFC 5655)."""
    with open(name, "rb") as f:
        return Session(kind="file").feed_stream(f.read())

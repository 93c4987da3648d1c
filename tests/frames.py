# SPDX-License-Identifier: ISC
"""
frames.py - frames and capture files made by the tests, and where the records
of a capture file begin.  It shares nothing with softprobe's own readers.
"""
import socket
import struct

EN10MB, RAW = 1, 101
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
START = 1500000000  # seconds since 1970: when made-up captures begin


# ---- packets ------------------------------------------------------------

def ip4(src, dst, protocol, payload, tos=0, ident=0, fragment=0, options=b"",
        total=None):
    """An IPv4 packet; fragment is the 16-bit flags and offset field."""
    length = 20 + len(options) + len(payload) if total is None else total
    return struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, tos, length,
        ident, fragment, 64, protocol, 0, socket.inet_aton(src),
        socket.inet_aton(dst)) + options + payload


def ip6(src, dst, next_header, payload, tos=0, length=None):
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20,
        len(payload) if length is None else length, next_header, 64,
        socket.inet_pton(socket.AF_INET6, src),
        socket.inet_pton(socket.AF_INET6, dst)) + payload


def udp(sport, dport, payload=b""):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, flags, payload=b""):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1024, 0,
        0) + payload


def icmp(kind, code, payload=b"\0" * 8):
    return struct.pack("!BBH", kind, code, 0) + payload


def eth(packet, ethertype=None, tags=(), pad=0):
    """An Ethernet frame; tags are (TPID, TCI) pairs; padded to `pad`."""
    if ethertype is None:
        ethertype = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    head = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01"
    for tpid, tci in tags:
        head += struct.pack("!HH", tpid, tci)
    frame = head + struct.pack("!H", ethertype) + packet
    return frame + b"\xee" * (pad - len(frame))


def mpls(packet, *labels):
    """An Ethernet frame with a stack of MPLS labels."""
    stack = b"".join(struct.pack("!I", label << 12 | (i == len(labels) - 1) << 8
        | 64) for i, label in enumerate(labels))
    return eth(stack + packet, 0x8847)


def udp4(n=0, sport=1000, dport=53, payload=b"x" * 20, tos=0, src=None,
        dst=None):
    """A UDP packet of the nth of many conversations."""
    return ip4(src or "10.%d.%d.%d" % (n >> 16 & 255, n >> 8 & 255, n & 255),
        dst or "192.0.2.1", 17, udp(sport, dport, payload), tos=tos)


# ---- capture files ------------------------------------------------------

def pcap(packets, link=EN10MB, big=False, nano=False):
    """A capture file of (time in ns, frame[, length on the wire])."""
    order = ">" if big else "<"
    out = [struct.pack(order + "IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4,
        2, 4, 0, 0, 262144, link)]
    for packet in packets:
        time_ns, frame = packet[0], packet[1]
        wire = packet[2] if len(packet) > 2 else len(frame)
        out.append(struct.pack(order + "IIII", time_ns // 10**9 & 0xffffffff,
            time_ns % 10**9 // (1 if nano else 1000), len(frame), wire))
        out.append(frame)
    return b"".join(out)


def _block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(
        order + "I", size)


def pcapng(packets, link=EN10MB, big=False, nano=False):
    """The same as a pcapng file of one section and one interface."""
    order = ">" if big else "<"
    options = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0) if nano else b""
    out = [_block(order, 0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1,
        0, -1)), _block(order, 1, struct.pack(order + "HHI", link, 0, 0) +
        options)]
    for time_ns, frame in packets:
        units = time_ns if nano else time_ns // 1000
        out.append(_block(order, 6, struct.pack(order + "IIIII", 0, units >> 32,
            units & 0xffffffff, len(frame), len(frame)) + frame))
    return b"".join(out)


def at(seconds, nanoseconds=0):
    """Nanoseconds since 1970 of a time after START."""
    return int((START + seconds) * 10**9) + nanoseconds


def is_pcapng(data):
    return data[:4] == b"\x0a\x0d\x0d\x0a"


def records(data):
    """
    Where the records of a capture file end: [(offset, is a packet)], in
    order, first what must be there to know the link type: the file header,
    or all up to the first Interface Description Block.
    """
    if is_pcapng(data):
        order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        at_octet, ends, described = 0, [], False
        while at_octet < len(data):
            kind, size = struct.unpack_from(order + "II", data, at_octet)
            at_octet += size
            described = described or kind == 1
            if described:
                ends.append((at_octet, kind in (2, 3, 6)))
        return ends
    order = "<" if data[0] in (0xd4, 0x4d) else ">"
    at_octet, ends = 24, [(24, False)]
    while at_octet < len(data):
        caplen = struct.unpack_from(order + "I", data, at_octet + 8)[0]
        at_octet += 16 + caplen
        ends.append((at_octet, True))
    return ends


def read_pcap(data):
    """The (time in ns, frame, length on the wire) of a classic pcap file."""
    order = "<" if data[0] in (0xd4, 0x4d) else ">"
    nano = 0x4d in data[:4] and 0x3c in data[:4]
    out, at_octet = [], 24
    while at_octet < len(data):
        s, f, caplen, wire = struct.unpack_from(order + "IIII", data, at_octet)
        frame = data[at_octet + 16:at_octet + 16 + caplen]
        out.append((s * 10**9 + f * (1 if nano else 1000), frame, wire))
        at_octet += 16 + caplen
    return out


def link_type(data):
    order = "<" if data[0] in (0xd4, 0x4d) else ">"
    return struct.unpack_from(order + "I", data, 20)[0] & 0xffff

# SPDX-License-Identifier: ISC
"""
collect.py - a strict Collecting Process for NetFlow v5, v9 and IPFIX.

Decodes what came over a socket by the datagrams' own templates alone and
writes down every rule of RFC 3954, RFC 7011 and the v5 layout that is broken.
It shares nothing with softprobe's own tables.
"""
import socket
import struct
import threading

import e2e

# Element: allowed widths in octets.  What is not here is not decoded.
WIDTHS = {1: (4, 8), 2: (4, 8), 4: (1,), 5: (1,), 6: (1, 2), 7: (2,),
    8: (4,), 10: (2, 4), 11: (2,), 12: (4,), 14: (2, 4), 21: (4,), 22: (4,),
    27: (16,), 28: (16,), 32: (2,), 56: (6,), 58: (2,), 60: (1,), 61: (1,),
    80: (6,), 136: (1,), 139: (2,), 152: (8,), 153: (8,), 150: (4,), 151: (4,), 154: (8,), 155: (8,), 156: (8,),
    157: (8,), 239: (1,)}
# Of options: octets, None for text.  Of a v9 scope, its type: octets.
OPTIONS = {34: (4,), 35: (1,), 40: (8,), 41: (8,), 42: (8,), 48: (1,),
    49: (1,), 50: (4,), 82: None, 83: None, 143: (4,), 144: (4,), 149: (4,),
    160: (8,), 164: (8,), 165: (8,), 166: (8,), 167: (8,), 168: (8,),
    302: (8,), 304: (2,), 305: (4,), 306: (4,), 10: (4,)}
V9_SCOPES = {1: (4,), 2: (4,)}
REVERSE = 29305  # RFC 5103 s6.1: the elements of the reverse direction

# RFC 7011 s6.1.7 to s6.1.10: octets on the wire to nanoseconds since 1970.
def seconds(octets):
    return int.from_bytes(octets, "big") * 10**9


def milliseconds(octets):
    return int.from_bytes(octets, "big") * 10**6


def ntp(octets):
    """An NTP time after 1968, cut to a nanosecond."""
    whole, fraction = struct.unpack("!II", octets)
    return (whole - 2208988800) % 2**32 * 10**9 + (fraction * 10**9 >> 32)


def microseconds(octets):
    if octets[7] or octets[6] & 7:
        raise struct.error("the low 11 bits are not zero")
    return ntp(octets) // 1000 * 1000


START_END = {150: (151, seconds), 152: (153, milliseconds),
    154: (155, microseconds), 156: (157, ntp)}


IP_RECVTTL = 12  # of Linux; Python has no name for it


class Collector:
    """A UDP socket and the thread that empties it."""

    def __init__(self, family=socket.AF_INET, address=None, port=0):
        self.datagrams, self.hops = [], []
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
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.socket.settimeout(0.02)
        self.thread.start()

    def _run(self):
        while True:
            try:
                data, notes, _, _ = self.socket.recvmsg(65536, 256)
            except TimeoutError:
                if self.closing:
                    return
                continue
            for _, _, value in notes:
                self.hops.append(struct.unpack("i", value)[0])
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

    def decoded(self, v5_sampling=0):
        return Session(v5_sampling).feed_all(list(self.datagrams))


class Data(e2e.Flow):
    """One Data Record; of a biflow, `reverse` is its other direction."""

    def __init__(self, af):
        self.af = af
        self.fields = {}
        self.reverse = None

    def directions(self):
        return [self] + ([self.reverse] if self.reverse else [])

    def turned(self):
        """The other direction, its counters still to come."""
        r = Data(self.af)
        r.src, r.dst, r.protocol = self.dst, self.src, self.protocol
        icmp = self.protocol in (1, 58)
        r.sport, r.dport = (self.sport, self.dport) if icmp else (
            self.dport, self.sport)
        r.reason = self.reason
        return r


class Session:
    """One Exporting Process as its collector sees it."""

    def __init__(self, v5_sampling=0):
        self.errors, self.records = [], []
        self.v5_sampling = v5_sampling  # what each header shall say
        self.templates = {}   # (domain, id): [(element, length)]
        self.scopes = {}      # (domain, id): how many of them are scope
        self.options = []     # Options Data Records: {element: value}
        self.next = {}        # domain: sequence number to come
        self.messages = 0
        self.template_records = 0
        self.options_template_records = 0
        self.option_at = []   # (template id, number of the message) of each
        self.first_sequence = None
        self.longest = 0      # octets of the longest datagram
        self.versions = set()
        self.counts = []      # records of each message
        self.template_at = [] # numbers of the messages with templates
        self.template_of = {} # record number: template id

    def rule(self, holds, text):
        if not holds:
            self.errors.append("message %d: %s" % (self.messages, text))
        return holds

    def feed_all(self, datagrams):
        for datagram in datagrams:
            self.feed(datagram)
        return self

    def feed(self, d):
        self.longest = max(self.longest, len(d))
        version = struct.unpack_from("!H", d)[0] if len(d) > 2 else 0
        self.versions.add(version)
        before = len(self.records)
        decode = {5: self.v5, 9: self.v9, 10: self.ipfix}.get(version)
        if self.rule(decode is not None, "version %d" % version):
            try:
                decode(d)
            except struct.error as error:
                self.rule(False, "too short: %s" % error)
        self.counts.append(len(self.records) - before)
        self.messages += 1

    def sequence(self, domain, number, advance):
        if self.first_sequence is None:
            self.first_sequence = number
        due = self.next.setdefault(domain, 0)
        self.rule(number == due, "sequence %d, due %d" % (number, due))
        self.next[domain] = number + advance & 0xffffffff

    # NetFlow v5: 24-octet header, 48-octet records.
    def v5(self, d):
        (_, count, uptime, secs, nsecs, sequence, _, engine, sampling
            ) = struct.unpack_from("!HHIIIIBBH", d)
        self.rule(len(d) == 24 + 48 * count, "length %d for %d records" % (
            len(d), count))
        self.rule(1 <= count <= 30, "count %d" % count)
        self.rule(nsecs < 10**9, "nanoseconds %d" % nsecs)
        self.rule(sampling == self.v5_sampling, "sampling 0x%x" % sampling)
        self.sequence(engine, sequence, count)
        boot = secs * 1000 + nsecs // 10**6 - uptime
        for at in range(24, 24 + 48 * count, 48):
            (src, dst, _, iin, out, packets, octets, first, last, sport, dport,
                pad1, flags, protocol, tos, _, _, _, _, pad2
                ) = struct.unpack_from("!4s4s4sHHIIIIHHBBBBHHBBH", d, at)
            r = Data(4)
            r.src, r.dst = socket.inet_ntoa(src), socket.inet_ntoa(dst)
            r.sport, r.dport, r.protocol = sport, dport, protocol
            r.packets, r.octets, r.flags, r.tos = packets, octets, flags, tos
            r.first_ns = (boot + first) * 10**6
            r.last_ns = (boot + last) * 10**6
            r.fields = {10: iin, 14: out}
            self.rule(pad1 == 0 and pad2 == 0, "padding not zero")
            self.rule(first <= last <= uptime, "times %d %d of %d" % (
                first, last, uptime))
            self.accept(r)

    # NetFlow v9: RFC 3954 s5.
    def v9(self, d):
        _, count, uptime, secs, sequence, domain = struct.unpack_from(
            "!HHIIII", d)
        self.sequence(domain, sequence, 1)
        self.ipfix_message = False
        self.boot_ms = secs * 1000 - uptime
        self.uptime = uptime
        self.export_s = secs
        seen = self.sets(d, 20, domain, 0, 1)
        self.rule(count == seen, "count %d for %d records" % (count, seen))

    # IPFIX: RFC 7011 s3.1.
    def ipfix(self, d):
        _, length, self.export_s, sequence, domain = struct.unpack_from(
            "!HHIII", d)
        self.rule(length == len(d), "length %d of %d" % (length, len(d)))
        self.ipfix_message = True
        before = len(self.records) + len(self.options)
        self.sets(d, 16, domain, 2, 3)
        self.sequence(domain, sequence, len(self.records) + len(self.options) -
            before)

    def sets(self, d, at, domain, template_set, options_set):
        """All sets of a message; returns how many records they hold."""
        self.rule(at < len(d), "nothing in it")
        seen = 0
        while at < len(d):
            set_id, length = struct.unpack_from("!HH", d, at)
            if not self.rule(4 < length <= len(d) - at, "set length %d" %
                    length):
                break
            self.rule(length % 4 == 0, "set %d of %d octets is not padded" % (
                set_id, length))
            body = d[at + 4:at + length]
            at += length
            if set_id == template_set:
                seen += self.template_records_of(body, domain)
            elif set_id >= 256:
                seen += self.data(body, domain, set_id)
            else:
                self.rule(set_id == options_set, "set id %d" % set_id)
                seen += self.options_templates_of(body, domain)
        return seen

    def template_records_of(self, body, domain):
        at = seen = 0
        while len(body) - at >= 4:
            template_id, fields = struct.unpack_from("!HH", body, at)
            at += 4
            self.rule(template_id >= 256, "template id %d" % template_id)
            self.rule(fields > 0, "template withdrawal over UDP")
            layout, at = self.layout(body, at, fields)
            self.rule(len({e for e, _ in layout}) == len(layout),
                "an element twice in template %d" % template_id)
            known = self.templates.setdefault((domain, template_id), layout)
            self.rule(known == layout, "template %d changed" % template_id)
            seen += 1
        self.rule(not any(body[at:]), "padding not zero")
        self.template_records += seen
        self.template_at.append(self.messages)
        return seen

    def options_templates_of(self, body, domain):
        """RFC 3954 s6.1 counts octets, RFC 7011 s3.4.2.2 counts fields."""
        at = seen = 0
        while len(body) - at >= 6:
            template_id, first, second = struct.unpack_from("!HHH", body, at)
            at += 6
            if self.ipfix_message:
                fields, scopes = first, second
            else:
                self.rule(first % 4 == 0 and second % 4 == 0,
                    "scope of %d octets, options of %d" % (first, second))
                fields, scopes = (first + second) // 4, first // 4
            self.rule(template_id >= 256, "template id %d" % template_id)
            self.rule(0 < scopes < fields, "%d scopes of %d fields" % (scopes,
                fields))
            layout = [struct.unpack_from("!HH", body, at + 4 * i)
                for i in range(fields)]
            at += 4 * fields
            for i, (element, length) in enumerate(layout):
                v9_scope = i < scopes and not self.ipfix_message
                known = (V9_SCOPES if v9_scope else OPTIONS).get(element, ())
                self.rule(known is None or length in known,
                    "option element %d of %d octets" % (element, length))
                if v9_scope:
                    layout[i] = ("scope %d" % element, length)
            key = domain, template_id
            known = self.templates.setdefault(key, layout)
            self.rule(known == layout and self.scopes.setdefault(key, scopes)
                == scopes, "template %d changed" % template_id)
            seen += 1
        self.rule(len(body) - at < 4 and not any(body[at:]),
            "padding of an options template")
        self.options_template_records += seen
        return seen

    def option(self, key, layout, octets):
        values, at = {}, 0
        for element, length in layout:
            value = octets[at:at + length]
            at += length
            values[element] = int.from_bytes(value, "big")
            if OPTIONS.get(element, ()) is None:
                text = value.rstrip(b"\0")
                self.rule(text and b"\0" not in text, "text %r" % value)
                values[element] = text.decode("utf-8")
        self.options.append(values)
        self.option_at.append((key[1], self.messages))

    def layout(self, body, at, fields):
        """Field Specifiers, RFC 7011 s3.2: the (element, length) of each."""
        layout = []
        for _ in range(fields):
            element, length = struct.unpack_from("!HH", body, at)
            at += 4
            self.rule(length in WIDTHS.get(element & 0x7fff, (length,)),
                "element %d of %d octets" % (element, length))
            if self.ipfix_message and element & 0x8000:
                pen = struct.unpack_from("!I", body, at)[0]
                at += 4
                self.rule(pen == REVERSE, "enterprise %d" % pen)
                element = (pen, element & 0x7fff)
            layout.append((element, length))
        return layout, at

    def data(self, body, domain, template_id):
        layout = self.templates.get((domain, template_id))
        if not self.rule(layout is not None, "data of template %d before it" %
                template_id):
            return 0
        size = sum(length for _, length in layout)
        count, rest = divmod(len(body), size)
        self.rule(count > 0, "a data set without a record")
        self.rule(rest < 4 and not any(body[len(body) - rest:]),
            "padding of %d octets, or not zero" % rest)
        for i in range(count):
            if (domain, template_id) in self.scopes:
                self.option((domain, template_id), layout,
                    body[i * size:(i + 1) * size])
                continue
            self.template_of[len(self.records)] = template_id
            self.record(layout, body[i * size:(i + 1) * size])
        return count

    def record(self, layout, octets):
        fields, at = {}, 0
        for element, length in layout:
            fields[element] = octets[at:at + length]
            at += length
        def value(element):
            return int.from_bytes(fields.get(element, b""), "big")
        r = Data(4 if 8 in fields else 6)
        r.fields = {e: value(e) for e in fields}
        family = socket.AF_INET if r.af == 4 else socket.AF_INET6
        for name, element in (("src", 8), ("dst", 12)) if r.af == 4 else (
                ("src", 27), ("dst", 28)):
            if self.rule(element in fields, "no element %d" % element):
                setattr(r, name, socket.inet_ntop(family, fields[element]))
        r.protocol, r.packets, r.octets = value(4), value(2), value(1)
        r.sport, r.dport = value(7), value(11)
        icmp = 32 if r.af == 4 else 139
        self.rule((icmp in fields) == (r.protocol in (1, 58)) or
            icmp in fields and fields[icmp] == b"\0\0",
            "element %d in a record of protocol %d" % (icmp, r.protocol))
        if icmp in fields:
            r.dport = value(icmp)
        r.flags, r.tos = value(6), value(5)
        r.reason = r.fields.get(136)
        if 239 in fields:
            self.rule(value(239) in (1, 2), "direction %d" % value(239))
        self.times(r, fields, value)
        self.accept(r)
        if any(isinstance(e, tuple) for e in fields):
            self.reverse_of(r, {e[1]: octets for e, octets in fields.items()
                if isinstance(e, tuple)})

    def reverse_of(self, r, fields):
        """The reverse half of a biflow, from its elements (RFC 5103)."""
        def value(element):
            return int.from_bytes(fields.get(element, b""), "big")
        r.reverse = r.turned()
        r.reverse.fields = {e: value(e) for e in fields}
        r.reverse.packets, r.reverse.octets = value(2), value(1)
        r.reverse.flags, r.reverse.tos = value(6), value(5)
        self.rule(r.fields.get(239) in (1, 2), "a biflow without direction")
        self.rule(r.reverse.packets > 0, "a reverse half without packets")
        self.times(r.reverse, fields, value)

    def times(self, r, fields, value):
        starts = [e for e in fields if e in START_END]
        if self.ipfix_message:
            if self.rule(len(starts) == 1 and START_END[starts[0]][0] in
                    fields, "no times, or too many"):
                end, since_1970 = START_END[starts[0]]
                r.first_ns = since_1970(fields[starts[0]])
                r.last_ns = since_1970(fields[end])
        else:
            self.rule(21 in fields and 22 in fields, "no times")
            self.rule(value(22) <= value(21) <= self.uptime,
                "times %d %d of uptime %d" % (value(22), value(21),
                self.uptime))
            r.first_ns = (self.boot_ms + value(22)) * 10**6
            r.last_ns = (self.boot_ms + value(21)) * 10**6
        self.rule(r.first_ns <= r.last_ns, "ends before it starts")
        self.rule(r.last_ms // 1000 <= self.export_s,
            "ends at %d, after its export at %d" % (r.last_ms, self.export_s))

    def accept(self, r):
        self.rule(r.packets > 0, "a record without packets")
        self.records.append(r)

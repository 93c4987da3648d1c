# SPDX-License-Identifier: ISC
"""
session.py - one Exporting Process as a strict collector sees it.

Decodes NetFlow v1, v5, v9 and IPFIX by the messages' own templates alone and
writes down each rule of RULES that is broken.  It shares nothing with
softprobe's tables: what an element is, it takes from IANA's registry
(elements.tsv: number, name, abstract data type).
"""
import os
import socket
import struct

import e2e

RULES = {  # a word for each rule: what broke it is said by that word
    "version": "the version is 1, 5, 9 or 10",
    "short": "a message holds what it announces",
    "length": "RFC 7011 s3.1, v1, v5: the length is that of the message",
    "count": "RFC 3954 s5.1: all records; v5: 1 to 30; v1: 1 to 24",
    "sequence": "RFC 7011 s3.1: Data Records before this message; RFC 3954 "
        "s5.1: messages; v5: flows",
    "clock": "RFC 7011 s8.2: Export Time orders templates, never runs back",
    "nanoseconds": "v1, v5: a fraction of a second",
    "sampling": "v5: two bits of mode, 14 of interval, as expected",
    "zero": "v1, v5: what is reserved or padding is zero",
    "nothing": "RFC 7011 s3.1: a message holds a set",
    "set length": "RFC 7011 s3.3.2: a set ends in its message, is not empty",
    "alignment": "RFC 3954 s5.2, s5.3: a set ends on 4 octets",
    "set id": "RFC 7011 s3.3.2: 2, 3, 256 and up; RFC 3954: 0, 1, 256 and up",
    "padding": "RFC 7011 s3.3.1: zeroes, fewer than a record has, or 4",
    "template id": "RFC 7011 s3.4.1: 256 and up",
    "fields": "RFC 3954 s5.2: a template has fields",
    "withdrawal": "RFC 7011 s8.4: never over UDP; s8.1: of what there was",
    "template changed": "RFC 7011 s8: an id keeps its template",
    "template again": "RFC 7011 s8: once a session of TCP, SCTP, TLS; RFC "
        "5655 s7.2: once a file",
    "template first": "RFC 7011 s8: a template stands before its data",
    "element": "RFC 7012: it is in IANA's registry",
    "enterprise": "RFC 7011 s3.2: only reverse elements, of RFC 5103 s6.1",
    "reversible": "RFC 5103 s6.1: the element has a direction",
    "twice": "an element is in a template once",
    "width": "RFC 7011 s6.2: of the type, or fewer octets of an integer",
    "scope count": "RFC 7011 s3.4.2.2: not 0, and not all fields",
    "scope length": "RFC 3954 s6.1: scopes and options in octets of 4",
    "scope": "RFC 7011 s4, RFC 5476 s6.5.2, RFC 3954 s6.1: what it is about",
    "no record": "RFC 7011 s3.3.2: a data set has records",
    "text": "RFC 7011 s6.1.6: UTF-8, nothing after its end",
    "time": "RFC 7011 s6.1.9: the 11 low bits of microseconds are zero",
    "pair": "a record has both times; those of several units agree",
    "uptime": "RFC 3954 s8: First and Last are of sysUptime, in the past; "
        "RFC 7012 s5.11: in IPFIX they need 160",
    "order": "a flow ends when it starts, or later",
    "future": "a flow ended before it was exported",
    "packets": "a record has packets",
    "reason": "IE 136 is 1 to 5",
    "ip version": "IE 60 is that of the addresses",
    "icmp": "IE 32 and 139 are of ICMP flows",
    "biflow": "RFC 5103 s6.3: IE 239 is 1 to 3 and there is one with a "
        "reverse half",
    "event": "natEvent is in IANA's registry",
    "event time": "RFC 8158: an event has the time, in the past",
    "event addresses": "... and addresses of one IP version",
    "total": "RFC 7012 s3.2: a total counter does not decrease",
}

VARIABLE = 65535  # RFC 7011 s7: a length in the record
INTEGERS = {"unsigned8": 1, "unsigned16": 2, "unsigned32": 4, "unsigned64": 8,
    "signed8": 1, "signed16": 2, "signed32": 4, "signed64": 8}
EXACT = {"boolean": 1, "macAddress": 6, "float32": 4, "ipv4Address": 4,
    "ipv6Address": 16, "dateTimeSeconds": 4, "dateTimeMilliseconds": 8,
    "dateTimeMicroseconds": 8, "dateTimeNanoseconds": 8}
LABELS = range(70, 80)  # MPLS label, experimental bits and bottom: 3 octets

REVERSE = 29305  # RFC 5103 s6.1: the elements of the reverse direction
# s6.1: what identifies something, or is of the biflow as a whole, has none.
NO_REVERSE = {137, 138, 141, 142, 143, 144, 145, 148, 149, 173, 210, 239}

# What each element of options data may be about: elements, or of v9 a type.
DOMAIN, METERING, EXPORTING, SELECTOR = 149, 143, 144, 302
SCOPES = dict.fromkeys((40, 41, 42, 164, 165), {DOMAIN, METERING})
SCOPES.update(dict.fromkeys((166, 167, 168), {EXPORTING, 130, 131}))
SCOPES.update(dict.fromkeys((304, 305, 306, 309, 310, 311), {SELECTOR, 301}))
SCOPES.update(dict.fromkeys((82, 83), {10, 14, 252, 253}))
SCOPES[173] = {145}
SYSTEM, INTERFACE = "scope 1", "scope 2"
V9_SCOPES = dict.fromkeys((34, 35, 48, 49, 50), {SYSTEM, INTERFACE})
V9_SCOPES.update(dict.fromkeys((40, 41, 42), {SYSTEM}))
V9_SCOPES.update(dict.fromkeys((82, 83), {INTERFACE}))
TOTALS = {40, 41, 42, 134, 135, 163, 164, 165, 166, 167, 168}
SPAN = {322, 323, 324, 325}  # RFC 7011 s4.2, s4.3: twice, first and last
ICMP = {32: 1, 139: 58}


def _elements():
    name = os.path.join(os.path.dirname(os.path.abspath(__file__)),
        "elements.tsv")
    with open(name, encoding="ascii") as rows:
        next(rows)
        return {int(number): (name, kind) for number, name, kind in
            (row.rstrip("\n").split("\t") for row in rows)}


ELEMENTS = _elements()  # number: (name, abstract data type)
NAT_EVENT = 230  # natEvent: a record that has it is of no flow


def fits(element, length, ipfix):
    """Whether a field of the element may have so many octets."""
    kind = ELEMENTS[element][1]
    if kind in INTEGERS:
        return 1 <= length <= INTEGERS[kind]
    if kind in EXACT:
        return length == EXACT[kind]
    if kind == "float64":
        return length in (4, 8)
    if element in LABELS:
        return length == 3
    return length > 0 and (ipfix or length != VARIABLE)


# RFC 7011 s6.1.7 to s6.1.10: octets on the wire to nanoseconds since 1970.
def seconds(octets):
    return int.from_bytes(octets, "big") * 10**9


def milliseconds(octets):
    return int.from_bytes(octets, "big") * 10**6


def nanoseconds(octets):
    """An NTP time after 1968, cut to a nanosecond."""
    whole, fraction = struct.unpack("!II", octets)
    return (whole - 2208988800) % 2**32 * 10**9 + (fraction * 10**9 >> 32)


def microseconds(octets):
    return nanoseconds(octets) // 1000 * 1000


START_END = {150: (151, seconds), 152: (153, milliseconds),
    154: (155, microseconds), 156: (157, nanoseconds)}


class Data(e2e.Flow):
    """One Data Record; of a biflow, `reverse` is its other direction."""

    def __init__(self, af):
        self.af = af
        self.fields = {}  # element: number or text
        self.raw = {}     # element: octets
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

    def __init__(self, v5_sampling=0, kind="udp"):
        self.kind = kind      # "udp", "stream" or "file"
        self.errors, self.records = [], []
        self.v5_sampling = v5_sampling  # what each header shall say
        self.templates = {}   # (domain, id): [(element, length)]
        self.scopes = {}      # (domain, id): how many of them are scope
        self.options = []     # Options Data Records: {element: value}
        self.events = []      # of NAT (RFC 8158): {element: value}
        self.next = {}        # domain: sequence number to come
        self.exported = {}    # domain: Export Time of the last message
        self.totals = {}      # (template, scope, element): last value
        self.messages = 0
        self.template_records = 0
        self.options_template_records = 0
        self.option_at = []   # (template id, number of the message) of each
        self.first_sequence = None
        self.longest = 0      # octets of the longest message
        self.versions = set()
        self.domains = set()
        self.counts = []      # records of each message
        self.template_at = [] # numbers of the messages with templates
        self.template_of = {} # record number: template id

    def rule(self, name, holds, seen=""):
        assert name in RULES, name
        if not holds:
            self.errors.append("message %d: %s: %s" % (self.messages, name,
                seen))
        return holds

    def feed_all(self, messages):
        for message in messages:
            self.feed(message)
        return self

    def feed(self, d):
        """One datagram, or the first message of a stream; octets used."""
        version = struct.unpack_from("!H", d)[0] if len(d) > 1 else 0
        before, used = len(self.records), len(d)
        decode = {1: self.v1, 5: self.v5, 9: self.v9, 10: self.ipfix}.get(
            version)
        if self.rule("version", decode is not None, version):
            self.versions.add(version)
            try:
                used = decode(d)
            except (struct.error, IndexError) as error:
                self.rule("short", False, error)
        self.longest = max(self.longest, used)
        self.counts.append(len(self.records) - before)
        self.messages += 1
        return used

    def feed_stream(self, octets):
        """All messages of a stream or a file, which ends after one."""
        while octets:
            octets = octets[self.feed(octets):]
        return self

    def sequence(self, domain, number, advance):
        if self.first_sequence is None:
            self.first_sequence = number
        self.domains.add(domain)
        due = self.next.setdefault(domain, 0)
        self.rule("sequence", number == due, "%d, due %d" % (number, due))
        self.next[domain] = number + advance & 0xffffffff

    # NetFlow v1 and v5: a header, and records of one shape.
    def v1(self, d):
        _, count, uptime, secs, nsecs = struct.unpack_from("!HHIII", d)
        self.fixed(d, 16, 48, count, 24)
        self.rule("nanoseconds", nsecs < 10**9, nsecs)
        for at in range(16, 16 + 48 * count, 48):
            (head, pad, protocol, tos, flags, rest) = struct.unpack_from(
                "!36sHBBB7s", d, at)
            self.rule("zero", pad == 0 and not any(rest), d[at:at + 48])
            self.fixed_record(head, protocol, tos, flags, uptime,
                secs * 1000 + nsecs // 10**6)
        return len(d)

    def v5(self, d):
        (_, count, uptime, secs, nsecs, sequence, _, engine, sampling
            ) = struct.unpack_from("!HHIIIIBBH", d)
        self.fixed(d, 24, 48, count, 30)
        self.rule("nanoseconds", nsecs < 10**9, nsecs)
        self.rule("sampling", sampling == self.v5_sampling, hex(sampling))
        self.sequence(engine, sequence, count)
        for at in range(24, 24 + 48 * count, 48):
            head, pad, flags, protocol, tos, _, pad2 = struct.unpack_from(
                "!36sBBBB6sH", d, at)
            self.rule("zero", pad == 0 and pad2 == 0, d[at:at + 48])
            self.fixed_record(head, protocol, tos, flags, uptime,
                secs * 1000 + nsecs // 10**6)
        return len(d)

    def fixed(self, d, header, record, count, most):
        self.rule("length", len(d) == header + record * count,
            "%d for %d records" % (len(d), count))
        self.rule("count", 1 <= count <= most, count)

    def fixed_record(self, head, protocol, tos, flags, uptime, now_ms):
        (src, dst, _, iin, out, packets, octets, first, last, sport, dport
            ) = struct.unpack("!4s4s4sHHIIIIHH", head)
        r = Data(4)
        r.src, r.dst = socket.inet_ntoa(src), socket.inet_ntoa(dst)
        r.sport, r.dport, r.protocol = sport, dport, protocol
        r.packets, r.octets, r.flags, r.tos = packets, octets, flags, tos
        r.first_ns = (now_ms - uptime + first) * 10**6
        r.last_ns = (now_ms - uptime + last) * 10**6
        r.fields = {10: iin, 14: out}
        self.rule("uptime", first <= uptime and last <= uptime,
            "%d and %d of %d" % (first, last, uptime))
        self.rule("order", first <= last, "%d after %d" % (first, last))
        self.rule("packets", packets > 0)
        self.records.append(r)

    # NetFlow v9: RFC 3954 s5.
    def v9(self, d):
        _, count, uptime, self.export_s, sequence, domain = struct.unpack_from(
            "!HHIIII", d)
        self.sequence(domain, sequence, 1)
        self.is_ipfix = False
        self.boot_ms = self.export_s * 1000 - uptime
        self.uptime = uptime
        # A stream does not tell where a message ends: when it has them all.
        seen, end = self.sets(d, 20, domain, 0,
            None if self.kind == "udp" else count)
        self.rule("count", count == seen, "%d for %d records" % (count, seen))
        return end

    # IPFIX: RFC 7011 s3.1.
    def ipfix(self, d):
        _, length, self.export_s, sequence, domain = struct.unpack_from(
            "!HHIII", d)
        if self.kind != "udp" and 16 < length <= len(d):
            d = d[:length]
        self.rule("length", length == len(d), "%d of %d" % (length, len(d)))
        self.rule("clock", self.exported.get(domain, 0) <= self.export_s,
            self.export_s)
        self.exported[domain] = self.export_s
        self.is_ipfix = True
        before = self.data_records()
        self.sets(d, 16, domain, 2, None)
        self.sequence(domain, sequence, self.data_records() - before)
        return len(d)

    def sets(self, d, at, domain, template_set, count):
        """The sets of a message: how many records they hold, where it ends."""
        self.rule("nothing", at < len(d))
        seen = 0
        while at < len(d) and (count is None or seen < count):
            set_id, length = struct.unpack_from("!HH", d, at)
            if not self.rule("set length", 4 < length <= len(d) - at, length):
                return seen, len(d)
            self.rule("alignment", length % 4 == 0, "%d octets of set %d" % (
                length, set_id))
            body = d[at + 4:at + length]
            at += length
            if set_id >= 256:
                seen += self.data(body, domain, set_id)
            elif self.rule("set id", set_id in (template_set,
                    template_set + 1), set_id):
                seen += self.templates_of(body, domain,
                    set_id == template_set + 1)
        return seen, at

    def templates_of(self, body, domain, options):
        """The records of a Template or an Options Template Set."""
        at = seen = 0
        while len(body) - at >= 4:
            template_id, fields = struct.unpack_from("!HH", body, at)
            if seen and not any(body[at:]):
                break
            self.rule("template id", template_id >= 256, template_id)
            key = domain, template_id
            if fields == 0 and (self.is_ipfix or not options):
                self.withdraw(key)
                at += 4
            elif options:
                layout, scopes, at = self.options_template(body, at)
                self.define(key, layout, scopes)
                self.options_template_records += 1
            else:
                layout, at = self.layout(body, at + 4, fields, 0)
                self.define(key, layout, 0)
                self.template_records += 1
            seen += 1
        self.rule("padding", len(body) - at < 4 and not any(body[at:]),
            body[at:])
        self.template_at.append(self.messages)
        return seen

    def options_template(self, body, at):
        """RFC 3954 s6.1 counts octets, RFC 7011 s3.4.2.2 counts fields."""
        _, first, second = struct.unpack_from("!HHH", body, at)
        fields, scopes = first, second
        if not self.is_ipfix:
            self.rule("scope length", first % 4 == 0 and second % 4 == 0,
                "scope of %d octets, options of %d" % (first, second))
            fields, scopes = (first + second) // 4, first // 4
        self.rule("scope count", 0 < scopes < fields, "%d of %d fields" % (
            scopes, fields))
        layout, at = self.layout(body, at + 6, fields, scopes)
        about = {element for element, _ in layout[:scopes]}
        known = SCOPES if self.is_ipfix else V9_SCOPES
        for element, _ in layout[scopes:]:
            self.rule("scope", about <= known.get(element, about),
                "%s of element %s" % (about, element))
        return layout, scopes, at

    def withdraw(self, key):
        """RFC 7011 s8.1; 2 and 3 are all Templates, all Options Templates."""
        if self.rule("fields", self.is_ipfix, "none"):
            self.rule("withdrawal", self.kind != "udp" and
                self.templates.pop(key, None) is not None, key)
            self.scopes.pop(key, None)

    def define(self, key, layout, scopes):
        known = self.templates.get(key)
        if known is None:
            self.templates[key], self.scopes[key] = layout, scopes
            return
        self.rule("template again", self.kind == "udp", key)
        self.rule("template changed", known == layout and
            self.scopes[key] == scopes, key)

    def layout(self, body, at, fields, scopes):
        """Field Specifiers, RFC 7011 s3.2: [(element, octets)], where to."""
        layout = []
        for n in range(fields):
            element, length = struct.unpack_from("!HH", body, at)
            at += 4
            if self.is_ipfix and element & 0x8000:
                pen = struct.unpack_from("!I", body, at)[0]
                at += 4
                element &= 0x7fff
                self.rule("enterprise", pen == REVERSE, pen)
                self.rule("reversible", element not in NO_REVERSE, element)
                self.specifier(element, length)
                element = (pen, element)
            elif n < scopes and not self.is_ipfix:
                self.rule("element", 1 <= element <= 5, "scope %d" % element)
                self.rule("width", length % 4 == 0, "scope of %d" % length)
                element = "scope %d" % element
            else:
                self.specifier(element, length)
            layout.append((element, length))
        once = [e for e, _ in layout[scopes:] if not scopes or e not in SPAN]
        self.rule("twice", len(set(once)) == len(once), layout)
        return layout, at

    def specifier(self, element, length):
        if self.rule("element", element in ELEMENTS, element):
            self.rule("width", fits(element, length, self.is_ipfix),
                "element %d of %d octets" % (element, length))

    def data(self, body, domain, template_id):
        key = domain, template_id
        layout = self.templates.get(key)
        if not self.rule("template first", layout is not None, key):
            return 0
        shortest = sum(1 if n == VARIABLE else n for _, n in layout)
        at = count = 0
        while len(body) - at >= shortest:
            fields, at = self.octets(layout, body, at)
            if self.scopes[key]:
                self.option(key, fields)
            elif NAT_EVENT in dict(fields):
                self.event(dict(fields))
            else:
                self.template_of[len(self.records)] = template_id
                self.record(dict(fields))
            count += 1
        self.rule("no record", count > 0, key)
        self.rule("padding", len(body) - at < 4 and not any(body[at:]),
            body[at:])
        return count

    def data_records(self):
        return len(self.records) + len(self.options) + len(self.events)

    def event(self, octets):
        """What a NAT did at a time, to addresses of one IP version."""
        event = {e: self.value(e, o) for e, o in octets.items()}
        self.rule("event", event[NAT_EVENT] in range(1, 19), event[NAT_EVENT])
        self.rule("event time", event.get(323, 0) // 1000 in range(1,
            self.export_s + 2), event.get(323))
        self.rule("event addresses", (8 in event) != (27 in event), event)
        self.events.append(event)

    def octets(self, layout, body, at):
        """(element, octets) of each (RFC 7011 s7), and where they end."""
        fields = []
        for element, length in layout:
            if length == VARIABLE:
                length, at = body[at], at + 1
                if length == 255:
                    length = struct.unpack_from("!H", body, at)[0]
                    at += 2
            if length > len(body) - at:
                raise struct.error("element %s has %d octets" % (element,
                    length))
            fields.append((element, body[at:at + length]))
            at += length
        return fields, at

    def value(self, element, octets):
        """A number or a text, by the type of the element."""
        number = element[1] if isinstance(element, tuple) else element
        kind = ELEMENTS.get(number, ("", ""))[1]
        if kind == "string":
            return self.text(octets)
        if kind == "float64":
            return struct.unpack("!d" if len(octets) == 8 else "!f", octets)[0]
        if kind == "dateTimeMicroseconds":
            self.rule("time", octets[7] == 0 and octets[6] & 7 == 0, octets)
        return int.from_bytes(octets, "big")

    def text(self, octets):
        """Of a fixed length it is filled with zeroes."""
        text = octets.rstrip(b"\0")
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            self.rule("text", False, error)
            return ""
        self.rule("text", b"\0" not in text, octets)
        return decoded

    def option(self, key, fields):
        values = {e: self.value(e, o) for e, o in fields}
        for element in SPAN & set(values):
            values[element] = tuple(self.value(e, o) for e, o in fields
                if e == element)
        scope = tuple(values.values())[:self.scopes[key]]
        for element in TOTALS & set(values):
            at = key, scope, element
            self.rule("total", self.totals.get(at, 0) <= values[element],
                "element %d: %d" % (element, values[element]))
            self.totals[at] = values[element]
        self.options.append(values)
        self.option_at.append((key[1], self.messages))

    def record(self, octets):
        r = Data(6 if 27 in octets or 28 in octets else 4)
        r.raw = octets
        r.fields = {e: self.value(e, o) for e, o in octets.items()}
        get = r.fields.get
        family = socket.AF_INET if r.af == 4 else socket.AF_INET6
        for name, element in zip(("src", "dst"), (8, 12) if r.af == 4 else
                (27, 28)):
            if element in octets:
                setattr(r, name, socket.inet_ntop(family, octets[element]))
        r.protocol, r.packets, r.octets = get(4, 0), get(2, 0), get(1, 0)
        r.sport, r.dport = get(7, 0), get(11, 0)
        for element, protocol in ICMP.items():
            self.rule("icmp", not get(element) or get(4) in (None, protocol),
                "element %d in a record of protocol %s" % (element, get(4)))
            r.dport = get(element, r.dport)
        r.flags, r.tos, r.reason = get(6, 0), get(5, 0), get(136)
        self.rule("reason", r.reason in (None, 1, 2, 3, 4, 5), r.reason)
        self.rule("ip version", get(60, r.af) == r.af, get(60))
        self.rule("biflow", get(239) in (None, 1, 2, 3), get(239))
        self.rule("packets", get(2) != 0)
        self.times(r, octets)
        self.records.append(r)
        reverse = {e[1]: o for e, o in octets.items() if isinstance(e, tuple)}
        if reverse:
            self.reverse_of(r, reverse)

    def reverse_of(self, r, octets):
        """The reverse half of a biflow, from its elements (RFC 5103)."""
        back = r.reverse = r.turned()
        back.raw = octets
        back.fields = {e: self.value(e, o) for e, o in octets.items()}
        get = back.fields.get
        back.packets, back.octets = get(2, 0), get(1, 0)
        back.flags, back.tos = get(6, 0), get(5, 0)
        self.rule("biflow", r.fields.get(239) in (1, 2, 3), "no direction")
        self.rule("packets", get(2) != 0, "in the reverse half")
        self.times(back, octets)

    def times(self, r, octets):
        """First and last, in the past; of several units the finest."""
        starts = [e for e in START_END if e in octets]
        ends = [e for e in START_END if START_END[e][0] in octets]
        self.rule("pair", starts == ends, (starts, ends))
        if 21 in octets or 22 in octets:
            self.relative_times(r)
        for start in starts if starts == ends else ():
            end, since_1970 = START_END[start]
            times = since_1970(octets[start]), since_1970(octets[end])
            # Units become finer; each is cut from the next.
            self.rule("pair", start == starts[0] or all(0 <= fine - coarse <
                10**9 for fine, coarse in zip(times, (r.first_ns, r.last_ns))),
                times)
            r.first_ns, r.last_ns = times
        self.rule("order", r.first_ns <= r.last_ns, "%d after %d" % (
            r.first_ns, r.last_ns))
        self.rule("future", r.last_ns // 10**9 <= self.export_s,
            "ends at %d ns, exported at %d s" % (r.last_ns, self.export_s))

    def relative_times(self, r):
        """Milliseconds of sysUptime; in IPFIX, since element 160."""
        if not self.rule("pair", 21 in r.fields and 22 in r.fields, "one"):
            return
        boot = self.boot_ms if not self.is_ipfix else r.fields.get(160,
            next((o[160] for o in reversed(self.options) if 160 in o), None))
        if not self.rule("uptime", boot is not None, "without 160"):
            return
        if not self.is_ipfix:
            self.rule("uptime", max(r.fields[21], r.fields[22]) <= self.uptime,
                "%d of %d" % (max(r.fields[21], r.fields[22]), self.uptime))
        r.first_ns = (boot + r.fields[22]) * 10**6
        r.last_ns = (boot + r.fields[21]) * 10**6

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_collect.py - the strict decoder is strict: messages made by hand, correct
ones that it accepts and, for each rule, some that break it and nothing else.
"""
import socket

import e2e
from collect import StreamCollector, read_file
from e2e import check, equal
from session import RULES, Session

NOW = 1500000000


# ---- messages -----------------------------------------------------------

def u(*pairs):
    """Unsigned integers: (octets, value) each."""
    return b"".join(value.to_bytes(octets, "big") for octets, value in pairs)


def set_of(set_id, *records, pad=None):
    body = b"".join(records)
    if pad is None:
        pad = b"\0" * (-len(body) % 4)
    return u((2, set_id), (2, 4 + len(body) + len(pad))) + body + pad


def ipfix(*sets, time=NOW, sequence=0, domain=1, length=None):
    body = b"".join(sets)
    return u((2, 10), (2, 16 + len(body) if length is None else length),
        (4, time), (4, sequence), (4, domain)) + body


def v9(count, *sets, uptime=10000, sequence=0):
    return u((2, 9), (2, count), (4, uptime), (4, NOW), (4, sequence),
        (4, 1)) + b"".join(sets)


def v5(count=1, records=None, sequence=0, nanoseconds=0, sampling=0, **more):
    records = [v5_record(**more)] if records is None else records
    return u((2, 5), (2, count), (4, 10000), (4, NOW), (4, nanoseconds),
        (4, sequence), (2, 0), (2, sampling)) + b"".join(records)


def v5_record(first=1000, last=2000, packets=3, pad=0):
    return u((4, 1), (4, 2), (4, 0), (2, 1), (2, 2), (4, packets), (4, 99),
        (4, first), (4, last), (2, 5), (2, 6), (1, pad), (1, 0), (1, 17),
        (1, 0), (8, 0))


def v1(count=1, last=2000, rest=0):
    return u((2, 1), (2, count), (4, 10000), (4, NOW), (4, 0), (4, 1), (4, 2),
        (4, 0), (2, 1), (2, 2), (4, 3), (4, 99), (4, 1000), (4, last), (2, 5),
        (2, 6), (2, 0), (1, 17), (1, 0), (1, 0), (7, rest))


def template(template_id, *fields):
    """Fields are (element, octets) or (enterprise, element, octets)."""
    out = u((2, template_id), (2, len(fields)))
    for field in fields:
        out += u((2, field[-2] | (0x8000 if len(field) == 3 else 0)),
            (2, field[-1]))
        if len(field) == 3:
            out += u((4, field[0]))
    return out


def options_template(template_id, scopes, *fields):
    return u((2, template_id), (2, len(fields)), (2, scopes)) + b"".join(
        u((2, element), (2, octets)) for element, octets in fields)


def v9_options(template_id, scope, options, *fields):
    return u((2, template_id), (2, scope), (2, options)) + b"".join(
        u((2, element), (2, octets)) for element, octets in fields)


FIELDS = {8: 4, 12: 4, 4: 1, 1: 8, 2: 8, 152: 8, 153: 8}
VALUES = {8: 1, 12: 2, 4: 17, 1: 100, 2: 3, 152: NOW * 1000 - 2000,
    153: NOW * 1000 - 1000, 22: 1000, 21: 2000, 150: NOW - 2, 151: NOW - 1}


def flow(ipfix_not_v9=True, without=(), **values):
    """A message of a template and one record, changed by e8=1 or w8=2 (the
    octets); returns the two sets."""
    fields = dict(FIELDS) if ipfix_not_v9 else {8: 4, 12: 4, 4: 1, 1: 8, 2: 8,
        22: 4, 21: 4}
    told = dict(VALUES)
    for name, value in values.items():
        element = int(name[1:])
        if name[0] == "w":
            fields[element] = value
        else:
            told[element] = value
            fields.setdefault(element, 1)
    for element in without:
        del fields[element]
    return (set_of(2 if ipfix_not_v9 else 0, template(256, *fields.items())),
        set_of(256, u(*((octets, told.get(e, 0)) for e, octets in
            fields.items()))))


SAMPLING = (options_template(512, 1, (302, 8), (304, 2), (305, 4), (306, 4)),
    u((8, 1), (2, 1), (4, 1), (4, 9)))
EXPORTED = options_template(513, 1, (149, 4), (41, 8))
V9_SAMPLING = v9_options(512, 4, 8, (1, 4), (34, 4), (35, 1))


def name_of(text, octets=16):
    """An interface and its name as options data, in two messages."""
    return [ipfix(set_of(3, options_template(514, 1, (10, 4), (82, octets)))),
        ipfix(set_of(514, u((4, 7)) + text))]


def sub(message, at, value):
    """The message with another octet."""
    return message[:at] + bytes([value]) + message[at + 1:]


def biflow(direction=1, pen=29305, element=2, packets=1):
    fields = list(FIELDS.items()) + [(239, 1), (pen, element, 8)]
    return ipfix(set_of(2, template(256, *fields)), set_of(256,
        u(*((n, VALUES[e]) for e, n in FIELDS.items()), (1, direction),
            (8, packets))))


# ---- the rules ----------------------------------------------------------

RIGHT = {
    "a v1 message": [v1()],
    "v5 messages": [v5(), v5(2, [v5_record(), v5_record()], sequence=1),
        v5(sequence=3)],
    "v9 messages": [v9(2, *flow(False)), v9(1, flow(False)[1], sequence=1)],
    "v9 options": [v9(2, set_of(1, V9_SAMPLING), set_of(512, u((4, 0),
        (4, 10), (1, 1))))],
    "IPFIX messages": [ipfix(*flow()), ipfix(flow()[1], sequence=1),
        ipfix(set_of(3, SAMPLING[0]), set_of(512, SAMPLING[1]), sequence=2),
        ipfix(flow()[1], sequence=3)],
    "two domains": [ipfix(*flow()), ipfix(*flow(), domain=2),
        ipfix(flow()[1], sequence=1)],
    "a span of time": [ipfix(set_of(3, options_template(513, 1, (149, 4),
        (164, 8), (323, 8), (323, 8))), set_of(513, u((4, 1), (8, 5), (8, 1),
        (8, 2))))],
    "a biflow": [biflow()],
    "two units": [ipfix(*flow(w150=4, w151=4))],
    "reduced sizes": [ipfix(*flow(w1=4, w2=3))],
    "names": name_of("köln".encode().ljust(16, b"\0")),
    "names of variable length": name_of(b"\x04eth0", 65535),
    "a long name of variable length": name_of(b"\xff\x01\x00" + b"x" * 256,
        65535),
    "an IPv6 record": [ipfix(*flow(without=(8, 12), w27=16, w28=16, e60=6))],
    "uptime with its start": [ipfix(*flow(without=(152, 153), w21=4, w22=4,
        w160=8, e160=NOW * 1000 - 9000))],
}



def nat_event(kind=4, time=NOW * 1000 - 1000, addresses=((8, 4),)):
    """The sets of one event of a NAT (RFC 8158)."""
    return (set_of(2, template(768, (323, 8), (230, 1), *addresses)), set_of(
        768, u((8, time), (1, kind), *((width, 1) for _, width in addresses))))


RIGHT["events of a NAT, which count in the sequence"] = [
    ipfix(*nat_event(), *flow()), ipfix(nat_event(5)[1], sequence=2)]

WRONG = {  # rule: messages that break it; in each list only the last is wrong
    "version": [[u((2, 7), (2, 1))], [b"\0"]],
    "short": [[v9(2, *flow(False))[:19]], [ipfix(*flow())[:15]],
        name_of(b"\x30eth0", 65535),
        [ipfix(set_of(2, u((2, 256), (2, 9), (2, 1), (2, 8))))]],
    "length": [[ipfix(*flow(), length=20)], [v5() + b"\0"], [v1() + b"\0"]],
    "count": [[v5(31, [v5_record()] * 31)], [v9(1, *flow(False))],
        [v9(3, *flow(False))], [v5(0, [])]],
    "sequence": [[v5(), v5(sequence=2)], [v9(2, *flow(False)), v9(1,
        flow(False)[1], sequence=2)], [ipfix(*flow(), sequence=1)],
        [ipfix(*flow()), ipfix(flow()[1], sequence=2)],
        [ipfix(set_of(3, SAMPLING[0]), set_of(512, SAMPLING[1])),
            ipfix(*flow())]],
    "clock": [[ipfix(flow()[0]), ipfix(flow()[0], time=NOW - 1)]],
    "nanoseconds": [[v5(nanoseconds=10**9)]],
    "sampling": [[v5(sampling=0x4064)]],
    "zero": [[v5(pad=1)], [v1(rest=1)]],
    "nothing": [[ipfix()], [v9(0)]],
    "set length": [[ipfix(set_of(2))], [ipfix(sub(flow()[0], 3, 99))]],
    "alignment": [[ipfix(set_of(2, template(256, (82, 1), (8, 4))), set_of(256,
        b"x" + u((4, 1)), pad=b""))]],
    "set id": [[ipfix(set_of(4, b"xxxx"))], [ipfix(set_of(0, template(256,
        (8, 4))))], [v9(0, set_of(2, template(256, (8, 4))))]],
    "padding": [[ipfix(flow()[0], set_of(256, flow()[1][4:-3],
        pad=b"\0\1\0"))], [ipfix(flow()[0], set_of(256, flow()[1][4:],
        pad=b"\0" * 4))], [ipfix(set_of(2, template(256, (8, 4)),
        pad=b"\0" * 8))]],
    "template id": [[ipfix(set_of(2, template(255, (8, 4))))],
        [ipfix(set_of(3, options_template(2, 1, (302, 8), (304, 2))))]],
    "fields": [[v9(1, set_of(0, template(256)))]],
    "withdrawal": [[ipfix(flow()[0]), ipfix(set_of(2, template(256)))]],
    "template changed": [[ipfix(flow()[0]), ipfix(flow(w1=4)[0])],
        [ipfix(flow()[0]), ipfix(set_of(3, options_template(256, 1,
            *FIELDS.items())))],
        [v9(1, flow(False)[0]), v9(1, flow(False, w1=4)[0], sequence=1)]],
    "template first": [[ipfix(flow()[1])], [v9(0, flow(False)[1])],
        [ipfix(*flow()), ipfix(flow()[1], domain=2)]],
    "element": [[ipfix(set_of(2, template(256, (105, 4))))],
        [v9(1, set_of(1, v9_options(512, 4, 4, (6, 4), (34, 4))))]],
    "enterprise": [[biflow(pen=6871)]],
    "reversible": [[biflow(element=148)]],
    "twice": [[ipfix(set_of(2, template(256, (8, 4), (8, 4))))],
        [ipfix(set_of(2, template(256, (323, 8), (323, 8))))]],
    "width": [[ipfix(set_of(2, template(256, field)))] for field in ((1, 9),
        (8, 3), (152, 4), (150, 8), (4, 2), (80, 8), (82, 0), (70, 4),
        (1, 65535))] + [[v9(1, set_of(0, template(256, field)))] for field in
        ((7, 4), (82, 65535))],
    "scope count": [[ipfix(set_of(3, options_template(512, scopes, (302, 8),
        (304, 2))))] for scopes in (0, 2)],
    "scope length": [[v9(1, set_of(1, v9_options(512, 4, 6, (1, 4), (34, 4)),
        pad=b"\0\0"))]],
    "scope": [[ipfix(set_of(3, options_template(512, 1, *fields)))] for fields
        in (((144, 4), (41, 8)), ((149, 4), (166, 8)), ((149, 4), (305, 4)),
        ((149, 4), (82, 16)))] + [[v9(1, set_of(1, v9_options(512, 4, 4,
        (1, 4), (82, 16))))]],
    "no record": [[ipfix(flow()[0], set_of(256, b"\0\0\0", pad=b"\0"))]],
    "text": [name_of(text.ljust(16, b"\0")) for text in (b"\xff\xfe", b"a\0b",
        "köln".encode()[:2])],
    "time": [[ipfix(*flow(without=(152, 153), w154=8, w155=8,
        e154=NOW + 2208988799 << 32, e155=(NOW + 2208988799 << 32) + 1))]],
    "pair": [[ipfix(*flow(without=(153,)))], [ipfix(*flow(w150=4, w151=4,
        e151=NOW - 3, e150=NOW - 3))], [v9(2, *flow(False, without=(21,)))]],
    "uptime": [[v5(last=10001)], [v1(last=10001)], [ipfix(*flow(without=(152,
        153), w21=4, w22=4))], [v9(2, *flow(False, e21=10001), uptime=10000)]],
    "order": [[v5(first=2001)], [ipfix(*flow(e152=VALUES[153] + 1))],
        [v9(2, *flow(False, e22=2001))]],
    "future": [[ipfix(*flow(e153=NOW * 1000 + 1000))],
        [ipfix(*flow(without=(152, 153), w150=4, w151=4, e151=NOW + 1))]],
    "packets": [[v5(packets=0)], [ipfix(*flow(e2=0))], [biflow(packets=0)]],
    "reason": [[ipfix(*flow(e136=n))] for n in (0, 6)],
    "ip version": [[ipfix(*flow(e60=6))]],
    "icmp": [[ipfix(*flow(w32=2, e32=8))]],
    "biflow": [[biflow(direction=0)], [biflow(direction=4)],
        [ipfix(*flow(e239=0))]],
    "event": [[ipfix(*nat_event(n))] for n in (0, 19)],
    "event time": [[ipfix(*nat_event(time=t))] for t in (0, NOW * 1000 + 9000)],
    "event addresses": [[ipfix(*nat_event(addresses=a))] for a in ((),
        ((8, 4), (27, 16)))],
    "total": [[ipfix(set_of(3, EXPORTED), set_of(513, u((4, 1), (8, 5)))),
        ipfix(set_of(513, u((4, 1), (8, 4))), sequence=1)]],
}

OTHERS = {  # of another kind of session: rule: (kind, octets)
    "template again": ("stream", ipfix(*flow()) + ipfix(*flow(), sequence=1)),
    "withdrawal": ("stream", ipfix(*flow()) + ipfix(set_of(2, template(300)),
        sequence=1)),
    "template first": ("stream", ipfix(*flow()) + ipfix(set_of(2,
        template(256)), flow()[1], sequence=1)),
    "short": ("stream", ipfix(*flow()) + ipfix(*flow())[:10]),
    "length": ("stream", ipfix(*flow())[:-4]),
}


def broken(session):
    """The rules that were broken."""
    return {error.split(": ")[1] for error in session.errors}


def accepts_what_is_right():
    for name, messages in RIGHT.items():
        session = Session().feed_all(messages)
        equal(name + ": no rule is broken", session.errors, [])
        equal(name + ": each message counts", session.messages, len(messages))
        check(name + ": it is decoded", session.records or session.options)
    for kind in ("stream", "file"):
        session = Session(kind=kind).feed_stream(ipfix(*flow()) + ipfix(
            flow()[1], sequence=1) + ipfix(set_of(2, template(256)),
            sequence=2) + ipfix(flow(w1=4)[0], sequence=2))
        equal(kind + ": no rule is broken", (session.errors,
            len(session.records), session.messages), ([], 2, 4))
    session = Session(kind="stream").feed_stream(v9(2, *flow(False)) + v9(1,
        flow(False)[1], sequence=1))
    equal("v9 in a stream: no rule is broken", (session.errors,
        len(session.records), session.messages), ([], 2, 2))


def names_each_rule_that_is_broken():
    for rule, cases in WRONG.items():
        for number, messages in enumerate(cases):
            session = Session().feed_all(messages[:-1])
            equal("%s, %d: nothing is wrong before" % (rule, number),
                session.errors, [])
            equal("%s, %d: it is told" % (rule, number),
                rule in broken(session.feed_all(messages[-1:])), True)
    for rule, (kind, octets) in OTHERS.items():
        session = Session(kind=kind).feed_stream(octets)
        check("%s in a %s: it is told" % (rule, kind), rule in
            broken(session), session.errors)
    equal("each rule is tried", set(RULES) - set(WRONG) - set(OTHERS), set())


def tells_one_fault_as_one():
    """What breaks one rule is not drowned in the breach of others."""
    for rule in ("sequence", "clock", "template changed", "twice", "scope",
            "text", "order", "future", "packets", "reason", "total", "width",
            "alignment", "withdrawal", "uptime", "icmp"):
        for number, messages in enumerate(WRONG[rule]):
            equal("%s, %d: only that" % (rule, number),
                broken(Session().feed_all(messages)), {rule})


def any_octet_wrong():
    """No damage to a message stops the decoder or goes on for ever."""
    for name, messages in RIGHT.items():
        whole = b"".join(messages)
        for at in range(len(whole)):
            for kind in ("udp", "stream"):
                session = Session(kind=kind)
                octets = sub(whole, at, whole[at] ^ 0xff)
                if kind == "udp":
                    session.feed(octets)
                else:
                    session.feed_stream(octets)
    check("a damaged octet anywhere is survived", True)


def streams_and_files():
    octets = ipfix(*flow()) + ipfix(flow()[1], sequence=1)
    with StreamCollector() as collector:
        for part in (octets, octets[:30]):
            with socket.create_connection(("127.0.0.1", collector.port)) as s:
                s.sendall(part[:7])
                s.sendall(part[7:])
            e2e.wait_for(lambda: collector.streams and
                collector.streams[-1] == part)
    equal("a session over TCP has its octets", collector.streams, [octets,
        octets[:30]])
    whole, cut = collector.decoded()
    equal("a session over TCP is decoded", (whole.errors, len(whole.records)),
        ([], 2))
    check("one that ends in a message is told", cut.errors)
    with open(e2e.path("flows.ipfix"), "wb") as f:
        f.write(octets)
    session = read_file(e2e.path("flows.ipfix"))
    equal("an IPFIX file is decoded", (session.errors, len(session.records)),
        ([], 2))


if __name__ == "__main__":
    e2e.main([accepts_what_is_right, names_each_rule_that_is_broken,
        tells_one_fault_as_one, any_octet_wrong, streams_and_files])

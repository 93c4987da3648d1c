#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
fuzz_seeds.py - seeds for tests/fuzz_decode.c: frames of the real captures.

	tests/fuzz_seeds.py DIRECTORY

A seed is two octets, the link type's place in the target's list and how the
frame was cut off (not at all), and then the frame.  Of each capture file the
first frame of each length is taken.
"""
import os
import re
import struct
import sys

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PCAP = os.path.join(TREE, "tests", "pcap")
FRAMES_MAX = 16  # of one file


def links():
    """The link types that the target knows, in its order."""
    with open(os.path.join(TREE, "tests", "fuzz_decode.c"),
            encoding="ascii") as source:
        listed = re.search(r"links\[\] = \{(.*?)\}", source.read(), re.S)
    return [int(n) for n in listed[1].split(",")]


def frames(octets):
    """(link type, frame) of a classic capture file; none of another."""
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<",
        b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(octets[:4])
    if order is None:
        return
    link = struct.unpack(order + "I", octets[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(octets):
        length = struct.unpack(order + "I", octets[at + 8:at + 12])[0]
        yield link, octets[at + 16:at + 16 + length]
        at += 16 + length


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    known = links()
    for name in sorted(os.listdir(PCAP)):
        with open(os.path.join(PCAP, name), "rb") as capture:
            found = {}
            for link, frame in frames(capture.read()):
                found.setdefault(len(frame), (link, frame))
        for n, (link, frame) in enumerate(list(found.values())[:FRAMES_MAX]):
            if link in known:
                with open(os.path.join(sys.argv[1], "%s-%d" % (name, n)),
                        "wb") as seed:
                    seed.write(bytes([known.index(link), 0]) + frame)


if __name__ == "__main__":
    main()

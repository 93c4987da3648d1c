# SPDX-License-Identifier: ISC
"""
openmetrics.py - metrics as a strict scraper sees them: OpenMetrics 1.0, and
the text format of Prometheus as softprobe writes it, whose metadata names a
counter with its _total.  It shares nothing with softprobe's table.
"""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SUFFIX = {  # of each type that is used here
    "counter": "_total",
    "gauge": "",
    "info": "_info",
}
META = re.compile(r"# (HELP|TYPE|UNIT) (%s)(?: (.*))?\Z" % NAME, re.S)
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)\Z" % NAME, re.S)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\Z)')
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Family:
    """A metric family: what is said about it, and {labels: value}."""

    def __init__(self, name):
        self.name = name
        self.meta = {}
        self.samples = {}

    def value(self, **labels):
        """The one sample with these labels among its own; None if there is
        none."""
        found = [v for key, v in self.samples.items()
            if set(labels.items()) <= set(key)]
        return found[0] if len(found) == 1 else None

    def sum(self):
        return sum(self.samples.values())


def labels_of(text):
    """The labels between braces, in order; ValueError if they are none."""
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or (match[3] == "," and match.end() == len(text)):
            raise ValueError("labels: " + text)
        found.append((match[1], re.sub(r'\\["\\n]',
            lambda m: ESCAPES[m[0]], match[2])))
        at = match.end()
    if len({name for name, _ in found}) != len(found):
        raise ValueError("a label twice: " + text)
    return tuple(found)


class Page:
    """All families of a page, and every rule that it breaks."""

    def __init__(self, octets, prometheus=False):
        self.prometheus = prometheus
        self.family = {}
        self.errors = []
        self.last = None
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError as error:
            self.errors.append("not UTF-8: %s" % error)
            text = octets.decode("utf-8", "replace")
        lines = text.split("\n")
        if lines[-2:] != ["# EOF", ""]:
            self.errors.append("does not end with # EOF: %r" % lines[-2:])
        for line in lines[:-2]:
            try:
                self._line(line)
            except ValueError as error:
                self.errors.append("%s in %r" % (error, line))
        for family in self.family.values():
            self._settle(family)

    def _line(self, line):
        meta = META.match(line)
        if meta:
            self._meta(*meta.groups())
            return
        match = SAMPLE.match(line)
        if not match or line.startswith("#"):
            raise ValueError("neither metadata nor a sample")
        self._sample(match[1], labels_of(match[2] or ""), match[3])

    def _meta(self, kind, name, text):
        if self.last is None or self.last.name != name:
            if name in self.family:
                raise ValueError("a family in two pieces")
            self.last = self.family[name] = Family(name)
        if kind in self.last.meta:
            raise ValueError("said twice")
        if self.last.samples:
            raise ValueError("said after its samples")
        if not text or re.search(r"\\[^\\n\"]|\\\Z", text):
            raise ValueError("no text, or a wrong escape")
        self.last.meta[kind] = text

    def _sample(self, name, labels, number):
        family = self.last
        kind = family.meta.get("TYPE") if family else None
        wanted = family.name if family else ""
        if kind not in SUFFIX:
            raise ValueError("no known type before it")
        if not self.prometheus:
            wanted += SUFFIX[kind]
        if name != wanted:
            raise ValueError("its family is " + wanted)
        if not NUMBER.match(number):
            raise ValueError("not a number")
        value = float(number) if "." in number else int(number)
        if not math.isfinite(value):
            raise ValueError("no such number")
        if kind == "counter" and value < 0:
            raise ValueError("a counter below 0")
        if kind == "info" and value != 1:
            raise ValueError("info is 1")
        key = tuple(sorted(labels))
        if key in family.samples:
            raise ValueError("labels twice")
        family.samples[key] = value

    def _settle(self, family):
        """What can be said of a whole family."""
        kind, unit = family.meta.get("TYPE"), family.meta.get("UNIT")
        name = family.name
        if "HELP" not in family.meta or kind is None:
            self.errors.append(name + ": no HELP or no TYPE")
        if self.prometheus:
            name = name[:-6] if kind == "counter" and name.endswith(
                "_total") else name
            if kind == "counter" and name == family.name:
                self.errors.append(name + ": a counter without _total")
        elif re.search(r"_(total|info|created|bucket|count|sum)\Z", name):
            self.errors.append(name + ": a name that ends with a suffix")
        if unit is not None and not name.endswith("_" + unit):
            self.errors.append(name + ": does not end with its unit")
        if len({tuple(n for n, _ in key) for key in family.samples}) > 1:
            self.errors.append(name + ": labels differ from sample to sample")

    def named(self, name):
        """The family softprobe_NAME in either format; None if none."""
        return next((self.family[key] for key in ("softprobe_" + name + suffix
            for suffix in SUFFIX.values()) if key in self.family), None)

    def value(self, name, **labels):
        """A sample; None if there is not exactly one with these labels."""
        family = self.named(name)
        return None if family is None else family.value(**labels)

    def sum(self, name):
        return self.named(name).sum()

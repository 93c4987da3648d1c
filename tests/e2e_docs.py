#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_docs.py - docs/conformance.md and docs/contract.md say what is so: each
rule and each promise names a test that is there and is run, or says why there
is none; and the tests that other texts name are there.
"""
import ast
import glob
import os
import re

import e2e
from e2e import check, equal
from session import RULES

TESTS = os.path.join(e2e.TREE, "tests")
REASON = re.compile(r"not (supported|tested)( yet)?: \w.{20,}")
PEERS = ["M%d" % n for n in range(1, 29)]


def rows(document="conformance.md"):
    """The rows of all tables, as lists of cells, without their heads."""
    with open(os.path.join(e2e.TREE, "docs", document),
            encoding="utf-8") as f:
        lines = f.read().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|") and not line.startswith("|--") and not (
                number + 1 < len(lines) and lines[number + 1][:3] == "|--"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def functions(path):
    """The functions of a Python test that its main() may run."""
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    defined = {node.name for node in tree.body if isinstance(node,
        ast.FunctionDef)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return defined & used


def units(path):
    """The unit tests of a C file that its main() runs."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    defined = set(re.findall(r"^UNIT\((\w+)\)", text, re.M))
    return defined & set(re.findall(r"\w+", text[text.index("UNIT_MAIN("):]))


def tests():
    """All that a row can name."""
    names = {"session." + rule for rule in RULES}
    for path in glob.glob(TESTS + "/e2e_*.py"):
        module = os.path.basename(path)[:-3]
        names |= {module + "." + name for name in functions(path)}
    for path in glob.glob(TESTS + "/test_*.c"):
        module = os.path.basename(path)[:-2]
        names |= {module + "." + name for name in units(path)}
    return names


def check_rows(document):
    """Check each row; returns how many tests and reasons they name."""
    there = tests()
    count = 0
    for cells in rows(document):
        said = " ".join(cells[:-1])
        named = re.findall(r"`([^`]+)`", cells[-1])
        if REASON.match(cells[-1]):
            count += 1
            continue
        check(said + ": names a test or a reason", named)
        for name in named:
            count += 1
            check("%s: there is %s" % (said, name), name in there)
    return count


def each_rule_has_a_test_or_a_reason():
    count = check_rows("conformance.md")
    check("the tables are read", count > 100, count)


def each_promise_has_a_test_or_a_reason():
    check_rows("contract.md")
    numbers = [cells[0] for cells in rows("contract.md")]
    equal("each of the 29 promises is listed once, in order",
        [n for n in numbers if n.isdigit()], [str(n) for n in range(1, 30)])


def each_peers_fault_has_a_row():
    listed = [cells[0] for cells in rows() if re.match(r"M\d", cells[0])]
    equal("each fault seen elsewhere is listed once, in order", listed, PEERS)


def each_test_that_a_text_names_is_there():
    """As "e2e_modes.py", or as "e2e_modes.py name_of_a_function"."""
    count = 0
    for path in glob.glob(os.path.join(e2e.TREE, "docs", "*.md")):
        with open(path, encoding="utf-8") as f:
            found = re.findall(r"\b((?:e2e|interop)_\w+\.py)(?:\s+(\w+_\w+))?",
                f.read())
        for name, function in found:
            count += 1
            test = os.path.join(TESTS, name)
            check("%s: there is %s %s" % (os.path.basename(path), name,
                function), os.path.exists(test) and (not function or
                function in functions(test)))
    check("texts name tests", count > 10, count)


if __name__ == "__main__":
    e2e.main([each_rule_has_a_test_or_a_reason,
        each_promise_has_a_test_or_a_reason, each_peers_fault_has_a_row,
        each_test_that_a_text_names_is_there])

# SPDX-License-Identifier: ISC
"""
e2e_fuzz.py - each fuzz target for a moment, under the sanitizers, so that none
of them rots and hostile input is looked at in every run of the tests.

`make fuzz FUZZ_SECONDS=N` is the long form.
"""
import os
import re
import subprocess

import e2e

SECONDS = "1"


def each_target_finds_nothing():
    if e2e.SANITIZED:
        e2e.skip("fuzz targets", "`make fuzz` runs them")
        return
    targets = e2e.make_value("FUZZERS")
    ran = subprocess.run(["tests/fuzz.sh"] + targets, cwd=e2e.TREE,
        env=dict(os.environ, FUZZ_SECONDS=SECONDS, FUZZ_JOBS="2", FUZZ_OPT="-O1"), capture_output=True,
        text=True)
    for target in targets:
        name = target.split("fuzz_")[1]
        seen = re.search("fuzz: %s: ([0-9]+) executions, no finding" % name,
            ran.stdout)
        e2e.check("fuzz target %s finds nothing" % name,
            seen and int(seen[1]) > 0, ran.stdout + ran.stderr)


if __name__ == "__main__":
    e2e.main([each_target_finds_nothing])

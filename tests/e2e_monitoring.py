#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_monitoring.py - the alerts, the dashboard and the page about them name
metrics that a running probe has, and Prometheus' own tool accepts them.
"""
import json
import os
import re
import subprocess

import e2e
from collect import Collector
from e2e import check, equal, need
from e2e_control import OnLo
from openmetrics import Page

DOCS = os.path.join(e2e.TREE, "docs")
RULES = os.path.join(DOCS, "softprobe.rules.yml")
METRIC = re.compile(r"\bsoftprobe_[a-z_]+")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def dashboard():
    return json.loads(read(os.path.join(DOCS, "grafana.json")))


def expressions():
    return [target["expr"] for panel in dashboard()["panels"]
        for target in panel["targets"]]


def promtool(*words):
    return subprocess.run(["promtool", *words], stdin=subprocess.DEVNULL,
        capture_output=True, timeout=e2e.SECONDS)


def alerts_and_dashboard_name_metrics_that_there_are():
    with Collector() as collector, OnLo("-n", collector.name) as run:
        _, text, _ = run.ask("metrics", "prometheus")
        page = Page(text.encode(), prometheus=True)
        run.ask("exit")
        run.wait(20)
    check("the probe has metrics", len(page.family) > 50, text[:300])
    named = {
        "alerts": METRIC.findall(read(RULES)),
        "dashboard": METRIC.findall("\n".join(expressions()) +
            json.dumps(dashboard()["templating"])),
        "page": METRIC.findall(read(os.path.join(DOCS, "monitoring.md"))),
    }
    for what, names in named.items():
        check("the %s names metrics" % what, len(names) > 5, names)
        equal("the %s names none that is not there" % what,
            sorted(set(names) - set(page.family)), [])


def promtool_accepts_the_alerts():
    if not need("alerts by promtool", "promtool"):
        return
    done = promtool("check", "rules", RULES)
    check("promtool check rules", done.returncode == 0 and
        b"rules found" in done.stdout, done)
    done = promtool("test", "rules", os.path.join(e2e.TREE, "tests",
        "softprobe.rules.test.yml"))
    check("each alert comes when it is due, and none where all is well",
        done.returncode == 0 and b"SUCCESS" in done.stdout, done)


def each_alert_is_tested():
    names = re.findall(r"- alert: (\w+)", read(RULES))
    text = read(os.path.join(e2e.TREE, "tests", "softprobe.rules.test.yml"))
    check("there are alerts", len(names) > 10, names)
    for name in names:
        equal(name + " is tested where it is due and where it is not",
            len(re.findall(r"alertname: %s\b" % name, text)), 2)


def the_dashboard_is_whole():
    panels = dashboard()["panels"]
    equal("panels have numbers of their own", len({p["id"] for p in panels}),
        len(panels))
    cells = [(x, y) for p in panels for x in range(p["gridPos"]["x"],
        p["gridPos"]["x"] + p["gridPos"]["w"]) for y in range(
        p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]
    check("panels do not overlap, and are 24 wide", len(set(cells)) ==
        len(cells) and max(x for x, _ in cells) < 24)
    for p in panels:
        check("panel %s says what it shows" % p["title"], p["description"] and
            p["fieldConfig"]["defaults"]["unit"] and p["targets"] and
            p["datasource"]["uid"] == "${datasource}", p)


def promtool_accepts_the_expressions():
    """As rules, since promtool has no other way; variables filled in."""
    if not need("expressions by promtool", "promtool"):
        return
    path = e2e.path("expressions.yml")
    with open(path, "w", encoding="ascii") as f:
        f.write("groups:\n- name: dashboard\n  rules:\n")
        for number, text in enumerate(expressions()):
            f.write("  - record: panel:%d\n    expr: %s\n" % (number,
                json.dumps(text.replace("$__rate_interval", "5m"))))
    done = promtool("check", "rules", path)
    check("each expression of the dashboard is one of Prometheus",
        done.returncode == 0, done)


if __name__ == "__main__":
    tests = [each_alert_is_tested, promtool_accepts_the_alerts,
        the_dashboard_is_whole, promtool_accepts_the_expressions]
    if e2e.private_network("metrics that alerts name"):
        tests += [alerts_and_dashboard_name_metrics_that_there_are]
    e2e.main(tests)

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The alert rules by promtool's own unit tests, and rules, dashboard and families against one another: every
metric that a rule or a panel names exists, every rule is tried.

Usage: B=build tests/service/exporter/rules.py
"""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

B = Path(os.environ.get("B", "build"))
RULES = Path("duned/exporter/dune.rules.yml")
TESTS = Path("tests/service/exporter/dune.rules.test.yml")
DASHBOARD = Path("duned/exporter/dashboard.json")
passed, failed, skipped = 0, 0, 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAIL rules: {what}")


def existing():
    """Every series name that the exporter can ever show, from the table of families."""
    text = Path("duned/exporter/families.c").read_text(encoding="utf-8")
    table = text[text.index("const struct family families[]"):]
    names = set()
    for macro, name, rest in re.findall(r'\b([CMSGO])\("(\w+)",\s*(\w*)', table):
        counter = macro == "C" or rest == "COUNTER"
        names.add(name + ("_total" if counter else ""))
    names.update(name + "_info" for name in re.findall(r'\.name = "(\w+)", \.type = FAMILY_INFO', table))
    return names


def named(expression):
    """The metrics that a PromQL expression names."""
    bare = re.sub(r'"[^"]*"|\$\w+|\{[^{}]*\}|\[[^\]]*\]', " ", expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    return {word for word in re.findall(r"[a-zA-Z_]\w*(?!\w|\s*\()", bare)
            if word not in ("and", "or", "unless", "bool", "offset", "by", "without", "e")}


def check_rules(names):
    result = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True,
                            check=False)
    check(result.returncode == 0, result.stdout + result.stderr)
    result = subprocess.run(["promtool", "test", "rules", TESTS.name], cwd=TESTS.parent,
                            capture_output=True, text=True, check=False)
    check(result.returncode == 0 and "SUCCESS" in result.stdout + result.stderr,
          result.stdout + result.stderr)
    text = RULES.read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", text)
    tested = TESTS.read_text(encoding="utf-8")
    check(len(alerts) >= 8, f"only {len(alerts)} alerts found")
    for alert in alerts:
        check(f"alertname: {alert}\n" in tested, f"{alert} is not tried")
        for part in ("summary", "description", "severity"):
            body = text[text.index(f"- alert: {alert}\n"):].split("- alert: ")[1]
            check(f"{part}:" in body, f"{alert} has no {part}")
    expressions = re.findall(r"expr: (?:>-\n)?((?:.+\n)(?: {10,}.+\n)*)", text)
    check(len(expressions) == len(alerts), f"{len(expressions)} expressions of {len(alerts)} alerts")
    for expression in expressions:
        for metric in named(expression):
            check(metric in names | {"up"}, f"a rule names {metric}, which nobody shows")


def check_dashboard(names):
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    check(len(panels) >= 8, f"only {len(panels)} panels")
    check(len({panel["id"] for panel in board["panels"]}) == len(board["panels"]), "ids are unique")
    for panel in panels:
        title = panel["title"]
        check(panel.get("description"), f"{title}: no description")
        check(panel["fieldConfig"]["defaults"].get("unit"), f"{title}: no unit")
        check(panel["targets"], f"{title}: no query")
        for target in panel["targets"]:
            metrics = named(target["expr"])
            check(metrics and metrics <= names, f"{title}: {metrics - names} do not exist")
            check("$instance" in target["expr"], f"{title}: not for the chosen host")
    used = {metric for panel in panels for target in panel["targets"]
            for metric in named(target["expr"])}
    for metric in ("dune_up", "dune_vm_exits_total", "dune_contexts", "dune_quota_contexts_used",
                   "dune_context_ends_total"):
        check(metric in used, f"no panel shows {metric}")


def main():
    global skipped
    names = existing()
    check(len(names) > 40, f"only {len(names)} families found")
    if shutil.which("promtool"):
        check_rules(names)
    else:
        skipped += 1
        print("SKIP rules: no promtool (apt-get install prometheus)")
    check_dashboard(names)
    print(f"rules: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

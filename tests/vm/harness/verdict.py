# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decides what a finished machine has shown. Pure: text in, outcome out. Whatever is not clearly a
success is a failure."""
import re
from dataclasses import dataclass

# Complaints of the kernel or of the module: any of them fails a case, whatever its script said.
COMPLAINTS = re.compile(
    r"Kernel panic|\bBUG: |\] WARNING: |Oops: |general protection fault|kernel BUG at|"
    r"rcu: INFO:|rcu_\w+ (?:self-)?detected (?:stall|expedited stalls)|soft lockup|hard LOCKUP|"
    r"hung_task|blocked for more than \d+ seconds|scheduling while atomic|"
    r"INFO: possible |Call Trace:|dune: assertion|UBSAN:|KASAN:|unreferenced object")
# After this the kernel never comes back: no reason to wait for the time-out.
DEAD = re.compile(r"---\[ end Kernel panic")

PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"


@dataclass(frozen=True)
class Outcome:
    kind: str
    reason: str = ""


def complaint(serial):
    """The most telling complaint: a panic names the cause better than a trace does."""
    lines = [line for line in serial.splitlines() if COMPLAINTS.search(line)]
    lines.sort(key=lambda line: "Kernel panic" not in line)
    return re.sub(r"^\[[ \d.]+\] ", "", lines[0]).strip() if lines else ""


def _emulator(log):
    found = re.search(r">>PANIC<< (.*)", log)
    return f" (emulator: {found.group(1).strip()})" if found else ""


def judge(serial, result, bochs_log, timed_out):
    """The outcome of a case. timed_out: what took too long, "" if nothing did."""
    lines = result.splitlines()
    words = dict((line.split(" ", 1) + [""])[:2] for line in lines if line)
    wrong = complaint(serial)
    if wrong:
        return Outcome(FAIL, wrong)
    if "fail" in words:
        return Outcome(FAIL, words["fail"])
    if timed_out:
        return Outcome(FAIL, timed_out)
    if "end" not in words:
        return Outcome(FAIL, "the machine stopped before the case ended" + _emulator(bochs_log))
    if words["end"] != "0":
        return Outcome(FAIL, f"exit status {words['end']}")
    if "skip" in words:
        return Outcome(SKIP, words["skip"])
    if "pass" not in words:
        return Outcome(FAIL, "no success marker")
    return Outcome(PASS)


def against(expect, outcome):
    """Turns the outcome of a case that tests the harness round: it has to be this failure."""
    if expect == "pass":
        return outcome
    text = expect.partition(":")[2].strip()
    if outcome.kind != PASS and text in outcome.reason:
        return Outcome(PASS)
    got = f"{outcome.kind} {outcome.reason}".strip()
    return Outcome(FAIL, f"the harness reported `{got}', not a failure with `{text}'")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of cases (cases.cfg): parsed strictly, an unknown key or value is an error."""
import configparser
import re
from dataclasses import dataclass

from .paths import VM, HarnessError

TABLE = VM / "cases.cfg"
CPUS = ("haswell_4770", "broadwell_ult", "skylake_x")
MAX_SMP = 2             # Bochs crawls with more
MAX_MEMORY_MB = 2560    # the emulator's devices begin at 3 GB
MAX_NODES = 2
MAX_TIMEOUT = 7200


@dataclass(frozen=True)
class Case:
    name: str
    smp: int = 1
    smt: bool = False           # the CPUs are threads of one core
    cpu: str = "skylake_x"
    timeout: int = 60           # seconds of wall time after the boot
    memory: int = 256           # MB
    nodes: int = 1              # of memory (NUMA)
    needs: tuple = ("vmx",)     # CPU flags; without them a case is skipped, never passed
    uses: tuple = ()            # paths in the machine; without them a case fails
    run: str = ""               # command in the machine; default: the script cases/NAME.sh
    cmdline: str = ""           # more kernel arguments
    tracefs: bool = False       # whether the kernel has its tracer's files (costs 1 s)
    manual: bool = False        # whether it runs only when it is named
    kaslr: bool = False         # whether kernel and direct map are somewhere else than usual
    expect: str = "pass"        # "fail: TEXT": passes if the harness reports a failure with TEXT

    def text(self):
        """All that the case says it does: the manifest's for=WORD is looked up in it."""
        texts = [" ".join(self.uses), self.run or f"/cases/{self.name}.sh"]
        scripts = set()
        for text in texts:      # grows: a script may name another one
            for script in set(re.findall(r"/cases/([\w.-]+\.sh)", text)) - scripts:
                scripts.add(script)
                path = VM / "cases" / script
                texts.append(path.read_text() if path.exists() else "")
        return "\n".join(texts)


def _number(low, high):
    def parse(text):
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"{value} is not in {low}..{high}")
        return value
    return parse


def _one_of(*names):
    def parse(text):
        if text not in names:
            raise ValueError(f"{text} is not one of {', '.join(names)}")
        return text
    return parse


def _command(text):
    if '"' in text:
        raise ValueError("no double quotes: the kernel's command line has no way to say them")
    return text


def _expect(text):
    if text != "pass" and not (text.startswith("fail:") and text[5:].strip()):
        raise ValueError("want `pass` or `fail: TEXT`")
    return text


KEYS = {
    "smp": _number(1, MAX_SMP),
    "smt": lambda text: _one_of("yes", "no")(text) == "yes",
    "cpu": _one_of(*CPUS),
    "timeout": _number(1, MAX_TIMEOUT),
    "memory": _number(128, MAX_MEMORY_MB),
    "nodes": _number(1, MAX_NODES),
    "needs": lambda text: tuple(text.split()),
    "uses": lambda text: tuple(text.split()),
    "run": _command,
    "cmdline": str,
    "tracefs": lambda text: _one_of("yes", "no")(text) == "yes",
    "manual": lambda text: _one_of("yes", "no")(text) == "yes",
    "kaslr": lambda text: _one_of("yes", "no")(text) == "yes",
    "expect": _expect,
}


def _parse(name, section):
    values = {}
    for key, text in section.items():
        if key not in KEYS:
            raise HarnessError(f"{TABLE}: [{name}]: unknown key {key}")
        try:
            values[key] = KEYS[key](text)
        except ValueError as error:
            raise HarnessError(f"{TABLE}: [{name}]: {key}: {error}") from error
    case = Case(name=name, **values)
    if not case.run and not (VM / "cases" / f"{name}.sh").exists():
        raise HarnessError(f"{TABLE}: [{name}]: neither `run` nor cases/{name}.sh")
    return case


def load():
    """All cases, in the table's order, by name."""
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    try:
        parser.read_string(TABLE.read_text(), str(TABLE))
    except configparser.Error as error:
        raise HarnessError(str(error)) from error
    return {name: _parse(name, parser[name]) for name in parser.sections()}

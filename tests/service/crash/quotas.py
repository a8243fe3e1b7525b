# SPDX-License-Identifier: LGPL-2.1-or-later
"""What quotas there are, by files and by calls, and who changes them. A rule set is a dictionary from (scope, name) to
maxima by resource. Knows which sets may be in force after a call that got no answer, and accepts no other."""
import os
import random
import re
import signal
import subprocess
import threading
import time

from connection import PATIENCE_S, Connection, Dropped, Wrong
from user import FIRST_UID

UNLIMITED = -1                  # in calls, and here
KEYS = {"contexts": "contexts", "vcpus": "vcpus", "private": "private_pages", "ept": "ept_pages",
        "create-rate": "create_rate"}
RESOURCES = list(KEYS.values())
SUMS = RESOURCES[:4]
# Of users that have contexts: may stand in their way, but leave room for two, and are below what one context can ask.
FOR_USERS = {"contexts": (6, 200), "vcpus": (20, 99), "private_pages": (200, 65280), "ept_pages": (2000, 261120),
             "create_rate": (60000, 1000000)}
# Of everything that holds for all: never in the way.
FOR_ALL = {"contexts": (1000, 16384), "vcpus": (10000, 100000), "private_pages": (100000, 9000000),
           "ept_pages": (100000, 9000000), "create_rate": (400000, 1000000)}
# Of those who are not there: anything.
FOR_NOBODY = {"contexts": (0, 16384), "vcpus": (0, 100000), "private_pages": (0, 9000000), "ept_pages": (0, 9000000),
              "create_rate": (1, 1000000)}
ABSENT = 40                     # users, groups and cgroups each
MOST_PIPELINED = 4
# What a file always says, before random rules.
CONFIG = """[context]
private-max = 256M
ept-max = 1G
"""
ALWAYS = {("host", None): {"contexts": 1000},
          ("user", None): {"contexts": 200, "vcpus": 99, "private_pages": 65280, "ept_pages": 261120}}
WRONG_END = "[quota user]\ncreate-rate = 7 apples\n"


def number_of(text):
    """Of a file: memory in pages of 4K, else a count."""
    if text == "unlimited":
        return UNLIMITED
    digits, unit = re.fullmatch("([0-9]+)([KMG]?)", text).groups()
    return int(digits) * {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit] // (4096 if unit else 1)


def parse(text):
    """The rules of a file, and in which line each maximum stands; a reader of our own, to check duned's."""
    rules, lines, rule = {}, {}, None
    for number, line in enumerate(text.splitlines(), 1):
        section = re.fullmatch(r"\[quota (\S+)(?: (\S+))?\]", line)
        assignment = re.fullmatch("(\\S+) = (\\S+)", line)
        if section:
            rule = section.groups()
        elif line.startswith("["):
            rule = None
        elif rule and assignment and assignment[1] in KEYS:
            resource = KEYS[assignment[1]]
            if resource in rules.setdefault(rule, {}):
                raise Wrong(f"{rule} {resource} stands twice in:\n{text}")
            rules[rule][resource] = number_of(assignment[2])
            lines[(*rule, resource)] = number
        elif rule and line and line[0] != "#":
            raise Wrong(f"line {number}, {line!r}, is nothing in:\n{text}")
    return rules, lines


def format_rules(rules):
    names = {resource: key for key, resource in KEYS.items()}
    text = ""
    for (scope, name), maxima in rules.items():
        text += f"[quota {scope}{' ' + name if name else ''}]\n"
        for resource, maximum in maxima.items():
            unit = "K" if resource.endswith("_pages") else ""
            value = "unlimited" if maximum == UNLIMITED else f"{maximum * 4 if unit else maximum}{unit}"
            text += f"{names[resource]} = {value}\n"
    return text


class Quotas:
    """What may be in force. `states`: of the file of quotas set at run time, the first before all unanswered calls."""

    def __init__(self, folder, duned):
        self.config = str(folder / "duned.conf")
        self.state = str(folder / "state")
        self.file = self.state + "/quotas.conf"
        self.duned = duned
        self.states = [{}]
        self.unanswered = self.unanswered_done = 0
        self.configured, self.lines = {}, {}
        os.mkdir(self.state)
        self.configure({})

    def write_config(self, text):
        with Connection.uid_lock:       # a client that connects is another user meanwhile
            with open(self.config + ".new", "w", encoding="ascii") as file:
                file.write(text)
            os.rename(self.config + ".new", self.config)

    def configure(self, rules):
        """The file, which holds from the next start or Reload on."""
        together = {key: {**ALWAYS.get(key, {}), **rules.get(key, {})} for key in [*ALWAYS, *rules]}
        self.text = CONFIG + format_rules(together)
        self.write_config(self.text)
        self.configured, self.lines = parse(self.text)

    def in_force(self):
        """{(scope, name, resource): (maximum, origin)}"""
        rules = {(*key, resource): (maximum, f"{self.config}:{self.lines[(*key, resource)]}")
                 for key, maxima in self.configured.items() for resource, maximum in maxima.items()}
        rules.update({(*key, resource): (maximum, "run-time")
                      for key, maxima in self.states[0].items() for resource, maximum in maxima.items()})
        return rules

    def check_file(self):
        """One of the sets that it may hold, wholly; which one is known from then on."""
        try:
            with open(self.file, encoding="ascii") as file:
                text = file.read()
        except FileNotFoundError:
            text = ""
        found, _ = parse(text)
        if found not in self.states:
            raise Wrong(f"none of the {len(self.states)} states that there can be, the first {self.states[0]}, is in "
                        f"the file:\n{text}")
        self.unanswered += len(self.states) - 1
        self.unanswered_done += self.states.index(found)
        self.states = [found]

    def check_parses(self):
        if not os.path.exists(self.file):
            return
        with Connection.uid_lock:
            done = subprocess.run([self.duned, "--check", self.file], check=False, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"duned --check: {done.stderr}")

    def check_in_force(self, connection):
        """What GetQuota says is what the files say, all of it. Returns the rows by (scope, name, resource)."""
        reply, _ = connection.call("GetQuota")
        rows = {(row["scope"], row.get("name"), row["resource"]): row for row in reply["parameters"]["rules"]}
        rules = self.in_force()
        for key in [*rules, *rows]:
            row = rows.get(key)
            # Of those who have contexts there are rows by the rule of everybody.
            wanted = rules.get(key) or (key[0] in ("user", "process") and rules.get((key[0], None, key[2])))
            if not row or (row.get("maximum", UNLIMITED), row["origin"]) != wanted:
                raise Wrong(f"{key} should be {wanted}: {row}")
        return rows

    def check(self, connection, workers, pid):
        """While nothing happens: also what is used."""
        promised = {str(worker.uid): worker.promised() for worker in workers}
        total = {resource: sum(sums[resource] for sums in promised.values()) for resource in SUMS}
        self.check_file()
        self.check_parses()
        rows = self.check_in_force(connection)
        for (scope, name, resource), row in rows.items():
            wanted = promised.get(name, {}).get(resource, 0) if scope == "user" else \
                total.get(resource) if scope == "host" or name == str(pid) else 0
            if resource in SUMS and "used" in row and row["used"] != wanted:
                raise Wrong(f"{wanted} should be used: {row}")
        missing = [(uid, resource) for uid in promised for resource in SUMS
                   if promised[uid]["contexts"] and "used" not in rows.get(("user", uid, resource), {})]
        if missing:
            raise Wrong(f"GetQuota says nothing of {missing}")


class Administrator(threading.Thread):
    """Root, who sets and resets quotas and has the configuration read again. The only one who changes files."""

    def __init__(self, storm, quotas):
        super().__init__(daemon=True)
        self.storm = storm
        self.quotas = quotas
        self.random = random.Random(storm.seed * 100 + 99)
        self.connection = None
        self.pid = None                 # of the instance that it is connected to
        self.operations = 0
        self.set = self.reloads = self.hangups = self.refused = 0

    # ---- random rules ----

    def pick_rule(self):
        """(scope, name), the name that a call says, and the bounds of its maxima"""
        number = self.random.randrange(ABSENT)
        return self.random.choice([
            (("host", None), None, FOR_ALL),
            (("process", None), None, FOR_ALL),
            (("user", None), None, FOR_USERS),
            *[(("user", str(worker.uid)), str(worker.uid), FOR_USERS) for worker in self.storm.workers],
            (("user", str(FIRST_UID + 1000 + number)), str(FIRST_UID + 1000 + number), FOR_NOBODY),
            (("group", str(FIRST_UID + number)), str(FIRST_UID + number), FOR_NOBODY),
            (("cgroup", f"/storm.slice/storm-{number}.slice"), f"storm-{number}.slice", FOR_NOBODY)])

    def pick_budget(self, bounds):
        resources = self.random.sample(RESOURCES, self.random.randint(1, len(RESOURCES)))
        return {resource: UNLIMITED if bounds is not FOR_USERS and self.random.random() < 0.2
                else self.random.randint(*bounds[resource]) for resource in resources}

    def pick_change(self, state):
        """Parameters of SetQuota, and what a state becomes by it."""
        if self.random.random() < 0.01:
            return {"reset": True}, {}
        key, name, bounds = self.pick_rule()
        reset = self.random.random() < 0.3
        budget = {} if reset and self.random.random() < 0.5 else self.pick_budget(bounds)
        parameters = {"scope": key[0], **({"name": name} if name else {}), **({"budget": budget} if budget else {}),
                      **({"reset": True} if reset else {})}
        rule = {**({} if reset else state.get(key, {})), **budget}
        after = {other: maxima for other, maxima in state.items() if other != key}
        return parameters, {**after, key: rule} if rule else after

    # ---- what it does ----

    def set_quotas(self):
        """Several, without waiting for answers: the service does them one after another."""
        calls = []
        for _ in range(self.random.randint(1, MOST_PIPELINED)):
            parameters, after = self.pick_change(self.quotas.states[-1])
            self.quotas.states.append(after)
            calls.append(parameters)
        for parameters in calls:
            self.connection.send("SetQuota", parameters)
        for parameters in calls:
            reply, _ = self.connection.receive()
            if "error" in reply:
                raise Wrong(f"SetQuota {parameters}: {reply}")
            self.quotas.states.pop(0)
            self.set += 1
        self.check()

    def check(self):
        """What was answered is there at once."""
        self.quotas.check_file()
        self.quotas.check_in_force(self.connection)

    def configure(self):
        self.quotas.configure({key: self.pick_budget(bounds) for key, _, bounds in
                               (self.pick_rule() for _ in range(self.random.randint(0, 8)))})

    def hang_up(self):
        """SIGHUP has no answer: the file is in force some time after it."""
        with self.storm.configuration_of(self.pid) as duned:
            self.configure()
            duned.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE_S / 2       # before the storm loses its own
        while True:
            try:
                self.check()
                break
            except Wrong:
                if time.monotonic() > deadline:
                    raise
        self.hangups += 1

    def reload(self):
        with self.storm.configuration_of(self.pid):
            self.configure()
        reply, _ = self.connection.call("Reload")
        if "error" in reply:
            raise Wrong(f"Reload: {reply}")
        self.reloads += 1
        self.check()

    def reload_wrong(self):
        """A file with an error changes nothing."""
        quotas = self.quotas
        text = format_rules({key: self.pick_budget(bounds) for key, _, bounds in [self.pick_rule()]}) + WRONG_END
        with self.storm.configuration_of(self.pid):
            quotas.write_config(text)
            try:
                reply, _ = self.connection.call("Reload")
            finally:
                quotas.write_config(quotas.text)
        if reply.get("error") != "io.dune.Manager.InvalidConfiguration" or \
                (reply["parameters"]["file"], reply["parameters"]["line"]) != (quotas.config, text.count("\n")):
            raise Wrong(f"Reload of an error in line {text.count(chr(10))}: {reply}")
        self.refused += 1
        self.check()

    def connect(self):
        self.connection = Connection(self.storm.socket, 0)
        self.pid = self.connection.peer_pid()
        self.check()

    def run(self):
        try:
            while self.storm.pass_gate():
                try:
                    if not self.connection:
                        self.connect()
                    self.random.choices([self.set_quotas, self.reload, self.hang_up, self.reload_wrong],
                                        [70, 15, 10, 5])[0]()
                    self.operations += 1
                except Dropped:
                    self.connection = self.connection and self.connection.close()
        except Exception as error:      # pylint: disable=broad-except
            self.storm.fail(error)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user who creates, changes, kills, lists, watches and closes contexts, and knows what it has after every answer, or
that it does not know; must never take for done what was not answered."""
import os
import random
import threading

from connection import Connection, Dropped, Wrong

FIRST_UID = 20001               # of nobody
MOST_HELD = 12                  # contexts of one user
LEAST = {"vcpus": 1, "private_pages": 1, "ept_pages": 320}
AT_FIRST = {"vcpus": (1, 4), "private_pages": (1, 64), "ept_pages": (320, 768)}
CHANGED = {"vcpus": (1, 8), "private_pages": (1, 100), "ept_pages": (320, 960)}
ATTACHED_PRIVATE = 17           # pages that a process has as soon as it is attached: tests/unit/fake_table.c


class Held:
    """A context that its user holds the descriptor of."""

    def __init__(self, owner, fd, context):
        self.owner = owner
        self.fd = fd
        self.limits = context["limits"]
        self.unanswered = None      # limits that it may have instead: the call that changes them got no answer
        self.states = {"new"}       # that it may be in
        self.used = 0               # private pages, while it runs

    def start(self):
        os.write(self.fd, b"r")
        self.states = {"running"}
        self.used = min(ATTACHED_PRIVATE, self.limits["private_pages"])

    def counted(self):
        """What quotas go by: its limits, or what it has kept when one was lowered."""
        used = self.used if self.states == {"running"} else 0
        return {**{limit: self.limits[limit] for limit in LEAST},
                "private_pages": max(self.limits["private_pages"], used)}

    def seen(self, context):
        """Is it so? It is known from then on which limits it has."""
        if self.unanswered:
            self.owner.unanswered += 1
            self.owner.unanswered_done += context["limits"] == self.unanswered
            if context["limits"] == self.unanswered:
                self.limits = self.unanswered
            self.unanswered = None
        fits = context["state"] in self.states and context["limits"] == self.limits
        self.states = {context["state"]}
        return fits


class Worker(threading.Thread):
    """One user, who knows what it has."""

    def __init__(self, storm, number):
        super().__init__(daemon=True)
        self.storm = storm
        self.uid = FIRST_UID + number
        self.random = random.Random(storm.seed * 100 + number)
        self.held = {}
        self.connection = None
        self.streams = []
        self.operations = 0
        self.created = self.attempted = self.refused = 0
        self.changed = self.unanswered = self.unanswered_done = 0

    def drop_all(self):
        for connection in [self.connection, *self.streams]:
            if connection:
                connection.close()
        self.connection, self.streams = None, []

    # ---- what it was promised ----

    def promised(self):
        """The sums that quotas go by."""
        counted = [held.counted() for held in self.held.values()]
        sums = {limit: sum(row[limit] for row in counted) for limit in LEAST}
        return {"contexts": len(self.held), **sums}

    def check_refusal(self, reply, growth):
        """By its own quota, which knows what it has; nothing else is used up."""
        said = reply["parameters"]
        limit, promised = said.get("limit"), self.promised()
        if reply.get("error") != "io.dune.Manager.QuotaExceeded" or limit not in growth or \
                (said.get("scope"), said.get("name")) != ("user", str(self.uid)):
            raise Wrong(f"uid {self.uid} is refused {growth}: {reply}")
        if said["used"] != promised[limit] or said["used"] + growth[limit] <= said["maximum"]:
            raise Wrong(f"uid {self.uid} has {promised}, and is refused {growth}: {reply}")

    def check_sums(self, connection):
        """What the service counts for it is what its contexts were promised, or keep."""
        reply, _ = connection.call("GetQuota")
        promised = self.promised()
        used = {rule["resource"]: rule["used"] for rule in reply["parameters"]["rules"]
                if (rule["scope"], rule.get("name")) == ("user", str(self.uid)) and rule["resource"] in promised}
        if used != promised:
            raise Wrong(f"uid {self.uid} has {promised}: {reply}")

    def settle(self):
        """Looks what came of a change or a kill that was not answered."""
        if any(held.unanswered or len(held.states) > 1 for held in self.held.values()):
            self.check_list()

    # ---- what it does ----

    def create(self):
        limits = {limit: self.random.randint(*bounds) for limit, bounds in AT_FIRST.items()}
        self.settle()
        self.attempted += 1
        reply, fds = self.connection.call("Create", limits=limits)
        if "error" in reply:
            self.attempted -= 1
            self.refused += 1
            self.check_refusal(reply, {"contexts": 1, **limits})
            return
        if len(fds) != 1:
            raise Wrong(f"Create: {reply}")
        context = reply["parameters"]["context"]
        self.created += 1
        self.held[context["id"]] = held = Held(self, fds[0], context)
        for name, value in limits.items():
            if context["limits"][name] != value:
                raise Wrong(f"asked for {limits}: {context}")
        if self.random.random() < 0.8:
            held.start()

    def pick(self):
        return self.random.choice(sorted(self.held))

    def set_limits(self):
        self.settle()
        context_id = self.pick()
        held = self.held[context_id]
        wanted = {limit: self.random.randint(*CHANGED[limit])
                  for limit in self.random.sample(sorted(CHANGED), self.random.randint(1, len(CHANGED)))}
        held.unanswered = {**held.limits, **wanted}
        reply, _ = self.connection.call("SetLimits", id=context_id, limits=wanted)
        after, held.unanswered = held.unanswered, None
        if "error" in reply:
            self.refused += 1
            counted = held.counted()
            self.check_refusal(reply, {limit: value - counted[limit] for limit, value in wanted.items()
                                       if value > counted[limit]})
            return
        if reply["parameters"]["context"]["limits"] != after:
            raise Wrong(f"asked for {after}: {reply}")
        held.limits = after
        self.changed += 1

    def kill(self):
        context_id = self.pick()
        held = self.held[context_id]
        before = held.states
        if "running" in before:
            held.states = before | {"ended"}    # until the answer says which
        reply, _ = self.connection.call("Kill", id=context_id)
        error = reply.get("error", "")
        if not error and "running" in before:
            held.states = {"ended"}
        elif not error or error != "io.dune.Manager.NoProcess" or before == {"running"}:
            raise Wrong(f"Kill of a context that is {before}: {reply}")
        elif "ended" in before:
            held.states = {"ended"}

    def close_one(self):
        os.close(self.held.pop(self.pick()).fd)

    def check_list(self):
        reply, _ = self.connection.call("List")
        self.storm.check_contexts(reply["parameters"]["contexts"], self.held, f"uid {self.uid}")

    def check_own(self):
        self.settle()
        self.check_sums(self.connection)

    def stream(self):
        method = self.random.choice(["Stats", "Events"])
        stream = Connection(self.storm.socket, self.uid)
        self.streams.append(stream)
        stream.send(method, {"interval_ms": 100} if method == "Stats" else {}, more=True)
        reply, _ = stream.receive()
        if "error" in reply or not reply.get("continues"):
            raise Wrong(f"{method}: {reply}")

    def choose(self):
        if len(self.held) < 2:
            return self.create
        if len(self.held) >= MOST_HELD:
            return self.close_one
        return self.random.choices([self.create, self.set_limits, self.kill, self.close_one, self.check_list,
                                    self.check_own, self.stream], [40, 25, 15, 25, 10, 10, 5])[0]

    def run(self):
        try:
            while self.storm.pass_gate():
                try:
                    self.connection = self.connection or Connection(self.storm.socket, self.uid)
                    if len(self.streams) > 3:
                        self.streams.pop(0).close()
                    self.choose()()
                    self.operations += 1
                except Dropped:
                    self.drop_all()
        except Exception as error:      # pylint: disable=broad-except
            self.storm.fail(error)

"""The faults of a run: drawn from the seed, struck while work is in flight, and healed.

Kinds, targets and times are the seed's. Only what hits nothing is drawn again among the instances that have work under
way at that moment, which no seed can know.
"""

import dataclasses
import heapq
import random
import time

from ChaosRun.cluster import NODES
from ChaosRun.plan import SERVICES

SESSION_TIMEOUT = 6.0
# One of each, in the order that a seed shuffles.
KINDS = ("kill", "pause", "scale out", "scale in", "broker kill", "broker pause")
MOST_REDRAWS = 40


@dataclasses.dataclass
class Fault:
    """Something that is done to a service or a broker at a time after the start, in seconds."""

    at: float
    kind: str
    service: str
    node: int
    # Which of the living instances, 0 to 1.
    choice: float
    # How long until it is healed, in seconds.
    length: float
    redraws: int = 0
    # Filled in by the run.
    struck: float = 0.0
    target: str = ""
    under_way: int = 0
    pid: int = 0


def draw(seed, seconds, gap):
    """Faults over a load of so many seconds: every kind before any comes again, about `gap` seconds apart."""
    source = random.Random(f"{seed} faults")
    faults = []
    at = 3.0
    while at + len(KINDS) * gap < seconds or not faults:
        kinds = list(KINDS)
        source.shuffle(kinds)
        for kind in kinds:
            faults.append(draw_one(source, at, kind))
            at += gap * source.uniform(0.7, 1.3)
    return faults


def draw_one(source, at, kind):
    length = {
        "kill": source.uniform(0.5, 4), "pause": SESSION_TIMEOUT + source.uniform(2, 5),
        "broker kill": source.uniform(2, 8), "broker pause": source.uniform(2, 6),
    }.get(kind, 0.0)
    return Fault(at, kind, source.choice(SERVICES), source.choice(NODES), source.random(), length)


class Schedule:
    """Strikes the faults while the run goes on."""

    def __init__(self, seed, faults, fleet, cluster, say):
        self.redraw_source = random.Random(f"{seed} redraws")
        self.fleet = fleet
        self.cluster = cluster
        self.say = say
        self.struck = []
        self.misses = 0
        self.hurt_node = None
        self.trouble = []
        self.began = time.monotonic()
        self.queue = []
        self.count = 0
        for fault in faults:
            self.plan(fault.at, lambda fault=fault: self.strike(fault))

    def plan(self, at, action):
        self.count += 1
        heapq.heappush(self.queue, (at, self.count, action))

    @property
    def now(self):
        return time.monotonic() - self.began

    def advance(self):
        """Does what is due; whether anything is still to come."""
        while self.queue and self.queue[0][0] <= self.now:
            heapq.heappop(self.queue)[2]()
        return bool(self.queue) or not self.cluster.settled()

    def strike(self, fault):
        if fault.kind.startswith("broker"):
            # One node at a time: with two away nothing can be written, which is no fault of a service.
            if self.hurt_node is not None or not self.cluster.settled():
                self.plan(self.now + 1, lambda: self.strike(fault))
                return
            strike = self.strike_broker
        else:
            strike = self.strike_service
        struck = time.monotonic()
        if not strike(fault):
            self.misses += 1
            if fault.redraws == MOST_REDRAWS:
                self.trouble.append(f"the fault \"{fault.kind}\" hit nothing in {MOST_REDRAWS + 1} tries")
                return
            again = draw_one(self.redraw_source, self.now + 1.5, fault.kind)
            again.redraws = fault.redraws + 1
            self.say(f"{self.now:6.1f} s  {fault.kind} {fault.target}: hit nothing, drawn again")
            self.plan(again.at, lambda: self.strike(again))
            return
        fault.struck = struck
        self.struck.append(fault)
        self.say(f"{self.now:6.1f} s  {fault.kind} {fault.target}: {fault.under_way} attempts under way")

    def strike_service(self, fault):
        if fault.redraws:
            self.fleet.read()
            busy = {instance.service for instance in self.fleet.living() if instance.log.open}
            if busy and fault.service not in busy:
                fault.service = self.redraw_source.choice(sorted(busy))
        living = sorted(self.fleet.living(fault.service), key=lambda instance: instance.slot)
        if fault.redraws:
            living = [instance for instance in living if instance.log.open] or living
        fault.target = fault.service
        if not living:
            return False
        victim = living[int(fault.choice * len(living))]
        if fault.kind == "scale out":
            taken = {instance.slot for instance in self.fleet.instances
                     if instance.service == fault.service and instance.alive}
            slot = next(slot for slot in range(1, 100) if slot not in taken)
            fault.target = f"{fault.service}-{slot}"
            fault.under_way = self.fleet.under_way(living)
            if fault.under_way > 0:
                self.fleet.start(fault.service, slot)
            return fault.under_way > 0
        fault.target = victim.name
        fault.pid = victim.process.pid
        if fault.kind == "scale in":
            fault.under_way = self.fleet.under_way([victim])
            if fault.under_way == 0:
                return False
            self.fleet.terminate(victim)
            if len(living) == 1:
                # A service without any instance: a rolling restart that comes late.
                self.plan(self.now + 2, lambda: self.replace(victim))
        elif fault.kind == "kill":
            self.fleet.kill(victim)
            fault.under_way = self.fleet.under_way([victim])
            self.plan(self.now + fault.length, lambda: self.fleet.start(victim.service, victim.slot))
        else:
            self.fleet.pause(victim)
            fault.under_way = self.fleet.under_way([victim])
            if fault.under_way == 0:
                self.fleet.resume(victim)
                return False
            self.plan(self.now + fault.length, lambda: self.fleet.resume(victim))
        return fault.under_way > 0

    def replace(self, victim):
        """Starts a successor in a slot once the slot is free: two under one name would shut each other out."""
        if victim.alive:
            self.plan(self.now + 0.5, lambda: self.replace(victim))
        else:
            self.fleet.start(victim.service, victim.slot)

    def strike_broker(self, fault):
        fault.target = f"node {fault.node}"
        fault.under_way = self.fleet.under_way(self.fleet.living())
        if fault.under_way == 0:
            return False
        self.hurt_node = fault.node
        if fault.kind == "broker kill":
            self.cluster.kill(fault.node)
            self.plan(self.now + fault.length, lambda: self.heal(self.cluster.restart, fault.node))
        else:
            self.cluster.pause(fault.node)
            self.plan(self.now + fault.length, lambda: self.heal(self.cluster.resume, fault.node))
        return True

    def heal(self, action, node):
        action(node)
        self.hurt_node = None

"""One run: cluster, services, load, faults, and the account."""

import os
import signal
import subprocess
import time
import traceback

from ChaosRun.account import Account, letter_topic, retry_topic
from ChaosRun.cluster import Cluster
from ChaosRun.fleet import Fleet
from ChaosRun.plan import SERVICES, TOPICS, Plan
from ChaosRun.schedule import SESSION_TIMEOUT, Schedule, draw

PARTITIONS = 6
INSTANCES = 2
# A dead member's session, a group's rebalance, and a broker that is away at the same time for as long as one may be.
TAKEOVER = SESSION_TIMEOUT + 15
# A transaction that nobody ends lives so long, and the broker looks for such ones every 10 s.
LONGEST_TRANSACTION = 20
# Without progress for so long something is stuck; a transaction that a killed process left open ends sooner.
PATIENCE = 120


class Run:
    """A run with one seed."""

    def __init__(self, seed, options, launcher, program, directory):
        self.seed = seed
        self.options = options
        self.program = program
        self.directory = directory
        self.log = open(directory / "launcher.log", "w")
        self.cluster = Cluster(launcher, directory / "kafka", self.log)
        self.plan = Plan(seed, options.events)
        self.exactly_once = options.delivery == "exactly-once"
        self.account = Account(self.plan, self.exactly_once, self.say)
        self.fleet = None
        self.loader = None
        self.schedule = None

    def say(self, text):
        print(f"chaos: {text}", flush=True)

    def go(self):
        """Runs, and returns what is wrong."""
        options = self.options
        self.say(f"seed {self.seed}, {options.delivery}, {options.events:,} events of {self.plan.keys} keys at"
                 f" {options.rate} a second, {INSTANCES} instances of each service")
        previous = signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        try:
            self.perform()
        except KeyboardInterrupt:
            self.account.problem("interrupted")
            raise
        except Exception as error:  # pylint: disable=broad-except
            (self.directory / "driver.log").write_text(traceback.format_exc())
            self.account.problem(f"the run ended early: {error}")
        finally:
            if self.loader and self.loader.poll() is None:
                self.loader.kill()
                self.loader.wait()
            if self.fleet:
                self.fleet.abandon()
            self.cluster.stop()
            self.log.close()
            signal.signal(signal.SIGTERM, previous)
        for problem in self.account.problems:
            self.say(f"WRONG: {problem}")
        return self.account.problems

    def perform(self):
        servers = self.cluster.start()
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "TROUPE_"))
        } | {
            "KAFKA_BOOTSTRAP_SERVERS": servers, "LOG_LEVEL": "info", "LOG_FORMAT": "text",
        }
        services = self.environment | {
            "KAFKA_PROPERTY_SESSION_TIMEOUT_MS": str(int(SESSION_TIMEOUT * 1_000)),
            "KAFKA_PROPERTY_HEARTBEAT_INTERVAL_MS": "1000",
            "TROUPE_DELIVERY": self.options.delivery,
        }
        # Letters bear the broker's time, so that it can be seen whether their key waited for them.
        topics = [f"{topic}:{PARTITIONS}" for topic in TOPICS]
        topics += [f"{letter_topic(name)}:{PARTITIONS},retention.ms=-1,message.timestamp.type=LogAppendTime"
                   for name in SERVICES]
        # One retry topic has fewer partitions than its input.
        topics.append(f"{retry_topic('b')}:{PARTITIONS - 2}")
        self.ask("make-topics", *topics)
        self.fleet = Fleet(self.program, services, self.directory)
        for service in SERVICES:
            for slot in range(1, INSTANCES + 1):
                self.fleet.start(service, slot)
        self.wait_for_groups()
        self.load()
        self.finish()
        self.judge()

    def ask(self, *arguments):
        """Runs a command of the chaos program and returns what it prints, line by line."""
        done = subprocess.run(
            [self.program, *arguments], env=self.environment, check=False, stdout=subprocess.PIPE, stderr=self.log,
            text=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: see {self.directory}/launcher.log")
        return done.stdout.splitlines()

    def wait_for_groups(self):
        deadline = time.monotonic() + 60
        while not all("Partitions assigned" in instance.output.read_text() for instance in self.fleet.instances):
            self.fleet.read()
            if self.fleet.trouble or time.monotonic() > deadline:
                raise RuntimeError("the services did not start: " + "; ".join(self.fleet.trouble))
            time.sleep(0.2)

    def load(self):
        """Publishes the events while the faults strike."""
        self.plan.write(self.directory / "events.tsv")
        with open(self.directory / "loader.log", "w") as log:
            self.loader = subprocess.Popen(
                [self.program, "load", self.directory / "events.tsv", str(self.options.rate),
                 self.directory / "go-ahead"], env=self.environment, stdout=log, stderr=log)
        seconds = self.options.events / self.options.rate
        faults = draw(self.seed, 0 if self.options.short else seconds, self.options.gap)
        self.schedule = Schedule(self.seed, faults, self.fleet, self.cluster, self.say)
        while self.schedule.advance():
            self.fleet.read()
            time.sleep(0.1)
        (self.directory / "go-ahead").touch()
        while self.loader.poll() is None:
            self.fleet.read()
            time.sleep(0.1)
        if self.loader.wait() != 0:
            raise RuntimeError(f"the loader failed: see {self.directory}/loader.log")
        self.loaded = self.schedule.now

    def finish(self):
        """Waits until every event is done and committed, then stops the services."""
        wanted = {service: len(self.plan.reaches[topic]) for service, topic in zip(SERVICES, TOPICS)}
        best, since = -1, time.monotonic()
        while True:
            self.fleet.read()
            done = sum(len(self.fleet.done[service]) for service in SERVICES)
            if done > best:
                best, since = done, time.monotonic()
            if all(len(self.fleet.done[service]) >= wanted[service] for service in SERVICES):
                break
            if time.monotonic() - since > PATIENCE:
                self.account.problem(f"nothing more was handled for {PATIENCE} s; {sum(wanted.values()) - done} are owed")
                break
            time.sleep(0.2)
        self.say(f"{self.schedule.now:6.1f} s  all handled")
        # Retries that follow a letter, the last commits.
        deadline = time.monotonic() + (30 if self.account.problems else PATIENCE)
        while self.behind() and time.monotonic() < deadline:
            time.sleep(1)
        self.fleet.stop()

    def committed(self):
        return self.ask("committed", *(
            f"chaos-{service}={TOPICS[index]},{retry_topic(service)}" for index, service in enumerate(SERVICES)))

    def behind(self):
        """Whether a partition is not committed to its end; transactions' markers may stand behind the last record."""
        slack = 8 if self.exactly_once else 0
        for line in self.committed():
            _, _, _, offset, metadata, end = line.split("\t")
            if int(metadata) > 0 or int(end) - max(int(offset), 0) > slack:
                return True
        return False

    def judge(self):
        account = self.account
        committed = self.committed()
        (self.directory / "committed.tsv").write_text("\n".join(committed) + "\n")
        everything = list(TOPICS) + [name(service) for service in SERVICES for name in (retry_topic, letter_topic)]
        self.ask("dump", str(self.directory / "topics.tsv"), *everything)
        account.read_topics(self.directory / "topics.tsv")
        account.read_handlers(self.fleet.instances)
        account.check_topics()
        account.check_letters()
        account.check_handlings()
        account.check_order()
        account.check_commits(committed)
        for trouble in self.fleet.trouble + self.schedule.trouble:
            account.problem(trouble)
        for instance in self.fleet.instances:
            if instance.peak > self.options.memory_limit:
                account.problem(f"{instance.name} took {instance.peak:.0f} MB, more than {self.options.memory_limit:.0f}")
        self.report()

    def report(self):
        account, schedule = self.account, self.schedule
        attempts = sum(len(each) for of_service in account.handlings.values() for each in of_service.values())
        handled = sum(len(self.plan.reaches[topic]) for topic in TOPICS[:3])
        retried = sum(len(each) for service in SERVICES for each in account.topics[retry_topic(service)].values())
        letters = sum(len(account.topics[letter_topic(service)]) for service in SERVICES)
        self.say(f"{handled:,} handlings owed, {attempts:,} attempts made, {retried:,} records in the retry topics,"
                 f" {letters} dead letters")
        shares = account.availability()
        self.say("availability, seconds with an event handled: "
                 + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
        duplicates = account.duplicates()
        self.say("records beyond the first of an event: "
                 + ", ".join(f"{topic} {count}" for topic, count in duplicates.items()))
        self.say("events behind a later one of their key (not promised across topics): "
                 + ", ".join(f"{topic} {count}" for topic, count in account.inversions().items()))
        self.report_rebalances()
        self.report_takeovers()
        peaks = {service: max(each.peak for each in self.fleet.instances if each.service == service)
                 for service in SERVICES}
        self.say("peak memory, MB: " + ", ".join(f"{service} {peak:.0f}" for service, peak in peaks.items())
                 + f" (bound {self.options.memory_limit:.0f})")
        if self.fleet.failed_starts:
            self.say(f"{self.fleet.failed_starts} starts failed while brokers were away, and were made again")
        self.say(f"{len(schedule.struck)} faults, all with work under way; {schedule.misses} hit nothing and were drawn"
                 " again")

    def report_rebalances(self):
        """Repeated handlings by the fault before them."""
        repeats = self.account.repeats()
        faults = sorted(self.schedule.struck, key=lambda fault: fault.struck)
        by_kind = {}
        for service, times in repeats.items():
            for fault in faults:
                by_kind.setdefault(fault.kind, [0, 0])
            for time_ in times:
                before = [fault for fault in faults if fault.struck * 1e9 <= time_
                          and (fault.kind.startswith("broker") or fault.service == service)]
                if before:
                    by_kind[before[-1].kind][0] += 1
        for fault in faults:
            by_kind[fault.kind][1] += 1
        assigned = sum(instance.output.read_text().count("Partitions assigned") for instance in self.fleet.instances)
        total = sum(len(times) for times in repeats.values())
        self.say(f"handled again after having succeeded: {total} over {assigned} assignments"
                 f" ({total / max(assigned, 1):.1f} each); by the fault before: "
                 + ", ".join(f"{kind} {count} in {faults}" for kind, (count, faults) in sorted(by_kind.items())))

    def report_takeovers(self):
        """How long after a hard kill its work was taken over, which has a bound."""
        times = self.account.takeovers([fault for fault in self.schedule.struck if fault.kind == "kill"])
        bound = TAKEOVER + (LONGEST_TRANSACTION if self.exactly_once else 0)
        if times:
            self.say(f"work under way at a hard kill was begun again after {min(times):.1f} to {max(times):.1f} s"
                     f" (bound {bound:.0f})")
        if late := [each for each in times if each > bound]:
            self.account.problem(f"the work of {len(late)} killed instances was taken over after {max(late):.1f} s")

"""The account of a run: what the topics and the handlers' own logs say, against what the plan asked for."""

import collections
import itertools

from ChaosRun.plan import SERVICES, TOPICS

# What a topic holds of an event; what a handler's log says of an attempt.
Record = collections.namedtuple("Record", "partition offset timestamp key id")
# Times: monotonic nanoseconds and milliseconds since 1970; `done` counts the end that settles the event.
Handling = collections.namedtuple("Handling", "begin begin_wall outcome end process")


def retry_topic(service):
    return f"chaos-{service}.{TOPICS[SERVICES.index(service)]}.retry"


def letter_topic(service):
    return f"chaos-{service}.{TOPICS[SERVICES.index(service)]}.dlt"


class Account:
    """Finds what is wrong; `problems` is empty when nothing is."""

    def __init__(self, plan, exactly_once, say):
        self.plan = plan
        self.exactly_once = exactly_once
        self.say = say
        self.problems = []
        # topic -> sequence number -> records in the order of their offsets
        self.topics = collections.defaultdict(lambda: collections.defaultdict(list))
        self.ends = collections.defaultdict(lambda: -1)
        # service -> sequence number -> attempts in the order of their begin
        self.handlings = {service: collections.defaultdict(list) for service in SERVICES}

    def problem(self, text, sequences=()):
        """Notes what is wrong, with the events it concerns."""
        names = [f"{number} ({self.plan.key[number]}, fates {self.plan.fates[number]})" for number in sorted(sequences)]
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            text += ": " + ", ".join(names[:10]) + more
        self.problems.append(text)

    # Reading

    def read_topics(self, path):
        with open(path) as file:
            for line in file:
                topic, partition, offset, timestamp, key, sequence, event, _ = line.rstrip("\n").split("\t")
                place = topic, int(partition)
                self.ends[place] = max(self.ends[place], int(offset))
                if not sequence.isdigit() or int(sequence) >= len(self.plan.key):
                    self.problem(f"{topic} {partition} holds at offset {offset} what nobody published")
                    continue
                self.topics[topic][int(sequence)].append(
                    Record(int(partition), int(offset), int(timestamp), key, event))
        for records in self.topics.values():
            for of_one in records.values():
                of_one.sort(key=lambda record: record.offset)

    def read_handlers(self, instances):
        for instance in instances:
            if not instance.log.path.exists():
                continue
            # A partition that was lost and came back may have its record handled by both, side by side.
            begun = collections.defaultdict(list)
            into = self.handlings[instance.service]
            with open(instance.log.path) as file:
                for line in file:
                    what, sequence, _, topic, partition, offset, _, _, attempt, outcome, time, wall, process = (
                        line.rstrip("\n").split("\t"))
                    place = topic, partition, offset, attempt
                    if what == "B":
                        begun[place].append((int(sequence), int(time), int(wall)))
                        continue
                    number, begin, begin_wall = begun[place].pop(0)
                    into[number].append(Handling(begin, begin_wall, outcome, int(time), process))
            for number, begin, begin_wall in itertools.chain.from_iterable(begun.values()):
                into[number].append(Handling(begin, begin_wall, "killed", None, str(instance.process.pid)))
        for of_service in self.handlings.values():
            for attempts in of_service.values():
                attempts.sort(key=lambda attempt: attempt.begin)

    # Judging

    def check_topics(self):
        """Nothing is lost, nothing invented; exactly-once: nothing twice."""
        for topic in TOPICS:
            wanted, found = self.plan.reaches[topic], self.topics[topic]
            if missing := wanted - found.keys():
                self.problem(f"{len(missing)} events were lost before {topic}", missing)
            if extra := found.keys() - wanted:
                self.problem(f"{len(extra)} events are in {topic} that must not be", extra)
            ids = {number for number, records in found.items() if len({record.id for record in records}) > 1}
            if ids:
                self.problem(f"repeated events in {topic} do not have the same id", ids)
            misplaced = {
                number for number, records in found.items()
                if any(record.key != self.plan.key[number] for record in records)}
            if misplaced:
                self.problem(f"events in {topic} have another key", misplaced)
            twice = {number for number, records in found.items() if len(records) > 1}
            if topic == TOPICS[0] and twice:
                self.problem("the loader published events twice: the run says nothing", twice)
            elif self.exactly_once and twice:
                self.problem(f"{len(twice)} events are in {topic} more than once", twice)

    def check_letters(self):
        """Each poison, and nothing else, is in its service's dead-letter topic, under its own id."""
        for service in SERVICES:
            topic = letter_topic(service)
            wanted, found = self.plan.poison[service], self.topics[topic]
            if missing := wanted - found.keys():
                self.problem(f"{len(missing)} poison events have no letter in {topic}", missing)
            if extra := found.keys() - wanted:
                self.problem(f"{len(extra)} events have a letter in {topic} that must not have one", extra)
            twice = {number for number, letters in found.items() if len(letters) > 1}
            if self.exactly_once and twice:
                self.problem(f"{len(twice)} events have more than one letter in {topic}", twice)
            source = self.topics[TOPICS[SERVICES.index(service)]]
            strange = {
                number for number, letters in found.items()
                if number in source and {letter.id for letter in letters} != {source[number][0].id}}
            if strange:
                self.problem(f"letters in {topic} do not have their event's id", strange)

    def check_handlings(self):
        """Every event that reached a service succeeded there, or failed for good if it is poison."""
        for index, service in enumerate(SERVICES):
            wanted = self.plan.reaches[TOPICS[index]]
            found = self.handlings[service]
            poison = self.plan.poison[service]
            done = {number for number, attempts in found.items() if any(each.outcome == "ok" for each in attempts)}
            if missing := wanted - poison - done:
                self.problem(f"{len(missing)} events never succeeded at {service}", missing)
            if wrong := done & poison:
                self.problem(f"poison succeeded at {service}", wrong)
            if extra := found.keys() - wanted:
                self.problem(f"{service} handled events that never reached it", extra)

    def check_order(self):
        """No event's first attempt came before an earlier event's success or dead letter, of the same key."""
        for index, service in enumerate(SERVICES):
            input_topic = self.topics[TOPICS[index]]
            lanes = collections.defaultdict(list)
            for number, records in input_topic.items():
                lanes[records[0].partition, self.plan.key[number]].append((records[0].offset, number))
            early = []
            for lane in lanes.values():
                lane.sort()
                # The latest settlement of all earlier events: a monotonic time, and for letters the broker's as well.
                settled, letter, by = 0, 0, None
                for _, number in lane:
                    attempts = self.handlings[service].get(number)
                    if not attempts:
                        continue
                    first = attempts[0]
                    if first.begin < settled or first.begin_wall < letter:
                        early.append((number, by))
                    ends = [each.end for each in attempts if each.outcome in ("ok", "dead")]
                    if ends and min(ends) > settled:
                        settled, by = min(ends), number
                    # Exactly-once has no need to wait for the letter: it is in the transaction or nothing is.
                    letters = self.topics[letter_topic(service)].get(number)
                    if letters and not self.exactly_once:
                        letter, by = max(letter, letters[0].timestamp), number
            if early:
                self.problem(
                    f"{len(early)} first attempts at {service} came before an earlier event of the key was done (the first"
                    f" was before {early[0][1]})", {number for number, _ in early})

    def check_commits(self, lines):
        """Every partition that was read is committed to its last record, with nothing left in the metadata."""
        for line in lines:
            group, topic, partition, offset, metadata, _ = line.split("\t")
            last = self.ends[topic, int(partition)]
            if last >= 0 and int(offset) <= last:
                self.problem(f"{topic} {partition} is stuck: {group} committed {offset}, its last record is at {last}")
            elif int(metadata) > 0:
                self.problem(f"{topic} {partition}: {group} committed metadata although everything is done")

    # Counting

    def availability(self):
        """The share of seconds with an event handled, over all services and for each."""
        ends = {
            service: [each.end for attempts in self.handlings[service].values() for each in attempts
                      if each.outcome == "ok"]
            for service in SERVICES}
        everything = [end for of_one in ends.values() for end in of_one]
        return {"all": share_of_seconds(everything)} | {name: share_of_seconds(of_one) for name, of_one in ends.items()}

    def takeovers(self, kills):
        """The seconds from each hard kill until another process had begun all that was under way in the killed one."""
        found = []
        for fault in kills:
            longest = 0.0
            for attempts in self.handlings[fault.service].values():
                if not any(each.process == str(fault.pid) and each.outcome == "killed" for each in attempts):
                    continue
                struck = fault.struck * 1e9
                after = [each.begin for each in attempts if each.begin > struck and each.process != str(fault.pid)]
                if after:
                    longest = max(longest, (min(after) - struck) / 1e9)
            if longest > 0:
                found.append(longest)
        return found

    def repeats(self):
        """When each repeated handling began: what succeeded before and was handled again, by service."""
        found = {}
        for service in SERVICES:
            times = []
            for attempts in self.handlings[service].values():
                succeeded = [each.begin for each in attempts if each.outcome == "ok"]
                times += succeeded[1:]
            found[service] = sorted(times)
        return found

    def duplicates(self):
        """Records beyond the first of each event, by topic."""
        topics = list(TOPICS) + [letter_topic(service) for service in SERVICES]
        return {topic: sum(len(each) - 1 for each in self.topics[topic].values()) for topic in topics}

    def inversions(self):
        """Events behind a later one of their key, by topic: no promise, only known."""
        found = {}
        for topic in TOPICS[1:]:
            highest, count = {}, 0
            firsts = sorted(
                (records[0].partition, records[0].offset, number) for number, records in self.topics[topic].items())
            for _, _, number in firsts:
                key = self.plan.key[number]
                count += number < highest.get(key, -1)
                highest[key] = max(highest.get(key, -1), number)
            found[topic] = count
        return found


def share_of_seconds(times):
    """The share of the seconds between the first and the last time that hold one."""
    if not times:
        return 0.0
    seconds = {time // 1_000_000_000 for time in times}
    return len(seconds) / (max(seconds) - min(seconds) + 1)

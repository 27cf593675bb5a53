"""The events of a run and what happens to each at each service: a function of the seed alone."""

import random

SERVICES = ("a", "b", "c")
TOPICS = ("first", "second", "third", "fourth")
# The character of the plan, and how often it comes: fails so many first attempts (the first retry waits in place, the
# second and third in the retry topic); `p` fails until no retry is left, `x` is refused at once.
FATES = (("0", 0.930), ("1", 0.040), ("2", 0.015), ("3", 0.010), ("p", 0.002), ("x", 0.003))
POISON = ("p", "x")


class Plan:
    """Keys and fates by sequence number."""

    def __init__(self, seed, events, keys=None):
        source = random.Random(f"{seed} events")
        self.keys = keys or max(200, events // 50)
        self.key = []
        self.fates = []
        names, weights = zip(*FATES)
        for _ in range(events):
            self.key.append(f"k{source.randrange(self.keys)}")
            self.fates.append("".join(source.choices(names, weights, k=3)))
        # Small runs have every fate at every service as well.
        if events >= 100:
            for index in range(3):
                for number, name in enumerate(names):
                    at = (index * len(names) + number) * (events // 20)
                    self.fates[at] = "0" * index + name + "0" * (2 - index)
        # What each topic must hold in the end, each once; the loader fills the first.
        self.reaches = {TOPICS[0]: set(range(events))}
        self.poison = {}
        for index, service in enumerate(SERVICES):
            arrived = self.reaches[TOPICS[index]]
            self.poison[service] = {number for number in arrived if self.fates[number][index] in POISON}
            self.reaches[TOPICS[index + 1]] = arrived - self.poison[service]

    def write(self, path):
        """Writes the file that the loader publishes."""
        with open(path, "w") as file:
            for number, (key, fates) in enumerate(zip(self.key, self.fates)):
                file.write(f"{key}\t{number}\t{fates}\n")

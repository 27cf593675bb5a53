"""Counts the instructions and allocations that one more record costs, by valgrind's callgrind.

Each program runs twice, over a short and a long topic; the difference of the counts, divided by the difference of the
records, is what a record costs: starting, joining the group and stopping cancel out. Counts do not depend on how busy
the machine is, so that a change of a few hundred instructions shows. What they do not show are cache misses and atomic
instructions, which take longer than others: CPU time says more, on a machine that has nothing else to do.
"""

import collections
import pathlib
import re
import subprocess
import sys

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}
NUMBERED = re.compile(r"\((\d+)\)(?: (.*))?$")


class Counts:
    """The instructions by object file and by function, and the calls of allocators, of all threads of a run."""

    def __init__(self, directory):
        self.objects = collections.Counter()
        self.functions = collections.Counter()
        self.allocations = 0
        for file in directory.iterdir():
            self.read(file)

    def read(self, file):
        names = {}
        current = {"ob": "?", "fn": "?"}
        called = None
        follows_call = False

        def name(kind, text):
            match = NUMBERED.match(text)
            if match is None:
                return text
            if match[2] is not None:
                names[kind, match[1]] = match[2]
            return names[kind, match[1]]

        with file.open(errors="replace") as lines:
            for line in map(str.strip, lines):
                key, equals, rest = line.partition("=")
                if equals and key in ("ob", "fn"):
                    current[key] = name(key, rest)
                elif equals and key == "cob":
                    name("ob", rest)
                elif equals and key == "cfn":
                    called = name("fn", rest)
                elif equals and key == "calls":
                    # The line after it holds the cost of the calls, which the called functions have as their own.
                    follows_call = True
                    if called in ALLOCATORS and current["fn"] not in ALLOCATORS:
                        self.allocations += int(rest.split()[0])
                elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
                    cost = line.split()[1:2]
                    if cost and not follows_call:
                        self.objects[pathlib.Path(current["ob"]).name] += int(cost[0])
                        self.functions[current["fn"]] += int(cost[0])
                    follows_call = False


def count(program, arguments, directory):
    """Runs `program` under callgrind and returns its counts. `directory` must be empty and its owner's alone."""
    # Debug information of newer versions than valgrind's is what it gives up over; the symbols are enough.
    stripped = directory / program.name
    subprocess.run(["objcopy", "--strip-debug", program, stripped], check=True)
    counts = directory / "counts"
    counts.mkdir()
    command = [
        "valgrind", "--tool=callgrind", "--fair-sched=yes", "--separate-threads=yes",
        f"--callgrind-out-file={counts / 'callgrind'}", stripped, *arguments,
    ]
    process = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if process.returncode != 0:
        sys.exit(f"bench: {program.name} ended with {process.returncode} under valgrind:\n{process.stderr[-2000:]}")
    return Counts(counts)


def per_record(short, long, records):
    """What one record costs: instructions in all, by object file and by function, and allocations."""

    def difference(name):
        a, b = getattr(short, name), getattr(long, name)
        return {key: (b[key] - a[key]) / records for key in b}

    objects = difference("objects")
    return {
        "instructions": sum(objects.values()),
        "allocations": (long.allocations - short.allocations) / records,
        "objects": {key: value for key, value in objects.items() if abs(value) >= 10},
        "functions": {key: value for key, value in difference("functions").items() if value >= 20},
    }


def show(workload, results, functions):
    print(f"\n{workload}: instructions for one more record")
    print(f"  {'':32}{'C':>12}{'Troupe':>12}{'Troupe / C':>12}")
    c, troupe = results["C"], results["Troupe"]
    for name in ("instructions", "allocations"):
        print(f"  {name:32}{c[name]:>12,.1f}{troupe[name]:>12,.1f}{troupe[name] / c[name]:>12.2f}")
    for name in sorted({*c["objects"], *troupe["objects"]}, key=lambda name: -troupe["objects"].get(name, 0)):
        print(f"    {name:30}{c['objects'].get(name, 0):>12,.0f}{troupe['objects'].get(name, 0):>12,.0f}")
    if functions:
        print(f"  Troupe's {functions} costliest functions")
        ranked = sorted(troupe["functions"].items(), key=lambda item: -item[1])[:functions]
        names = demangled([name for name, _ in ranked])
        for name, (_, cost) in zip(names, ranked):
            print(f"    {cost:>10,.0f}  {name}")


def demangled(names):
    """The names as people read them, where Swift's tools are at hand."""
    try:
        result = subprocess.run(
            ["swift-demangle", "--simplified", "--compact"], input="\n".join(names), capture_output=True, text=True,
            check=True)
    except (OSError, subprocess.CalledProcessError):
        return names
    return result.stdout.splitlines()

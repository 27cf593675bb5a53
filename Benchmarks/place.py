"""Where benchmarks run: the broker, the machine; and what a handful of runs says."""

import contextlib
import math
import os
import pathlib
import platform
import random
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The embedded broker forms no group at a shorter session timeout and takes as long as it for a rebalance.
EMBEDDED_CONSUMER = {"session.timeout.ms": "3500", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "5"}


@contextlib.contextmanager
def broker(directory, release, topics):
    """Yields the bootstrap servers, what to call the broker, and the settings it needs."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    launcher = os.environ.get("KAFKA_LAUNCHER")
    default = ROOT.parent / "shared" / "kafka" / "kafka"
    if launcher is None and os.access(default, os.X_OK) and shutil.which("java"):
        launcher = str(default)
    if servers:
        yield {"servers": servers, "name": f"Kafka at {servers}", "consumer": {}, "records": 300_000}
    elif launcher:
        environment = os.environ | {"KAFKA_DIR": str(pathlib.Path(directory) / "kafka")}
        port = free_port()
        subprocess.run([launcher, "start", "--port", str(port)], env=environment, check=True, stdout=sys.stderr)
        try:
            place = {"servers": f"127.0.0.1:{port}", "name": "Apache Kafka on the same machine", "consumer": {}}
            yield place | {"records": 300_000}
        finally:
            subprocess.run([launcher, "stop"], env=environment, check=False)
    else:
        yield from embedded_broker(directory, release, topics)


def embedded_broker(directory, release, topics):
    address = pathlib.Path(directory) / "address"
    wanted = [part for topic in topics for part in ("--topic", topic)]
    process = subprocess.Popen(
        [release / "troupe", "broker", *wanted, "--address-file", address], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (address.exists() and address.read_text().strip()):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("bench: the embedded broker did not start")
            time.sleep(0.05)
        print("bench: no Kafka is named: on the embedded broker, whose figures say little about a real one")
        place = {"servers": address.read_text().strip(), "name": "Troupe's embedded broker"}
        yield place | {"consumer": EMBEDDED_CONSUMER, "records": 60_000}
    finally:
        process.terminate()
        process.wait()


def free_port():
    """A port that is free together with the next one, which the launcher gives to Kafka's controller."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


def machine():
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def median_interval(values):
    """The narrowest pair of order statistics that holds the median with 95 % or more, or the whole range."""
    values = sorted(values)
    count = len(values)
    best = None
    for trim in range(count // 2):
        outside = 2 * sum(math.comb(count, i) for i in range(trim + 1)) / 2**count
        if best is None or 1 - outside >= 0.95:
            best = values[trim], values[-1 - trim], 1 - outside
    return best or (values[0], values[-1], 0.0)

"""A real Kafka with three nodes, by a launcher that starts, kills, pauses and restarts them."""

import contextlib
import os
import random
import re
import socket
import subprocess
import time

NODES = (1, 2, 3)


class Cluster:
    """The nodes of one run; `stop` ends them and deletes their data."""

    def __init__(self, launcher, directory, log):
        self.launcher = launcher
        self.log = log
        self.environment = os.environ | {"KAFKA_DIR": str(directory)}
        self.environment.setdefault("KAFKA_HEAP", "384m")
        self.starting = None

    def start(self):
        """Starts the nodes and returns their addresses."""
        port = free_port()
        output = self._call("start", "--nodes", str(len(NODES)), "--port", str(port))
        found = re.search(r"KAFKA_BOOTSTRAP_SERVERS=(\S+)", output)
        if not found:
            raise RuntimeError(f"{self.launcher} printed no KAFKA_BOOTSTRAP_SERVERS: {output}")
        return found.group(1)

    def stop(self):
        if self.starting:
            self.starting.wait()
        subprocess.run([self.launcher, "stop"], env=self.environment, check=False, stdout=subprocess.DEVNULL)

    def kill(self, node):
        self._call("kill", str(node))

    def pause(self, node):
        self._call("pause", str(node))

    def resume(self, node):
        self._call("resume", str(node))

    def restart(self, node):
        """Begins to start a node that was killed; `settled` says when that is done."""
        self.starting = subprocess.Popen(
            [self.launcher, "restart", str(node)], env=self.environment, stdout=self.log, stderr=self.log)
        self.started_at = None

    def settled(self):
        """Whether all nodes run and had a few seconds to catch up with each other."""
        if self.starting is None:
            return True
        status = self.starting.poll()
        if status is None:
            return False
        if status != 0:
            raise RuntimeError("a Kafka node did not come back")
        self.started_at = self.started_at or time.monotonic()
        if time.monotonic() < self.started_at + 5:
            return False
        self.starting = None
        return True

    def _call(self, *arguments):
        done = subprocess.run(
            [self.launcher, *arguments], env=self.environment, check=False, stdout=subprocess.PIPE, stderr=self.log,
            text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{self.launcher} {' '.join(arguments)} ended with {done.returncode}")
        return done.stdout


def free_port():
    """A port that is free together with the others that three nodes need."""
    while True:
        port = random.SystemRandom().randrange(20000, 31000)
        wanted = [port + 10 * node + extra for node in range(len(NODES)) for extra in (0, 1)]
        with contextlib.suppress(OSError), contextlib.ExitStack() as sockets:
            for number in wanted:
                sockets.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port

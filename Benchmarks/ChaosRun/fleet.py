"""The service processes of a run: started, killed, paused, scaled, and watched by the logs their handlers write."""

import contextlib
import os
import signal
import subprocess
import time

from ChaosRun.plan import SERVICES


class HandlerLog:
    """One process's handler log, read as it grows."""

    def __init__(self, path):
        self.path = path
        self.file = None
        self.rest = b""
        self.open = {}

    def read(self):
        """The sequence numbers that succeeded since the last call, and those that were given up."""
        if self.file is None:
            if not self.path.exists():
                return [], []
            self.file = open(self.path, "rb")
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        succeeded, dead = [], []
        for line in lines:
            fields = line.split(b"\t")
            place = (fields[3], fields[4], fields[5], fields[8])
            if fields[0] == b"B":
                self.open[place] = int(fields[1])
                continue
            self.open.pop(place, None)
            if fields[9] == b"ok":
                succeeded.append(int(fields[1]))
            elif fields[9] == b"dead":
                dead.append(int(fields[1]))
        return succeeded, dead


class Instance:
    """One process of a service, in a slot whose name outlives it."""

    def __init__(self, service, slot, process, path, output):
        self.service = service
        self.slot = slot
        self.process = process
        self.log = HandlerLog(path)
        self.output = output
        self.began = time.monotonic()
        self.paused = False
        self.expected_end = None
        self.peak = 0

    @property
    def name(self):
        return f"{self.service}-{self.slot}"

    @property
    def alive(self):
        return self.process.poll() is None

    @property
    def has_started(self):
        """Whether the service got as far as its group, or ended in another way than by saying why it cannot."""
        text = self.output.read_text()
        return "Partitions assigned" in text or "The service cannot run" not in text

    def measure(self):
        """Notes the process's peak memory, in MB, while it can be asked for it."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{self.process.pid}/status") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, int(line.split()[1]) / 1024)


class Fleet:
    """All processes of the run, those that ended included."""

    def __init__(self, program, environment, directory):
        self.program = program
        self.environment = environment
        self.directory = directory
        self.instances = []
        self.done = {service: set() for service in SERVICES}
        self.trouble = []
        self.failed_starts = 0

    def start(self, service, slot):
        number = len(self.instances)
        path = self.directory / f"handler-{service}-{slot}-{number}.log"
        output = self.directory / f"service-{service}-{slot}-{number}.log"
        environment = self.environment | {
            "TROUPE_INSTANCE": f"{service}-{slot}", "KAFKA_CLIENT_ID": f"chaos-{service}-{slot}"}
        with open(output, "wb") as log:
            process = subprocess.Popen(
                [self.program, "serve", service, path], env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log)
        instance = Instance(service, slot, process, path, output)
        self.instances.append(instance)
        return instance

    def living(self, service=None):
        """The processes that run and are not paused."""
        return [
            instance for instance in self.instances
            if instance.alive and not instance.paused and instance.expected_end is None
            and service in (None, instance.service)
        ]

    def kill(self, instance):
        instance.measure()
        instance.expected_end = -signal.SIGKILL
        os.kill(instance.process.pid, signal.SIGKILL)
        instance.process.wait()

    def pause(self, instance):
        instance.paused = True
        os.kill(instance.process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while state(instance.process.pid) != "T" and time.monotonic() < deadline:
            time.sleep(0.001)

    def resume(self, instance):
        instance.paused = False
        os.kill(instance.process.pid, signal.SIGCONT)

    def terminate(self, instance):
        instance.measure()
        instance.expected_end = 0
        os.kill(instance.process.pid, signal.SIGTERM)

    def under_way(self, instances):
        """The attempts that began and have not ended, by the handlers' logs."""
        self.read()
        return sum(len(instance.log.open) for instance in instances)

    def read(self):
        """Reads what the handlers wrote; a process that ended by itself is noted as trouble."""
        for instance in list(self.instances):
            succeeded, dead = instance.log.read()
            self.done[instance.service].update(succeeded)
            self.done[instance.service].update(dead)
            status = instance.process.poll()
            if status is None:
                instance.measure()
            elif status != instance.expected_end and instance.expected_end is None and not instance.has_started:
                # While brokers are away a service may not get as far as its group. It says so and ends with status 1, and
                # is started again, as process managers do.
                instance.expected_end = status
                self.failed_starts += 1
                self.start(instance.service, instance.slot)
            elif status != instance.expected_end:
                self.trouble.append(f"{instance.name} (process {instance.process.pid}) ended with {status}, not told to")
                instance.expected_end = status

    def stop(self, within=40):
        """Ends all processes in order and returns those that did not end so."""
        for instance in self.instances:
            if instance.alive and instance.expected_end is None:
                self.terminate(instance)
        deadline = time.monotonic() + within
        for instance in self.instances:
            try:
                instance.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.trouble.append(f"{instance.name} did not end within {within} s of SIGTERM")
                instance.expected_end = -signal.SIGKILL
                instance.process.kill()
                instance.process.wait()
        self.read()

    def abandon(self):
        """Ends what still runs, at once."""
        for instance in self.instances:
            if instance.alive:
                instance.process.kill()
                instance.process.wait()


def state(pid):
    """The state of a process in one letter, `T` for stopped; empty when it has gone."""
    with contextlib.suppress(OSError, IndexError):
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    return ""

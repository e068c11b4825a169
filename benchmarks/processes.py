"""The processes of a measurement: a server, and the client that watches it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from benchmarks import machine
from benchmarks.stats import Histogram

HOST = "127.0.0.1"
START_WITHIN = 15.0
STOP_WITHIN = 3.0


class BenchmarkError(Exception):
    """A measurement cannot be made; the text says why."""


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Process:
    """A process on the given cores, ended with the `with` block, as is all that it started."""

    def __init__(self, command: Sequence[str], cores: frozenset[int], *, piped: bool) -> None:
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        os.sched_setaffinity(self.pid, cores)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_WITHIN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None


class Server(Process):
    """A contender, listening once the `with` block begins."""

    def __init__(self, module: str, arguments: Sequence[str], cores: frozenset[int]) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", module, "--port", str(self.port), *arguments]
        super().__init__(command, cores, piped=False)

    def __enter__(self) -> Self:
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until and not self.ended:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return self
            time.sleep(0.02)
        self.__exit__(None, None, None)
        raise BenchmarkError("the server did not start")

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url(path), timeout=30) as response:
            body: bytes = response.read()
        return body

    def cpu(self) -> float:
        """Return the CPU seconds of the process itself."""
        return machine.cpu_seconds(self.pid)

    def cpu_with_workers(self) -> float:
        """Return the CPU seconds of the process and all its descendants."""
        return sum(map(machine.cpu_seconds, machine.family(self.pid)))

    def memory(self) -> int:
        return machine.memory(self.pid)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the client is to do; `interval` makes it poll that often."""

    path: str
    connections: int
    warmup: float = 0.5
    seconds: float = 3.0
    interval: float | None = None
    rate: float = 1.0
    headers: Sequence[str] = ()


@dataclass(slots=True)
class Sample:
    """What the client measured, and what the server took meanwhile."""

    opened: int = 0
    opening: float = 0.0
    seconds: float = 0.0
    events: int = 0
    bytes: int = 0
    polls: int = 0
    failed: int = 0
    client_cpu: float = 0.0
    server_cpu: float = 0.0
    server_memory: int = 0
    stall: float = 0.0
    lags: Histogram = field(default_factory=Histogram)

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def client_share(self) -> float:
        """How much of its core the client needed: near 1 it is what is measured."""
        return self.client_cpu / self.seconds


class Client(Process):
    """The client process; its lines are read as they come."""

    def __init__(
        self, program: Sequence[str], port: int, watch: Watch, cores: frozenset[int]
    ) -> None:
        mode, accept = ("poll", "*/*") if watch.interval else ("stream", "text/event-stream")
        numbers = (watch.connections, watch.warmup, watch.seconds, watch.interval or 0, watch.rate)
        command = [*program, mode, HOST, str(port), watch.path, *map(str, numbers)]
        super().__init__([*command, f"Accept: {accept}", *watch.headers], cores, piped=True)
        with contextlib.suppress(PermissionError):
            # Beside busy workers the client must not be what lags.
            os.setpriority(os.PRIO_PROCESS, self.pid, -10)

    def read(self, word: str) -> list[str]:
        """Read up to the line that begins with `word`; give the rest of it."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            first, *rest = line.split()
            if first == word:
                return rest
        raise BenchmarkError("the client gave up")


def measure(
    server: Server,
    program: Sequence[str],
    watch: Watch,
    cores: machine.Cores,
    at_begin: Callable[[], object] = lambda: None,
) -> Sample:
    """Run the client against `server` and measure both, from `at_begin` to the end."""
    sample = Sample()
    with Client(program, server.port, watch, cores.client) as client:
        opened, opening = client.read("opened")
        sample.opened, sample.opening = int(opened), float(opening)
        client.read("begin")
        at_begin()
        used = server.cpu()
        client.read("end")
        sample.server_cpu = server.cpu() - used
        sample.server_memory = server.memory()
        sample.events = int(client.read("events")[0])
        sample.bytes = int(client.read("bytes")[0])
        sample.polls = int(client.read("polls")[0])
        sample.failed = int(client.read("failed")[0])
        sample.seconds = float(client.read("seconds")[0])
        sample.client_cpu = float(client.read("cpu")[0])
        sample.lags = Histogram.parse(" ".join(client.read("histogram")))
    return sample

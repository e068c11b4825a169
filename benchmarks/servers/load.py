"""What all contenders emit, and when: the same events by the same clock."""

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SNAPSHOT = (
    '{"session_id":"0198c1d2e3f47a6b8c9d","status":"processing","progress":41,'
    '"total_files":50000,"processed_files":%d,"current_file":"holiday/2024/IMG_0042.png",'
    '"stats":{"done":20630,"skipped_existing":12,"errors":1},"files_per_second":9812.4,'
    '"eta_seconds":3.0,"changed_at":%.3f}'
)
"""An event of about 300 bytes: a snapshot of the service, shortened."""


@dataclass(frozen=True, slots=True)
class Load:
    """`streams` clients to wait for, then `rate` events a second; 0 is one after the other."""

    port: int
    streams: int
    rate: float
    loop: str
    http: str
    heartbeat: float


class Target(Protocol):
    """A contender's fan-out."""

    def count(self) -> int:
        """Return the number of subscribers."""

    def publish(self, event: str) -> None:
        """Send `event` to all."""

    async def delivered(self) -> None:
        """Return when the event before was handed to every client's connection."""


def parse() -> Load:
    """Read a contender's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--loop", default="auto")
    parser.add_argument("--http", default="auto")
    parser.add_argument("--heartbeat", type=float, default=15.0)
    return Load(**vars(parser.parse_args()))


async def emit(load: Load, target: Target) -> None:
    """Wait until all clients are there; then publish until cancelled."""
    while target.count() < load.streams:  # noqa: ASYNC110 - not every contender could tell
        await asyncio.sleep(0.01)
    if load.rate < 0:
        await asyncio.Event().wait()
    elif load.rate:
        await _emit_by_clock(load.rate, target)
    else:
        await _emit_by_turns(target)


async def _emit_by_clock(rate: float, target: Target) -> None:
    started, n = time.time(), 0
    while True:
        n += 1
        due = started + n / rate
        await asyncio.sleep(due - time.time())
        now = time.time()
        # One that could not even be emitted in time has lagged since it was due.
        changed_at = due if now - due > 1 / rate else now
        target.publish(SNAPSHOT % (n, changed_at * 1000))


async def _emit_by_turns(target: Target) -> None:
    n = 0
    while True:
        n += 1
        target.publish(SNAPSHOT % (n, time.time() * 1000))
        await target.delivered()
        await asyncio.sleep(0)


class Inbox(asyncio.Queue[str]):
    """The queue of one client; `task_done` means that the last event taken was sent."""

    def __init__(self, done: Callable[[], None]) -> None:
        super().__init__()
        self._done = done

    def task_done(self) -> None:
        self._done()


class Inboxes:
    """A queue for each client, the way that sse-starlette, aiohttp-sse and FastAPI show."""

    def __init__(self) -> None:
        self._inboxes: set[Inbox] = set()
        self._owed = 0
        self._settled = asyncio.Event()

    def join(self) -> Inbox:
        inbox = Inbox(self._sent)
        self._inboxes.add(inbox)
        return inbox

    def leave(self, inbox: Inbox) -> None:
        self._inboxes.discard(inbox)

    def count(self) -> int:
        return len(self._inboxes)

    def publish(self, event: str) -> None:
        self._settled.clear()
        self._owed += len(self._inboxes)
        for inbox in self._inboxes:
            inbox.put_nowait(event)

    async def delivered(self) -> None:
        await self._settled.wait()

    def _sent(self) -> None:
        self._owed -= 1
        if not self._owed:
            self._settled.set()

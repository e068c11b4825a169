"""Announcing a session's changes: at once, and then at most one every so often."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import orjson

from ingest.session import Session


class Publish(Protocol):
    """Takes each snapshot, encoded, with its event's id; `last` says that none will follow."""

    def __call__(self, session_id: str, event_id: str, snapshot: bytes, *, last: bool) -> None: ...


class SnapshotPublisher:
    """
    Publishes a session's snapshots.

    The first change goes out at once; others wait until `min_interval` seconds have passed since
    the one before, and the snapshot is taken when it goes. With 0 every change goes out.
    Event ids are `life` and a number: one that goes on with a session needs another life, or an
    id would stand for two snapshots.
    """

    def __init__(
        self,
        session: Session,
        publish: Publish,
        *,
        life: str,
        min_interval: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._publish = publish
        self._life = life
        self._min_interval = min_interval
        self._clock = clock
        self._events = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Announce the session's state, now or as soon as its turn comes."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._due:
            self._announce()
        else:
            self._timer = loop.call_at(self._due, self._announce)

    def final(self) -> tuple[str, bytes]:
        """Take the last snapshot and its event's id, to be recorded and then announced."""
        self.stop()
        return self._take()

    async def announce_final(self, event_id: str, snapshot: bytes) -> None:
        """Announce the last snapshot when its turn comes."""
        await asyncio.sleep(self._due - asyncio.get_running_loop().time())
        self._publish(self._session.id, event_id, snapshot, last=True)

    def stop(self) -> None:
        """Announce nothing that is still waiting for its turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _announce(self) -> None:
        self._timer = None
        self._due = asyncio.get_running_loop().time() + self._min_interval
        event_id, snapshot = self._take()
        self._publish(self._session.id, event_id, snapshot, last=False)

    def _take(self) -> tuple[str, bytes]:
        self._events += 1
        snapshot = orjson.dumps(self._session.snapshot(self._clock()))
        return f"{self._life}-{self._events}", snapshot

"""Publishing a session's snapshots: the first change at once, later ones at an interval."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from ingest.clock import read_clocks
from ingest.progress import Moment
from ingest.session import Session, Snapshot

LINE_SEPARATORS = (
    (b"\xc2\x85", rb"\u0085"),
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
)
"""Characters at which some readers of event streams and JSON lines split, and their escapes."""


@dataclass(frozen=True, slots=True)
class EncodedSnapshot:
    """A snapshot, the JSON that it was encoded to once, and the id of its event."""

    event_id: str
    json: bytes
    snapshot: Snapshot


class Publish(Protocol):
    """A receiver of each snapshot in order; `last` is true for a session's final one."""

    def __call__(self, session_id: str, encoded: EncodedSnapshot, *, last: bool) -> None: ...


class SnapshotPublisher:
    """
    Publishes a session's snapshots.

    The first change is published at once. A later one waits until `min_interval` seconds after
    the previous snapshot, and the snapshot is taken when it is published. With 0 every change is
    published. An event id is `run_id` and a number: a session that is resumed needs another run
    id, or one event id would stand for two snapshots.
    """

    def __init__(
        self,
        session: Session,
        publish: Publish,
        *,
        run_id: str,
        min_interval: float,
        clock: Callable[[], Moment] = read_clocks,
    ) -> None:
        self._session = session
        self._publish = publish
        self._run_id = run_id
        self._min_interval = min_interval
        self._clock = clock
        self._events = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._newest: Snapshot | None = None

    def changed(self) -> None:
        """Publish the session's state now, or when the interval is over."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._due:
            self._publish_newest()
        else:
            self._timer = loop.call_at(self._due, self._publish_newest)

    def tick(self) -> None:
        """Publish what the passing of time alone has changed, if anything: rates, the time left."""
        if self._timer is not None or self._newest is None:
            return
        now = self._clock()
        if _changes(self._newest, self._session.state(now)):
            self._session.tick(now)
            self.changed()

    def final(self) -> EncodedSnapshot:
        """Return the last snapshot, which is recorded before it is published."""
        self.stop()
        return self._encode()

    async def publish_final(self, encoded: EncodedSnapshot) -> None:
        """Publish the last snapshot when the interval is over."""
        await asyncio.sleep(self._due - asyncio.get_running_loop().time())
        self._publish(self._session.id, encoded, last=True)

    def stop(self) -> None:
        """Cancel the timer of a change that was not published yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _publish_newest(self) -> None:
        self._timer = None
        self._due = asyncio.get_running_loop().time() + self._min_interval
        self._publish(self._session.id, self._encode(), last=False)

    def _encode(self) -> EncodedSnapshot:
        self._events += 1
        snapshot = self._newest = self._session.snapshot(self._clock())
        json = escape_line_separators(orjson.dumps(snapshot))
        return EncodedSnapshot(f"{self._run_id}-{self._events}", json, snapshot)


def _changes(before: Snapshot, after: Snapshot) -> bool:
    return {**before, "changed_at": None} != {**after, "changed_at": None}


def escape_line_separators(json: bytes) -> bytes:
    r"""Return JSON with U+0085, U+2028 and U+2029 written as `\u` escapes."""
    if json.isascii():
        return json
    for separator, escape in LINE_SEPARATORS:
        json = json.replace(separator, escape)
    return json

"""
The feed: the channels of the sessions that somebody watches on this process.

A watched session's channel gets each frame that is newer than its last one, the first at once and
later ones at an interval. Frames come from wake-ups, and from the rows: once a second, whenever the
connection for wake-ups was made again, and at each request for a session. A session that nobody
has watched for a while is dropped.

`run` owns the task that looks at the rows; all else happens on the event loop between its steps.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from cluster.change import StoredFrame
from cluster.reader import LedgerReader
from ingest.errors import CatalogueError
from sse import Channel, Frame

LOOK_SECONDS = 1.0
"""Seconds between two looks at the rows of the sessions that are watched."""

KEEP_SECONDS = 30.0
"""Seconds that the channel of a session is kept which nobody watches: somebody may reconnect."""


@dataclass(slots=True, eq=False)
class Watched:
    """A session's channel, the version of its frame, and a frame that waits for its turn."""

    channel: Channel
    asked: float
    version: int = 0
    held: StoredFrame | None = None
    timer: asyncio.TimerHandle | None = None


class Feed:
    """Feeds the channels of watched sessions."""

    def __init__(self, reader: LedgerReader, min_interval: float) -> None:
        self._reader = reader
        self._min_interval = min_interval
        self._watched: dict[int, Watched] = {}
        self._unread: set[int] = set()
        self._look = asyncio.Event()
        self._delivered: Callable[[bytes], None] | None = None

    def observe(self, delivered: Callable[[bytes], None]) -> None:
        """Call `delivered` with each snapshot, once it was put into its channel."""
        self._delivered = delivered

    def channel(self, frame: StoredFrame) -> Channel:
        """Return the channel of a frame's session, which has this frame or a newer one."""
        loop = asyncio.get_running_loop()
        watched = self._watched.get(frame.session)
        if watched is None:
            watched = Watched(Channel(call_soon=loop.call_soon), loop.time())
            self._watched[frame.session] = watched
        watched.asked = loop.time()
        self._publish(watched, frame)
        return watched.channel

    def receive(self, frame: StoredFrame, has_json: bool) -> None:
        """Publish the frame of a wake-up, or read it from its row if the wake-up has none."""
        watched = self._watched.get(frame.session)
        if watched is None or frame.version <= watched.version:
            return
        if has_json:
            self._hold(watched, frame)
        else:
            self._unread.add(frame.session)
            self._look.set()

    def look(self) -> None:
        """Request a look at the rows of all watched sessions."""
        self._unread.update(self._watched)
        self._look.set()

    async def run(self) -> None:
        """Read rows until cancelled: those that a wake-up named, and all once a second."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            if not self._look.is_set():
                self._drop_unwatched()
                self.look()
            self._look.clear()
            numbers, self._unread = self._unread, set()
            with contextlib.suppress(CatalogueError):  # the next look comes in a second
                await self._read(numbers)
            await asyncio.sleep(self._min_interval)

    async def _read(self, numbers: set[int]) -> None:
        versions = {n: self._watched[n].version for n in numbers if n in self._watched}
        if not versions:
            return
        for frame in await self._reader.newer_frames(versions):
            if watched := self._watched.get(frame.session):
                self._hold(watched, frame)

    def _hold(self, watched: Watched, frame: StoredFrame) -> None:
        """Publish a frame now, or the newest of those that come before the interval is over."""
        if watched.timer is None:
            self._publish(watched, frame)
        elif watched.held is None or watched.held.version < frame.version:
            watched.held = frame

    def _publish(self, watched: Watched, frame: StoredFrame) -> None:
        if frame.version <= watched.version or watched.channel.closed:
            return
        watched.version = frame.version
        watched.channel.publish(Frame.of(frame.json, id=frame.event_id), last=frame.terminal)
        if self._delivered is not None:
            self._delivered(frame.json)
        if self._min_interval and watched.timer is None:
            loop = asyncio.get_running_loop()
            watched.timer = loop.call_later(self._min_interval, self._release, watched)

    def _release(self, watched: Watched) -> None:
        watched.timer = None
        if (frame := watched.held) is not None:
            watched.held = None
            self._publish(watched, frame)

    def _drop_unwatched(self) -> None:
        now = asyncio.get_running_loop().time()
        for number, watched in list(self._watched.items()):
            unused = not watched.channel.statistics().subscribers
            if unused and (watched.channel.closed or now - watched.asked > KEEP_SECONDS):
                del self._watched[number]

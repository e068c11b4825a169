"""The open streams of one application: their limits, their one timer, their common end."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from sse.channel import Channel, Frame
from sse.stream import NEVER, DirectStream, Stream, StreamLimits, TaskStream
from sse.subscription import Subscription
from sse.timing_wheel import TimingWheel
from sse.types import Headers, Receive, Scope, Send
from sse.uvicorn import Connection

logger = logging.getLogger("sse")

HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    # A stream that is stored, or compressed and so buffered, on its way is not live.
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]

JITTER = 0.1
"""How far reconnection times and ages vary, so that clients do not all come back at once."""

DRAIN_GRACE = 0.5
"""Seconds that `drain` gives to clients which have not read what they were sent."""

DRAIN_POLL = DRAIN_GRACE / 10
"""Seconds between two looks at what servers still hold; nobody tells when it is gone."""

SWEEP_SLICE = 256
"""Streams looked at before the event loop gets its turn; a heartbeat for each takes some 3 ms."""

TICKS = 4
"""Ticks of the timer in the shortest of the times that it keeps: so late may a heartbeat be."""

LONGEST_TICK = 0.25
"""Seconds; a shutdown of the server is noticed at a tick, and is to be over within a second."""

LONGEST_WAIT = 3600.0
"""Seconds between two looks at a stream, however long its times are; infinite ones are taken."""

ASKED = 8
"""Streams that are asked at each tick whether the server shuts down: it tells all at once."""


class StreamError(Exception):
    """A stream cannot be opened."""


class TooManyStreamsError(StreamError):
    """As many streams are open as the application allows."""


@dataclass(frozen=True, slots=True)
class RegistryStatistics:
    """Streams open now; opened, frames sent and frames skipped in all."""

    open: int
    opened: int
    frames_sent: int
    frames_skipped: int


class StreamRegistry:
    """
    Streams channels over ASGI, and knows all that are open.

    Args:
        heartbeat: seconds of silence before a comment is sent.
        retry_ms: the reconnection time that clients are told, in milliseconds.
        send_timeout: seconds a client may leave unread what the server buffers no further.
        max_age: seconds after which a stream ends for its client to reconnect; 0 is never.
        limit: streams that may be open at once.
        on_shutdown: called when the server is seen to shut down; by default all streams end.
        clock: seconds, monotonic; the running loop's if none is given.

    Raises:
        ValueError: a time below 0, or of 0 where that would be no time at all.

    """

    def __init__(
        self,
        *,
        heartbeat: float = 15.0,
        retry_ms: int = 1000,
        send_timeout: float = 30.0,
        max_age: float = 3600.0,
        limit: int = 20_000,
        on_shutdown: Callable[[], object] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name, value in (("heartbeat", heartbeat), ("send_timeout", send_timeout)):
            if not value > 0:
                raise ValueError(f"{name} is {value}; it has to be above 0 seconds")
        for name, value in (("max_age", max_age), ("retry_ms", retry_ms)):
            if not value >= 0:
                raise ValueError(f"{name} is {value}; the least is 0")
        self._limits = StreamLimits(heartbeat, send_timeout, max_age or NEVER)
        times = (heartbeat, send_timeout, max_age or NEVER)
        self._period = min(LONGEST_TICK, *(time / TICKS for time in times))
        self._retry_ms = retry_ms
        self._limit = limit
        self._on_shutdown = on_shutdown or self.end
        self._clock = clock
        self._open: dict[Stream, None] = {}
        self._wheel = TimingWheel[Stream](self._period)
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._ending: dict[Stream, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._opened = self._frames_sent = self._frames_skipped = 0

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._open)

    async def serve(
        self,
        channel: Channel,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        headers: Headers | None = None,
    ) -> None:
        """
        Answer a GET or HEAD request with the channel's frames, until either side ends it.

        The newest frame goes out at once, unless the request's `Last-Event-ID` says that the
        client has it. A client that has the last frame of a closed channel is answered `204`,
        which tells an EventSource to stop. `headers` are added to the answer's own.

        Raises:
            TooManyStreamsError: before anything was sent.
        """
        extra = headers or []
        has_newest = _has_newest(channel, scope)
        if channel.closed and has_newest:
            await _answer(send, 204, extra)
        elif scope["method"] == "HEAD":
            await _answer(send, 200, HEADERS + extra)
        else:
            if len(self._open) >= self._limit:
                raise TooManyStreamsError(f"{len(self._open)} streams are open; no more fit")
            await self._run(channel, receive, send, HEADERS + extra, has_newest=has_newest)

    def end(self) -> None:
        """End every stream cleanly now, and each later one right after its first frame."""
        self._draining = True
        self._ending |= self._open
        for stream in tuple(self._open):
            stream.end()

    async def drain(self) -> None:
        """End every stream, and cut after half a second those whose clients do not read."""
        self.end()
        try:
            async with asyncio.timeout(DRAIN_GRACE):
                await self._empty.wait()
                while any(stream.is_unread() for stream in self._ending):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(DRAIN_POLL)
        except TimeoutError:
            self.cut()
        self._ending.clear()

    def cut(self) -> None:
        """
        End every stream that is still open, whatever its client has read.

        Of those that `end` ended, the connections go whose clients do not read: a server waits
        for such a client before it stops, for ever, be there a single byte left to write.
        """
        for stream in tuple(self._open):
            stream.cut()
        for stream in self._ending:
            stream.drop_unread()
        self._ending.clear()

    def statistics(self) -> RegistryStatistics:
        """Count streams and frames; those of a stream that is open are asked of it now."""
        feeds = [stream.feed for stream in self._open]
        return RegistryStatistics(
            len(self._open),
            self._opened,
            self._frames_sent + sum(feed.frames_sent for feed in feeds),
            self._frames_skipped + sum(feed.frames_skipped for feed in feeds),
        )

    async def _run(
        self, channel: Channel, receive: Receive, send: Send, headers: Headers, *, has_newest: bool
    ) -> None:
        clock = self._clock or asyncio.get_running_loop().time
        retry = f"retry: {_vary(self._retry_ms):.0f}\n".encode()
        feed = Subscription(channel, retry, channel.newest if has_newest else None, self._draining)
        limits = self._limits
        limits = StreamLimits(limits.heartbeat, limits.send_timeout, _vary(limits.max_age))
        kind = DirectStream if Connection(send, receive).can_step else TaskStream
        stream = kind(feed, receive, send, limits, clock)
        self._open[stream] = None
        self._schedule(stream, stream.opened_at)
        self._empty.clear()
        self._opened += 1
        logger.info("stream opened; %d open now", len(self._open))
        self._arm()
        try:
            await stream.run(headers)
        finally:
            self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        del self._open[stream]
        self._wheel.remove(stream)
        if not self._open:
            self._empty.set()
        self._frames_sent += stream.feed.frames_sent
        self._frames_skipped += stream.feed.frames_skipped
        logger.info(
            "stream closed after %.1f s: %d frames sent, %d skipped",
            stream.clock() - stream.opened_at,
            stream.feed.frames_sent,
            stream.feed.frames_skipped,
        )

    def _arm(self) -> None:
        if self._timer is None and self._open:
            self._timer = asyncio.get_running_loop().call_later(self._period, self._tick)

    def _tick(self) -> None:
        if not self._draining and any(s.is_being_shut_down for s in islice(self._open, ASKED)):
            self._on_shutdown()
        now = (self._clock or asyncio.get_running_loop().time)()
        self._sweep(iter(self._wheel.take(now)))

    def _sweep(self, streams: Iterator[Stream]) -> None:
        slice_ = tuple(islice(streams, SWEEP_SLICE))
        for stream in slice_:
            if stream in self._open:
                self._look_at(stream)
        if slice_:
            asyncio.get_running_loop().call_soon(self._sweep, streams)
        else:
            self._timer = None
            self._arm()

    def _look_at(self, stream: Stream) -> None:
        now = stream.clock()
        try:
            stream.tick(now)
        except Exception:  # one that fails must not cost the others their heartbeats
            logger.exception("a stream is not looked after any more")
        else:
            self._schedule(stream, now)

    def _schedule(self, stream: Stream, now: float) -> None:
        self._wheel.put(stream, min(max(stream.next_tick(now), now), now + LONGEST_WAIT))


def _vary(value: float) -> float:
    return value * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, no secret


def _has_newest(channel: Channel, scope: Scope) -> bool:
    newest: Frame | None = channel.newest
    if newest is None:
        return False
    wanted = newest.id.encode()
    # ASGI has names in small letters; one who calls an application by hand may not.
    return any(
        name.lower() == b"last-event-id" and value == wanted for name, value in scope["headers"]
    )


async def _answer(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})

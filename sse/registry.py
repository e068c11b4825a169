"""
The open streams of one application: their limits, their timer and their common end.

States: *open*, then *draining* from the first `end` or `drain` on. In both, `serve` answers
requests; a stream that is opened while draining ends after its first frame.

Callers: the application calls `serve` for each request, in the task that handles the request, and
`end`, `drain` or `abort` at its shutdown. One timer calls `tick` of each stream when it is due.

Guarantees:

- At most `limit` streams are open. Idle streams share one timer, and long sweeps of it yield to
  the event loop.
- A shutdown of uvicorn is noticed within `LONGEST_TICK`; it calls `on_shutdown`.
- `drain` returns within `DRAIN_GRACE`; clients that did not read by then are aborted.
- A failure of one stream's timer does not stop the timers of the others.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Literal, TypeAlias

from sse.channel import Channel, Frame
from sse.direct import DirectStream
from sse.stream import NEVER, Stream, StreamLimits, TaskStream
from sse.subscription import Subscription
from sse.timing_wheel import TimingWheel
from sse.types import Headers, Receive, Scope, Send
from sse.uvicorn import Connection

logger = logging.getLogger("sse")

HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    # A proxy that stores the stream, or buffers it in order to compress it, delays events.
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]

JITTER = 0.1
"""Relative variation of reconnection times and ages; clients then reconnect at different times."""

DRAIN_GRACE = 0.5
"""Seconds that `drain` waits for clients to read what they were sent."""

DRAIN_POLL = DRAIN_GRACE / 10
"""Seconds between two checks of what servers have not sent; no callback reports it."""

SWEEP_SLICE = 256
"""Streams per slice of a sweep; a heartbeat for each of them takes about 3 ms."""

TICKS = 4
"""Ticks of the timer in the shortest of the limits: a heartbeat is late by at most one tick."""

LONGEST_TICK = 0.25
"""Seconds; a tick notices a server's shutdown, after which all streams end within a second."""

LONGEST_WAIT = 3600.0
"""Seconds between two ticks of a stream at most, also if its limits are infinite."""

Delivery: TypeAlias = Literal["auto", "task"]

_WAYS: Mapping[type[Stream], str] = MappingProxyType(
    {DirectStream: "directly, by the publisher", TaskStream: "by its own task"}
)

ASKED = 8
"""Streams checked for a shutdown at each tick; uvicorn marks all connections at once."""


class StreamError(Exception):
    """A stream cannot be opened."""


class TooManyStreamsError(StreamError):
    """The limit of open streams is reached."""


@dataclass(frozen=True, slots=True)
class RegistryStatistics:
    """
    Streams open now, and how many of them are delivered directly; streams opened, frames sent and
    frames skipped since the start.
    """

    open: int
    direct: int
    opened: int
    frames_sent: int
    frames_skipped: int


class StreamRegistry:
    """
    Serves channels as streams over ASGI, and keeps all that are open.

    Args:
        heartbeat: seconds of silence before a comment is sent.
        retry_ms: the reconnection time sent to clients, in milliseconds.
        send_timeout: seconds that a client may read nothing once the server's buffer is full.
        max_age: seconds after which a stream ends and its client reconnects; 0 means no limit.
        limit: streams that may be open at once.
        delivery: `auto` steps `send` directly where that is safe; with `task` the own task of
            each stream calls it.
        on_shutdown: called when the server starts its shutdown; by default all streams end.
        clock: seconds, monotonic; the running loop's if none is given.

    Raises:
        ValueError: a time is negative, or 0 where only a positive one makes sense.

    """

    def __init__(
        self,
        *,
        heartbeat: float = 15.0,
        retry_ms: int = 1000,
        send_timeout: float = 30.0,
        max_age: float = 3600.0,
        limit: int = 20_000,
        delivery: Delivery = "auto",
        on_shutdown: Callable[[], object] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name, value in (("heartbeat", heartbeat), ("send_timeout", send_timeout)):
            if not value > 0:
                raise ValueError(f"{name} is {value}; it must be greater than 0 seconds")
        for name, value in (("max_age", max_age), ("retry_ms", retry_ms)):
            if not value >= 0:
                raise ValueError(f"{name} is {value}; it must be 0 or greater")
        self._limits = StreamLimits(heartbeat, send_timeout, max_age or NEVER)
        times = (heartbeat, send_timeout, max_age or NEVER)
        self._period = min(LONGEST_TICK, *(time / TICKS for time in times))
        self._retry_ms = retry_ms
        self._limit = limit
        self._delivery = delivery
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
        """The number of open streams."""
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
        Wait until the stream that answers a GET or HEAD request has ended.

        The newest frame is sent at once, unless the request's `Last-Event-ID` says that the
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
        """End every stream, and after half a second abort those whose client does not read."""
        self.end()
        try:
            async with asyncio.timeout(DRAIN_GRACE):
                await self._empty.wait()
                while any(stream.is_unread() for stream in self._ending):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(DRAIN_POLL)
        except TimeoutError:
            self.abort()
        self._ending.clear()

    def abort(self) -> None:
        """
        Abort every stream that is still open.

        Of the streams that `end` ended, also abort connections whose client stopped reading; the
        server would wait for them without limit.
        """
        for stream in tuple(self._open):
            stream.abort()
        for stream in self._ending:
            stream.abort_unread()
        self._ending.clear()

    def statistics(self) -> RegistryStatistics:
        """Return the counts of streams and frames, including those of open streams."""
        subscriptions = [stream.subscription for stream in self._open]
        return RegistryStatistics(
            len(self._open),
            sum(isinstance(stream, DirectStream) for stream in self._open),
            self._opened,
            self._frames_sent + sum(each.frames_sent for each in subscriptions),
            self._frames_skipped + sum(each.frames_skipped for each in subscriptions),
        )

    async def _run(
        self, channel: Channel, receive: Receive, send: Send, headers: Headers, *, has_newest: bool
    ) -> None:
        clock = self._clock or asyncio.get_running_loop().time
        retry = f"retry: {_vary(self._retry_ms):.0f}\n".encode()
        sent = channel.newest if has_newest else None
        subscription = Subscription(channel, retry, sent, self._draining)
        limits = self._limits
        limits = StreamLimits(limits.heartbeat, limits.send_timeout, _vary(limits.max_age))
        direct = self._delivery == "auto" and Connection(send, receive).can_step
        kind = DirectStream if direct else TaskStream
        stream = kind(subscription, receive, send, limits, clock)
        if not self._opened:
            logger.info("the first stream is delivered %s", _WAYS[kind])
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
        self._frames_sent += stream.subscription.frames_sent
        self._frames_skipped += stream.subscription.frames_skipped
        logger.info(
            "stream closed after %.1f s: %d frames sent, %d skipped",
            stream.clock() - stream.opened_at,
            stream.subscription.frames_sent,
            stream.subscription.frames_skipped,
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
                self._tick_one(stream)
        if slice_:
            asyncio.get_running_loop().call_soon(self._sweep, streams)
        else:
            self._timer = None
            self._arm()

    def _tick_one(self, stream: Stream) -> None:
        now = stream.clock()
        try:
            stream.tick(now)
        except Exception:  # the other streams still need their heartbeats
            logger.exception("the timer of a stream failed; the stream has no heartbeat now")
        else:
            self._schedule(stream, now)

    def _schedule(self, stream: Stream, now: float) -> None:
        self._wheel.put(stream, min(max(stream.next_tick(now), now), now + LONGEST_WAIT))


def _vary(value: float) -> float:
    return value * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, not a secret


def _has_newest(channel: Channel, scope: Scope) -> bool:
    newest: Frame | None = channel.newest
    if newest is None:
        return False
    wanted = newest.id.encode()
    # ASGI has lower-case names; code that calls the application directly may differ.
    return any(
        name.lower() == b"last-event-id" and value == wanted for name, value in scope["headers"]
    )


async def _answer(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})

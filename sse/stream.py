"""
One HTTP response that follows a channel, https://html.spec.whatwg.org/multipage/server-sent-events.html

Two ways to deliver, the same in what a client sees. `DirectStream`: the publisher steps `send`
itself, and the stream's own task only waits for the disconnect, so no wake-up stands between a
frame and its socket. `TaskStream`: the stream's task sends, as a `send` may ask who calls it.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sse.subscription import Subscription
from sse.types import Headers, Message, Receive, Send
from sse.uvicorn import ChunkedCycle, Connection, HTTP2Stream

logger = logging.getLogger("sse")

NEVER = float("inf")

PARKING_PERIOD = 1.0
"""Seconds between two looks at whether a client over HTTP/2 allows more: nobody tells."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """
    What one stream may take, in seconds.

    `heartbeat`: silence before a comment. `send_timeout`: how long it may go unread once the
    server buffers no more for it. `max_age`: its whole life, or infinity.
    """

    heartbeat: float
    send_timeout: float
    max_age: float


@dataclass(slots=True, eq=False)
class Stream(ABC):
    """
    What both ways of delivery share.

    A stream that is slow skips to the newest frame when it can send again. It ends after the
    channel's last frame, at `end()`, when its age is up, and when the client is gone.
    """

    feed: Subscription
    receive: Receive
    send: Send
    limits: StreamLimits
    clock: Callable[[], float]
    connection: Connection = field(init=False)
    opened_at: float = field(init=False)
    last_sent_at: float = field(init=False)
    _stalled_at: float = field(default=NEVER, init=False)
    _was_last: bool = field(init=False)

    def __post_init__(self) -> None:
        self.opened_at = self.last_sent_at = self.clock()
        self.connection = Connection(self.send, self.receive)
        self._was_last = self.connection.closes_after_response

    @abstractmethod
    async def run(self, headers: Headers) -> None:
        """Answer with `headers` and follow the channel until the stream or the client ends."""

    @abstractmethod
    def notify(self) -> None:
        """Send what is next, now or as soon as the client takes more."""

    @abstractmethod
    def cut(self) -> None:
        """End the stream without waiting for a client that does not read."""

    def stalled_for(self, now: float) -> float:
        """Tell for how many seconds the client has been waited for; 0 while it keeps up."""
        return max(0.0, now - self._stalled_at)

    def end(self) -> None:
        """End the stream cleanly, after the newest frame."""
        self.feed.ending = True
        self.notify()

    def drop_unread(self) -> None:
        """Cut the connection of a stream that ended if what it sent is still not on its way."""
        if self.is_unread():
            self.connection.abort()

    def is_unread(self) -> bool:
        """Tell whether the server still holds what was sent."""
        return self.connection.unsent_bytes > 0

    @property
    def is_being_shut_down(self) -> bool:
        """Whether the server has begun to wait for this response's end."""
        return not self._was_last and self.connection.closes_after_response

    def tick(self, now: float) -> None:
        """Do what is due at `now`: a heartbeat, the end of an old, a stalled or a lost stream."""
        if self.connection.is_closing:
            self.cut()
        elif self.stalled_for(now) >= self.limits.send_timeout:
            logger.info("a stream is cut: unread for %.3g s", self.stalled_for(now))
            self.cut()
        elif now - self.opened_at >= self.limits.max_age and not self.feed.ending:
            self.end()
        elif now - self.last_sent_at >= self.limits.heartbeat:
            self.feed.heartbeat_due = True
            self.notify()

    def next_tick(self, now: float) -> float:
        """Tell when something may be due next; a stall that begins now is due no earlier."""
        limits = self.limits
        stalled = self._stalled_at != NEVER
        return min(
            (now if stalled else self.last_sent_at) + limits.heartbeat,
            (self._stalled_at if stalled else now) + limits.send_timeout,
            NEVER if self.feed.ending else self.opened_at + limits.max_age,
        )

    def _note_sent(self) -> None:
        self.last_sent_at = self.clock()
        # One that fell due while `send` waited is needless now: there was no silence.
        self.feed.heartbeat_due = False


@dataclass(slots=True, eq=False)
class DirectStream(Stream):
    """
    A stream whose `send` the publisher steps.

    `send` finishes in its first step unless the server waits for the client. One that waits is
    handed to a task; when it is back the stream goes on with what is then the newest.
    """

    _ready: bool = field(default=False, init=False)
    _cycle: ChunkedCycle | None = field(default=None, init=False)
    _http2: HTTP2Stream | None = field(default=None, init=False)
    _suspended: asyncio.Task[None] | None = field(default=None, init=False)

    async def run(self, headers: Headers) -> None:
        self._stalled_at = self.clock()
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._stalled_at = NEVER
        self._ready = True
        self._cycle = self.connection.chunked_cycle()
        self._http2 = self.connection.http2_stream()
        self.feed.channel.subscribe(self)
        try:
            self.notify()
            while (await self.receive())["type"] != "http.disconnect":
                pass
        finally:
            self.feed.over = True
            self.feed.channel.unsubscribe(self)
            if self._suspended is not None:
                self._suspended.cancel()

    def notify(self) -> None:
        if self._http2 is not None and self._is_parked(self._http2):
            return
        if not self._ready:
            return
        # All of this is done for each event of each stream: calls that say it better cost 10 %.
        cycle = self._cycle
        try:
            if (
                cycle is not None
                and not cycle.flow.write_paused
                and not cycle.disconnected
                and (chunk := self.feed.take_chunk()) is not None
            ):
                cycle.transport.write(chunk)
                self.last_sent_at = self.clock()
            elif (message := self.feed.take()) is not None:
                self._step(message)
        except Exception:
            # A client that cannot be sent to must not cost the others their frame.
            logger.exception("a stream is cut: its server failed to send")
            self.cut()

    def tick(self, now: float) -> None:
        Stream.tick(self, now)
        if self._http2 is not None:
            self.notify()

    def next_tick(self, now: float) -> float:
        due = Stream.next_tick(self, now)
        return due if self._http2 is None else min(due, now + PARKING_PERIOD)

    def _is_parked(self, stream: HTTP2Stream) -> bool:
        """Hold the stream while the client has no room for what it was sent already."""
        if not stream.pending_bytes:
            self._stalled_at = NEVER if self._ready else self._stalled_at
            return False
        if self._stalled_at == NEVER:
            self._stalled_at = self.clock()
        return True

    def cut(self) -> None:
        self.feed.over = True
        self.connection.abort()

    def _step(self, message: Message) -> None:
        sending: Coroutine[Any, Any, None] = self.send(message)  # type: ignore[assignment]
        try:
            waits_for = sending.send(None)
        except StopIteration:
            self._note_sent()
        else:
            self._ready = False
            self._stalled_at = self.clock()
            self._suspended = asyncio.get_running_loop().create_task(_rest(sending, waits_for))
            self._suspended.add_done_callback(self._resumed)

    def _resumed(self, task: asyncio.Task[None]) -> None:
        self._suspended = None
        self._ready = True
        self._stalled_at = NEVER
        self._note_sent()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a stream is cut: its server failed to send", exc_info=error)
            self.cut()
        self.notify()


class _Remainder:
    """What is left of a coroutine that was stepped until it waited for something."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[object, Any, None]:
        # The future that came out of the first step is handed on as if it came out only now: it
        # still carries the mark that tells a task to wait for it. `yield from` cannot begin with
        # it, so this is what `yield from` does, for a coroutine.
        waits_for = self._waits_for
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - a cancellation belongs to the coroutine
                go_on = partial(self._coroutine.throw, error)
            else:
                go_on = partial(self._coroutine.send, None)
            try:
                waits_for = go_on()
            except StopIteration:
                return


async def _rest(coroutine: Coroutine[Any, Any, None], waits_for: object) -> None:
    await _Remainder(coroutine, waits_for)


@dataclass(slots=True, eq=False)
class TaskStream(Stream):
    """A stream whose own task sends, while a second one waits for the disconnect."""

    _wake: asyncio.Future[None] | None = field(default=None, init=False)
    _sending: asyncio.Timeout | None = field(default=None, init=False)

    async def run(self, headers: Headers) -> None:
        watcher = asyncio.create_task(self._watch())
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            self.feed.channel.subscribe(self)
            await self._follow()
        finally:
            self.feed.over = True
            self.feed.channel.unsubscribe(self)
            watcher.cancel()
            await asyncio.wait([watcher])
            failure = None if watcher.cancelled() else watcher.exception()
        if failure is not None:
            raise failure

    def notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def cut(self) -> None:
        self.feed.over = True
        if self._sending is not None and not self._sending.expired():
            self._sending.reschedule(0)
        self.notify()

    async def _follow(self) -> None:
        while not self.feed.over:
            if (message := self.feed.take()) is not None:
                await self._send(message)
                self._note_sent()
                continue
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None

    async def _send(self, message: Message) -> None:
        self._stalled_at = self.clock()
        # Without a time of its own: it is there for `cut`, which moves its end to now.
        interruptible = self._sending = asyncio.timeout(None)
        try:
            async with interruptible:
                await self.send(message)
        except TimeoutError:
            if not interruptible.expired():
                raise
            self.connection.abort()
        finally:
            self._sending = None
            self._stalled_at = NEVER

    async def _watch(self) -> None:
        try:
            while (await self.receive())["type"] != "http.disconnect":
                pass
        finally:
            # After the last message the disconnect only says that the response is complete; what
            # a middleware still has to do then must not be cut short.
            if not self.feed.over:
                self.cut()

"""
One HTTP response that follows a channel, https://html.spec.whatwg.org/multipage/server-sent-events.html

`Stream` is what both ways of delivery share; a client cannot distinguish them.

- `DirectStream` (sse.direct): the publisher steps `send` itself, and the stream's task only waits
  for the disconnect, so no task has to wake up between a frame and its socket.
- `TaskStream` (here): the stream's task calls `send`, for a `send` that may ask which task runs it.

States: *opening* until the response has started, then *idle* while `send` is ready for a frame, or
*stalled* while `send` waits for the client, then *over* once the last body was taken or the stream
was aborted. `Subscription` decides what is sent next, and `ending` means: after the newest frame.

Callers: `StreamRegistry` runs each stream and calls `tick` by its timer, `end` and `abort`; the
channel calls `notify` for each frame.

Guarantees:

- `notify`, `end` and `abort` do not wait. `notify` does not raise.
- `run` returns after the channel's last frame, after `end` or `abort`, when the stream reaches
  `max_age`, when the client disconnects, and when it reads nothing for `send_timeout`.
- A client that falls behind skips to the newest frame; at most one body per stream is in `send`.
- When `run` has returned, nothing is subscribed and no task of the stream runs.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from sse.subscription import Subscription
from sse.types import Headers, Message, Receive, Send
from sse.uvicorn import Connection

logger = logging.getLogger("sse")

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """
    The limits of one stream, in seconds.

    `heartbeat`: silence before a comment is sent. `send_timeout`: how long the client may read
    nothing once the server buffers no more for it. `max_age`: from start to end; may be infinite.
    """

    heartbeat: float
    send_timeout: float
    max_age: float


@dataclass(slots=True, eq=False)
class Stream(ABC):
    """The state and the time limits that both ways of delivery share."""

    subscription: Subscription
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
        """Wait until the stream or the client ends, having sent `headers` and each newest frame."""

    @abstractmethod
    def notify(self) -> None:
        """Send what is next, now or as soon as the client takes more."""

    @abstractmethod
    def abort(self) -> None:
        """End the stream without waiting for a client that does not read."""

    def stalled_for(self, now: float) -> float:
        """Return for how many seconds the client has read nothing; 0 while it keeps up."""
        return max(0.0, now - self._stalled_at)

    def end(self) -> None:
        """End the stream cleanly, after the newest frame."""
        self.subscription.ending = True
        self.notify()

    def abort_unread(self) -> None:
        """Abort the connection of a stream that ended, if its client has not read all of it."""
        if self.is_unread():
            self.connection.abort()

    def is_unread(self) -> bool:
        """Return whether the server has not written all that was sent to the socket."""
        return self.connection.unsent_bytes > 0

    @property
    def is_being_shut_down(self) -> bool:
        """Whether the server has started its shutdown and waits for this response to end."""
        return not self._was_last and self.connection.closes_after_response

    def tick(self, now: float) -> None:
        """Do what is due at `now`: send a heartbeat, end or abort the stream."""
        if self.connection.is_closing:
            self.abort()
        elif self.stalled_for(now) >= self.limits.send_timeout:
            logger.info("stream aborted: the client read nothing for %.3g s", self.stalled_for(now))
            self.abort()
        elif now - self.opened_at >= self.limits.max_age and not self.subscription.ending:
            self.end()
        elif now - self.last_sent_at >= self.limits.heartbeat:
            self.subscription.heartbeat_due = True
            self.notify()

    def next_tick(self, now: float) -> float:
        """Return the earliest time at which `tick` may have to do something."""
        limits = self.limits
        stalled = self._stalled_at != NEVER
        return min(
            (now if stalled else self.last_sent_at) + limits.heartbeat,
            (self._stalled_at if stalled else now) + limits.send_timeout,
            NEVER if self.subscription.ending else self.opened_at + limits.max_age,
        )

    def _note_sent(self) -> None:
        self.last_sent_at = self.clock()
        # A heartbeat that became due while `send` waited is not needed: something was sent.
        self.subscription.heartbeat_due = False


@dataclass(slots=True, eq=False)
class TaskStream(Stream):
    """A stream whose own task sends, while a second one waits for the disconnect."""

    _wake: asyncio.Future[None] | None = field(default=None, init=False)
    _sending: asyncio.Timeout | None = field(default=None, init=False)

    async def run(self, headers: Headers) -> None:
        watcher = asyncio.create_task(self._watch())
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            self.subscription.channel.subscribe(self)
            await self._follow()
        finally:
            self.subscription.over = True
            self.subscription.channel.unsubscribe(self)
            watcher.cancel()
            await asyncio.wait([watcher])
            failure = None if watcher.cancelled() else watcher.exception()
        if failure is not None:
            raise failure

    def notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def abort(self) -> None:
        self.subscription.over = True
        if self._sending is not None and not self._sending.expired():
            self._sending.reschedule(0)
        self.notify()

    async def _follow(self) -> None:
        while not self.subscription.over:
            if (message := self.subscription.take()) is not None:
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
        # Without a deadline: `abort` sets one in order to interrupt the `send`.
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
            # After the last body the disconnect only means that the response is complete; a
            # middleware that still works on it must not be interrupted.
            if not self.subscription.over:
                self.abort()

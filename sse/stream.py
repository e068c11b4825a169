"""
One HTTP response that follows a channel, https://html.spec.whatwg.org/multipage/server-sent-events.html

Two ways to deliver, the same in what a client sees. `DirectStream`: the publisher steps `send`
itself, and the stream's own task only waits for the disconnect, so no wake-up stands between a
frame and its socket. `OwnTaskStream`: the stream's task sends, as a `send` may ask who calls it.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

from sse.asgi import Headers, Message, Receive, Send
from sse.feed import Feed
from sse.server import abort

logger = logging.getLogger("sse")

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Limits:
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

    feed: Feed
    receive: Receive
    send: Send
    limits: Limits
    clock: Callable[[], float]
    opened_at: float = field(init=False)
    last_sent_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.opened_at = self.last_sent_at = self.clock()

    @abstractmethod
    async def run(self, headers: Headers) -> None:
        """Answer with `headers` and follow the channel until the stream or the client ends."""

    @abstractmethod
    def notify(self) -> None:
        """Send what is next, now or as soon as the client takes more."""

    @abstractmethod
    def cut(self) -> None:
        """End the stream without waiting for a client that does not read."""

    @abstractmethod
    def stalled_for(self, now: float) -> float:
        """Tell for how many seconds the client has been waited for; 0 while it keeps up."""

    def end(self) -> None:
        """End the stream cleanly, after the newest frame."""
        self.feed.ending = True
        self.notify()

    def tick(self, now: float) -> None:
        """Do what is due at `now`: a heartbeat, the end of an old stream or of a stalled one."""
        if self.stalled_for(now) >= self.limits.send_timeout:
            logger.info("a stream is cut: unread for %.3g s", self.stalled_for(now))
            self.cut()
        elif now - self.opened_at >= self.limits.max_age and not self.feed.ending:
            self.end()
        elif now - self.last_sent_at >= self.limits.heartbeat:
            self.feed.heartbeat_due = True
            self.notify()


@dataclass(slots=True, eq=False)
class DirectStream(Stream):
    """
    A stream whose `send` the publisher steps.

    `send` finishes in its first step unless the server waits for the client. One that waits is
    handed to a task; when it is back the stream goes on with what is then the newest.
    """

    _suspended: asyncio.Task[None] | None = field(default=None, init=False)
    _stalled_at: float = field(default=NEVER, init=False)

    async def run(self, headers: Headers) -> None:
        self._stalled_at = self.clock()
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._stalled_at = NEVER
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
        if self._suspended is None and (message := self.feed.take()) is not None:
            self._step(message)

    def cut(self) -> None:
        self.feed.over = True
        abort(self.send, self.receive)

    def stalled_for(self, now: float) -> float:
        return max(0.0, now - self._stalled_at)

    def _step(self, message: Message) -> None:
        sending: Coroutine[Any, Any, None] = self.send(message)  # type: ignore[assignment]
        try:
            waits_for = sending.send(None)
        except StopIteration:
            self.last_sent_at = self.clock()
        except Exception:
            # A client that cannot be sent to must not cost the others their frame.
            logger.exception("a stream is cut: its server failed to send")
            self.cut()
        else:
            self._stalled_at = self.clock()
            self._suspended = asyncio.get_running_loop().create_task(_rest(sending, waits_for))
            self._suspended.add_done_callback(self._resumed)

    def _resumed(self, task: asyncio.Task[None]) -> None:
        self._suspended = None
        self._stalled_at = NEVER
        self.last_sent_at = self.clock()
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
        # still carries the mark that tells a task to wait for it. The rest is plain delegation.
        try:
            yield self._waits_for
        except BaseException as error:  # noqa: BLE001 - a cancellation belongs to the coroutine
            try:
                waits_for = self._coroutine.throw(error)
            except StopIteration:
                return
            yield waits_for
        yield from self._coroutine.__await__()


async def _rest(coroutine: Coroutine[Any, Any, None], waits_for: object) -> None:
    await _Remainder(coroutine, waits_for)


@dataclass(slots=True, eq=False)
class OwnTaskStream(Stream):
    """A stream whose own task sends, while a second one waits for the disconnect."""

    _wake: asyncio.Future[None] | None = field(default=None, init=False)
    _deadline: asyncio.Timeout | None = field(default=None, init=False)

    async def run(self, headers: Headers) -> None:
        watcher = asyncio.create_task(self._watch())
        try:
            await self._send_bounded(
                {"type": "http.response.start", "status": 200, "headers": headers}
            )
            self.feed.channel.subscribe(self)
            await self._follow()
        except TimeoutError:
            abort(self.send, self.receive)
        finally:
            self.feed.over = True
            self.feed.channel.unsubscribe(self)
            watcher.cancel()
            await asyncio.wait([watcher])

    def notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def cut(self) -> None:
        self.feed.over = True
        if self._deadline is not None:
            self._deadline.reschedule(0)
        self.notify()

    def stalled_for(self, now: float) -> float:
        """Nothing: each `send` has a deadline of its own, in the task that awaits it."""
        del now
        return 0.0

    async def _follow(self) -> None:
        while not self.feed.over:
            if (message := self.feed.take()) is not None:
                await self._send_bounded(message)
                self.last_sent_at = self.clock()
                continue
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None

    async def _send_bounded(self, message: Message) -> None:
        async with asyncio.timeout(self.limits.send_timeout) as deadline:
            self._deadline = deadline
            await self.send(message)
        self._deadline = None

    async def _watch(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.cut()

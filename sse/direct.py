"""
The stream whose publisher steps `send`, without waking a task for each frame.

`send` finishes in its first step unless the server waits for the client. A `send` that waits is
handed to a task of its own (*suspended*), and the stream takes the newest frame when it is done.
Over HTTP/1.1 with httptools a frame is written to the transport as a chunk, without a call of
`send`. Over HTTP/2 the stream also waits while the client allows it no more bytes (*parked*).

Callers: the channel calls `notify` from whichever task or callback publishes, so `send` must not
depend on the task that runs it (`Connection.can_step`). `StreamRegistry` does the rest.

Guarantees: `notify` neither waits nor raises; one `send` at a time; order is kept; a failure of
one client's server aborts that stream alone.
"""

import asyncio
import logging
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sse.stream import NEVER, Stream
from sse.types import Headers, Message
from sse.uvicorn import ChunkedCycle, HTTP2Stream

logger = logging.getLogger("sse")

PARKED_CHECK_SECONDS = 1.0
"""Seconds between two checks whether a client over HTTP/2 allows more; no callback reports it."""


@dataclass(slots=True, eq=False)
class DirectStream(Stream):
    """A stream whose `send` is stepped by whoever publishes."""

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
        self.subscription.channel.subscribe(self)
        try:
            self.notify()
            while (await self.receive())["type"] != "http.disconnect":
                pass
        finally:
            self.subscription.over = True
            self.subscription.channel.unsubscribe(self)
            if self._suspended is not None:
                self._suspended.cancel()

    def notify(self) -> None:
        if self._http2 is not None and self._is_parked(self._http2):
            return
        if not self._ready:
            return
        # This runs for each event of each stream: splitting it into methods costs 10 %.
        cycle = self._cycle
        try:
            if (
                cycle is not None
                and not cycle.flow.write_paused
                and not cycle.disconnected
                and (chunk := self.subscription.take_chunk()) is not None
            ):
                cycle.transport.write(chunk)
                self.last_sent_at = self.clock()
            elif (message := self.subscription.take()) is not None:
                self._step(message)
        except Exception:
            # An error of one client's server must not keep the frame from the other clients.
            logger.exception("stream aborted: send failed")
            self.abort()

    def tick(self, now: float) -> None:
        Stream.tick(self, now)
        if self._http2 is not None:
            self.notify()

    def next_tick(self, now: float) -> float:
        due = Stream.next_tick(self, now)
        return due if self._http2 is None else min(due, now + PARKED_CHECK_SECONDS)

    def _is_parked(self, stream: HTTP2Stream) -> bool:
        """Return whether the client does not yet allow all bytes that were sent."""
        if not stream.pending_bytes:
            self._stalled_at = NEVER if self._ready else self._stalled_at
            return False
        if self._stalled_at == NEVER:
            self._stalled_at = self.clock()
        return True

    def abort(self) -> None:
        self.subscription.over = True
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
            logger.error("stream aborted: send failed", exc_info=error)
            self.abort()
        self.notify()


class _Remainder:
    """The rest of a coroutine that was stepped until it waited for a future."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[object, Any, None]:
        # Yield the future of the first step first: it still has the attribute by which a task
        # recognises that it shall wait for it. Then do for the coroutine what `yield from` does;
        # `yield from` itself cannot start with a value that was already yielded.
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

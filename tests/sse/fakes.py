"""Hand-made ends for a stream: a client that can stall and leave, a clock that is moved."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

from sse.asgi import Message
from sse.event import Event
from sse.parser import Parser
from sse.stream import Limits

DEADLINE = 60.0
"""Seconds that one test may take, far above what any needs."""

CALM = Limits(heartbeat=15.0, send_timeout=30.0, max_age=3600.0)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run `test` in asyncio's debug mode; a task that it leaves behind fails it."""
    asyncio.run(_guarded(test, DEADLINE), debug=True)


def run_in_no_time(test: Coroutine[Any, Any, None]) -> None:
    """Run `test` like `run`, on a loop that skips its waiting: what waits an hour takes none."""
    with asyncio.Runner(debug=True, loop_factory=SkippingLoop) as runner:
        runner.run(_guarded(test, 1e6))


async def _guarded(test: Coroutine[Any, Any, None], deadline: float) -> None:
    async with asyncio.timeout(deadline):
        await test
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves on to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_SkippingSelector(self))

    def time(self) -> float:
        return self.now


class _SkippingSelector(selectors.SelectSelector):
    def __init__(self, loop: SkippingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is left that could go on"
        self._loop.now += timeout
        return super().select(0)


async def settle() -> None:
    """Let every task go on until it waits for something that does not come by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Client:
    """
    A server's two callables and the client behind them.

    `send` suspends while the client is stalled. As from uvicorn, `receive` tells of the disconnect
    when the client has left and when the response is complete, and `send` is silent after that.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.waiting = 0
        self.interrupted = 0
        self._reads = asyncio.Event()
        self._reads.set()
        self._gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.waiting += 1
        try:
            await self._reads.wait()
        except BaseException:
            self.interrupted += 1
            raise
        finally:
            self.waiting -= 1
        if not self._gone.is_set():
            self.sent.append(message)
            if self.complete:
                self._gone.set()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def stall(self) -> None:
        self._reads.clear()

    def read(self) -> None:
        self._reads.set()

    def leave(self) -> None:
        """Be gone; like a lost connection, that ends the waiting of `send` too."""
        self._gone.set()
        self._reads.set()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent[1:]]

    @property
    def events(self) -> list[Event]:
        return Parser().feed(b"".join(self.bodies))

    @property
    def data(self) -> list[str]:
        return [event.data for event in self.events]

    @property
    def complete(self) -> bool:
        return len(self.sent) > 1 and not self.sent[-1]["more_body"]


class Transport:
    """A transport as far as it is used: with `abort` the connection is lost at once."""

    def __init__(self, client: Client) -> None:
        self.aborted = False
        self.buffered = 0
        self._client = client

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True
        self.buffered = 0
        self._client.leave()


class UvicornClient(Client):
    """A client whose `send` looks like the one of uvicorn's request cycle."""

    __module__ = "uvicorn.protocols.http.fake"

    def __init__(self) -> None:
        super().__init__()
        self.transport = Transport(self)
        self.flow = self
        self.keep_alive = True
        self.disconnected = False
        self.message_event = asyncio.Event()

    @property
    def write_paused(self) -> bool:
        return not self._reads.is_set()

    @property
    def response_complete(self) -> bool:
        return self.complete

"""Hand-made ends for a stream: a client that can stall and leave, a clock that is moved."""

import asyncio
from types import SimpleNamespace

from sse.event import Event
from sse.parser import Parser
from sse.stream import StreamLimits
from sse.types import Message

CALM = StreamLimits(heartbeat=15.0, send_timeout=30.0, max_age=3600.0)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Client:
    """
    A server's two callables and the client behind them.

    `send` suspends while the client is stalled. As from uvicorn, `receive` returns the disconnect
    when the client has left and when the response is complete, and `send` is silent after that.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.waiting = 0
        self.interrupted = 0
        self._reads = asyncio.Event()
        self._reads.set()
        self._gone = asyncio.Event()

    async def wait_until_read(self) -> None:
        """Wait until the client reads, and count who waits and who is interrupted."""
        self.waiting += 1
        try:
            await self._reads.wait()
        except BaseException:
            self.interrupted += 1
            raise
        finally:
            self.waiting -= 1

    async def send(self, message: Message) -> None:
        await self.wait_until_read()
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
        """Disconnect; like a lost connection, that ends the waiting of `send` too."""
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
        self.protocol = SimpleNamespace(cycle=client)
        self._client = client

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def get_protocol(self) -> SimpleNamespace:
        return self.protocol

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

    async def send(self, message: Message) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            await super().send(message)

    async def drain(self) -> None:
        await self.wait_until_read()

    @property
    def write_paused(self) -> bool:
        return not self._reads.is_set()

    @property
    def response_complete(self) -> bool:
        return self.complete

"""A stream that runs, of either kind, alone or among others, and what is around it at hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from sse.channel import Channel, Frame
from sse.direct import DirectStream
from sse.registry import StreamRegistry
from sse.stream import Stream, StreamLimits, TaskStream
from sse.subscription import Subscription
from sse.types import Headers, Message, Scope
from tests.support.asgi import CALM, Client, Clock, UvicornClient
from tests.support.running import settle

HEADERS: Headers = [(b"content-type", b"text/event-stream")]
RETRY = b"retry: 1000\n"

Kind: TypeAlias = type[DirectStream] | type[TaskStream]

both = pytest.mark.parametrize("kind", [DirectStream, TaskStream])


class Opened:
    """A stream that runs, and everything around it."""

    def __init__(
        self,
        kind: Kind,
        *,
        channel: Channel | None = None,
        client: Client | None = None,
        limits: StreamLimits = CALM,
        sent: Frame | None = None,
    ) -> None:
        self.channel = Channel(frame("0")) if channel is None else channel
        self.client = UvicornClient() if client is None else client
        self.clock = Clock()
        self.subscription = Subscription(self.channel, RETRY, sent)
        self.stream: Stream = kind(
            self.subscription, self.client.receive, self.client.send, limits, self.clock
        )
        self.task = asyncio.create_task(self.stream.run(HEADERS))

    def publish(self, *names: str) -> None:
        for name in names:
            self.channel.publish(frame(name))

    def tick_after(self, seconds: float) -> None:
        self.clock.now += seconds
        self.stream.tick(self.clock.now)

    async def gone(self) -> None:
        """Wait until the stream has ended by itself."""
        await self.task
        await settle()
        assert self.stream not in self.channel._subscribers
        assert self.client.waiting == 0

    async def leave(self) -> None:
        self.client.leave()
        await self.gone()


def frame(name: str) -> Frame:
    return Frame.of(name.encode(), id=name)


async def opened(kind: Kind, **options: object) -> Opened:
    """Open a stream and let it send what is there."""
    stream = Opened(kind, **options)  # type: ignore[arg-type]
    await settle()
    return stream


def with_ends(
    client: Client,
    *,
    send: Callable[[Message], Awaitable[None]] | None = None,
    receive: Callable[[], Awaitable[Message]] | None = None,
) -> Client:
    """Return callables that wrap those of the client."""
    if send is not None:
        client.send = send  # type: ignore[method-assign, assignment]
    if receive is not None:
        client.receive = receive  # type: ignore[method-assign, assignment]
    return client


def failing(client: Client, error: type[Exception], suspends: bool) -> Client:
    """Make the second body fail, in the first step of `send` or after it was suspended."""
    whole = client.send

    async def send(message: Message) -> None:
        if len(client.sent) > 1:
            if suspends:
                await asyncio.sleep(0)
            raise error("broken")
        await whole(message)

    return with_ends(client, send=send)


each_server = pytest.mark.parametrize("client_of", [UvicornClient, Client])
"""A client behind a `send` that may be stepped, and one behind a `send` that may not."""


def request(*headers: tuple[bytes, bytes], method: str = "GET") -> Scope:
    return {"type": "http", "method": method, "headers": list(headers)}


def served(
    streams: StreamRegistry,
    channel: Channel,
    client: Client,
    *headers: tuple[bytes, bytes],
    method: str = "GET",
) -> asyncio.Task[None]:
    scope = request(*headers, method=method)
    return asyncio.create_task(streams.serve(channel, scope, client.receive, client.send))

"""The streams of this service, `sse.Channel` and `sse.Streams`, without files behind them."""

import asyncio
from typing import Any

from benchmarks.servers.asgi import run
from benchmarks.servers.load import Load, Target
from sse import Channel, Frame, StreamRegistry
from sse.types import Receive, Scope, Send


class Turn:
    """The last of a channel's subscribers: when it is notified, all others have been."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def notify(self) -> None:
        self._over.set()

    async def wait(self) -> None:
        await self._over.wait()
        self._over.clear()


class Fanout:
    def __init__(self) -> None:
        self.channel = Channel(call_soon=asyncio.get_running_loop().call_soon)
        self._turn: Turn | None = None

    def count(self) -> int:
        return self.channel.statistics().subscribers

    def publish(self, event: str) -> None:
        if self._turn is None:
            self._turn = Turn()
            self.channel.subscribe(self._turn)
        self.channel.publish(Frame.of(event.encode(), id=str(self.channel.published)))

    async def delivered(self) -> None:
        assert self._turn is not None
        await self._turn.wait()


def make(load: Load) -> tuple[Any, Target]:
    fanout = Fanout()
    streams = StreamRegistry(heartbeat=load.heartbeat)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await streams.serve(fanout.channel, scope, receive, send)

    return app, fanout


if __name__ == "__main__":
    run(make)

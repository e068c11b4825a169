"""Ways to deliver one frame to many ASGI streams, each in its barest form, by `--way`."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Protocol

from benchmarks.servers.asgi import run
from benchmarks.servers.load import Load, Target
from sse import Frame
from sse.types import Receive, Scope, Send

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


class Way(Protocol):
    """How a stream's task gets the next frame."""

    def publish(self, frame: bytes) -> None: ...

    async def next(self, mine: Any) -> bytes: ...

    def join(self) -> Any: ...


class SharedFuture:
    """One future that every stream awaits, and a new one for each frame."""

    def __init__(self) -> None:
        self._future = asyncio.get_running_loop().create_future()

    def join(self) -> None:
        """Nothing is a stream's own."""

    def publish(self, frame: bytes) -> None:
        before, self._future = self._future, asyncio.get_running_loop().create_future()
        before.set_result(frame)

    async def next(self, mine: None) -> bytes:
        del mine
        frame: bytes = await asyncio.shield(self._future)
        return frame


class AnEvent:
    """An `asyncio.Event` for each stream, and the newest frame beside them."""

    def __init__(self) -> None:
        self._frame = b""
        self._events: list[asyncio.Event] = []

    def join(self) -> asyncio.Event:
        self._events.append(asyncio.Event())
        return self._events[-1]

    def publish(self, frame: bytes) -> None:
        self._frame = frame
        for event in self._events:
            event.set()

    async def next(self, mine: asyncio.Event) -> bytes:
        await mine.wait()
        mine.clear()
        return self._frame


class AQueue:
    """An `asyncio.Queue` for each stream."""

    def __init__(self) -> None:
        self._queues: list[asyncio.Queue[bytes]] = []

    def join(self) -> asyncio.Queue[bytes]:
        self._queues.append(asyncio.Queue())
        return self._queues[-1]

    def publish(self, frame: bytes) -> None:
        for queue in self._queues:
            queue.put_nowait(frame)

    async def next(self, mine: asyncio.Queue[bytes]) -> bytes:
        return await mine.get()


WAYS: tuple[tuple[str, Callable[[], Way]], ...] = (
    ("future", SharedFuture),
    ("event", AnEvent),
    ("queue", AQueue),
)


class Fanout:
    """Publishes, and knows when every stream has sent."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._streams = 0
        self._owed = 0
        self._all_sent = asyncio.Event()

    def count(self) -> int:
        return self._streams

    def publish(self, event: str) -> None:
        self._all_sent.clear()
        self._owed = self._streams
        self._way.publish(Frame.of(event.encode(), id="1").encoded)

    async def delivered(self) -> None:
        await self._all_sent.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send(dict(START))
        mine = self._way.join()
        self._streams += 1
        watcher = asyncio.create_task(_until_gone(receive))
        while not watcher.done():
            frame = await self._way.next(mine)
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            self._owed -= 1
            if not self._owed:
                self._all_sent.set()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def main() -> None:
    """Serve the way that is named on the command line, before its other arguments are read."""
    (chosen,) = [argument for argument in sys.argv if argument.startswith("--way=")]
    sys.argv.remove(chosen)
    way = dict(WAYS)[chosen.removeprefix("--way=")]

    def make(_: Load) -> tuple[Any, Target]:
        fanout = Fanout(way())
        return fanout, fanout

    run(make)


if __name__ == "__main__":
    main()

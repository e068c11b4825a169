"""
The whole service, with a processor that takes a set time a file.

`--rate` files a second are finished, by the real pool, catalogue and session; every change is
announced (`min_interval=0`). With `--busy` the workers compute all that time instead of sleeping.
`/stall` tells for how long the event loop was held at most since it was asked before.
"""

import argparse
import asyncio
import contextlib
import functools
import logging
import time
from pathlib import Path

import uvicorn

from ingest import Settings
from sse.types import Receive, Scope, Send
from web import Application, create_app

TICK = 0.001


def pace(seconds: float, busy: bool, path: Path) -> None:
    """Sleep `seconds` for each file."""
    del path
    if not busy:
        time.sleep(seconds)
        return
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))


class Stall:
    """Watches the event loop: how late is a timer?"""

    def __init__(self) -> None:
        self._worst = 0.0
        self._task: asyncio.Task[None] | None = None

    def take(self) -> float:
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        worst, self._worst = self._worst, 0.0
        return worst

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            self._worst = max(self._worst, time.perf_counter() - before - TICK)


class Watched:
    """The service, and `/stall` beside it."""

    def __init__(self, service: Application) -> None:
        self._service = service
        self._stall = Stall()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/stall":
            await self._service(scope, receive, send)
            return
        body = f"{self._stall.take():.6f}".encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--min-interval", type=float, default=0.0)
    parser.add_argument("--max-sessions", type=int, default=16)
    arguments = parser.parse_args()
    settings = Settings(
        root=arguments.root,
        database=arguments.database,
        min_interval=arguments.min_interval,
        max_sessions=arguments.max_sessions,
    )
    process = functools.partial(pace, settings.workers / arguments.rate, arguments.busy)
    app = Watched(create_app(settings, process=process))
    logging.getLogger("ingest").setLevel(logging.ERROR)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(app, port=arguments.port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()

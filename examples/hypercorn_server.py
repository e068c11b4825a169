"""Hypercorn, started from Python so that the streams end before it waits for them."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from ingest import Settings
from web import create_app

app = create_app(Settings(root=Path("inbox")))


async def main() -> None:
    """Serve until a signal, then end the streams, then the server."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)

    async def stop() -> None:
        await told_to_stop.wait()
        await app.drain()

    config = Config()
    config.bind = ["127.0.0.1:8000"]
    config.accesslog = None
    served: Any = app
    await serve(served, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main())

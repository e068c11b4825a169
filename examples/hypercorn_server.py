"""Hypercorn, started from Python so that the streams end before it waits for them."""

import asyncio
import signal
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from app import app


async def main(port: int) -> None:
    """Serve until a signal, then end the streams, then the server."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)

    async def stop() -> None:
        await told_to_stop.wait()
        await app.drain()

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    served: Any = app  # Hypercorn's types for ASGI are narrower than ASGI
    await serve(served, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))

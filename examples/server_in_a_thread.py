"""uvicorn in a thread of a larger program, where no signal reaches it."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from ingest import Settings
from web import Application, create_app


@contextlib.contextmanager
def serving(app: Application, port: int) -> Iterator[None]:
    """Serve in the background until the end of the block."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[server.serve()])
    thread.start()
    try:
        yield
    finally:
        if thread.is_alive():  # it has ended if the port was taken
            # First the streams: the server would wait for them as long as they last.
            asyncio.run_coroutine_threadsafe(app.drain(), loop).result()
        server.should_exit = True
        thread.join()
        loop.close()


if __name__ == "__main__":
    with serving(create_app(Settings(root=Path("inbox"))), 8000):
        input("http://127.0.0.1:8000/ is up; Enter ends it. ")

"""A uvicorn server in a thread of a larger program, where no signal reaches it."""

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
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True  # the service notices, and ends its streams
        thread.join()


if __name__ == "__main__":
    with serving(create_app(Settings(root=Path("inbox"))), 8000):
        input("http://127.0.0.1:8000/ is up; Enter ends it. ")

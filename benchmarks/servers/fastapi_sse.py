"""FastAPI's own SSE, as its tutorial shows; a queue a client."""

from collections.abc import AsyncIterable
from typing import Any

from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

from benchmarks.servers.asgi import run
from benchmarks.servers.load import Inboxes, Load, Target


def make(load: Load) -> tuple[Any, Target]:
    del load  # its heartbeat is fixed, at 15 s
    inboxes = Inboxes()
    app = FastAPI()

    @app.get("/stream", response_class=EventSourceResponse)
    async def stream() -> AsyncIterable[ServerSentEvent]:
        inbox = inboxes.join()
        try:
            while True:
                # `raw_data`: what is JSON already need not be encoded again.
                yield ServerSentEvent(raw_data=await inbox.get())
                inbox.task_done()
        finally:
            inboxes.leave(inbox)

    return app, inboxes


if __name__ == "__main__":
    run(make)

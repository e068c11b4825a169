"""The library sse-starlette, used as in its documentation: a queue and a generator a client."""

from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from benchmarks.servers.asgi import run
from benchmarks.servers.load import Inboxes, Load, Target


def make(load: Load) -> tuple[Any, Target]:
    inboxes = Inboxes()

    async def events() -> AsyncIterator[dict[str, str]]:
        inbox = inboxes.join()
        try:
            while True:
                yield {"data": await inbox.get()}
                inbox.task_done()
        finally:
            inboxes.leave(inbox)

    async def stream(request: Request) -> EventSourceResponse:
        del request
        return EventSourceResponse(events(), ping=round(load.heartbeat))

    return Starlette(routes=[Route("/stream", stream)]), inboxes


if __name__ == "__main__":
    run(make)

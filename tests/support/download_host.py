"""A host that mounts the service beside a large download of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Mount, Route

from web import create_app

PIECE = bytes(100_000)
PIECES = 400
SIZE = len(PIECE) * PIECES

mounted = create_app()


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


async def download(_: Request) -> StreamingResponse:
    return StreamingResponse(pieces(), headers={"content-length": str(SIZE)})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with mounted.lifespan():
        yield


app = Starlette(routes=[Route("/download", download), Mount("/ingest", mounted)], lifespan=lifespan)

"""Litestar: below /ingest, which its compression leaves alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, asgi, post
from litestar.config.compression import CompressionConfig
from litestar.types import Receive, Scope, Send

from ingest import Settings
from web import create_app

ingest = create_app(Settings(root=Path("inbox")))


@asynccontextmanager
async def lifespan(_: Litestar) -> AsyncIterator[None]:
    """Run the service as long as the host runs."""
    async with ingest.lifespan():
        yield


@asgi("/ingest", is_mount=True, copy_scope=True)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand on what is below /ingest."""
    await ingest(scope, receive, send)  # type: ignore[arg-type]  # narrower types than ASGI's


@post("/folders/{name:str}")
async def take_in(name: str) -> dict[str, str]:
    """Start a session from the host's own code, and say where it can be followed."""
    session_id = await ingest.start(directory=name)
    return {"follow": f"/ingest/api/ingest/stream/{session_id}"}


app = Litestar(
    [mounted, take_in],
    lifespan=[lifespan],
    # Compressed answers begin with their first bytes; a stream in which nothing has changed since
    # its client was cut off would seem dead until something does.
    compression_config=CompressionConfig(backend="gzip", exclude="^/ingest/"),
)

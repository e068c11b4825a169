"""Litestar: mounted below /ingest, which its compression leaves alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, asgi, post
from litestar.config.compression import CompressionConfig
from litestar.types import Receive, Scope, Send

from ingest import Settings
from web import create_app

service = create_app(Settings(root=Path("inbox")))


@asynccontextmanager
async def lifespan(_: Litestar) -> AsyncIterator[None]:
    """Run the service as long as the host runs."""
    async with service.lifespan():
        yield


@asgi("/ingest", is_mount=True, copy_scope=True)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    """Route what is below /ingest to the service."""
    await service(scope, receive, send)  # type: ignore[arg-type]  # narrower types than ASGI's


@post("/folders/{name:str}")
async def take_in(name: str) -> dict[str, str]:
    """Start a session from the host's own code, and say where it can be followed."""
    session_id = await service.start(directory=name)
    return {"follow": f"/ingest/api/ingest/stream/{session_id}"}


app = Litestar(
    [mounted, take_in],
    lifespan=[lifespan],
    # A compressed answer begins only with its first bytes: a client that reconnects and has missed
    # nothing would see no answer before the next heartbeat.
    compression_config=CompressionConfig(backend="gzip", exclude="^/ingest/"),
)

"""Starlette: mounted below /ingest, behind a BaseHTTPMiddleware, watched by the host itself."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from ingest import Settings
from web import create_app

logger = logging.getLogger("host")

service = create_app(Settings(root=Path("inbox")))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Run the service as long as the host runs."""
    async with service.lifespan():
        yield


async def take_in(request: Request) -> Response:
    """Start a session, and watch it once the answer has been sent."""
    session_id = await service.start(directory=request.path_params["name"])
    return JSONResponse({"session_id": session_id}, background=BackgroundTask(watch, session_id))


async def watch(session_id: str) -> None:
    """Log its progress."""
    async for snapshot in service.watch(session_id):
        logger.warning("%s: %d %%", snapshot["status"], snapshot["progress"])


async def name_the_host(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Add a header, as an example of middleware that Starlette calls with a request."""
    response = await call_next(request)
    response.headers["x-host"] = "starlette"
    return response


app = Starlette(
    routes=[
        Route("/folders/{name}", take_in, methods=["POST"]),
        Mount("/ingest", service),
    ],
    middleware=[Middleware(BaseHTTPMiddleware, dispatch=name_the_host)],
    lifespan=lifespan,
)

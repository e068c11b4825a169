"""Hosts that do what is known to get in the way of a stream, or of a mount."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI
from litestar import Litestar, asgi
from litestar.config.compression import CompressionConfig
from litestar.types import Receive, Scope, Send
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

import web
from ingest import Settings
from web import Application


def ingest() -> Application:
    """Make the application as it is then made: the test may have replaced how."""
    return web.create_app(Settings(root=Path("inbox")))


def forgetful() -> Starlette:
    """Mount it, and never think of its lifespan."""
    return Starlette(routes=[Mount("/ingest", ingest())])


def below_its_own_root_path() -> FastAPI:
    """Set the path below which a proxy serves the host, as FastAPI documents it."""
    mounted = ingest()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mounted.lifespan():
            yield

    app = FastAPI(root_path="/api", lifespan=lifespan)
    app.mount("/ingest", mounted)
    return app


def litestar(compression: CompressionConfig | None = None) -> Litestar:
    """Mount it in Litestar, and leave its compression as it comes."""
    mounted = ingest()

    @asgi("/ingest", is_mount=True, copy_scope=True)
    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        await mounted(scope, receive, send)  # type: ignore[arg-type]

    return Litestar([handler], compression_config=compression)


def compressing_litestar() -> Litestar:
    """Compress every answer, streams too."""
    return litestar(CompressionConfig(backend="gzip"))


class TaskAsking:
    """Send within two cancel scopes, which are left by the task that entered them or not at all."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def timed(message: Any) -> None:
            async with asyncio.timeout(10):
                with anyio.fail_after(10):
                    await send(message)

        await self.app(scope, receive, timed)


def behind_everything() -> Starlette:
    """Stack all middleware that is known to touch a response."""

    async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    middleware = [
        Middleware(GZipMiddleware, minimum_size=0),
        Middleware(BaseHTTPMiddleware, dispatch=pass_on),
        Middleware(TaskAsking),
        Middleware(BaseHTTPMiddleware, dispatch=pass_on),
    ]
    return Starlette(routes=[Mount("/ingest", ingest())], middleware=middleware)

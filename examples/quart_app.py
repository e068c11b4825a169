"""Quart: requests below /ingest are routed to the service before Quart sees them."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any

from quart import Quart

from ingest import Settings
from web import Application, create_app

service = create_app(Settings(root=Path("inbox")))
app = Quart(__name__)


@app.while_serving
async def lifespan() -> AsyncGenerator[None, None]:
    """Run the service as long as the host runs."""
    async with service.lifespan():
        yield


@app.post("/folders/<name>")
async def take_in(name: str) -> dict[str, str]:
    """Start a session from the host's own code, and say where it can be followed."""
    session_id = await service.start(directory=name)
    return {"follow": f"/ingest/api/ingest/stream/{session_id}"}


def mount(host: Any, prefix: str, mounted: Application) -> Callable[..., Coroutine[Any, Any, None]]:
    """Make an ASGI application that routes what is below `prefix` to `mounted`."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        root = scope.get("root_path", "") + prefix
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{root}/"):
            await mounted({**scope, "root_path": root}, receive, send)
        else:
            await host(scope, receive, send)

    return application


app.asgi_app = mount(app.asgi_app, "/ingest", service)  # type: ignore[method-assign]

"""Django: requests below /ingest, and the lifespan, go to the service and never reach Django."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from ingest import Settings
from web import create_app

# A project has its settings and its URLs in modules of their own.
settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "not a secret"),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],
)

service = create_app(Settings(root=Path("inbox")))


async def take_in(_: HttpRequest, name: str) -> JsonResponse:
    """Start a session from the host's own code, and say where it can be followed."""
    session_id = await service.start(directory=name)
    return JsonResponse({"follow": f"/ingest/api/ingest/stream/{session_id}"})


urlpatterns = [path("folders/<name>", take_in)]
django = get_asgi_application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route what is below /ingest, and the lifespan, to the service."""
    root = scope.get("root_path", "") + "/ingest"
    if scope["type"] == "lifespan":
        await service(scope, receive, send)
    elif f"{scope['path']}/".startswith(f"{root}/"):
        await service({**scope, "root_path": root}, receive, send)
    else:
        await django(scope, receive, send)

"""Two services in one process, each with its own files, database and workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from ingest import Settings
from web import create_app

letters = create_app(Settings(root=Path("inbox/letters"), database=Path("letters.db"), workers=1))
photos = create_app(Settings(root=Path("inbox/photos"), database=Path("photos.db"), workers=2))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Run both as long as the host runs."""
    async with letters.lifespan(), photos.lifespan():
        yield


app = Starlette(routes=[Mount("/letters", letters), Mount("/photos", photos)], lifespan=lifespan)

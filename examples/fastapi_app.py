"""FastAPI: mounted below /ingest, beside the host's own routes and middleware."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse

from ingest import IngestError, Settings
from web import create_app

FRONT_END = "https://front.example"

service = create_app(Settings(root=Path("inbox"), cors_origins=(FRONT_END,)))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the service as long as the host runs."""
    async with service.lifespan():
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(GZipMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=[FRONT_END])
app.mount("/ingest", service)


@app.post("/folders/{name}")
async def take_in(name: str) -> dict[str, str]:
    """Start a session from the host's own code, and say where it can be followed."""
    session_id = await service.start(directory=name)
    return {"follow": f"/ingest/api/ingest/stream/{session_id}"}


@app.exception_handler(IngestError)
async def refuse(_: Request, error: IngestError) -> JSONResponse:
    """Return a response with the status that the service itself uses."""
    return JSONResponse({"detail": str(error)}, error.status)

"""FastAPI: below /ingest, beside routes and middleware of the host's own."""

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

ingest = create_app(Settings(root=Path("inbox"), cors_origins=(FRONT_END,)))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the service as long as the host runs."""
    async with ingest.lifespan():
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(GZipMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=[FRONT_END])
app.mount("/ingest", ingest)


@app.post("/folders/{name}")
async def take_in(name: str) -> dict[str, str]:
    """Start a session from the host's own code, and say where it can be followed."""
    session_id = await ingest.start(directory=name)
    return {"follow": f"/ingest/api/ingest/stream/{session_id}"}


@app.exception_handler(IngestError)
async def refuse(_: Request, error: IngestError) -> JSONResponse:
    """Answer with the status that the ingest service itself would answer with."""
    return JSONResponse({"detail": str(error)}, error.status)

"""Responses: what a route returns, and how it is sent."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import orjson

from ingest.errors import IngestError
from sse.types import Headers, Message
from web.errors import ClientGoneError
from web.request import Request

T = TypeVar("T")

logger = logging.getLogger("web")

BASE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)

PIECE_SECONDS = 30.0
"""Time in which a client has to make room for the next piece of an answer."""

JSON = b"application/json"
NO_STORE = (b"cache-control", b"no-store")


@dataclass(slots=True)
class Response:
    """An answer: a body at once, or in pieces as they come."""

    status: int
    body: bytes | AsyncGenerator[bytes, None] = b""
    headers: Headers = field(default_factory=list)


def json(value: Any, status: int = 200, headers: Headers | None = None) -> Response:
    """Return a response with JSON; bytes are taken as encoded."""
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(status, body, [(b"content-type", JSON), NO_STORE, *(headers or [])])


def problem(
    status: int,
    detail: str,
    *,
    fields: Mapping[str, str] | None = None,
    headers: Headers | None = None,
) -> Response:
    """Return a problem document, RFC 9457."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if fields:
        document["errors"] = [
            {"field": name, "message": message} for name, message in fields.items()
        ]
    return Response(
        status,
        orjson.dumps(document),
        [(b"content-type", b"application/problem+json"), NO_STORE, *(headers or [])],
    )


async def send(request: Request, response: Response, extra: Headers) -> None:
    """
    Send `response` to who made `request`, without its body if that was a HEAD.

    Raises:
        ClientGoneError: nobody is there to read it, or reads it.
    """
    headers = [*BASE_HEADERS, *extra, *response.headers]
    body = response.body
    if isinstance(body, bytes) and response.status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    request.answered = True
    await _send(
        request, {"type": "http.response.start", "status": response.status, "headers": headers}
    )
    if request.method == "HEAD":
        body = b""
    if isinstance(body, bytes):
        await _send(request, {"type": "http.response.body", "body": body, "more_body": False})
    else:
        await _send_pieces(request, body)


async def _send(request: Request, message: Message) -> None:
    request.waits_for_client = True
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            await request.send(message)
        request.transferred += len(message.get("body", b""))
    except TimeoutError as error:
        request.connection.abort()
        raise ClientGoneError from error
    except OSError as error:
        raise ClientGoneError from error
    finally:
        request.waits_for_client = False


async def _send_pieces(request: Request, pieces: AsyncGenerator[bytes, None]) -> None:
    request.is_download = True
    gone = asyncio.create_task(request.disconnected())
    try:
        async with contextlib.aclosing(pieces):
            while (piece := await _until_gone(anext(pieces, None), gone)) is not None:
                await _send(
                    request, {"type": "http.response.body", "body": piece, "more_body": True}
                )
        await _send(request, {"type": "http.response.body", "body": b"", "more_body": False})
    except IngestError as error:  # the catalogue failed, or was closed
        logger.error("%s was ended early: %s", request.path, error)  # noqa: TRY400 - the text is all
        if not request.connection.abort():
            raise
        raise ClientGoneError from error
    finally:
        gone.cancel()
        await asyncio.wait([gone])


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """
    Return the result of `work`, which is cancelled if the client leaves.

    Raises:
        ClientGoneError: it left.
    """
    gone = asyncio.create_task(request.disconnected())
    try:
        return await _until_gone(work, gone)
    finally:
        gone.cancel()
        await asyncio.wait([gone])


async def _until_gone(work: Awaitable[T], gone: asyncio.Task[None]) -> T:
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise ClientGoneError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])

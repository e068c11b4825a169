"""A thin view of an HTTP request over its ASGI scope."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import orjson

from sse.types import Receive, Scope, Send
from sse.uvicorn import Connection
from web.errors import (
    BadRequestError,
    ClientGoneError,
    ContentTooLargeError,
    RequestTimeoutError,
    UnprocessableError,
    UnsupportedMediaTypeError,
)

BODY_LIMIT = 65_536
"""Bytes of a body: a start request has some hundred; the longest path has 4,096."""

BODY_SECONDS = 30.0
"""Time in which a body has to arrive: none that is meant takes so long."""

QUALITY = re.compile(r"[01](\.[0-9]{0,3})?")


@dataclass(slots=True, eq=False)
class Request:
    """
    What a route needs to know; `path` is below `prefix`, where the application is mounted.

    `query` has each parameter's last value. `answered` is true once the response has begun, and
    `waits_for_client` while the client has to send more of the body or read more of the response.
    `transferred` counts the bytes of both bodies. `is_download` is true for a response that may
    take minutes, and that a shutdown does not wait for.
    """

    scope: Scope
    receive: Receive
    send: Send
    method: str = field(init=False)
    path: str = field(init=False)
    prefix: str = field(init=False, default="")
    query: dict[str, str] = field(init=False)
    headers: dict[str, str] = field(init=False)
    answered: bool = field(init=False, default=False)
    waits_for_client: bool = field(init=False, default=False)
    is_download: bool = field(init=False, default=False)
    transferred: int = field(init=False, default=0)
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Connection(self.send, self.receive)
        self.method = _text(self.scope["method"])
        self.path = _text(self.scope["path"])
        query = self.scope.get("query_string", b"").decode("utf-8", "replace")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        fields: dict[str, list[str]] = {}
        for name, value in self.scope["headers"]:
            fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        # RFC 9110, 5.3: fields of one name are one list.
        self.headers = {name: ", ".join(values) for name, values in fields.items()}

    @property
    def holds_connection(self) -> bool:
        """Whether the server still has bytes to send on a connection that no other request uses."""
        return self.connection.unsent_bytes > 0 and not self.connection.is_shared

    @property
    def progress(self) -> int:
        """A number that increases whenever the client sends or reads something."""
        return self.transferred - self.connection.unsent_bytes

    def url(self, path: str) -> str:
        """Return the URL path of one of the service's own paths."""
        return quote(self.prefix + path)

    def has(self, etag: str) -> bool:
        """Compare with `If-None-Match`, RFC 9110, 13.1.2: a list, weak or strong, or `*`."""
        known = self.headers.get("if-none-match", "")
        return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known.split(","))

    def quality(self, media_type: str) -> float:
        """Return the quality of this exact type in `Accept`, RFC 9110, 12.5.1; 0 if absent."""
        for wanted in self.headers.get("accept", "").lower().split(","):
            name, _, weight = wanted.partition(";")
            if name.strip() == media_type:
                number = weight.replace(" ", "").removeprefix("q=")
                return float(number) if QUALITY.fullmatch(number) else 1.0
        return 0.0

    async def body(self) -> bytes:
        """
        Read the body.

        Raises:
            ContentTooLargeError, RequestTimeoutError: too long, too slow.
            ClientGoneError: the client left in the middle of it.
        """
        stated = self.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and int(stated[:18]) > BODY_LIMIT:
            raise ContentTooLargeError(_too_large(int(stated[:18])))
        if stated == "0":  # over HTTP/2 uvicorn would have us wait for it
            return b""
        body = bytearray()
        self.waits_for_client = True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    body += message.get("body", b"")
                    self.transferred = len(body)
                    if len(body) > BODY_LIMIT:
                        raise ContentTooLargeError(_too_large(len(body)))
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise RequestTimeoutError(
                f"the body did not come within {BODY_SECONDS:g} s; send the request again"
            ) from None
        finally:
            self.waits_for_client = False

    async def json_object(self) -> dict[str, Any]:
        """
        Read the body as a JSON object.

        Raises:
            UnsupportedMediaTypeError, BadRequestError, UnprocessableError: it is not.
        """
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaTypeError(
                (
                    f"unsupported Content-Type: {media_type!r}"
                    if media_type
                    else "Content-Type is missing"
                )
                + "; send JSON with Content-Type: application/json"
            )
        try:
            value = orjson.loads(await self.body())
        except orjson.JSONDecodeError as error:
            raise BadRequestError(f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise UnprocessableError("the body is JSON, but no object; send {} for the defaults")
        return value

    async def disconnected(self) -> None:
        """Return when the client has gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def readings(scope: Scope) -> Iterator[tuple[str, str]]:
    """
    Yield the ways to read a scope's path: (prefix, path below it), the most likely first.

    ASGI has `path` hold `root_path` in front. Starlette, mounted below a `root_path` that only the
    host itself sets, has the end of it there; older servers strip it, and Litestar strips what it
    does not add to `root_path`. Then `raw_path` may still contain the prefix. uvicorn adds
    it to a path too from which the proxy has not taken it.
    """
    given = _text(scope.get("root_path") or "")
    root = given.rstrip("/")
    path = _text(scope["path"]).rstrip("/") or "/"
    for at in (at for at, character in enumerate(root) if character == "/"):
        end = root[at:]
        if path == end or path.startswith(f"{end}/"):
            below = path[len(end) :] or "/"
            # What a server puts together of a prefix that ends in a slash has two of them.
            yield root, f"/{below.lstrip('/')}" if given.endswith("/") else below
    if root and f"{path}/".startswith(f"{root}{root}/"):
        yield root, path[2 * len(root) :] or "/"
    stripped = _stripped(scope, path)
    yield (stripped if f"{stripped}/".startswith(f"{root}/") else root + stripped), path


def _stripped(scope: Scope, path: str) -> str:
    """Return the part of `raw_path` before `path`; empty if there is none."""
    whole, below = _text(unquote(_raw_path(scope))).rstrip("/"), path.rstrip("/")
    return whole.removesuffix(below) if whole.endswith(below) else ""


def with_slash(request: Request) -> str | None:
    """Return the page's URL if the request lacks its slash, which relative URLs need."""
    whole = _raw_path(request.scope) or request.scope["path"]
    if request.path != "/" or not request.prefix or whole.endswith("/"):
        return None
    query = urlencode(request.query)
    return request.url("/") + (f"?{query}" if query else "")


def clean_for_log(request: Request) -> None:
    """
    Remove from the scope, which the server logs when the response starts, what must not
    be there: a token; and bytes that are not ASCII, at which it would fail.
    """
    query = request.scope.get("query_string", b"")
    if "token" in request.query:
        request.scope["query_string"] = b"token=***"
    elif not query.isascii():
        request.scope["query_string"] = quote(query, safe="%=&+").encode()


def _raw_path(scope: Scope) -> str:
    return (scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]


def _text(text: str) -> str:
    """Replace lone surrogates, which some servers make of odd bytes and no encoder takes."""
    return text.encode("utf-8", "replace").decode()


def _too_large(size: int) -> str:
    return f"body of {size:,} bytes; the limit is {BODY_LIMIT:,}"

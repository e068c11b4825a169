"""The routes: what is asked of the sessions for each path and method, and how it is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeAlias

import orjson

from ingest.request import IngestRequest
from sse import StreamRegistry, TooManyStreamsError
from sse.types import Headers
from web.errors import (
    ClientGoneError,
    MethodNotAllowedError,
    RouteNotFoundError,
    UnavailableError,
    UnprocessableError,
)
from web.files import FileRoutes
from web.guard import Guard
from web.health import Health
from web.long_poll import LongPoll, wait_seconds
from web.metrics import Metrics
from web.query import is_number, session_filter
from web.request import Request
from web.response import BASE_HEADERS, Response, json, while_connected
from web.sessions import Sessions
from web.static import Static

API = "/api/ingest"
POLLED = f"{API}/status"
STATIC = "/static"

NUMBERED = (f"{API}/files", f"{API}/preview")
"""Routes below which a path names a session and the number of one of its files."""

KEY_LIMIT = 255
"""Characters of an idempotency key: a UUID has 36."""

ERROR_DIGITS = 15
"""Digits of an error's number at most."""

RETRY_AFTER = (b"retry-after", b"5")
"""Seconds after which something that is full may have room again."""

Handler: TypeAlias = Callable[[Request, str], Awaitable[Response | None]]


class Routes:
    """Finds and calls the handler of a request; one that has answered itself gives None."""

    def __init__(
        self,
        sessions: Sessions,
        streams: StreamRegistry,
        polling: LongPoll,
        static: Static,
        guard: Guard,
        files: FileRoutes,
        stopping: asyncio.Event,
        metrics: Metrics | None = None,
    ) -> None:
        self._sessions = sessions
        self._streams = streams
        self._polling = polling
        self._static = static
        self._guard = guard
        self._metrics = metrics
        self._files = files
        self._health = Health(sessions, streams)
        self._stopping = stopping
        self._exact: Mapping[str, Mapping[str, Handler]] = MappingProxyType(
            {
                "/": {"GET": self._page, "POST": self._page},
                "/healthz": {"GET": self._healthz},
                "/metrics": {"GET": self._measured},
                "/openapi.json": {"GET": self._description},
                f"{API}/process": {"POST": self._process},
                POLLED: {"GET": self._list},
                f"{API}/directories": {"GET": self._directories},
            }
        )
        self._below: Mapping[str, Mapping[str, Handler]] = MappingProxyType(
            {
                STATIC: {"GET": self._file},
                POLLED: {"GET": self._status},
                f"{API}/stream": {"GET": self._stream},
                f"{API}/cancel": {"POST": self._cancel},
                f"{API}/files": {"GET": self._files.page},
                f"{API}/files/*": {"GET": self._files.one},
                f"{API}/preview/*": {"GET": self._files.preview},
                f"{API}/report": {"GET": self._files.report},
            }
        )

    def knows(self, path: str) -> bool:
        """Return whether there is a route for `path`."""
        return path in self._exact or _split(path)[0] in self._below

    def headers(self, request: Request) -> Headers:
        """Return the headers of every response to this request."""
        headers = self._guard.headers(request)
        if request.path == POLLED or request.path.startswith(f"{POLLED}/"):
            headers += self._polling.headers
        return headers

    async def answer(self, request: Request) -> Response | None:
        """
        Call the handler of `request`.

        Raises:
            RouteNotFoundError, MethodNotAllowedError: there is none.
            HTTPError, IngestError: what the handler refuses.
        """
        folder, name = _split(request.path)
        methods = self._exact.get(request.path)
        if methods is None:
            methods = self._below.get(folder) if name else None
        if methods is None:
            raise RouteNotFoundError(f"no route {request.path!r}; the API is below {API}/")
        method = "GET" if request.method == "HEAD" else request.method
        handler = methods.get(method)
        if handler is None:
            allowed = ", ".join(methods).replace("GET", "GET, HEAD")
            raise MethodNotAllowedError(
                f"{request.method} is not for this route; it takes {allowed}",
                headers=[(b"allow", allowed.encode())],
            )
        return await handler(request, name)

    async def _page(self, request: Request, _: str) -> Response:
        return self._static.page(request)

    async def _file(self, request: Request, name: str) -> Response:
        return self._static.file(request, name)

    async def _description(self, request: Request, _: str) -> Response:
        return self._static.description(request)

    async def _healthz(self, request: Request, _: str) -> Response:
        return await self._health.answer(
            ready="ready" in request.query, stopping=self._stopping.is_set()
        )

    async def _measured(self, request: Request, _: str) -> Response:
        if self._metrics is None:
            raise RouteNotFoundError("no metrics are kept; install the extra `metrics`")
        return self._metrics.response(request)

    async def _process(self, request: Request, _: str) -> Response:
        fields = await request.json_object()
        wanted = IngestRequest.from_mapping(fields)
        key = request.headers.get("idempotency-key")
        if key is not None and not (0 < len(key) <= KEY_LIMIT):
            raise UnprocessableError(
                "a header is wrong",
                fields={"Idempotency-Key": f"{len(key)} characters; 1 to {KEY_LIMIT} are taken"},
            )
        if self._stopping.is_set():
            raise UnavailableError("the service is shutting down")
        session_id = await self._sessions.start(wanted, key)
        status_url = request.url(f"{API}/status/{session_id}")
        stream_url = request.url(f"{API}/stream/{session_id}")
        snapshot = orjson.loads(await self._snapshot(session_id))
        return json(
            {**snapshot, "status_url": status_url, "stream_url": stream_url},
            202,
            [(b"location", status_url.encode())],
        )

    async def _cancel(self, _: Request, session_id: str) -> Response:
        changed = await self._sessions.cancel(session_id)
        return json(await self._snapshot(session_id), 202 if changed else 200)

    async def _list(self, request: Request, _: str) -> Response:
        self._count_poll(request, one=False)
        self._polling.check_sunset(datetime.now(UTC))
        snapshots, following = await self._sessions.newest(session_filter(request.query))
        cursor = b"null" if following is None else b'"%d"' % following
        return json(b'{"sessions":[' + b",".join(snapshots) + b'],"next":' + cursor + b"}")

    async def _status(self, request: Request, session_id: str) -> Response:
        self._count_poll(request, one=True)
        self._polling.check_sunset(datetime.now(UTC))
        wait = wait_seconds(request.query)
        if "errors_after" in request.query:
            return await self._errors(session_id, request.query["errors_after"])
        channel = await self._sessions.channel(session_id)
        return await self._polling.status(request, channel, wait)

    async def _errors(self, session_id: str, after: str) -> Response:
        if not is_number(after, ERROR_DIGITS):
            raise UnprocessableError(
                "a parameter is wrong",
                fields={"errors_after": f"{after!r}; it has to be an error's number, or 0"},
            )
        errors, total = await self._sessions.errors_after(session_id, int(after))
        return json({"errors": [error.to_json() for error in errors], "total": total})

    async def _stream(self, request: Request, session_id: str) -> None:
        channel = await self._sessions.channel(session_id)
        headers = [*BASE_HEADERS, *self._guard.headers(request)]
        request.answered = True
        try:
            await self._streams.serve(
                channel, request.scope, request.receive, request.send, headers=headers
            )
        except TooManyStreamsError as error:
            raise UnavailableError(f"{error}; the snapshot can be polled") from error
        except OSError as error:
            raise ClientGoneError from error

    async def _directories(self, request: Request, _: str) -> Response:
        query = request.query
        listing = self._sessions.directories(query.get("path", "."), query.get("after"))
        return json(await while_connected(request, listing))

    def _count_poll(self, request: Request, *, one: bool) -> None:
        if self._metrics is not None:
            self._metrics.polled(request, one=one)

    async def _snapshot(self, session_id: str) -> bytes:
        channel = await self._sessions.channel(session_id)
        assert channel.newest is not None
        return channel.newest.data


def _split(path: str) -> tuple[str, str]:
    """Return the route of `path` and the name below it; `/*` ends those of numbered files."""
    if path.startswith(f"{STATIC}/"):
        return STATIC, path[len(STATIC) + 1 :]
    folder, _, name = path.rpartition("/")
    above, _, session_id = folder.rpartition("/")
    if above in NUMBERED and session_id and name:
        return f"{above}/*", f"{session_id}/{name}"
    return folder, name

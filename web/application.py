"""The application: one ASGI callable, its start and its end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any

import orjson

from ingest.errors import IngestError, InvalidRequestError
from ingest.outcome import AsyncProcessor, Processor
from ingest.request import IngestRequest
from ingest.session import Snapshot
from ingest.settings import Settings
from sse import StreamRegistry
from sse.types import Headers, Receive, Scope, Send
from sse.uvicorn import abort, drop_unread
from web import response as responses
from web.errors import ClientGoneError, HTTPError, UnavailableError
from web.guard import Guard
from web.long_poll import LongPoll
from web.metrics import Metrics, has_metrics
from web.report import MEDIA_TYPES, written
from web.request import Request, clean_for_log, readings, with_slash
from web.response import Response
from web.routes import RETRY_AFTER, Routes
from web.sessions import LocalSessions, Sessions
from web.sign_in import sign_in
from web.signals import SignalChain
from web.static import Static

logger = logging.getLogger("web")

DRAIN_SECONDS = 0.5
"""From the signal to the cut of what waits for a client: to read a stream, or to send its body."""

FAILED = "the service failed at this request; its log says why"


class Parts:
    """What an application consists of while it runs."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        loop: asyncio.AbstractEventLoop,
        on_shutdown: Callable[[], object],
    ) -> None:
        self.loop = loop
        self.sessions = sessions
        self.guard = Guard(settings)
        self.streams = StreamRegistry(
            heartbeat=settings.heartbeat,
            retry_ms=settings.retry,
            send_timeout=settings.send_timeout,
            max_age=settings.max_stream_age,
            limit=settings.max_streams,
            on_shutdown=on_shutdown,
        )
        self.polling = LongPoll(settings)
        self.static = Static()
        self.metrics = Metrics(sessions, self.streams) if has_metrics() else None
        if self.metrics is not None:
            sessions.observe(self.metrics.delivered)
        self.routes = Routes(
            sessions, self.streams, self.polling, self.static, self.guard, self.metrics
        )

    def stop_waiting(self) -> None:
        """End all streams and long polls, and let no new one begin to last."""
        self.routes.stopping = True
        self.streams.end()
        self.polling.stop()


class Application:
    """
    The ingest service as an ASGI application.

    Made inert: it opens, starts and writes nothing before its lifespan, or its first request
    where the host gives it none. Nothing is global; two in one process do not meet.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        process: Processor | AsyncProcessor | None = None,
        executor: Executor | None = None,
    ) -> None:
        self._settings = settings
        self._process = process
        self._executor = executor
        self._parts: Parts | None = None
        self._signals = SignalChain(self._hear_signal)
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._serving: set[Request] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as the ASGI specification says."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            raise NotImplementedError(f"scopes of type {scope['type']!r} are not served")

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator["Application"]:
        """
        Run the service inside a host's own lifespan.

        Raises:
            IngestError: it cannot start; the text says what to do.
        """
        await self._open()
        try:
            yield self
        finally:
            await self._close()

    async def drain(self) -> None:
        """
        End all streams and long polls, cleanly and within half a second.

        For a server or host with a shutdown of its own, to be awaited before it waits for open
        responses. Later requests are still answered, streams with the newest frame and their end.
        """
        if self._parts is not None:
            self._parts.stop_waiting()
            await self._parts.streams.drain()

    async def start(self, *, idempotency_key: str | None = None, **fields: Any) -> str:
        """
        Start a session and give its id; the fields are those of the HTTP request.

        Raises:
            IngestError: it cannot be started; see `ingest.errors`.
        """
        parts = await self._open()
        return await parts.sessions.start(IngestRequest.from_mapping(fields), idempotency_key)

    async def cancel(self, session_id: str) -> bool:
        """
        End a session as cancelled; False if it is at its end already.

        Raises:
            IngestError: there is no such session, or the wish could not be recorded.
        """
        return await (await self._open()).sessions.cancel(session_id)

    async def snapshot(self, session_id: str) -> Snapshot:
        """
        Give the newest snapshot of a session.

        Raises:
            IngestError: there is no such session.
        """
        channel = await (await self._open()).sessions.channel(session_id)
        assert channel.newest is not None
        snapshot: Snapshot = orjson.loads(channel.newest.data)
        return snapshot

    async def sessions(self) -> list[Snapshot]:
        """List the snapshots of the hundred sessions started last, the newest first."""
        return [orjson.loads(snapshot) for snapshot in await (await self._open()).sessions.newest()]

    async def errors_after(self, session_id: str, n: int) -> list[dict[str, Any]]:
        """
        List a session's errors numbered above `n`, ascending, a thousand at most.

        Raises:
            IngestError: there is no such session.
        """
        errors, _ = await (await self._open()).sessions.errors_after(session_id, n)
        return [{**error.to_json()} for error in errors]

    async def report(self, session_id: str, format: str = "ndjson") -> AsyncGenerator[bytes, None]:  # noqa: A002 - as in the query
        """
        Give what is recorded of each file, in pieces as `GET report` sends them.

        `format` is `ndjson` or `csv`. Of a running session it is what is finished.

        Raises:
            IngestError: there is no such session.
            ValueError: there is no such format.
        """
        if format not in MEDIA_TYPES:
            raise ValueError(f"{format!r} is no format; there are {', '.join(MEDIA_TYPES)}")
        async for piece in written(await (await self._open()).sessions.report(session_id), format):
            yield piece

    async def watch(self, session_id: str) -> AsyncGenerator[Snapshot, None]:
        """
        Give the newest snapshot, and each newer one, until the session or the service ends.

        One who is slow skips to the newest, like every other who watches.

        Raises:
            IngestError: there is no such session.
        """
        parts = await self._open()
        channel = await parts.sessions.channel(session_id)
        seen = None
        with parts.polling.following(channel) as follower:
            while True:
                if channel.newest is not None and channel.newest is not seen:
                    seen = channel.newest
                    yield orjson.loads(seen.data)
                elif channel.closed or parts.polling.stopping:
                    return
                else:
                    await follower.wait()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._open()
        except IngestError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception:
            # Raised, it would be taken for an application that knows no lifespan.
            logger.exception("the service cannot start")
            await send({"type": "lifespan.startup.failed", "message": "the service cannot start"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> Parts:
        if self._parts is not None and not self._parts.loop.is_closed():
            return self._parts
        async with self._opening():
            if self._parts is not None and self._parts.loop.is_closed():
                # A host without a lifespan has ended its loop, and began another. What still
                # belongs to the old one says so when it is touched.
                with contextlib.suppress(RuntimeError):
                    await self._close()
            if self._parts is None:
                loop = asyncio.get_running_loop()
                settings = self._settings()
                sessions = LocalSessions(settings, process=self._process, executor=self._executor)
                parts = await asyncio.to_thread(Parts, settings, sessions, loop, self._stop_streams)
                await sessions.open()
                if parts.metrics is not None:
                    parts.metrics.start()
                self._signals.install()
                self._parts = parts
        return self._parts

    def _opening(self) -> asyncio.Lock:
        """Give this event loop's lock: one that was waited for belongs to its loop for ever."""
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = loop, asyncio.Lock()
        return self._lock[1]

    async def _close(self) -> None:
        parts = self._parts
        if parts is None:
            return
        self._signals.remove()
        if parts.metrics is not None:
            parts.metrics.stop()
        try:
            await self.drain()
        finally:
            try:
                await parts.sessions.close()
            finally:
                self._parts = None

    def _hear_signal(self) -> None:
        if self._parts is not None:
            with contextlib.suppress(RuntimeError):  # a second signal, after the loop's end
                self._parts.loop.call_soon_threadsafe(self._stop_streams)

    def _stop_streams(self) -> None:
        if self._parts is not None:
            self._parts.stop_waiting()
            asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._cut, self._parts)

    def _cut(self, parts: Parts) -> None:
        parts.streams.cut()
        for request in tuple(self._serving):
            if request.waits_for_client:
                abort(request.send, request.receive)
        for server in self._signals.owners():
            drop_unread(server)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        clean_for_log(request)
        self._serving.add(request)
        try:
            answer, headers = await self._answer(request)
            if answer is not None:
                await responses.send(request, answer, headers)
        except ClientGoneError:
            return
        except Exception:
            if request.answered:  # the server logs why, and cuts the connection
                raise
            logger.exception("%s %r failed", request.method, request.path)
            with contextlib.suppress(ClientGoneError):
                await responses.send(request, responses.problem(500, FAILED), [])
        finally:
            self._serving.discard(request)

    async def _answer(self, request: Request) -> tuple[Response | None, Headers]:
        try:
            parts = await self._open()
        except IngestError as error:
            logger.error("the service cannot start: %s", error)  # noqa: TRY400 - the text is all
            refused = UnavailableError("the service cannot start; its log says why")
            return _refusal(refused), []
        for prefix, path in readings(request.scope):
            request.prefix, request.path = prefix, path
            if parts.routes.knows(path):
                break
        try:
            answer = await _guarded(parts, request)
        except (HTTPError, IngestError) as error:
            answer = _refusal(error)
        return answer, parts.routes.headers(request)


async def _guarded(parts: Parts, request: Request) -> Response | None:
    guard = parts.guard
    guard.check_host(request)
    if (preflight := guard.preflight(request)) is not None:
        return preflight
    if request.method == "POST":
        guard.check_origin(request)
    if (page := with_slash(request)) is not None:
        return Response(308, headers=[(b"location", page.encode()), responses.NO_STORE])
    if request.path == "/":
        answer = await sign_in(guard, parts.static, request)
        if answer is not None:
            return answer
    elif request.path != "/healthz":
        guard.check_token(request)
    return await parts.routes.answer(request)


def _refusal(error: HTTPError | IngestError) -> Response:
    headers = list(error.headers) if isinstance(error, HTTPError) else []
    fields = error.fields if isinstance(error, HTTPError | InvalidRequestError) else {}
    if error.status == 503:
        headers.append(RETRY_AFTER)
    return responses.problem(error.status, str(error), fields=fields, headers=headers)


def create_app(
    settings: Settings | Callable[[], Settings] | None = None,
    *,
    process: Processor | AsyncProcessor | None = None,
    executor: Executor | None = None,
) -> Application:
    """
    Make the application.

    Args:
        settings: the settings, or a function that gives them when the application starts; those
            of the environment, `INGEST_…`, if there are none.
        process: what is done with each file, instead of the built-in processor: a function of
            its path, sync (run in `executor`) or async (run on the event loop).
        executor: what runs a sync processor, instead of a pool of processes; it stays yours.

    """
    given = Settings.from_env if settings is None else settings
    make = given if callable(given) else lambda: given
    return Application(make, process=process, executor=executor)

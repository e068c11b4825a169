"""The ASGI callable: scopes, requests, and errors turned into problem documents."""

import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from ingest.catalogue.protocol import Catalogue
from ingest.errors import (
    CatalogueError,
    ExecutorError,
    IngestError,
    InvalidRequestError,
    NoAnswerError,
    ShortageError,
)
from ingest.execution.protocol import Backend
from ingest.outcome import AsyncProcessor, Processor
from ingest.settings import Settings
from sse.types import Headers, Receive, Scope, Send
from web import response as responses
from web.clustered import choose_sessions
from web.errors import ClientGoneError, HTTPError, UnavailableError
from web.lifecycle import Lifecycle, Running
from web.request import Request, clean_for_log, readings, with_slash
from web.response import Response
from web.routes import RETRY_AFTER
from web.service import Service
from web.sessions import Sessions
from web.sign_in import sign_in

logger = logging.getLogger("web")

FAILED = "the request failed inside the service; see its log"


class Application(Service):
    """The ingest service as an ASGI application; a `Service` for the Python code of its host."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as the ASGI specification requires."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifecycle.serve_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            raise NotImplementedError(f"unsupported ASGI scope type {scope['type']!r}")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        clean_for_log(request)
        try:
            await self._respond(request)
        except ClientGoneError:
            return
        except Exception:
            if request.answered:  # the server logs the exception and closes the connection
                raise
            logger.exception("%s %r failed", request.method, request.path)
            with contextlib.suppress(ClientGoneError):
                await responses.send(request, responses.problem(500, FAILED), [])

    async def _respond(self, request: Request) -> None:
        try:
            running = await self._lifecycle.open()
        except IngestError as error:
            logger.error("the service cannot start: %s", error)  # noqa: TRY400 - the text is all
            refused = UnavailableError("the service cannot start; see its log")
            await responses.send(request, _problem(refused), [])
            return
        running.shutdown.add(request)
        try:
            response, headers = await _answer(running, request)
            if response is not None:
                await responses.send(request, response, headers)
        finally:
            running.shutdown.remove(request)


async def _answer(running: Running, request: Request) -> tuple[Response | None, Headers]:
    for prefix, path in readings(request.scope):
        request.prefix, request.path = prefix, path
        if running.routes.knows(path):
            break
    try:
        response = await _guarded(running, request)
    except (HTTPError, IngestError) as error:
        if isinstance(error, CatalogueError | ExecutorError | NoAnswerError | ShortageError):
            logger.error("%s %r: %s", request.method, request.path, error)  # noqa: TRY400 - the text is all
        response = _problem(error)
    return response, running.routes.headers(request)


async def _guarded(running: Running, request: Request) -> Response | None:
    guard = running.guard
    guard.check_host(request)
    if (preflight := guard.preflight(request)) is not None:
        return preflight
    if request.method == "POST":
        guard.check_origin(request)
    if (page := with_slash(request)) is not None:
        return Response(308, headers=[(b"location", page.encode()), responses.NO_STORE])
    if request.path == "/":
        answer = await sign_in(guard, running.static, request)
        if answer is not None:
            return answer
    elif request.path != "/healthz":
        guard.check_token(request)
    return await running.routes.answer(request)


def _problem(error: HTTPError | IngestError) -> Response:
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
    catalogue: Catalogue | None = None,
    backend: Backend | None = None,
    sessions: Callable[[Settings], Sessions] | None = None,
) -> Application:
    """
    Return a new application.

    Args:
        settings: the settings, or a function that returns them when the application starts; by
            default those of the environment variables `INGEST_…`.
        process: the processor, instead of the built-in one: a function of a file's path, sync
            (run in `executor`) or async (run on the event loop).
        executor: runs a sync processor, instead of the pool of worker processes; the caller
            shuts it down.
        catalogue: records sessions and outcomes, instead of SQLite at `settings.database`.
        backend: runs batches of files; `process` and `executor` are then not used.
        sessions: returns the sessions, instead of those of this process; the arguments before,
            other than `settings`, are then not used.

    With the URL of a shared database in the settings, sessions are run by the workers of a cluster,
    which take the processor from their own settings: none of these arguments can be given then.

    """
    given = Settings.from_env if settings is None else settings
    make_settings = given if callable(given) else lambda: given
    chosen = partial(
        choose_sessions, process=process, executor=executor, catalogue=catalogue, backend=backend
    )
    return Application(Lifecycle(make_settings, sessions or chosen))

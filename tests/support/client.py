"""A small ASGI client: whole answers, streams read by the standard's parser, held-up sessions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson
from asgiref.testing import ApplicationCommunicator as UntypedCommunicator

from ingest import Settings
from sse import Event, Parser
from tests.support.clustered import WorkedSessions, is_clustered
from web import Application, create_app

T = TypeVar("T")

Communicator: Any = UntypedCommunicator
"""Has no annotations."""

DEADLINE = 60.0
"""Seconds that anything may take on a busy machine; nothing waits for it where all is well."""

API = "/api/ingest"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's values, joined; None if it is missing."""
        values = [value.decode("latin-1") for key, value in self.headers if key == name.encode()]
        return ", ".join(values) if values else None

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def bad_fields(self) -> list[str]:
        """The names in a problem document's `errors`."""
        assert self.header("content-type") == "application/problem+json"
        assert all(error["message"] for error in self.json["errors"])
        return [error["field"] for error in self.json["errors"]]


class Stream:
    """An open event stream."""

    def __init__(self, connection: Any, start: Mapping[str, Any]) -> None:
        self._connection = connection
        self.status: int = start["status"]
        self.headers: Sequence[tuple[bytes, bytes]] = start["headers"]
        self.parser = Parser()
        self.raw = b""
        self.ended = False
        self._events: list[Event] = []

    async def event(self) -> Event | None:
        """Return the next event; None when the stream has ended."""
        while not self._events and not self.ended:
            message = await self._connection.receive_output(DEADLINE)
            self.raw += message["body"]
            self._events += self.parser.feed(message["body"])
            self.ended = not message.get("more_body", False)
        return self._events.pop(0) if self._events else None

    async def snapshot(self) -> Any:
        """Return the next event's data."""
        event = await self.event()
        assert event is not None
        return orjson.loads(event.data)

    async def snapshots(self) -> list[Any]:
        """Return the data of all events until the stream ends."""
        snapshots = []
        while (event := await self.event()) is not None:
            snapshots.append(orjson.loads(event.data))
        return snapshots

    async def leave(self) -> None:
        """Disconnect, and wait until the application has noticed."""
        await self._connection.send_input({"type": "http.disconnect"})
        await self._connection.wait(DEADLINE)


class Client:
    """A client of one application; `scope` overrides values of every request's ASGI scope."""

    def __init__(self, app: Application, **scope: Any) -> None:
        self.app = app
        self.scope = scope

    def connect(
        self,
        method: str,
        path: str = "/",
        query: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **scope: Any,
    ) -> Any:
        """Start a request; the caller sends its body."""
        pairs = [(k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items()]
        given: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "query_string": query,
            "headers": pairs,
        }
        return Communicator(self.app, {**given, **self.scope, **scope})

    async def ask(
        self,
        method: str,
        path: str = "/",
        query: bytes = b"",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        **scope: Any,
    ) -> Answer:
        """Make a request and wait for its whole answer."""
        connection = self.connect(method, path, query, headers, **scope)
        await connection.send_input({"type": "http.request", "body": body, "more_body": False})
        return await read(connection)

    async def get(self, path: str, query: bytes = b"", **headers: str) -> Answer:
        """GET; a header's name is written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("GET", path, query, named)

    async def process(self, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
        """Start a session and return its id."""
        body = orjson.dumps(fields)
        return await self.ask("POST", f"{API}/process", b"", {**JSON, **(headers or {})}, body)

    async def start(self, **fields: Any) -> str:
        """Start a session and give its id."""
        answer = await self.process(None, **fields)
        assert answer.status == 202, answer.body
        session_id: str = answer.json["session_id"]
        return session_id

    async def start_held(self) -> str:
        """Start a session that stands at its only file, which a gate holds up: nothing changes."""
        session_id = await self.start(max_files=1)
        stream = await self.stream(session_id)
        while (await stream.snapshot())["current_file"] is None:
            pass
        await stream.leave()
        return session_id

    async def stream(self, session_id: str, **headers: str) -> Stream:
        """Open a session's stream."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connect("GET", f"{API}/stream/{session_id}", b"", named)
        await connection.send_input({"type": "http.request", "body": b"", "more_body": False})
        return Stream(connection, await connection.receive_output(DEADLINE))

    async def finished(self, session_id: str) -> Any:
        """Follow a session to its end and give the last snapshot."""
        return (await (await self.stream(session_id)).snapshots())[-1]


async def read(connection: Any) -> Answer:
    """Read a whole answer, and wait for the application to be through with it."""
    start = await connection.receive_output(DEADLINE)
    assert start["type"] == "http.response.start"
    body = b""
    while True:
        message = await connection.receive_output(DEADLINE)
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    await connection.wait(DEADLINE)
    assert connection.output_queue.empty()
    return Answer(start["status"], start["headers"], body)


class Gate:
    """A processor that lets a file through for each `open(n)`, and all once it is `open()`."""

    def __init__(self) -> None:
        self._passes = asyncio.Semaphore(0)

    def open(self, files: int = 10_000) -> None:
        for _ in range(files):
            self._passes.release()

    async def process(self, path: Path) -> dict[str, Any]:
        await self._passes.acquire()
        return {"name": path.name}


async def at_once(path: Path) -> dict[str, Any]:
    """Process a file without any work; one that is called bad fails."""
    if path.name.startswith("bad"):
        raise ValueError("this file is bad")
    return {"name": path.name}


def make_app(folder: Path, process: Any = at_once, files: int = 3, **settings: Any) -> Application:
    """Make an application over a tree with some files; call again for its next life."""
    root = folder / "inbox"
    root.mkdir(exist_ok=True)
    for n in range(files):
        (root / f"{n}.txt").write_text(str(n))
    given = {"root": root, "database": folder / "ingest.db", "workers": 1, "min_interval": 0}
    made = Settings(**{**given, **settings})
    if is_clustered():
        return create_app(made, sessions=partial(WorkedSessions, process=process))
    return create_app(made, process=process)


@contextlib.asynccontextmanager
async def serving(folder: Path, process: Any = at_once, **settings: Any) -> AsyncIterator[Client]:
    """Serve a tree with three files."""
    async with make_app(folder, process, **settings).lifespan() as app:
        yield Client(app)

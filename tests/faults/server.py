"""The real server as a subprocess: started, asked, killed, started again on the same port."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

REPOSITORY = Path(__file__).resolve().parents[2]

START_SECONDS = 60.0
"""More than any start takes, on a busy machine with a large catalogue, too."""

ANSWER_SECONDS = 60.0


class StartRefusedError(Exception):
    """The server ended before it answered; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Server:
    """One server with its root, its database and its port, over any number of lives."""

    root: Path
    database: Path
    settings: Mapping[str, object] = field(default_factory=dict)
    host: str = "127.0.0.1"
    bind: str = "127.0.0.1"
    app: str = "app:app"

    def __post_init__(self) -> None:
        self.port = free_port()
        self.log = self.root.parent / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start it, without waiting until it answers."""
        settings = {"root": self.root, "database": self.database, **self.settings}
        environment = {f"INGEST_{name.upper()}": str(value) for name, value in settings.items()}
        path = os.pathsep.join([str(REPOSITORY), *sys.path])
        command = [sys.executable, "-m", "uvicorn", self.app, "--host", self.bind]
        command += ["--port", str(self.port), "--log-level", "warning"]
        with self.log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env={**os.environ, **environment, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> float:
        """
        Start it, and give the seconds until it answered.

        Raises:
            StartRefusedError: it ended instead.
        """
        begun = time.monotonic()
        self.launch()
        while time.monotonic() - begun < START_SECONDS:
            if not self.alive:
                raise StartRefusedError(self.said())
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/healthz").status == 200:
                    return time.monotonic() - begun
            time.sleep(0.01)
        raise TimeoutError(f"no answer after {START_SECONDS:g} s; it said: {self.said()}")

    def kill(self) -> None:
        """End it as a power switch would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, limit: float = 20.0) -> float:
        """Send SIGTERM and return the seconds until the exit; after `limit` send SIGKILL."""
        assert self._process is not None
        begun = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limit)
        if self._process.poll() is None:
            self.kill()
        return time.monotonic() - begun

    def said(self) -> str:
        """Return the log of the present process."""
        with self.log.open("rb") as log:
            log.seek(self._said_before)
            return log.read().decode(errors="replace").strip()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS)
        sent = dict(headers or {})
        data = None
        if body is not None:
            data = orjson.dumps(body)
            sent["Content-Type"] = "application/json"
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def process(self, directory: str, *, key: str | None = None, **fields: object) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        body = {"directory": directory, **fields}
        return self.ask("POST", "/api/ingest/process", body, headers)

    def begin(self, directory: str, *, retry_of: str | None = None) -> str:
        """Start a session and give its id."""
        answer = self.process(directory, retry_of=retry_of)
        assert answer.status == 202, answer.body
        session_id: str = answer.json["session_id"]
        return session_id

    def snapshot(self, session_id: str) -> dict[str, Any]:
        answer = self.get(f"/api/ingest/status/{session_id}")
        assert answer.status == 200, answer.body
        snapshot: dict[str, Any] = answer.json
        return snapshot

    def cancel(self, session_id: str) -> Answer:
        return self.ask("POST", f"/api/ingest/cancel/{session_id}")

    def wait_end(self, session_id: str, limit: float = 120.0) -> dict[str, Any]:
        """Poll until the session is finished, and return its last snapshot."""
        until = time.monotonic() + limit
        while (snapshot := self.snapshot(session_id))["end_time"] is None:
            assert time.monotonic() < until, f"no end after {limit:g} s: {snapshot}"
            time.sleep(0.05)
        return snapshot

    def streams(self) -> int:
        streams: int = self.get("/healthz").json["streams"]
        return streams

    def rss(self) -> int:
        """Return the resident memory of the server's own process in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def wal(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        with contextlib.suppress(FileNotFoundError):
            return self.database.with_name(self.database.name + "-wal").stat().st_size
        return 0

    def workers(self) -> list[int]:
        """List the worker processes by number."""
        return [pid for pid, parent in processes() if parent == self.pid]


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start the server, and see that it is gone in the end."""
    server.start()
    try:
        yield server
    finally:
        if server.alive:
            server.kill()


def processes() -> Iterator[tuple[int, int]]:
    """List all processes that live, each with its parent."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    yield int(entry.name), int(parent)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

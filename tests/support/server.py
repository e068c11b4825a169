"""A real server in a process of its own, and raw sockets to it."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

DEADLINE = 20.0
"""Seconds that anything may take on a busy machine."""

RUNNING = re.compile(r"(?:running on|open) http://127\.0\.0\.1:(\d+)")


class Server:
    """A server process with its output in a file; `port` is known once it answers."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        stderr: int = subprocess.STDOUT,
        /,
        **settings: str,
    ) -> None:
        self.folder = folder
        self.root = folder / "inbox"
        self.root.mkdir(exist_ok=True)
        self.log_file = folder / f"server-{time.monotonic_ns()}.log"
        given = {"INGEST_ROOT": str(self.root), "INGEST_DATABASE": str(folder / "ingest.db")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INGEST_")}
        environ = {**kept, **given, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **settings}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environ, cwd=folder, stdout=log, stderr=stderr,
            )  # fmt: skip
        self.port = 0
        self._sockets: list[socket.socket] = []

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    @property
    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_until_up(self) -> None:
        """Read the port from the log."""
        until(lambda: RUNNING.search(self.log.lower()) or self.process.poll() is not None)
        found = RUNNING.search(self.log.lower())
        assert found, self.log
        self.port = int(found[1])

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        """Connect, until the caller closes it or the server's block ends."""
        connection = socket.socket()
        self._sockets.append(connection)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(DEADLINE)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def ask(self, method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, Any]:
        """Make a request on a connection of its own; give the status and the body's JSON."""
        with self.connect() as connection:
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode("latin-1") + body)
            answer = read_to_end(connection)
        start, _, rest = answer.partition(b"\r\n\r\n")
        return int(start.split()[1]), json.loads(rest) if rest.startswith(b"{") else rest

    def start(self, **fields: Any) -> str:
        """Start a session and give its id."""
        status, snapshot = self.ask("POST", "/api/ingest/process", json.dumps(fields).encode())
        assert status == 202, snapshot
        session_id: str = snapshot["session_id"]
        return session_id

    def stream(self, session_id: str) -> socket.socket:
        """Open a stream for the caller to read."""
        connection = self.connect()
        request = f"GET /api/ingest/stream/{session_id} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request.encode())
        return connection

    def children(self) -> list[int]:
        """List the processes below this one."""
        found, parents = [], [self.process.pid]
        while parents:
            # A child is its thread's, and the thread that starts workers is not the main one.
            for listed in Path(f"/proc/{parents.pop()}/task").glob("*/children"):
                children = [int(pid) for pid in listed.read_text().split()]
                found += children
                parents += children
        return found

    def close(self) -> None:
        """End the process, if that has not happened, and every connection."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        for connection in self._sockets:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal, and give the seconds until the process has gone."""
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(DEADLINE)
        return time.monotonic() - begun


@contextlib.contextmanager
def serve(folder: Path, *flags: str, command: str = "uvicorn", **settings: str) -> Iterator[Server]:
    """Serve on a free port until the end of the block."""
    what = ["uvicorn", "app:app"] if command == "uvicorn" else ["app", "serve"]
    with closing(Server(folder, [*what, "--port", "0", *flags], **settings)) as server:
        yield server


@contextlib.contextmanager
def serve_with_log(folder: Path, log_fd: int) -> Iterator[Server]:
    """Serve by `ingest-stream serve` with its log on a file descriptor."""
    with closing(Server(folder, ["app", "serve", "--port", "0"], log_fd)) as server:
        yield server


@contextlib.contextmanager
def closing(server: Server) -> Iterator[Server]:
    """Yield the server once it answers; end it with the block."""
    try:
        server.wait_until_up()
        yield server
    finally:
        server.close()


def until(fact: Any) -> None:
    """Wait for a fact about another process."""
    deadline = time.monotonic() + DEADLINE
    while not fact():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    deadline = time.monotonic() + DEADLINE
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65_536):
            received += data
            assert time.monotonic() < deadline, received
    return received


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    """Read until something has come."""
    deadline = time.monotonic() + DEADLINE  # heartbeats keep the socket's own from being reached
    received = b""
    while wanted not in received:
        data = connection.recv(65_536)
        assert data, received
        assert time.monotonic() < deadline, received
        received += data
    return received


def is_readable(connection: socket.socket) -> bool:
    """Return whether there is something to read, the end included."""
    return bool(select.select([connection], [], [], 0)[0])

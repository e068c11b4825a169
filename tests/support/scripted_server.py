"""An HTTP server that answers by a script, a connection each."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DEADLINE = 10.0


class Scripted:
    """A server that sends each connection the next of `answers`, raw bytes, and closes it."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = answers
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(DEADLINE)
        self.requests: list[str] = []
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def run(self) -> None:
        for answer in self._answers:
            connection, _ = self._listening.accept()
            with connection:
                connection.settimeout(DEADLINE)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65_536)
                self.requests.append(request.decode("latin-1"))
                connection.sendall(answer)

    def close(self) -> None:
        self._listening.close()


@contextlib.contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """Serve until all is answered."""
    server = Scripted(answers)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
        thread.join(DEADLINE)
        assert not thread.is_alive()
    finally:
        server.close()


def answer(status: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """Make a whole answer; without its length, so that its end is the connection's."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode() + body


def stream(*snapshots: Mapping[str, Any], first: int = 1, retry: int | None = None) -> bytes:
    """Make a stream's answer, whose events are numbered from `first`."""
    body = "" if retry is None else f"retry: {retry}\n"
    for n, snapshot in enumerate(snapshots, first):
        body += f"id: {n}\ndata: {json.dumps(snapshot)}\n\n"
    return answer("200 OK", body.encode(), "text/event-stream")

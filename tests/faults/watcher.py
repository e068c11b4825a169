"""A client that watches a session over all lives of the server, and trusts nothing."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson

from sse import Parser

RANK = {"starting": 0, "processing": 1, "completed": 2, "cancelled": 2, "error": 2}

RECONNECT_SECONDS = 0.02


class Watcher(threading.Thread):
    """
    Follows one session's stream, reconnecting with `Last-Event-ID`, until `stop`.

    Everything that a person watching must never see is noted in `violations`.
    """

    def __init__(self, host: str, port: int, session_id: str) -> None:
        super().__init__(name=f"watcher of {session_id}", daemon=True)
        self.session_id = session_id
        self.events = 0
        self.connections = 0
        self.snapshot: dict[str, Any] | None = None
        self.violations: list[str] = []
        self.lags: list[float] = []
        self.ended = False
        self._address = host, port
        self._last_event_id = ""
        self._changed = threading.Condition()
        self._given_up = False
        self.start()

    def run(self) -> None:
        while not self.ended and not self._given_up:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._follow()
            time.sleep(RECONNECT_SECONDS)

    def give_up(self) -> None:
        """Watch no longer, at the next event or end of the connection."""
        self._given_up = True

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], limit: float) -> bool:
        """Wait until a snapshot is as wanted; False if none was in `limit` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.snapshot is not None and wanted(self.snapshot), limit
            )

    def wait_end(self, limit: float) -> bool:
        self.join(limit)
        return self.ended

    def _follow(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        try:
            headers = {"Last-Event-ID": self._last_event_id} if self._last_event_id else {}
            connection.request("GET", f"/api/ingest/stream/{self.session_id}", headers=headers)
            response = connection.getresponse()
            if response.status == 204:
                self._end()
            elif response.status == 200:
                self.connections += 1
                self._read(response)
            elif response.status != 503:
                self.violations.append(f"the stream answered {response.status}")
                self._given_up = True
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        parser = Parser()
        while not self._given_up and (chunk := response.read1(65536)):
            now = time.time()
            for event in parser.feed(chunk):
                self._last_event_id = event.id
                self._see(orjson.loads(event.data), now)

    def _see(self, snapshot: dict[str, Any], now: float) -> None:
        with self._changed:
            if self.snapshot is not None:
                self.violations += went_back(self.snapshot, snapshot)
            self.snapshot = snapshot
            self.events += 1
            self.lags.append(now - snapshot["changed_at"] / 1000)
            self._changed.notify_all()

    def _end(self) -> None:
        if self.snapshot is None or RANK[self.snapshot["status"]] < 2:
            self.violations.append(f"told to stop before the end, at {self.snapshot}")
        self.ended = True


def went_back(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what went back from one snapshot of a session to a later one."""
    found = [
        f"{name} went back from {before[name]} to {after[name]}"
        for name in ("progress", "processed_files", "total_files")
        if after[name] < before[name]
    ]
    found += [
        f"stats.{name} went back from {value} to {after['stats'].get(name)}"
        for name, value in before["stats"].items()
        if after["stats"].get(name, 0) < value
    ]
    if RANK[after["status"]] < RANK[before["status"]]:
        found.append(f"status went back from {before['status']} to {after['status']}")
    if before["status"] == "processing" and after["total_files"] != before["total_files"]:
        found.append(f"total_files moved to {after['total_files']} while processing")
    if after["processed_files"] > after["total_files"]:
        found.append(f"{after['processed_files']} processed of {after['total_files']}")
    return found


def connect(host: str, port: int, path: str, *, buffer: int | None = None) -> socket.socket:
    """Send a request, and read nothing of the response."""
    client = socket.socket()
    if buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(10)
    client.connect((host, port))
    request = f"GET /api/ingest/{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    client.sendall(request.encode())
    return client

"""The wire: requests and bytes for one session, watched in each way at the same time."""

import socket
import time
from dataclasses import dataclass
from threading import Thread

from benchmarks import service, trees
from benchmarks.bench import Bench, Result
from benchmarks.processes import HOST
from benchmarks.table import Cell

RATE = 50.0
COLUMNS = ("way", "requests", "KiB up", "KiB down", "snapshots seen", "bytes a snapshot")
TERMINAL = (b'"status":"completed"', b'"status":"error"', b'"status":"cancelled"')
HEADERS = (
    "Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36\r\n"
)
"""What a browser sends along, roughly."""


@dataclass(slots=True)
class Tally:
    """What one watcher exchanged, headers included."""

    requests: int = 0
    sent: int = 0
    received: int = 0
    seen: int = 0


class Exchange:
    """One kept connection, counting."""

    def __init__(self, port: int, tally: Tally) -> None:
        self._link = socket.create_connection((HOST, port), 70)
        self._tally = tally
        self._rest = b""

    def ask(self, path: str, headers: str = "") -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{HEADERS}{headers}\r\n".encode()
        self._link.sendall(request)
        self._tally.requests += 1
        self._tally.sent += len(request)

    def receive(self) -> bytes:
        data = self._rest or self._link.recv(65536)
        self._rest = b""
        self._tally.received += len(data)
        return data

    def answer(self) -> tuple[bytes, bytes]:
        """Read one answer that tells its length."""
        data = self.receive()
        while b"\r\n\r\n" not in data:
            data += self.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = _header(head, b"content-length")
        while len(body) < int(length or 0):
            body += self.receive()
        return head, body


def run(bench: Bench) -> list[Result]:
    result = Result("wire", "On the wire, for one session", COLUMNS)
    seconds = 3 if bench.quick else 20
    files = int(RATE) * seconds
    tree = trees.make(bench.workspace, f"{files}-paced", files, 0)
    tallies = {name: Tally() for name in WAYS}
    flags = ["--min-interval=0.02"]
    with service.paced(tree, bench.cores.all, RATE, flags) as running:
        session = running.start()
        port = running.server.port
        threads = [
            Thread(target=way, args=(port, session, tallies[name]), daemon=True)
            for name, way in WAYS.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 30)
    result.rows += [_row(name, tally) for name, tally in tallies.items()]
    result.notes.append(
        f"{files:,} files in {seconds} s, the defaults otherwise; above TCP, with a browser's "
        "headers. Polling sees a snapshot a second, the others every one."
    )
    return [result]


def _row(name: str, tally: Tally) -> dict[str, Cell]:
    return {
        "way": name,
        "requests": f"{tally.requests:,}",
        "KiB up": tally.sent / 1024,
        "KiB down": tally.received / 1024,
        "snapshots seen": f"{tally.seen:,}",
        "bytes a snapshot": (tally.sent + tally.received) / max(1, tally.seen),
    }


def _stream(port: int, session: str, tally: Tally) -> None:
    exchange = Exchange(port, tally)
    exchange.ask(service.stream_path(session))
    data = exchange.receive()
    while not data.endswith(b"0\r\n\r\n"):
        tally.seen += data.count(b"\ndata: ")
        data = exchange.receive()
    tally.seen += data.count(b"\ndata: ")


def _poll(port: int, session: str, tally: Tally) -> None:
    exchange = Exchange(port, tally)
    while True:
        exchange.ask(service.status_path(session))
        _, body = exchange.answer()
        tally.seen += 1
        if any(status in body for status in TERMINAL):
            return
        time.sleep(1)


def _long_poll(port: int, session: str, tally: Tally) -> None:
    exchange = Exchange(port, tally)
    etag = b""
    while True:
        known = f"If-None-Match: {etag.decode()}\r\n" if etag else ""
        exchange.ask(f"{service.status_path(session)}?wait=30", known)
        head, body = exchange.answer()
        etag = _header(head, b"etag")
        tally.seen += bool(body)
        if any(status in body for status in TERMINAL):
            return


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


WAYS = {"streaming": _stream, "polling every second": _poll, "long polling": _long_poll}

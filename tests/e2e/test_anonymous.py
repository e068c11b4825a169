"""What connections can do to a real server before they are asked for anything."""

import contextlib
import resource
import socket
from pathlib import Path

import pytest

from tests.support.log_pipe import full_pipe
from tests.support.server import Server, read_to_end, serve, serve_with_log

pytestmark = pytest.mark.e2e

MIB = 1 << 20

PIPELINED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 25_000
"""A mebibyte of requests."""


def memory(server: Server) -> int:
    """Return the bytes that the server holds in memory."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def send_until_refused(connection: socket.socket, data: bytes, times: int) -> None:
    """Send `data` repeatedly, until the server takes no more for a second."""
    connection.settimeout(1)
    with contextlib.suppress(OSError):
        for _ in range(times):
            connection.sendall(data)


def test_pipelining_without_reading_costs_little(tmp_path: Path) -> None:
    """20 connections with 18 MiB of requests add less than 64 MiB, and SIGTERM ends it."""
    with serve(tmp_path, command="serve") as server:
        assert server.ask("GET", "/healthz")[0] == 200
        before = memory(server)
        for _ in range(20):
            send_until_refused(server.connect(receive_buffer=4096), PIPELINED, 18)
            assert server.ask("GET", "/healthz")[0] == 200
        assert memory(server) - before < 64 * MIB
        assert server.stop() < 10


def test_endless_header_costs_little(tmp_path: Path) -> None:
    """Lines, a value and an address without end are refused with 431, and add next to nothing."""
    with serve(tmp_path, command="serve") as server:
        assert server.ask("GET", "/healthz")[0] == 200
        before = memory(server)
        for start, rest in [
            (b"GET / HTTP/1.1\r\n", b"x: y\r\n" * 10_000),
            (b"GET / HTTP/1.1\r\nx: ", b"y" * 60_000),
            (b"GET /", b"u" * 60_000),
        ]:
            connection = server.connect()
            connection.sendall(start + rest + rest)
            assert read_to_end(connection).startswith(b"HTTP/1.1 431 ")
            send_until_refused(server.connect(), start + rest * 100, 1)
        assert memory(server) - before < 20 * MIB


def test_start_that_offers_http2_is_accepted(tmp_path: Path) -> None:
    """A client that offers h2c, as Java's does by itself, has its POST served over HTTP/1.1."""
    with serve(tmp_path, command="serve") as server:
        offer = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
        with server.connect() as connection:
            connection.sendall(
                b"POST /api/ingest/process HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: Upgrade, HTTP2-Settings, close\r\n" + offer.encode() +
                b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            )  # fmt: skip
            assert read_to_end(connection).startswith(b"HTTP/1.1 202 ")


def test_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """With a full pipe for its log a server answers 2,000 malformed requests, and ends."""
    with full_pipe() as pipe, serve_with_log(tmp_path, pipe.write_end) as server:
        for _ in range(2000):
            with server.connect() as connection:
                connection.sendall(b"odd\r\n\r\n")
                assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")
        assert server.ask("GET", "/healthz")[0] == 200
        assert server.stop() < 3

"""What one connection may cost before a request is served, with uvicorn's classes underneath."""

import asyncio
import importlib
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from sse import uvicorn_protocol
from sse.types import Receive, Scope, Send
from sse.uvicorn_protocol import HEADER_TIMEOUT, MAX_HEADER_BYTES, H11Input, HttpToolsInput, bounded
from tests.support.running import settle

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"

each = pytest.mark.parametrize("parser", ["httptools", "h11"])


class Wire(asyncio.Transport):
    """The server's side of a connection, whose peer reads everything."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.unsent = 0
        self.is_paused = self.is_closed = self.is_aborted = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = self.is_closed = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Server:
    """One connection to an application that counts requests, and answers each when told to."""

    def __init__(self, parser: str) -> None:
        pytest.importorskip(parser)
        module = importlib.import_module(f"uvicorn.protocols.http.{parser}_impl")
        if parser == "h11":
            found: Any = type("Bounded", (H11Input, module.H11Protocol), {})
        else:
            names = {"httptools": module.httptools}
            found = type("Bounded", (HttpToolsInput, module.HttpToolsProtocol), names)
        config = Config(app=self.app, interface="asgi3", log_config=None, proxy_headers=False)
        config.load()
        self.state = ServerState()
        self.requests = 0
        self.bodies: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.wire = Wire()
        self.protocol = found(config=config, server_state=self.state, app_state={})
        self.wire.protocol = self.protocol
        self.protocol.connection_made(self.wire)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive(self, data: bytes) -> None:
        self.protocol.data_received(data)
        await settle()

    async def end(self) -> None:
        self.may_answer.set()
        self.protocol.connection_lost(None)
        if self.state.tasks:
            await asyncio.wait(self.state.tasks)
        self.protocol._unset_keepalive_if_required()


@each
async def test_pipelined_requests_are_held_back_until_the_response(parser: str) -> None:
    """Of 10,000 requests in one read a few are begun, and reading stops."""
    server = Server(parser)
    await server.receive(GET * 10_000)
    assert server.requests == 1
    assert len(getattr(server.protocol, "pipeline", ())) <= 512 // len(GET) + 1
    assert server.wire.is_paused
    await server.end()


@each
async def test_pipelined_requests_are_all_answered_in_turn(parser: str) -> None:
    """Holding back loses nothing, and reading goes on after the last."""
    server = Server(parser)
    server.may_answer.set()
    await server.receive(GET * 100)
    for _ in range(100):
        await settle()
    assert server.wire.written.count(b" 202 ") == 100
    assert not server.wire.is_paused
    await server.end()


@each
@pytest.mark.parametrize(
    "line", [b"x: " + b"y" * 99 + b"\r\n", b"y", b"a:\r\n"], ids=["lines", "one value", "short"]
)
async def test_header_without_end_is_answered_431(parser: str, line: bytes) -> None:
    """A header above 64 KiB gets an answer, and what follows is discarded."""
    server = Server(parser)
    start = b"GET / HTTP/1.1\r\nhost: x\r\nc: d"
    await server.receive(start + (b"\r\n" if b"\r\n" in line else b""))
    for _ in range(2):
        await server.receive(line * (MAX_HEADER_BYTES // len(line)))
    await server.receive(line * 100_000)
    assert server.wire.written.startswith(b"HTTP/1.1 431 ")
    assert server.requests == 0
    assert not server.protocol._held
    await server.end()


@each
async def test_url_without_end_is_answered_431(parser: str) -> None:
    """The request line counts as well."""
    server = Server(parser)
    await server.receive(b"GET /" + b"u" * 2 * MAX_HEADER_BYTES)
    assert server.wire.written.startswith(b"HTTP/1.1 431 ")
    await server.end()


@each
async def test_header_just_below_the_bound_is_served(parser: str) -> None:
    """The bound is one of size, not of reads."""
    server = Server(parser)
    server.may_answer.set()
    value = b"v" * (MAX_HEADER_BYTES - 1024)
    await server.receive(b"GET / HTTP/1.1\r\nhost: x\r\nv: " + value + b"\r\n\r\n")
    assert server.wire.written.startswith(b"HTTP/1.1 202 ")
    await server.end()


async def test_trailer_without_end_aborts() -> None:
    """Fields behind a body are not kept, and their size is bounded like a header's."""
    server = Server("httptools")
    await server.receive(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
    await server.receive(b"x: " + b"y" * 2 * MAX_HEADER_BYTES)
    assert server.wire.is_aborted
    await server.end()


@each
async def test_body_is_received_whole(parser: str) -> None:
    """Slices and pauses change nothing in a body larger than any buffer."""
    server = Server(parser)
    server.may_answer.set()
    body = bytes(range(256)) * 2048
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    await server.receive(head + body + GET)
    for _ in range(20):
        await settle()
    assert server.bodies == [body, b""]
    await server.end()


@each
@pytest.mark.parametrize("offer", [b"h2c", b"websocket2", b"TLS/1.0"])
async def test_offered_upgrade_is_ignored_with_the_body_kept(parser: str, offer: bytes) -> None:
    """Java's HttpClient and `curl --http2` offer h2c with every first request."""
    server = Server(parser)
    server.may_answer.set()
    await server.receive(
        b"POST /a?b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " + offer
        + b"\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 2\r\n\r\n"
    )  # fmt: skip
    await server.receive(b"{}" + GET)
    assert server.bodies == [b"{}", b""]
    assert server.wire.written.count(b" 202 ") == 2
    await server.end()


@each
@pytest.mark.skips_waiting
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n"], ids=["nothing", "part"])
async def test_header_has_a_deadline(parser: str, sent: bytes) -> None:
    """A connection that never asks is aborted, whether it says nothing or too little."""
    server = Server(parser)
    if sent:
        await server.receive(sent)
    await asyncio.sleep(HEADER_TIMEOUT - 1)
    assert not server.wire.is_aborted
    await asyncio.sleep(2)
    assert server.wire.is_aborted
    await server.end()


@each
@pytest.mark.skips_waiting
async def test_request_in_progress_has_no_deadline(parser: str) -> None:
    """A stream outlives the time for a header."""
    server = Server(parser)
    await server.receive(GET)
    await asyncio.sleep(10 * HEADER_TIMEOUT)
    assert not server.wire.is_aborted
    await server.end()


@each
@pytest.mark.skips_waiting
async def test_idle_connection_ends_though_its_client_does_not_read(parser: str) -> None:
    """Closing alone would wait for the client to read what is buffered."""
    server = Server(parser)
    server.may_answer.set()
    await server.receive(GET)
    server.wire.unsent = 100
    await asyncio.sleep(60)
    assert server.wire.is_aborted
    await server.end()


async def test_connection_beyond_the_descriptors_is_answered_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service keeps descriptors for its own files, whoever connects."""
    monkeypatch.setattr(uvicorn_protocol, "max_connections", lambda: 0)
    server = Server("h11")
    assert server.wire.written.startswith(b"HTTP/1.1 503 ")
    assert server.wire.is_closed
    await server.end()


async def test_bounded_is_what_uvicorn_calls() -> None:
    """The server passes the arguments of its own classes."""
    config = Config(app=Server.app, interface="asgi3", log_config=None)
    config.load()
    made = bounded(config, ServerState(), {})
    assert isinstance(made, HttpToolsInput | H11Input)

"""A real uvicorn: its loops and parsers, its signals, and what comes over its socket."""

import contextlib
import json
import os
import resource
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from sse import Parser
from tests.support.server import DEADLINE, Server, read_to_end, read_until, serve, until

pytestmark = pytest.mark.e2e

SERVERS = [
    ("--http", "httptools", "--loop", "uvloop"),
    ("--http", "httptools", "--loop", "asyncio"),
    ("--http", "h11", "--loop", "uvloop"),
    ("--http", "h11", "--loop", "asyncio"),
]
EITHER_PARSER = [("--http", "httptools"), ("--http", "h11")]
SLOW = {"INGEST_PROCESSOR": "tests.support.slow:wait", "INGEST_WORKERS": "2"}

GONE_WITHIN = 1.5
"""Seconds from the signal to the end of the process."""


@pytest.fixture(params=SERVERS, ids=lambda flags: f"{flags[1]}-{flags[3]}")
def flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Every parser on every loop."""
    chosen: tuple[str, ...] = request.param
    return chosen


def with_files(folder: Path, files: int = 3) -> Path:
    (folder / "inbox").mkdir()
    for n in range(files):
        (folder / "inbox" / f"{n}.txt").write_text(str(n))
    return folder


def unchunked(raw: bytes) -> bytes:
    """Return the decoded chunked body; its last chunk is required."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            assert rest == b"\r\n"
            return body
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def assert_clean(server: Server) -> None:
    assert "Traceback" not in server.log, server.log
    assert "ERROR" not in server.log, server.log


def test_stream_over_a_socket(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """A session is followed from its start to its end by whoever can read a socket."""
    with serve(with_files(tmp_path, 50), *flags) as server:
        with server.stream(server.start()) as stream:
            raw = read_until(stream, b"\r\n0\r\n\r\n")
        events = [json.loads(event.data) for event in Parser().feed(unchunked(raw))]
        assert events[-1]["status"] == "completed"
        assert events[-1]["processed_files"] == 50
        assert b"\r\ncontent-type: text/event-stream\r\n" in raw.lower()
        server.stop()
        assert_clean(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_server_and_streams(
    tmp_path: Path, flags: tuple[str, ...], number: signal.Signals
) -> None:
    """The process is gone within a second or so, every stream read to its final chunk before."""
    with serve(with_files(tmp_path), *flags, **SLOW) as server:
        session_id = server.start()
        streams = [server.stream(session_id) for _ in range(20)]
        for stream in streams:
            read_until(stream, b"\n\n")
        until(lambda: len(server.children()) >= 2)
        children = server.children()
        assert server.stop(number) < GONE_WITHIN
        for stream in streams:
            assert read_to_end(stream).endswith(b"0\r\n\r\n")
        until(lambda: not any(is_alive(pid) for pid in children))
        assert_clean(server)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("command", ["uvicorn", "app"])
def test_client_that_never_reads_holds_up_nothing(tmp_path: Path, command: str) -> None:
    """A stream that nobody reads, an upload that stops half way: the server goes all the same."""
    settings = {
        "INGEST_PROCESSOR": "tests.support.slow:tell_much", "INGEST_MIN_INTERVAL": "0",
    }  # fmt: skip
    with serve(with_files(tmp_path, 300), command=command, **settings) as server:
        session_id = server.start()
        stalled = server.connect(receive_buffer=4096)
        stalled.sendall(
            f"GET /api/ingest/stream/{session_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        uploading = server.connect()
        uploading.sendall(
            b"POST /api/ingest/process HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        with server.stream(session_id) as stream:
            read_until(stream, b'"status":"completed"')
        downloading = server.connect(receive_buffer=4096)
        downloading.sendall(
            f"GET /api/ingest/report/{session_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        time.sleep(0.3)  # until what is sent has filled what buffers it
        assert server.stop() < GONE_WITHIN
        assert_clean(server)


def test_signal_ends_a_thousand_streams(tmp_path: Path) -> None:
    """Every one of them is ended cleanly, and the server is gone as soon as with one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    try:
        with serve(with_files(tmp_path), **SLOW) as server:
            session_id = server.start()
            count = min(1000, hard - 200)  # where the system allows fewer files, fewer
            streams = [server.stream(session_id) for _ in range(count)]
            until(lambda: server.ask("GET", "/healthz")[1]["streams"] == count)
            assert server.stop() < GONE_WITHIN
            assert all(read_to_end(stream).endswith(b"0\r\n\r\n") for stream in streams)
            assert_clean(server)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("parser", EITHER_PARSER, ids=lambda flags: flags[1])
def test_last_request_of_a_server_ends_its_streams(tmp_path: Path, parser: tuple[str, ...]) -> None:
    """Without a signal too, as after `--limit-max-requests`, no stream holds up the end."""
    with serve(with_files(tmp_path), *parser, "--limit-max-requests", "2", **SLOW) as server:
        stream = server.stream(server.start())
        read_until(stream, b"\n\n")
        server.ask("GET", "/healthz")
        assert read_to_end(stream).endswith(b"0\r\n\r\n")
        server.process.wait(DEADLINE)
        assert "Traceback" not in server.log, server.log


def test_client_that_reads_no_answer_holds_up_no_shutdown(tmp_path: Path) -> None:
    """Nor one that asked for many files of the page at once, and takes none of them."""
    with serve(with_files(tmp_path), "--http", "httptools") as server:
        reader = server.connect(receive_buffer=4096)
        reader.sendall(b"GET /static/style.css HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        read_until(reader, b"200 OK")
        # The others are under way, or will never be: the server has only so much room.
        until(lambda: server.ask("GET", "/healthz")[0] == 200)
        assert server.stop() < GONE_WITHIN
        assert "Traceback" not in server.log, server.log


def test_connection_with_a_request_behind_its_stream_is_let_go(tmp_path: Path) -> None:
    """A client that pipelines, and leaves, does not keep the stream it had."""
    short = {"INGEST_HEARTBEAT": "0.2", **SLOW}
    with serve(with_files(tmp_path), "--http", "httptools", **short) as server:
        session_id = server.start()
        client = server.stream(session_id)
        read_until(client, b"\n\n")
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        client.close()
        until(lambda: server.ask("GET", "/healthz")[1]["streams"] == 0)
        assert server.stop() < GONE_WITHIN


def test_waiting_poll_is_answered_at_the_signal(tmp_path: Path) -> None:
    """A long poll ends with an answer, and holds the server up no longer than a stream does."""
    with serve(with_files(tmp_path), **SLOW) as server:
        path = f"/api/ingest/status/{server.start()}?wait=60"
        answers: list[int] = []

        def poll() -> None:
            answers.append(server.ask("GET", path, headers="If-None-Match: *\r\n")[0])

        poller = threading.Thread(target=poll)
        poller.start()
        time.sleep(0.3)
        assert server.stop() < GONE_WITHIN
        poller.join(DEADLINE)
        assert answers == [304]


def test_server_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    """Workers do not outlive even a SIGKILL; the next server goes on with what was begun."""
    with serve(with_files(tmp_path), **SLOW) as server:
        session_id = server.start()
        with server.stream(session_id) as stream:
            read_until(stream, b'"status":"processing"')
        until(lambda: len(server.children()) >= 2)
        children = server.children()
        server.stop(signal.SIGKILL)
        until(lambda: not any(is_alive(pid) for pid in children))
    with serve(tmp_path) as server, server.stream(session_id) as stream:
        assert b'"processed_files":3' in read_until(stream, b'"status":"completed"')


@pytest.mark.parametrize("command", ["uvicorn", "app"])
def test_second_server_on_the_same_database_stops(tmp_path: Path, command: str) -> None:
    """The second one on a database says in one line who has it, and is gone."""
    with serve(with_files(tmp_path), command=command) as server:
        what = ["uvicorn", "app:app"] if command == "uvicorn" else ["app", "serve"]
        second = Server(tmp_path, [*what, "--port", "0"])
        assert second.process.wait(DEADLINE) not in (0, None)
        lines = [line for line in second.log.splitlines() if "in use" in line]
        assert len(lines) == 1
        assert str(server.process.pid) in lines[0]
        assert "Traceback" not in second.log


@pytest.mark.parametrize("parser", EITHER_PARSER, ids=lambda flags: flags[1])
def test_clients_that_abort_leave_nothing(tmp_path: Path, parser: tuple[str, ...]) -> None:
    """Of 300 clients that connect and are cut off no descriptor and no subscriber is left."""
    with serve(with_files(tmp_path), *parser, **SLOW) as server:
        session_id = server.start()
        with server.stream(session_id) as stream:
            read_until(stream, b"\n\n")
            before = server.fds
            for n in range(300):
                client = server.stream(session_id)
                if n % 3:
                    read_until(client, b"\n\n")
                # A linger of 0 sends a reset, as a machine does that lost its network for good.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", n % 2, 0))
                client.close()
            until(lambda: server.ask("GET", "/healthz")[1]["streams"] == 1)
            until(lambda: server.fds <= before)
        server.stop()
        assert_clean(server)


ODD_REQUESTS = [
    b"GET /api/ingest/status/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/ingest/status/%ff%00%e2%80%a8 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/ingest/status?\xff=\xfe&%ff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /?token=\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/ingest/stream/x?a=%zz HTTP/1.1\r\nHost: a\r\nLast-Event-ID: \xff\xfe\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: \xff\r\nCookie: \xff=\xfe\r\nOrigin: \xff\r\n\r\n",
    b"G\xcb\xd4 / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"FROBNICATE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\xff\xfe\x00 / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    (
        b"POST /api/ingest/process HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Idempotency-Key: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}"
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ),
]


@pytest.mark.parametrize("parser", EITHER_PARSER, ids=lambda flags: flags[1])
def test_odd_bytes_are_answered(tmp_path: Path, parser: tuple[str, ...]) -> None:
    """Whatever bytes come for method, path, query and headers, an answer goes back: never a 500."""
    with serve(with_files(tmp_path), *parser) as server:
        for request in ODD_REQUESTS:
            with server.connect() as connection:
                connection.sendall(request)
                answer = read_until(connection, b"\r\n")
            assert answer.startswith(b"HTTP/1.1 "), request
            assert 200 <= int(answer.split()[1]) < 500, (request, answer)
        server.stop()
        assert "Traceback" not in server.log, server.log


def test_token_is_not_in_the_log(tmp_path: Path) -> None:
    """The server logs each request's address; a token that was in it is not in the log."""
    with serve(with_files(tmp_path), INGEST_TOKEN="sesame") as server:
        for path in ("/?token=sesame", "/api/ingest/status?token=sesame", "/x?%74oken=sesame"):
            server.ask("GET", path)
        server.ask("POST", "/?token=sesame", b"token=sesame")
        server.stop()
        assert server.log.count("token=***") == 4
        assert "sesame" not in server.log


def test_root_path_is_in_front(tmp_path: Path) -> None:
    """Behind a proxy that strips a prefix, the addresses given out have it."""
    with serve(with_files(tmp_path), "--root-path", "/in", command="app") as server:
        status, snapshot = server.ask("POST", "/api/ingest/process", b"{}")
        assert status == 202
        assert snapshot["status_url"].startswith("/in/api/ingest/status/")


def test_failing_start_says_so_in_one_line(tmp_path: Path) -> None:
    """A setting that is wrong stops `uvicorn app:app` too, without a traceback."""
    server = Server(tmp_path, ["uvicorn", "app:app", "--port", "0"], INGEST_HEARTBEAT="0")
    assert server.process.wait(DEADLINE) not in (0, None)
    assert [line for line in server.log.splitlines() if "INGEST_HEARTBEAT" in line]
    assert "Traceback" not in server.log


def test_second_signal_does_no_harm(tmp_path: Path) -> None:
    """A second Ctrl-C, as the impatient press it, ends the server as well as the first."""
    with serve(with_files(tmp_path), **SLOW) as server:
        with server.stream(server.start()) as stream:
            read_until(stream, b"\n\n")
            server.process.send_signal(signal.SIGINT)
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.process.pid, signal.SIGINT)
            server.process.wait(DEADLINE)
        assert "Traceback" not in server.log, server.log

"""Under other servers than uvicorn, and under uvicorn's own ways to run several processes."""

import contextlib
import importlib.util
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from ingest import Settings
from tests.support.gated import permit, wait_for_permit
from tests.support.page_server import free_port
from tests.support.server import DEADLINE, ROOT, Server, read_to_end, read_until, until
from web import create_app

pytestmark = pytest.mark.e2e

PORT = "PORT"
FILES = 3

SERVERS = {
    "hypercorn": ["hypercorn", "app:app", "--workers", "0", "--bind", f"127.0.0.1:{PORT}"],
    "hypercorn on uvloop": [
        "hypercorn", "app:app", "--workers", "0", "--worker-class", "uvloop",
        "--bind", f"127.0.0.1:{PORT}",
    ],
    "hypercorn from Python": ["hypercorn_server", PORT],
    "granian": ["granian", "--interface", "asgi", "app:app", "--port", PORT],
}  # fmt: skip

GONE_WITHIN = 1.5
"""Seconds from the signal to the end of the process."""

HELD = {"INGEST_PROCESSOR": "tests.support.slow:wait", "INGEST_WORKERS": "1"}


@contextlib.contextmanager
def serving(
    folder: Path, command: Sequence[str], settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Serve some files with a command that takes the port."""
    letters = folder / "inbox" / "letters"
    letters.mkdir(parents=True)
    for n in range(FILES):
        (letters / f"{n}.txt").write_text(str(n))
    port = free_port()
    told = [part.replace(PORT, str(port)) for part in command]
    server = Server(folder, told, PYTHONPATH=f"{ROOT}:{ROOT / 'examples'}", **(settings or {}))
    server.port = port
    try:
        until(lambda: answers(server))
        yield server
    finally:
        leave_nothing(server)


def answers(server: Server) -> bool:
    assert server.process.poll() is None, server.log
    with contextlib.suppress(OSError, IndexError):
        return server.ask("GET", "/healthz")[0] == 200
    return False


def leave_nothing(server: Server) -> None:
    """End the processes of a server that failed its test, its workers' included."""
    left = server.children() if server.process.poll() is None else []
    server.close()
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()


def abort(connection: socket.socket) -> None:
    """Close the connection by a reset, like a machine that is switched off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("name", SERVERS)
def test_session_is_followed_to_its_end(tmp_path: Path, name: str) -> None:
    """Start, stream, resume and 204 work on every ASGI server."""
    with serving(tmp_path, SERVERS[name]) as server:
        session_id = server.start()
        with server.stream(session_id) as watching:
            seen = read_until(watching, b"0\r\n\r\n")
        assert b'"status":"completed"' in seen
        assert b'"processed_files":3' in seen
        newest = seen.rpartition(b"\nid: ")[2].partition(b"\n")[0].decode()
        path = f"/api/ingest/stream/{session_id}"
        assert server.ask("GET", path, headers=f"Last-Event-ID: {newest}\r\n")[0] == 204
        assert server.ask("HEAD", "/")[0] == 200


@pytest.mark.parametrize("name", SERVERS)
def test_clients_that_go_leave_no_stream_and_no_traceback(tmp_path: Path, name: str) -> None:
    """A `send` to one who has gone raises at some servers and is silent at others: no matter."""
    held = {
        **HELD,
        "INGEST_HEARTBEAT": "0.02",
        "INGEST_PROCESSOR": "tests.support.gated:wait_for_permit",
    }
    with serving(tmp_path, SERVERS[name], held) as server:
        session_id = server.start()
        with server.stream(session_id) as staying:
            read_until(staying, b'"status":"processing"')
            for n in range(20):
                leaving = server.stream(session_id)
                if n % 2:
                    read_until(leaving, b"\n\n")
                abort(leaving)
            until(lambda: server.ask("GET", "/healthz")[1]["streams"] == 1)
        until(lambda: server.ask("GET", "/healthz")[1]["streams"] == 0)
        server.stop()
        assert "Traceback" not in server.log, server.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", SERVERS)
def test_signal_ends_server_and_streams(tmp_path: Path, name: str, number: signal.Signals) -> None:
    """Streams end cleanly before the server waits for them, whether signals are chained or not."""
    with serving(tmp_path, SERVERS[name], HELD) as server:
        session_id = server.start()
        with server.stream(session_id) as watching:
            read_until(watching, b'"status":"processing"')
            children = server.children()
            assert server.stop(number) < GONE_WITHIN, server.log
            assert read_to_end(watching).endswith(b"0\r\n\r\n")
        until(lambda: not any(is_running(pid) for pid in children))
        assert "Traceback" not in server.log, server.log


def test_hypercorn_with_a_process_of_its_own_ends_all_the_same(tmp_path: Path) -> None:
    """Its worker process hears no signal: streams last for its graceful time-out, no longer."""
    command = ["hypercorn", "app:app", "--graceful-timeout", "1", "--bind", f"127.0.0.1:{PORT}"]
    with serving(tmp_path, command, HELD) as server:
        with server.stream(server.start()) as watching:
            read_until(watching, b'"status":"processing"')
            children = server.children()
            assert server.stop() < GONE_WITHIN + 1, server.log
        until(lambda: not any(is_running(pid) for pid in children))


def test_reload_ends_streams_and_goes_on_with_the_session(tmp_path: Path) -> None:
    """A change of the code restarts the process at once; a client that returns misses nothing."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "host.py").write_text("from app import app")
    command = ["uvicorn", "host:app", "--app-dir", "code", "--port", PORT]
    command += ["--reload", "--reload-dir", "code", "--reload-delay", "0.1"]
    settings = {"INGEST_PROCESSOR": "tests.support.gated:wait_for_permit", "INGEST_WORKERS": "1"}
    with serving(tmp_path, command, settings) as server:
        session_id = server.start()
        with server.stream(session_id) as watching:
            read_until(watching, b'"status":"processing"')
            begun = time.monotonic()
            os.utime(code / "host.py", (time.time() + 1,) * 2)
            assert read_to_end(watching).endswith(b"0\r\n\r\n")
            assert time.monotonic() - begun < GONE_WITHIN + 1
        with server.stream(session_id) as watching:
            read_until(watching, b"data: ")  # the old process, which could use a permit up, is gone
            permit(server.root, "letters", FILES)
            assert b'"processed_files":3' in read_until(watching, b'"status":"completed"')
        server.stop()
        assert "Traceback" not in server.log, server.log


def test_workers_of_uvicorn_are_one_too_many(tmp_path: Path) -> None:
    """One process owns a database: a second one exits with one line and leaves nothing behind."""
    (tmp_path / "inbox").mkdir()
    command = ["uvicorn", "app:app", "--workers", "2", "--port", str(free_port())]
    server = Server(tmp_path, command)
    try:
        assert server.process.wait(DEADLINE) is not None
        (line,) = [line for line in server.log.splitlines() if "in use" in line]
        assert "INGEST_DATABASE" in line
        assert "Traceback" not in server.log, server.log
    finally:
        leave_nothing(server)


def test_server_in_a_thread_ends_its_streams(tmp_path: Path) -> None:
    """Where no signal can be heard, the server's own shutdown is seen, and it can go."""
    example = load("server_in_a_thread")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.txt").touch()
    settings = Settings(root=tmp_path / "inbox", database=tmp_path / "ingest.db", workers=1)
    port, handler = free_port(), signal.getsignal(signal.SIGTERM)
    url = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        with example.serving(create_app(settings, process=wait_for_permit), port):
            until(lambda: is_listening(port))
            stream_url = httpx.post(f"{url}/api/ingest/process", json={}).json()["stream_url"]
            stream = stack.enter_context(
                httpx.stream("GET", f"{url}{stream_url}", timeout=DEADLINE)
            )
            lines = stream.iter_lines()
            next(line for line in lines if '"status":"processing"' in line)
            begun = time.monotonic()
        assert time.monotonic() - begun < GONE_WITHIN
        assert not any('"status":"completed"' in line for line in lines)
    assert signal.getsignal(signal.SIGTERM) is handler


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def load(name: str) -> ModuleType:
    """Import an example."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

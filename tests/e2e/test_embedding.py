"""Inside other applications, each a real server: the examples, and what hosts are known to do."""

import contextlib
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.download_host import SIZE
from tests.support.gated import permit
from tests.support.server import DEADLINE, ROOT, Server, read_to_end, read_until, until

pytestmark = pytest.mark.e2e

HOSTS = [
    "fastapi_app:app", "starlette_app:app", "litestar_app:app", "quart_app:app",
    "django_asgi:application",
]  # fmt: skip

GONE_WITHIN = 1.5
"""Seconds from the signal to the end of the process."""

FILES = 3


@contextlib.contextmanager
def hosting(folder: Path, host: str, *flags: str) -> Iterator[Server]:
    """Serve a host by uvicorn, over some files that wait for the test's permit."""
    letters = folder / "inbox" / "letters"
    letters.mkdir(parents=True)
    for n in range(FILES):
        (letters / f"{n}.txt").write_text(str(n))
    path = f"{ROOT}:{ROOT / 'examples'}"
    command = ["uvicorn", "tests.support.held_host:app", "--port", "0", *flags]
    server = Server(folder, command, HOST=host, PYTHONPATH=path)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.close()


def stream(server: Server, path: str, headers: str = "") -> socket.socket:
    connection = server.connect()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\n{headers}\r\n"
    )
    connection.sendall(request.encode())
    return connection


def begin(server: Server, prefix: str = "/ingest", **fields: Any) -> Any:
    """Start a session over HTTP; give its snapshot and addresses."""
    status, snapshot = server.ask(
        "POST", f"{prefix}/api/ingest/process", json.dumps(fields).encode()
    )
    assert status == 202, snapshot
    return snapshot


def check_flow(server: Server, stream_url: str) -> None:
    """Check that a stream moves while its files do, and ends after the last of them."""
    with stream(server, stream_url) as watching:
        read_until(watching, b'"status":"processing"')
        for n in range(FILES):
            permit(server.root, "letters", 1)
            seen = read_until(watching, f'"processed_files":{n + 1}'.encode())
        if b"0\r\n\r\n" not in seen:
            seen += read_until(watching, b"0\r\n\r\n")
        assert b'"status":"completed"' in seen


def check_addresses(server: Server, prefix: str = "/ingest", outer: str = "") -> None:
    """Check that the returned URLs have the prefixes, `outer` being the one that a proxy strips."""
    snapshot = begin(server, prefix, pattern="none")
    below = f"/api/ingest/status/{snapshot['session_id']}"
    assert snapshot["status_url"] == outer + prefix + below
    assert server.ask("GET", prefix + below)[0] == 200
    assert server.ask("GET", f"{prefix}/healthz")[0] == 200
    assert f"{prefix}/\r\n".encode() in head(server, prefix).partition(b"location: ")[2]
    assert server.ask("GET", f"{prefix}/static/app.js")[0] == 200
    assert b"<html" in server.ask("GET", f"{prefix}/")[1]
    assert server.ask("GET", f"{prefix}/nowhere")[0] == 404


def head(server: Server, path: str, headers: str = "", method: str = "GET") -> bytes:
    """Return the first lines of a response."""
    with server.connect() as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        return read_until(connection, b"\r\n\r\n").lower()


def check_leaving(server: Server, stream_url: str, health: str = "/ingest/healthz") -> None:
    """Check that a client that leaves a silent stream is removed, and another one is not."""
    staying, leaving = (stream(server, stream_url) for _ in range(2))
    for watching in (staying, leaving):
        read_until(watching, b"\n\n")
    leaving.close()
    until(lambda: server.ask("GET", health)[1]["streams"] == 1)


def check_return(server: Server, stream_url: str) -> None:
    """Check that a client that missed nothing gets the headers at once, without an event."""
    status = head(server, stream_url.replace("/stream/", "/status/"))
    newest = status.partition(b'etag: "')[2].partition(b'"')[0].decode()
    with stream(server, stream_url, f"Last-Event-ID: {newest}\r\n") as watching:
        watching.settimeout(5)  # the first heartbeat comes after 15 s
        assert read_until(watching, b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def check_end(server: Server, stream_url: str, number: int = signal.SIGTERM) -> None:
    """Check that a signal ends streams cleanly, and then the server and its workers."""
    with stream(server, stream_url) as watching:
        read_until(watching, b"\n\n")
        assert server.stop(number) < GONE_WITHIN, server.log
        assert read_to_end(watching).endswith(b"0\r\n\r\n")
    assert "Traceback" not in server.log, server.log


@pytest.mark.parametrize("lifespan", ["on", "off"])
@pytest.mark.parametrize("host", HOSTS)
def test_example_serves_flows_and_ends(tmp_path: Path, host: str, lifespan: str) -> None:
    """In every framework, its lifespan heard or not, a session is served as if it stood alone."""
    with hosting(tmp_path, host, "--lifespan", lifespan) as server:
        answer = httpx.post(f"http://127.0.0.1:{server.port}/folders/letters").json()
        session_id = answer.get("session_id") or answer["follow"].rpartition("/")[2]
        check_flow(server, f"/ingest/api/ingest/stream/{session_id}")
        check_addresses(server)
        url = begin(server)["stream_url"]
        check_leaving(server, url)
        check_return(server, url)
        check_end(server, url)


def test_host_without_any_lifespan_leaves_nothing(tmp_path: Path) -> None:
    """A host that never thought of the lifespan is served, and its workers go when it goes."""
    with hosting(tmp_path, "tests.support.hosts:forgetful") as server:
        stream_url = begin(server)["stream_url"]
        until(lambda: len(server.children()) >= 2)
        workers = server.children()
        check_end(server, stream_url)
        until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers))


@pytest.mark.parametrize(
    ("host", "flags"),
    [
        ("below_its_own_root_path", ()),
        ("forgetful", ("--root-path", "/api")),
        ("litestar", ("--root-path", "/api")),
    ],
)
def test_prefix_of_a_proxy_is_in_front_of_the_mount(
    tmp_path: Path, host: str, flags: tuple[str, ...]
) -> None:
    """URLs contain the prefix that a proxy strips and the mount, wherever each is configured."""
    with hosting(tmp_path, f"tests.support.hosts:{host}", *flags) as server:
        check_addresses(server, outer="/api")


def test_middleware_of_every_kind_lets_streams_flow(tmp_path: Path) -> None:
    """Compression, request-and-response middleware, cancel scopes: no stream is held or lost."""
    with hosting(tmp_path, "tests.support.hosts:behind_everything") as server:
        check_flow(server, begin(server)["stream_url"])
        url = begin(server)["stream_url"]
        check_leaving(server, url)
        check_end(server, url)


def test_compressed_stream_flows(tmp_path: Path) -> None:
    """A compressor that ends its block with each piece holds no event back."""
    with hosting(tmp_path, "tests.support.hosts:compressing_litestar") as server:
        url = f"http://127.0.0.1:{server.port}{begin(server)['stream_url']}"
        headers = {"Accept-Encoding": "gzip"}
        with httpx.stream("GET", url, headers=headers, timeout=DEADLINE) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            lines = answer.iter_lines()
            for n in range(FILES):
                permit(server.root, "letters", 1)
                last = next(line for line in lines if f'"processed_files":{n + 1}' in line)
            assert '"status":"completed"' in last + "".join(lines)


def test_cors_of_the_host_and_of_the_service_agree(tmp_path: Path) -> None:
    """A front end elsewhere is let in by both, with one header; a stranger's POST is refused."""
    front, path = "Origin: https://front.example\r\n", "/ingest/api/ingest/process"
    asks = f"{front}Access-Control-Request-Method: POST\r\n"
    asks += "Access-Control-Request-Headers: content-type\r\n"
    with hosting(tmp_path, "fastapi_app:app") as server:
        allowed = b"access-control-allow-origin: https://front.example\r\n"
        assert allowed in head(server, path, asks, "OPTIONS")
        assert head(server, "/ingest/api/ingest/status", front).count(allowed) == 1
        assert server.ask("POST", path, b"{}", front)[0] == 202
        assert server.ask("POST", path, b"{}", "Origin: https://a.example\r\n")[0] == 403


def test_error_of_the_service_is_the_hosts_answer(tmp_path: Path) -> None:
    """An exception of the service in the host's code becomes the right status for its client."""
    with hosting(tmp_path, "fastapi_app:app") as server:
        assert server.ask("POST", "/folders/nowhere")[0] == 404


def test_middleware_of_the_host_sees_streams(tmp_path: Path) -> None:
    """A header that the host adds to all answers is on a stream too."""
    with (
        hosting(tmp_path, "starlette_app:app") as server,
        stream(server, begin(server)["stream_url"]) as watching,
    ):
        assert b"x-host: starlette" in read_until(watching, b"\n\n")


def test_two_applications_run_side_by_side(tmp_path: Path) -> None:
    """Each has its files and sessions, and a signal ends the streams of both."""
    (tmp_path / "inbox" / "photos").mkdir(parents=True)
    with hosting(tmp_path, "two_apps:app") as server:
        letters = begin(server, "/letters")
        photos = begin(server, "/photos")
        assert server.ask("GET", f"/photos/api/ingest/status/{letters['session_id']}")[0] == 404
        with stream(server, photos["stream_url"]) as watching:
            assert b'"total_files":0' in read_until(watching, b'"status":"completed"')
        check_leaving(server, letters["stream_url"], "/letters/healthz")
        check_end(server, letters["stream_url"])
    assert (tmp_path / "letters.db").exists()
    assert (tmp_path / "photos.db").exists()


OWN_APP = """
from pathlib import Path
from ingest import Settings
from web import create_app

def shout(path: Path) -> dict[str, str]:
    return {"shouted": path.read_text().upper()}

app = create_app(Settings(root=Path("inbox")), process=shout)
"""


def test_host_may_have_an_app_module_of_its_own(tmp_path: Path) -> None:
    """`web` gives `create_app` as well, and worker processes find the host's module, not ours."""
    (tmp_path / "app.py").write_text(OWN_APP)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.txt").write_text("hello")
    server = Server(tmp_path, ["uvicorn", "app:app", "--port", "0"])
    try:
        server.wait_until_up()
        session_id = server.start()
        with server.stream(session_id) as watching:
            read_until(watching, b'"status":"completed"')
        report = httpx.get(f"http://127.0.0.1:{server.port}/api/ingest/report/{session_id}").json()
        assert report["metadata"] == {"shouted": "HELLO"}
    finally:
        server.close()


def test_download_of_the_host_survives_the_signal(tmp_path: Path) -> None:
    """A host's own response, whose client reads steadily, is sent in full after SIGTERM."""
    server = Server(tmp_path, ["uvicorn", "tests.support.download_host:app", "--port", "0"])
    try:
        server.wait_until_up()
        with server.connect(receive_buffer=65_536) as reading:
            reading.sendall(b"GET /download HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in read_until(reading, b"\r\n\r\n")
            received = 0
            while received < 3_000_000:
                received += len(reading.recv(65_536))
            server.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 1.5  # three times the grace period
            while received < SIZE - 1_000_000 and (piece := reading.recv(65_536)):
                received += len(piece)
                time.sleep(0.002 if time.monotonic() < deadline else 0)
            received += len(read_to_end(reading))
        assert received >= SIZE - 65_536  # the head's read may hold the first bytes of the body
    finally:
        server.close()

"""Clients that others wrote, all on one session of a real server."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest

from tests.support.page_server import Server
from tests.support.tools import need

pytestmark = pytest.mark.e2e

SECONDS = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, INGEST_HEARTBEAT="0.05").start()
    yield server
    server.stop()


def curl(url: str) -> list[Any]:
    output = subprocess.run(
        [need("curl"), "-sN", "--max-time", str(SECONDS), url], check=True, capture_output=True
    ).stdout.decode()
    return [json.loads(line[6:]) for line in output.splitlines() if line.startswith("data: ")]


def httpx_client(url: str) -> list[Any]:
    with (
        httpx.Client(timeout=SECONDS) as client,
        httpx_sse.connect_sse(client, "GET", url) as source,
    ):
        return [json.loads(event.data) for event in source.iter_sse()]


def node(url: str) -> list[Any]:
    need("eventsource")
    script = Path(__file__).with_name("eventsource.mjs")
    output = subprocess.run(
        [need("node"), str(script), url], check=True, capture_output=True, timeout=SECONDS
    ).stdout.decode()
    return [json.loads(line) for line in output.splitlines()]


def test_all_clients_see_progress_and_the_same_end(server: Server) -> None:
    """The clients curl, httpx-sse and eventsource agree with the status; none goes back."""
    server.files("some", 400, says="10")
    session = server.begin("some")
    url = f"{server.url}api/ingest/stream/{session}"
    with ThreadPoolExecutor(3) as threads:
        seen = list(threads.map(lambda watch: watch(url), (curl, httpx_client, node)))
    last = server.snapshot(session)
    assert last["status"] == "completed"
    assert last["processed_files"] == last["total_files"] == 400
    for events in seen:
        assert events[-1] == last
        progress = [event["progress"] for event in events]
        assert progress == sorted(progress)
        assert len(set(progress)) > 5, "the watcher saw it under way"
        assert all((e["progress"] == 100) == (e["status"] == "completed") for e in events)


def test_a_finished_session_streams_its_end_and_then_nothing(server: Server) -> None:
    """A late client gets the last snapshot and the end; a reconnection gets 204."""
    server.files("few", 3)
    session = server.begin("few")
    url = f"{server.url}api/ingest/stream/{session}"
    curl(url)
    with httpx.Client() as client:
        late = client.get(url)
        (field,) = [line for line in late.text.splitlines() if line.startswith("id: ")]
        again = client.get(url, headers={"Last-Event-ID": field[4:]})
    assert late.text.count("data: ") == 1
    assert json.loads(late.text.split("data: ")[1])["status"] == "completed"
    assert again.status_code == 204

"""The cluster of `make cluster`: real replicas behind nginx, real workers, a real PostgreSQL."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.server import REPOSITORY, free_port, processes
from tests.faults.tree import plant
from tests.support import postgres

pytestmark = pytest.mark.e2e


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Start the example over a tree of 300 files, and yield its port and process."""
    lacking = postgres.binaries() is None or not shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if lacking:
        if os.environ.get("CI"):
            pytest.fail("install postgresql and nginx")
        pytest.skip("PostgreSQL or nginx is not installed")
    plant(tmp_path, "tree", 300)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "examples/local_cluster.py", str(tmp_path), str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        assert any("Ctrl-C ends all of it" in line for line in lines), "it did not start"
        yield port, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        process.stdout.close()


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()


def test_any_replica_serves_a_session(cluster: tuple[int, subprocess.Popen[str]]) -> None:
    """Requests alternate between two replicas; every file is recorded once; Ctrl-C ends all."""
    port, process = cluster
    status, answer = ask(port, "POST", "/api/ingest/process", {"name": "Lisbon"})
    assert status == 202, answer
    session_id = json.loads(answer)["session_id"]
    status, stream = ask(port, "GET", f"/api/ingest/stream/{session_id}")
    last = json.loads(stream.rstrip().rpartition(b"data: ")[2])
    assert (status, last["status"], last["processed_files"]) == (200, "completed", 300)
    snapshots = {ask(port, "GET", f"/api/ingest/status/{session_id}") for _ in range(4)}
    assert len(snapshots) == 1
    report = ask(port, "GET", f"/api/ingest/report/{session_id}")[1].splitlines()
    assert len({json.loads(line)["file"] for line in report}) == len(report) == 300
    children = {pid for pid, parent in processes() if parent == process.pid}
    assert len(children) == 5  # two replicas, two workers, nginx
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not children & {pid for pid, _ in processes()}

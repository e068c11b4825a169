"""The service under measurement: started on a folder of files, with its sessions."""

import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.processes import BenchmarkError, Server

API = "/api/ingest"
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    server: Server

    def start(self, **fields: Any) -> str:
        """Start a session; give its id."""
        request = urllib.request.Request(
            self.server.url(f"{API}/process"),
            json.dumps(fields).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["session_id"])

    def snapshot(self, session_id: str) -> dict[str, Any]:
        snapshot: dict[str, Any] = json.loads(self.server.get(status_path(session_id)))
        return snapshot

    def wait_until_processing(self, session_id: str) -> None:
        """Return when the files are found and the first of them is finished."""
        for _ in range(600):
            if self.snapshot(session_id)["processed_files"]:
                return
            time.sleep(POLL)
        raise BenchmarkError("the session does not move")

    def wait_for_end(self, session_id: str, within: float) -> dict[str, Any]:
        """Return the last snapshot of a session."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            snapshot = self.snapshot(session_id)
            if snapshot["end_time"] is not None:
                return snapshot
            time.sleep(POLL)
        raise BenchmarkError(f"the session timed out after {within:g} s")


def stream_path(session_id: str) -> str:
    return f"{API}/stream/{session_id}"


def status_path(session_id: str) -> str:
    return f"{API}/status/{session_id}"


@contextmanager
def real(root: Path, cores: frozenset[int], *flags: str) -> Iterator[Service]:
    """Run the service as it is deployed, with the built-in processor."""
    with TemporaryDirectory(prefix="benchmark-") as directory:
        database = f"--database={directory}/ingest.db"
        arguments = [f"--root={root}", database, "--log-level=error", *flags]
        with Server("app", arguments, cores) as server:
            yield Service(server)


@contextmanager
def paced(
    root: Path, cores: frozenset[int], rate: float, flags: Sequence[str] = ()
) -> Iterator[Service]:
    """Run the service with a processor that finishes `rate` files a second."""
    with TemporaryDirectory(prefix="benchmark-") as directory:
        database = f"--database={directory}/ingest.db"
        arguments = [f"--root={root}", database, f"--rate={rate}", *flags]
        with Server("benchmarks.servers.service", arguments, cores) as server:
            yield Service(server)

"""Lag of a deployment that runs, as its users have it: through its proxy, TLS and network."""

import http.client
import json
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bench import Result
from benchmarks.processes import BenchmarkError
from benchmarks.service import API, status_path, stream_path
from benchmarks.stats import Histogram

COLUMNS = ("way", "changes", "p50 ms", "p99 ms", "max ms", "requests", "KiB down")
INTERVALS = (1.0, 0.1)
TIMEOUT = 65.0


@dataclass(slots=True)
class Seen:
    """What one way showed: how many files were finished, and when that was known."""

    moments: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)
    requests: int = 0
    received: int = 0

    def note(self, snapshot: Mapping[str, Any], received: int) -> bool:
        """Record a snapshot; return whether the session continues."""
        self.moments.append(time.time())
        self.files.append(snapshot["processed_files"])
        self.changes.append((snapshot["changed_at"] / 1000, snapshot["processed_files"]))
        self.received += received
        return snapshot["end_time"] is None


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where it is, and what its requests carry."""

    url: str
    headers: Mapping[str, str]

    def request(self, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=TIMEOUT)
        given = None if body is None else json.dumps(body)
        headers = {**self.headers, "Content-Type": "application/json"} if given else self.headers
        connection.request(method, parts.path.rstrip("/") + path, given, dict(headers))
        response = connection.getresponse()
        if response.status >= 300:
            raise BenchmarkError(f"{method} {path}: {response.status} {response.reason}")
        return response

    def stream(self, session: str, seen: Seen) -> None:
        seen.requests += 1
        for line in self.request("GET", stream_path(session)):
            seen.received += len(line)
            if line.startswith(b"data:") and not seen.note(json.loads(line[5:]), 0):
                return

    def poll(self, session: str, seen: Seen, interval: float) -> None:
        while True:
            seen.requests += 1
            body = self.request("GET", status_path(session)).read()
            if not seen.note(json.loads(body), len(body)):
                return
            time.sleep(interval)


def run(url: str, token: str | None, fields: Mapping[str, Any]) -> Result:
    """
    Start one session there, watch it in every way at once, and return the lag of each.

    Raises:
        BenchmarkError: it refuses.
    """
    deployment = Deployment(url, {"Authorization": f"Bearer {token}"} if token else {})
    asked = time.time()
    snapshot = json.load(deployment.request("POST", f"{API}/process", fields))
    answered = time.time()
    session = snapshot["session_id"]
    stream, polls = Seen(), {interval: Seen() for interval in INTERVALS}
    threads = [Thread(target=deployment.stream, args=(session, stream))]
    for interval, seen in polls.items():
        threads.append(Thread(target=deployment.poll, args=(session, seen, interval)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = Result("deployment", f"Lag at {urlsplit(url).netloc}", COLUMNS)
    for name, seen in {"stream": stream, **{f"poll, {i:g} s": s for i, s in polls.items()}}.items():
        result.rows.append(_row(name, lags_of(stream.changes, seen), seen))
    result.notes.append(
        "The clocks of both machines are taken to agree; a request took "
        f"{(answered - asked) * 1000:.1f} ms."
    )
    return result


def lags_of(changes: list[tuple[float, int]], seen: Seen) -> Histogram:
    """Charge each change with the time until `seen` first knew as many files as it finished."""
    lags = Histogram()
    for changed_at, files in changes:
        first = bisect_left(seen.files, files)
        if first < len(seen.moments):
            lags.add(max(0.0, seen.moments[first] - changed_at))
    return lags


def _row(name: str, lags: Histogram, seen: Seen) -> dict[str, str | float]:
    return {
        "way": name,
        "changes": f"{lags.total:,}",
        "p50 ms": lags.quantile(0.5) * 1000,
        "p99 ms": lags.quantile(0.99) * 1000,
        "max ms": lags.quantile(1.0) * 1000,
        "requests": f"{seen.requests:,}",
        "KiB down": seen.received / 1024,
    }

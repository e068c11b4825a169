"""Ingest: files and bytes a second, watched and not, beside sha256sum on the same files."""

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import service, trees
from benchmarks.bench import Bench, Result, interleave
from benchmarks.processes import Client, Watch
from benchmarks.stats import Histogram, spread

COLUMNS = (
    "files",
    "by",
    "seconds",
    "± %",
    "of sha256sum's",
    "files/s",
    "MB/s",
    "CPU s",
    "lag p50 ms",
    "lag p99 ms",
)
WATCHERS = (0, 1, 100)
WITHIN = 300.0
HASHING = "sha256sum"


@dataclass(frozen=True, slots=True)
class Ingest:
    """How long one took, and how its watchers fared."""

    seconds: float
    cpu: float | None = None
    lags: Histogram = field(default_factory=Histogram)


def run(bench: Bench) -> list[Result]:
    result = Result("ingest", "Ingest, with the built-in processor", COLUMNS)
    small, large = (2_000, (2, 2**24)) if bench.quick else (50_000, (8, 2**27))
    for files, size in ((small, 300), large):
        tree = trees.make(bench.workspace, f"{files}-of-{size}", files, size)
        _add(bench, result, tree, files)
    result.notes.append(
        f"{HASHING}: `find -type f -print0 | xargs -0 -P{len(bench.cores.all)} -n64 sha256sum`. "
        "Every ingest begins with an empty catalogue, on all cores, with the files in memory."
    )
    return [result]


def _add(bench: Bench, result: Result, tree: Path, files: int) -> None:
    cases = {HASHING: partial(_hash, tree, len(bench.cores.all))}
    for watchers in WATCHERS:
        cases[f"{watchers} watchers"] = partial(_ingest, bench, tree, watchers)
    _hash(tree, len(bench.cores.all))  # brings the files into memory
    found = interleave(f"ingest of {files:,} files", bench.repeats, cases)
    size = trees.size(tree)
    limit = median(ingest.seconds for ingest in found[HASHING])
    for name, ingests in found.items():
        seconds = median(ingest.seconds for ingest in ingests)
        lags = Histogram()
        for ingest in ingests:
            lags.merge(ingest.lags)
        used = [ingest.cpu for ingest in ingests if ingest.cpu is not None]
        result.rows.append(
            {
                "files": f"{files:,}",
                "by": name,
                "seconds": seconds,
                "± %": 100 * spread([ingest.seconds for ingest in ingests]),
                "of sha256sum's": seconds / limit,
                "files/s": files / seconds,
                "MB/s": size / seconds / 1e6,
                "CPU s": median(used) if used else None,
                "lag p50 ms": lags.quantile(0.5) * 1000,
                "lag p99 ms": lags.quantile(0.99) * 1000,
            }
        )


def _hash(tree: Path, processes: int) -> Ingest:
    command = f"find . -type f -print0 | xargs -0 -P{processes} -n64 sha256sum >/dev/null"
    begun = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", command], cwd=tree, check=True, timeout=WITHIN)
    return Ingest(time.perf_counter() - begun)


def _ingest(bench: Bench, tree: Path, watchers: int) -> Ingest:
    with service.real(tree, bench.cores.all) as running:
        used = running.server.cpu_with_workers()
        session = running.start()
        lags = Histogram()
        if watchers:
            watch = Watch(service.stream_path(session), watchers, warmup=0, seconds=0)
            with Client(bench.client, running.server.port, watch, bench.cores.all) as client:
                lags = Histogram.parse(" ".join(client.read("histogram")))
        snapshot = running.wait_for_end(session, WITHIN)
        return Ingest(seconds_of(snapshot), running.server.cpu_with_workers() - used, lags)


def seconds_of(snapshot: Mapping[str, Any]) -> float:
    """Return the seconds of a finished session, from its request to its last file."""
    begun, ended = (datetime.fromisoformat(snapshot[f"{end}_time"]) for end in ("start", "end"))
    return (ended - begun).total_seconds()

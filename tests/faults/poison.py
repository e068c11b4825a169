"""Files that end, hang or confuse what processes them."""

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tests.faults.audit import audit, errors
from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, running
from tests.faults.tree import plant
from tests.faults.watcher import Watcher

FILE_TIMEOUT = 3.0
"""Above what a new worker's imports take on a busy machine: they count for its first file."""

POISON: Mapping[str, str] = MappingProxyType(
    {
        "segfault-1.bin": "SIGSEGV",
        "segfault-2.bin": "SIGSEGV",
        "exit-1.bin": "exit status 3",
        "oom-1.bin": "SIGKILL",
        "hang-1.bin": "timed out after 3 s",
    }
)

ASYNC_POISON: Mapping[str, str] = MappingProxyType(
    {
        "hang-1.bin": "timed out after 3 s",
        "deaf-1.bin": "timed out after 3 s",
        "cancel-1.bin": "cancelled",
        "exit-1.bin": "SystemExit",
    }
)


def poison_workers(bench: Bench) -> Iterator[Row]:
    """Files that kill or hold their worker process, beside a session of good ones."""
    server = bench.server(file_timeout=FILE_TIMEOUT)
    yield _poison(bench, server, "a file kills or holds its worker process", POISON)


def poison_loop(bench: Bench) -> Iterator[Row]:
    """Files whose async processor never returns, or raises what ends a loop."""
    server = bench.server("process_async", file_timeout=FILE_TIMEOUT)
    yield _poison(bench, server, "an async processor never returns", ASYNC_POISON)


def _poison(bench: Bench, server: Server, fault: str, poison: Mapping[str, str]) -> Row:
    count = 300 if bench.options.quick else 2000
    tree = plant(server.root, "poisoned", count, bad=tuple(poison))
    beside = plant(server.root, "beside", count)
    with running(server):
        workers = set(server.workers())
        poisoned, good = server.begin("poisoned"), server.begin("beside")
        watcher = Watcher(server.host, server.port, good)
        begun = time.monotonic()
        watcher.wait_end(60)
        good_seconds = time.monotonic() - begun
        server.wait_end(poisoned)
        seconds = time.monotonic() - begun
        results = [audit(server, poisoned, tree), audit(server, good, beside)]
        listed = errors(server, poisoned)
        said = {error["file"].rpartition("/")[2]: error["message"] for error in listed}
        replaced = len(set(server.workers()) - workers)
    row = Row(
        fault,
        f"{len(poison)} such files among {len(tree.files):,}: each is one error "
        f"(“{said.get(next(iter(poison)))}”), the others are done, after {seconds:.1f} s; "
        f"{replaced} workers replaced; a session beside them ended after {good_seconds:.1f} s",
    )
    for result in results:
        row.check(result.lost == result.twice == 0, f"{result.lost} lost, {result.twice} twice")
        row.failures += result.wrong + watcher.violations
    for name, words in poison.items():
        row.check(words in said.get(name, ""), f"{name}: {said.get(name)!r}, not {words!r}")
    return row

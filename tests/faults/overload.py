"""Many sessions at once: each has its share, and a small one is not held up by a large one."""

import time
from collections.abc import Iterator

from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, running
from tests.faults.tree import link, plant
from tests.faults.watcher import RANK, Watcher

SESSIONS = 15


def overload(bench: Bench) -> Iterator[Row]:
    """Ten files alone, beside a large session, and beside fifteen."""
    server = bench.server(max_sessions=SESSIONS + 2)
    files = 6000 if bench.options.quick else 100_000
    plant(server.root, "ten", 10)
    link(server.root, "large", files)
    with running(server):
        alone = min(_time(server) for _ in range(3))
        large = [server.begin("large")]
        _until_processing(server, large)
        beside_one = _time(server)
        large += [server.begin("large") for _ in range(SESSIONS - 1)]
        _until_processing(server, large)
        beside_all = _time(server)
        before = [server.snapshot(each)["processed_files"] for each in large]
        time.sleep(2)
        shares = [
            server.snapshot(each)["processed_files"] - base
            for each, base in zip(large, before, strict=True)
        ]
        over = sum(RANK[server.snapshot(each)["status"]] == 2 for each in large)
    row = Row(
        f"ten files beside {SESSIONS} sessions of {files:,}",
        f"{1000 * alone:.0f} ms alone, {1000 * beside_one:.0f} ms beside one, "
        f"{1000 * beside_all:.0f} ms beside {SESSIONS}; these had {min(shares)} to {max(shares)} "
        "files each in the same 2 s",
    )
    row.check(beside_one < alone + 1, "a large session holds up a small one")
    row.check(beside_all < alone + 2, "many large sessions hold up a small one")
    row.check(bool(over) or min(shares) > max(shares) / 2, f"unequal shares: {shares}")
    yield row


def _time(server: Server) -> float:
    begun = time.monotonic()
    watcher = Watcher(server.host, server.port, server.begin("ten"))
    watcher.wait_for(lambda snapshot: snapshot["status"] == "completed", 60)
    return time.monotonic() - begun


def _until_processing(server: Server, sessions: list[str]) -> None:
    for session_id in sessions:
        while not server.snapshot(session_id)["processed_files"]:
            time.sleep(0.02)

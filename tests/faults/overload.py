"""Many sessions at once: each has its share, and a small one is not held up by a large one."""

import time
from collections.abc import Iterator

from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, running
from tests.faults.tree import link, plant
from tests.faults.watcher import RANK, Watcher

SESSIONS = 15
SHARE_SECONDS = 2.0


def overload(bench: Bench) -> Iterator[Row]:
    """Ten files alone, beside a large session, and beside fifteen."""
    server = bench.server(max_sessions=SESSIONS + 2)
    files = 15_000 if bench.options.quick else 100_000
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
        time.sleep(1)  # batches grow to their size
        shares = _shares(server, large)
    row = Row(
        f"ten files beside {SESSIONS} sessions of {files:,}",
        f"{1000 * alone:.0f} ms alone, {1000 * beside_one:.0f} ms beside one, "
        f"{1000 * beside_all:.0f} ms beside {SESSIONS}; of these {len(shares)} had {min(shares)} "
        f"to {max(shares)} files each in the same {SHARE_SECONDS:g} s",
    )
    row.check(beside_one < alone + 1, "a large session holds up a small one")
    row.check(beside_all < alone + 2, "many large sessions hold up a small one")
    # In the short form other scenarios run beside this one, and shares are a matter of luck.
    least = 0 if bench.options.quick else max(shares) / 5
    row.check(min(shares) > least, f"unequal shares: {shares}")
    yield row


def _time(server: Server) -> float:
    begun = time.monotonic()
    watcher = Watcher(server.host, server.port, server.begin("ten"))
    watcher.wait_for(lambda snapshot: snapshot["status"] == "completed", 60)
    return time.monotonic() - begun


def _shares(server: Server, sessions: list[str]) -> list[int]:
    """Return the files that each long-running session processed in the same time."""
    before = [server.snapshot(each) for each in sessions]
    time.sleep(SHARE_SECONDS)
    after = [server.snapshot(each) for each in sessions]
    return [
        late["processed_files"] - early["processed_files"]
        for early, late in zip(before, after, strict=True)
        if RANK[late["status"]] < 2
    ]


def _until_processing(server: Server, sessions: list[str]) -> None:
    for session_id in sessions:
        while not server.snapshot(session_id)["processed_files"]:
            time.sleep(0.02)

"""Asked again: after a restart, with the same key, for what failed; cancelled again; forgotten."""

import time
from collections.abc import Iterator

from tests.faults.audit import audit, report
from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, running
from tests.faults.tree import Tree, plant
from tests.faults.watcher import RANK, Watcher


def ask_again(bench: Bench) -> Iterator[Row]:
    """The same calls over a restart."""
    server = bench.server()
    tree = plant(server.root, "tree", 500)
    with running(server):
        yield _same_key(server, tree)
        yield _retry(server, tree)


def _same_key(server: Server, tree: Tree) -> Row:
    first = server.process(tree.directory, key="a key").json["session_id"]
    answers = [server.process(tree.directory, key="a key").json["session_id"]]
    server.kill()
    server.start()
    answers.append(server.process(tree.directory, key="a key").json["session_id"])
    server.wait_end(first)
    server.stop()
    server.start()
    answers.append(server.process(tree.directory, key="a key").json["session_id"])
    listed = server.get("/api/ingest/status").json["sessions"]
    row = Row(
        "the same POST again, over SIGKILL and SIGTERM",
        f"with one Idempotency-Key {1 + len(answers)} calls gave {len(listed)} session",
    )
    row.check({first} == set(answers) and len(listed) == 1, f"{first}, then {answers}")
    row.failures += audit(server, first, tree).wrong
    return row


def _retry(server: Server, tree: Tree) -> Row:
    first = server.get("/api/ingest/status").json["sessions"][0]["session_id"]
    again = server.begin("tree", retry_of=first)
    server.kill()
    server.start()
    server.wait_end(again)
    taken = [record["file"] for record in report(server, again)]
    row = Row(
        "retry_of, SIGKILL at once",
        f"took {len(taken)} files, the {len(tree.failing)} that failed and nothing else",
    )
    row.check(sorted(taken) == sorted(tree.failing), f"it took {taken}")
    return row


def end_and_restart(bench: Bench) -> Iterator[Row]:
    """Sessions at their end stay so, and are forgotten in time."""
    server = bench.server("slow", retention=86400)
    small = plant(server.root, "small", 20)
    large = plant(server.root, "large", 5000)
    with running(server):
        yield _cancel(server, large)
        done = server.begin("small")
        server.wait_end(done)
        sessions = [
            each["session_id"] for each in server.get("/api/ingest/status").json["sessions"]
        ]
        before = [server.snapshot(session_id) for session_id in sessions]
        server.kill()
        server.settings = {**server.settings, "retention": 10}
        server.start()
        after = [server.snapshot(session_id) for session_id in sessions]
        watchers = [Watcher(server.host, server.port, session_id) for session_id in sessions]
        row = Row(
            "restart after the end",
            f"{len(sessions)} sessions answer as before from disk, by status, report and stream",
        )
        row.check(before == after, f"{before} before the restart, {after} after")
        row.check(all(watcher.wait_end(10) for watcher in watchers), "a stream did not end")
        row.check(len(report(server, done)) == len(small.files), "the report is not whole")
        yield row
        yield _forgotten(server, sessions)


def _cancel(server: Server, tree: Tree) -> Row:
    session_id = server.begin(tree.directory)
    watcher = Watcher(server.host, server.port, session_id)
    watcher.wait_for(lambda snapshot: snapshot["processed_files"] > 10, 30)
    begun = time.monotonic()
    first = server.cancel(session_id)
    watcher.wait_for(lambda snapshot: RANK[snapshot["status"]] == 2, 30)
    seconds = time.monotonic() - begun
    final = server.snapshot(session_id)
    second = server.cancel(session_id)
    result = audit(server, session_id, tree)
    row = Row(
        "cancel, and cancel again",
        f"{final['status']} after {seconds:.2f} s at {final['processed_files']} of "
        f"{final['total_files']:,} files, all of these recorded; the second answers "
        f"{second.status} and changes nothing",
    )
    row.check((first.status, second.status) == (202, 200), f"{first.status}, {second.status}")
    row.check(seconds < 2 and final["status"] == "cancelled", "not finished in 2 s")
    row.check(final == second.json == server.snapshot(session_id), "the second changed it")
    row.check(result.twice == 0, f"{result.twice} twice")
    row.failures += result.wrong + watcher.violations
    return row


def _forgotten(server: Server, sessions: list[str]) -> Row:
    begun = time.monotonic()
    while time.monotonic() - begun < 40:
        answers = {server.get(f"/api/ingest/status/{each}").status for each in sessions}
        if answers == {404}:
            break
        time.sleep(0.2)
    row = Row("INGEST_RETENTION over", f"all of them are 404, {time.monotonic() - begun:.0f} s on")
    row.check(answers == {404}, f"they still answer {answers}")
    return row

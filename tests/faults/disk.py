"""The disk under the catalogue: full, read-only, damaged, deleted, locked, taken."""

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.audit import audit, copy
from tests.faults.scenario import Bench, Row, is_root, skip
from tests.faults.server import Server, StartRefusedError, running
from tests.faults.tree import Tree, plant

SIZE = "24m"
ROOM = 1_600_000
"""Bytes left on the small disk: enough to find the files, too little to record them all."""


LOCKED_SECONDS = 8.0
"""Longer than SQLite waits for a lock."""


def fill_disk(bench: Bench) -> Iterator[Row]:
    """A small file system of our own, filled and made read-only."""
    server = bench.server()
    tree = plant(server.root, "tree", 4000)
    with contextlib.ExitStack() as stack:
        why = _mount(server.database.parent, stack)
        if why:
            yield skip("disk full, disk read-only", why)
            return
        yield from _full(server, tree)
        yield _read_only(server)


def _mount(folder: Path, stack: contextlib.ExitStack) -> str | None:
    if not is_root():
        return "skipped: a small tmpfs can only be mounted by root"
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"skipped: no tmpfs can be mounted here: {done.stderr.strip()}"
    stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
    return None


def _full(server: Server, tree: Tree) -> Iterator[Row]:
    filler = server.database.parent / "filler"
    _fill(filler, ROOM)
    with running(server):
        session_id = server.process("tree", key="k").json["session_id"]
        broken = server.wait_end(session_id)
        answers = {server.get(path).status for path in ("/healthz", "/", "/api/ingest/status")}
        answers.add(server.get(f"/api/ingest/report/{session_id}").status)
        with contextlib.closing(copy(server.database)) as connection:
            (intact,) = connection.execute("PRAGMA integrity_check").fetchone()
        filler.unlink()
        again = server.process("tree", key="k").json["session_id"]
        final = server.wait_end(again)
        result = audit(server, again, tree)
    row = Row(
        "disk full; then room, and the same POST",
        f"{broken['status']} at {broken['processed_files']:,} of {broken['total_files']:,} files "
        f"(“{broken['error']}”), all else answers; then the same session is {final['status']}: "
        f"{result.lost} lost, {result.twice} twice",
    )
    row.check(broken["status"] == "error" and "full" in broken["error"], f"it ended {broken}")
    row.check(again == session_id, "another session was started")
    row.check(answers == {200} and intact == "ok", f"answers {answers}, database {intact}")
    row.check(final["status"] == "completed" and result.lost == result.twice == 0, "it lost files")
    row.failures += result.wrong
    yield row
    yield _full_at_start(server, tree, filler)


def _full_at_start(server: Server, tree: Tree, filler: Path) -> Row:
    with running(server):
        session_id = server.begin("tree")
        while not server.snapshot(session_id)["processed_files"]:
            time.sleep(0.01)
        server.kill()
        _fill(filler, 0)
        said = "it started"
        try:
            server.start()
            server.wait_end(session_id)
            server.kill()
        except StartRefusedError as error:
            said = str(error)
        filler.unlink()
        server.start()
        server.wait_end(session_id)
        result = audit(server, session_id, tree)
    row = Row(
        "SIGKILL, disk full at the start; then room, and a start",
        f"on the full disk: “{_line(said)}”; then it goes on: {result.lost} lost, "
        f"{result.twice} twice",
    )
    row.check(result.lost == result.twice == 0, "it lost files")
    row.check("Traceback" not in said, said)
    row.failures += result.wrong
    return row


def _read_only(server: Server) -> Row:
    folder = str(server.database.parent)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        return _refused(server, "read-only file system")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


def harm_catalogue(bench: Bench) -> Iterator[Row]:
    """The catalogue's file deleted, damaged, locked and taken by another."""
    server = bench.server()
    tree = plant(server.root, "tree", 3000 if bench.options.quick else 10_000)
    with running(server):
        yield _taken(bench, server)
        if not bench.options.quick:
            yield _locked(server, tree)
        yield _harmed(server, "deleted under way", _delete)
    server.start()
    with running_already(server):
        yield _harmed(server, "overwritten with noise under way", _overwrite)
    _delete(server.database)
    server.database.write_bytes(b"no database at all, and never was one\n" * 1000)
    yield _refused(server, "no database any more")


@contextlib.contextmanager
def running_already(server: Server) -> Iterator[None]:
    try:
        yield
    finally:
        if server.alive:
            server.kill()


def _taken(bench: Bench, server: Server) -> Row:
    other = bench.server()
    other.log = bench.folder / "other.log"
    return _refused(other, "in use by another process", f"pid {server.pid}")


def _refused(server: Server, fault: str, word: str = "catalogue") -> Row:
    said = ""
    try:
        server.start()
        server.kill()
    except StartRefusedError as error:
        said = str(error)
    row = Row(f"catalogue: {fault}", f"no start: “{_line(said)}”")
    row.check(word in said and "Traceback" not in said, f"it said {said!r}")
    row.check(len(said.splitlines()) <= 2, f"more than a line, and uvicorn's own: {said!r}")
    return row


def _locked(server: Server, tree: Tree) -> Row:
    session_id = server.process("tree", key="locked").json["session_id"]
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        time.sleep(LOCKED_SECONDS)
        held = server.snapshot(session_id)
    ended = server.wait_end(session_id)
    result = audit(server, session_id, tree)
    row = Row(
        f"catalogue: locked by another program for {LOCKED_SECONDS:g} s",
        f"{held['status']} all the time, then {ended['status']}: "
        f"{result.lost} lost, {result.twice} twice",
    )
    row.check(held["error"] is None and ended["status"] == "completed", f"{held}, then {ended}")
    row.check(result.lost == result.twice == 0, "it lost files")
    row.failures += result.wrong
    return row


def _harmed(server: Server, fault: str, harm: object) -> Row:
    session_id = server.begin("tree")
    while not server.snapshot(session_id)["processed_files"]:
        time.sleep(0.01)
    assert callable(harm)
    harm(server.database)
    ended = server.wait_end(session_id)
    health = server.get("/healthz").status
    # Pages that SQLite has in memory it does not read again, so it may not notice.
    reason = f" (“{ended['error']}”)" if ended["error"] else ", unharmed in memory"
    row = Row(f"catalogue: {fault}", f"the session ends: {ended['status']}{reason}")
    row.check(health == 200, f"healthz answers {health}")
    row.check(ended["status"] == "error" or fault.startswith("overwritten"), "it went on")
    row.check("Traceback" not in server.said(), server.said()[-500:])
    return row


def _delete(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _overwrite(database: Path) -> None:
    with database.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(os.urandom(max(0, size - 4096)))


def _fill(filler: Path, room: int) -> None:
    status = os.statvfs(filler.parent)
    with filler.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, status.f_bavail * status.f_frsize - room))


def _line(said: str) -> str:
    return said.partition("\n")[0].removeprefix("ERROR:").strip()

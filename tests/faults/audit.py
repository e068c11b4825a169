"""The audit: the catalogue against the tree, by what the service says and by what is on disk."""

import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ingest.catalogue.sqlite import FILES
from tests.faults.server import Server
from tests.faults.tree import Tree


@dataclass
class Audit:
    """Files lost, files recorded twice, and whatever else does not fit."""

    lost: int = 0
    twice: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, fits: bool, otherwise: str) -> None:
        if not fits:
            self.wrong.append(otherwise)


def audit(server: Server, session_id: str, tree: Tree) -> Audit:
    """Compare all that is known of a finished session, and what is on disk of it."""
    found = compare(server, session_id, tree)
    with closing(copy(server.database)) as connection:
        _look_at_disk(found, connection, server.snapshot(session_id))
    return found


def compare(server: Server, session_id: str, tree: Tree) -> Audit:
    """
    Compare what the service says of a finished session with its tree.

    A completed session has each file of the tree once, with the outcome that it deserves; a
    cancelled or failed one has no file twice, and exactly as many as it counted.
    """
    found = Audit()
    snapshot = server.snapshot(session_id)
    records = report(server, session_id)
    names = Counter(record["file"] for record in records)
    found.twice += sum(count - 1 for count in names.values())
    if snapshot["status"] == "completed":
        found.lost += len(tree.files.keys() - names.keys())
    found.check(not names.keys() - tree.files.keys(), "the report has files that the tree has not")
    for record in records:
        expected = tree.files.get(record["file"])
        status = "error" if expected is None else "done"
        if record["status"] != status or record["sha256"] != expected:
            found.wrong.append(f"{record['file']} is {record['status']}: {record['error']}")
    _compare_counts(found, snapshot, records)
    _compare_errors(found, server, session_id, records)
    return found


def report(server: Server, session_id: str) -> list[dict[str, Any]]:
    answer = server.get(f"/api/ingest/report/{session_id}")
    assert answer.status == 200, answer.body
    return [orjson.loads(line) for line in answer.body.splitlines()]


def errors(server: Server, session_id: str) -> list[dict[str, Any]]:
    """Return all errors, requested a page at a time."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["n"] if found else 0
        page = server.get(f"/api/ingest/status/{session_id}?errors_after={after}").json
        found += page["errors"]
        if not page["errors"]:
            assert page["total"] == len(found), page["total"]
            return found


def copy(database: Path) -> sqlite3.Connection:
    """
    Open a copy of the database as it is on disk, log included.

    A look at the file itself would fold the log into it, and the server find another one than it
    left when it was killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("-wal", ""):  # first what is folded into the other, if that happens now
            path = database.with_name(database.name + suffix)
            if path.exists():
                shutil.copy(path, Path(folder, f"copy.db{suffix}"))
        connection = sqlite3.connect(Path(folder, "copy.db"))
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return connection


def recorded(connection: sqlite3.Connection, session_id: str) -> tuple[str, bool, int, int]:
    """Return a session's status, its cancellation, and its files found and recorded."""
    number, status, cancelled = connection.execute(
        "SELECT number, status, cancelled FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    counts = [
        connection.execute(
            f"SELECT count(*) FROM {table} WHERE key BETWEEN ? AND ?",
            (number * FILES, number * FILES + FILES - 1),
        ).fetchone()[0]
        for table in ("found", "outcomes")
    ]
    return status, bool(cancelled), counts[0], counts[1]


def _compare_counts(found: Audit, snapshot: dict[str, Any], records: list[dict[str, Any]]) -> None:
    stats = snapshot["stats"]
    counts = Counter(record["status"] for record in records)
    expected = {"done": counts["done"], "errors": counts["error"]}
    expected["skipped_existing"] = counts["skipped"]
    expected["bytes"] = sum((record["counters"] or {}).get("bytes", 0) for record in records)
    for name, value in expected.items():
        found.check(stats[name] == value, f"stats.{name} is {stats[name]}; recorded are {value}")
    processed = snapshot["processed_files"]
    found.check(processed == len(records), f"{processed} processed; recorded are {len(records)}")
    if snapshot["status"] == "completed":
        found.check(snapshot["total_files"] == processed, f"completed at {processed}")
        found.check(snapshot["progress"] == 100, f"completed at {snapshot['progress']} %")


def _compare_errors(
    found: Audit, server: Server, session_id: str, records: list[dict[str, Any]]
) -> None:
    listed = errors(server, session_id)
    failed = sorted(record["file"] for record in records if record["status"] == "error")
    found.check(sorted(error["file"] for error in listed) == failed, "other errors than recorded")
    numbers = [error["n"] for error in listed]
    found.check(numbers == list(range(1, len(listed) + 1)), f"errors numbered {numbers}")


def _look_at_disk(found: Audit, connection: sqlite3.Connection, snapshot: dict[str, Any]) -> None:
    (intact,) = connection.execute("PRAGMA integrity_check").fetchone()
    found.check(intact == "ok", f"the database is damaged: {intact}")
    status, _, files, outcomes = recorded(connection, snapshot["session_id"])
    found.check(status == snapshot["status"], f"{snapshot['status']}; on disk {status}")
    found.check(files == snapshot["total_files"], f"{files} files found on disk")
    found.check(outcomes == snapshot["processed_files"], f"{outcomes} outcomes on disk")
    (repeated,) = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM found JOIN sessions ON key / ? = number"
        " WHERE id = ? GROUP BY path HAVING count(*) > 1)",
        (FILES, snapshot["session_id"]),
    ).fetchone()
    found.twice += repeated

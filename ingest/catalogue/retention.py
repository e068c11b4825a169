"""
Pruning: what becomes of the rows of a session whose retention is over.

Each function is to be one transaction.
"""

import sqlite3

PIECE = 5000
"""Files that are pruned in one transaction: some 20 ms, for which a session's batch may wait."""

FORGOTTEN = 100
"""Sessions that are forgotten at a time."""


def forget(connection: sqlite3.Connection, ended_before: float) -> list[str]:
    """Delete the oldest sessions that ended earlier, record them for pruning, return their ids."""
    old = connection.execute(
        "SELECT number, id FROM sessions WHERE ended < ? ORDER BY ended LIMIT ?",
        (ended_before, FORGOTTEN),
    ).fetchall()
    numbers = [(number,) for number, _ in old]
    connection.executemany("INSERT INTO forgotten VALUES (?)", numbers)
    connection.executemany("DELETE FROM sessions WHERE number = ?", numbers)
    return [id_ for _, id_ in old]


def forgotten(connection: sqlite3.Connection) -> list[int]:
    """List the sessions of which there may still be rows."""
    return [number for (number,) in connection.execute("SELECT session FROM forgotten")]


def prune_piece(connection: sqlite3.Connection, after: int, high: int) -> int | None:
    """Prune the next files of a session; give the key of the last, None where none are left."""
    (last,) = connection.execute(
        "SELECT max(key) FROM (SELECT key FROM found WHERE key > ? AND key <= ?"
        " ORDER BY key LIMIT ?)",
        (after, high, PIECE),
    ).fetchone()
    if last is None:
        return None
    connection.execute(
        "DELETE FROM outcomes WHERE key > ? AND key <= ? AND (status != 'done' OR EXISTS ("
        " SELECT 1 FROM found AS mine JOIN found AS newer USING (path)"
        " JOIN outcomes AS later ON later.key = newer.key AND later.status = 'done'"
        " WHERE mine.key = outcomes.key AND newer.key > mine.key))",
        (after, last),
    )
    connection.execute(
        "DELETE FROM found WHERE key > ? AND key <= ?"
        " AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.key = found.key)",
        (after, last),
    )
    return int(last)


def prune_rest(connection: sqlite3.Connection, number: int) -> None:
    """Remove what is left of a session whose files are pruned."""
    connection.execute("DELETE FROM errors WHERE session = ?", (number,))
    connection.execute("DELETE FROM forgotten WHERE session = ?", (number,))

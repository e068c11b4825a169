"""Removing sessions whose retention has passed; the newest outcome of each done file is kept."""

from cluster.database import Connection, Database

PIECE = 5000
"""Files removed in one transaction: a large session must not hold locks for long."""

SESSIONS = 100
"""Sessions removed by one call."""


async def prune(database: Database, retention: float) -> list[str]:
    """
    Remove sessions that ended more than `retention` seconds ago, and return their ids.

    `skip_existing` needs the newest outcome of a file that was done, so that one is kept with its
    path, without the session. Several processes may call it at once.
    """
    rows = await database.fetch(
        "SELECT number, id FROM sessions WHERE NOT pruned"
        " AND ended < extract(epoch FROM clock_timestamp()) - %s ORDER BY ended LIMIT %s",
        retention, SESSIONS,
    )  # fmt: skip
    for number, _ in rows:
        await _prune(database, number)
    return [session_id for _, session_id in rows]


async def _prune(database: Database, number: int) -> None:
    ((last,),) = await database.fetch(
        "SELECT coalesce(max(n), 0) FROM found WHERE session = %s", number
    )
    for first in range(1, last + 1, PIECE):
        async with database.transaction() as connection:
            await _prune_files(connection, number, first)
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM errors WHERE session = %s", (number,))
        await connection.execute("DELETE FROM progress WHERE session = %s", (number,))
        await connection.execute(
            "UPDATE sessions SET pruned = true, idempotency_key = NULL WHERE number = %s", (number,)
        )


async def _prune_files(connection: Connection, number: int, first: int) -> None:
    """Remove files numbered from `first` that were not done, or were done again later."""
    await connection.execute(
        "DELETE FROM found AS old WHERE old.session = %(session)s"
        " AND old.n BETWEEN %(first)s AND %(last)s AND (NOT EXISTS ("
        "  SELECT 1 FROM outcomes WHERE session = old.session AND n = old.n AND status = 'done')"
        " OR EXISTS (SELECT 1 FROM found AS newer JOIN outcomes USING (session, n)"
        "  JOIN sessions ON number = newer.session"
        "  WHERE newer.path = old.path AND newer.session > old.session AND status = 'done'"
        "  AND root = (SELECT root FROM sessions WHERE number = old.session)))",
        {"session": number, "first": first, "last": first + PIECE - 1},
    )
    await connection.execute(
        "DELETE FROM outcomes WHERE session = %(session)s AND n BETWEEN %(first)s AND %(last)s"
        " AND NOT EXISTS (SELECT 1 FROM found"
        "  WHERE found.session = outcomes.session AND found.n = outcomes.n)",
        {"session": number, "first": first, "last": first + PIECE - 1},
    )

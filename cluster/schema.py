"""
The schema `ingest` of the database: the tables of sessions, and those of procrastinate's queue.

Both have numbered or named migrations, each of which runs once, under an advisory lock. A migration
leaves a schema that the release before can use, so that processes of two adjacent releases run
side by side: a release accepts its own version and the next one.
"""

from collections.abc import Sequence
from pathlib import Path

from procrastinate.schema import SchemaManager

from cluster.database import Connection
from ingest.errors import CatalogueError

MIGRATION_LOCK = 7_236_837_111
"""The key of the advisory lock that one migration holds while others wait."""


async def version(connection: Connection) -> int:
    """Return the version of the schema; 0 is a database without one."""
    # Not by to_regclass: what it remembers is not renewed by the wait for an advisory lock.
    cursor = await connection.execute(
        "SELECT 1 FROM pg_tables WHERE schemaname = 'ingest' AND tablename = 'migrations'"
    )
    if await cursor.fetchone() is None:
        return 0
    cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM ingest.migrations")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def migrate(connection: Connection, migrations: Sequence[str]) -> int:
    """
    Run the migrations that the database lacks, and return how many of ours ran.

    Concurrent calls wait for one another, so each migration runs once.

    Raises:
        CatalogueError: the database has a schema that is newer by more than one version.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        present = await version(connection)
        _check_not_newer(present, len(migrations))
        await connection.execute("CREATE SCHEMA IF NOT EXISTS ingest")
        await connection.execute("SET LOCAL search_path = ingest")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version bigint PRIMARY KEY)"
        )
        for number, script in enumerate(migrations[present:], present + 1):
            await connection.execute(script.encode())
            await connection.execute("INSERT INTO migrations VALUES (%s)", (number,))
        await _migrate_queue(connection)
    return max(0, len(migrations) - present)


async def prepare(connection: Connection, migrations: Sequence[str]) -> None:
    """
    Create the schema in an empty database; check it in any other.

    Raises:
        CatalogueError: it is older, or newer by more than one version.
    """
    present = await version(connection)
    if not present:
        await migrate(connection, migrations)
        return
    _check_not_newer(present, len(migrations))
    if present < len(migrations):
        raise CatalogueError(
            f"the database has version {present} of the schema, this release needs version "
            f"{len(migrations)}; run `ingest-stream migrate`"
        )


async def _migrate_queue(connection: Connection) -> None:
    """Run the scripts of procrastinate that the database lacks; a new one gets the whole schema."""
    scripts = _queue_scripts()
    cursor = await connection.execute("SELECT name FROM queue_migrations")
    present = {name for (name,) in await cursor.fetchall()}
    if not present:
        await connection.execute(SchemaManager.get_schema().encode())
    for script in scripts:
        if script.name not in present:
            if present:
                await connection.execute(script.read_text("utf-8").encode())
            await connection.execute("INSERT INTO queue_migrations VALUES (%s)", (script.name,))


def _queue_scripts() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def _check_not_newer(present: int, known: int) -> None:
    if present > known + 1:
        raise CatalogueError(
            f"the database has version {present} of the schema, this release knows {known}; "
            "install a newer release"
        )

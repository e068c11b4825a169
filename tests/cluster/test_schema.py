"""The schema in PostgreSQL: migrated once, and refused where its version is another."""

import asyncio

import pytest
from psycopg import AsyncConnection, errors

from cluster import migrations, schema
from ingest.errors import CatalogueError

SCRIPTS = migrations.load()


async def test_migrations_run_once_when_called_concurrently(database: str) -> None:
    """Five hosts that start together run each script once, and none of them fails."""

    async def migrate() -> int:
        async with await AsyncConnection.connect(database) as connection:
            return await schema.migrate(connection, SCRIPTS)

    ran = await asyncio.gather(*(migrate() for _ in range(5)))
    assert sorted(ran) == [0, 0, 0, 0, len(SCRIPTS)]
    async with await AsyncConnection.connect(database) as connection:
        assert await schema.version(connection) == len(SCRIPTS)


async def test_failed_migration_leaves_the_version_before(database: str) -> None:
    """A script that fails takes those before it in the same run back with it."""
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        with pytest.raises(errors.UndefinedTable):
            await schema.migrate(connection, (*SCRIPTS, "DROP TABLE missing"))
        assert await schema.version(connection) == 0
        assert await schema.migrate(connection, SCRIPTS) == len(SCRIPTS)


async def test_empty_database_gets_the_schema_at_a_start(database: str) -> None:
    """Processes that start together on an empty database all start."""

    async def prepare() -> None:
        async with await AsyncConnection.connect(database, autocommit=True) as connection:
            await schema.prepare(connection, SCRIPTS)
            assert await schema.version(connection) == len(SCRIPTS)

    await asyncio.gather(*(prepare() for _ in range(5)))


async def test_older_schema_is_refused_at_a_start(database: str) -> None:
    """A start changes no database that other processes use; the message has the command."""
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await schema.migrate(connection, SCRIPTS)
        later = (*SCRIPTS, "CREATE TABLE later ()")
        with pytest.raises(CatalogueError, match="run `ingest-stream migrate`"):
            await schema.prepare(connection, later)
        assert await schema.migrate(connection, later) == 1


async def test_next_version_is_accepted_and_a_later_one_refused(database: str) -> None:
    """Two adjacent releases run side by side; the older of them runs no migration."""
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await schema.migrate(connection, (*SCRIPTS, "CREATE TABLE next ()"))
        await schema.prepare(connection, SCRIPTS)
        assert await schema.migrate(connection, SCRIPTS) == 0
        await schema.migrate(connection, (*SCRIPTS, "", "CREATE TABLE later ()"))
        with pytest.raises(CatalogueError, match="install a newer release"):
            await schema.prepare(connection, SCRIPTS)

"""Opening and migrating the database, for every process of a cluster."""

import contextlib

from cluster import migrations, schema
from cluster.database import Database


async def open_database(database: Database, cleanup: contextlib.AsyncExitStack) -> None:
    """
    Connect, and create the schema in an empty database.

    Raises:
        SettingsError: the URL is malformed.
        CatalogueError: the database cannot be reached, or has another schema.
    """
    cleanup.push_async_callback(database.close)
    await database.open()
    async with database.connection() as connection:
        await schema.prepare(connection, migrations.load())


async def migrate(url: str) -> int:
    """
    Bring the schema of a database up to date, and return how many migrations ran.

    Raises:
        SettingsError: the URL is malformed.
        CatalogueError: the database cannot be reached, or is newer than this release.
    """
    database = Database(url, 1)
    async with await database.connect(seconds=1.0) as connection:
        return await schema.migrate(connection, migrations.load())

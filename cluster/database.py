"""
Connections to the PostgreSQL database, and what its failures mean to callers.

`Database` has a pool of a few connections. They are in autocommit mode: a transaction is begun
where several statements belong together. A connection that was lost is replaced by the pool. A
caller never sees an exception of the driver: while the database cannot be reached, every use of a
connection raises CatalogueError, and can be repeated.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from ingest.errors import CatalogueError, SettingsError

Connection: TypeAlias = AsyncConnection[Any]

SEARCH_PATH = "-c search_path=ingest"
"""The option of a connection that finds the tables of the schema by their plain names."""

OLDEST_SERVER = 140_000
"""PostgreSQL 14, in the form of `server_version_num`."""

START_SECONDS = 20.0
"""Seconds that a start waits for a database, which may be started at the same time."""

WAIT_SECONDS = 5.0
"""Seconds that a call waits for a connection: some more than a restart of the database takes."""

RETRY_SECONDS = 0.5
"""Seconds between two attempts to connect."""

KEEPALIVE: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Parameters by which a connection to a host that vanished fails within about ten seconds."""


class Database:
    """The connections of one process; at most `connections` at once."""

    def __init__(self, url: str, connections: int) -> None:
        self.url = url
        self.pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            open=False,
            # Without autocommit, which procrastinate adds itself for connections of its own.
            kwargs={"options": SEARCH_PATH, **KEEPALIVE},
            configure=_set_autocommit,
            check=AsyncConnectionPool.check_connection,
            # The pool tries again for so long, then once more at the next call.
            reconnect_timeout=START_SECONDS,
        )

    async def open(self) -> None:
        """
        Connect; wait START_SECONDS for a database that is being started.

        Raises:
            SettingsError: the URL is malformed.
            CatalogueError: the database cannot be reached or used.
        """
        async with await self.connect(START_SECONDS) as connection:
            _check_server(connection)
        await self.pool.open(wait=True)

    async def close(self) -> None:
        """Close all connections."""
        await self.pool.close()

    async def connect(self, seconds: float) -> Connection:
        """
        Return a connection outside the pool; the caller closes it.

        Raises:
            SettingsError: the URL is malformed.
            CatalogueError: the database could not be reached for `seconds`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            try:
                return await AsyncConnection.connect(
                    self.url, autocommit=True, options=SEARCH_PATH, **KEEPALIVE
                )
            except psycopg.OperationalError as error:
                if loop.time() + RETRY_SECONDS >= until:
                    raise CatalogueError(
                        f"the database cannot be reached: {_line(error)}"
                    ) from error
            except psycopg.ProgrammingError:
                # The driver's text has the whole URL, and a password with it.
                raise SettingsError(
                    "INGEST_DATABASE (--database) is a malformed URL; it takes "
                    "postgresql://user@host/database"
                ) from None
            await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def connection(self, wait: float = WAIT_SECONDS) -> AsyncIterator[Connection]:
        """
        Use a connection of the pool.

        Raises:
            CatalogueError: none is free within `wait` seconds, or the database failed.
        """
        try:
            async with self.pool.connection(timeout=wait) as connection:
                yield connection
        except PoolTimeout as error:
            raise CatalogueError("the database does not answer") from error
        except PoolClosed as error:
            raise CatalogueError("the database is closed; the service is shutting down") from error
        except psycopg.Error as error:
            raise CatalogueError(f"the database failed: {_line(error)}") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """
        Run one transaction, which is rolled back if the body raises.

        Raises:
            CatalogueError: it was not committed, or that is unknown: it can be repeated.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """
        Return all rows of one query.

        Raises:
            CatalogueError: the database failed.
        """
        async with self.connection() as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall()

    async def check(self) -> None:
        """Raise CatalogueError if nothing can be written at the moment."""
        rows = await self.fetch("SELECT current_setting('transaction_read_only')")
        if rows != [("off",)]:
            raise CatalogueError("the database is read-only; it may be a standby")


async def _set_autocommit(connection: Connection) -> None:
    await connection.set_autocommit(True)


def _check_server(connection: Connection) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise CatalogueError(
            f"the database is PostgreSQL {version // 10_000}; version 14 or later is needed"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise CatalogueError(
            f"the encoding of the database is {encoding}; create it with ENCODING 'UTF8'"
        )


def _line(error: psycopg.Error) -> str:
    """Return an error of the driver in one line."""
    return " ".join(str(error).split(os.linesep)[0].split()) or type(error).__name__

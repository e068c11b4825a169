"""
Wake-ups: all processes are notified of each new frame by PostgreSQL's NOTIFY.

A wake-up is sent after the transaction that stored its frame, in one of its own: NOTIFY takes a
lock of the whole database until its transaction is on disk. It carries the frame where that fits.
One may be lost; the row is what counts, and readers look at it from time to time.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import psycopg

from cluster.change import StoredFrame
from cluster.database import Database
from ingest.errors import CatalogueError

logger = logging.getLogger("cluster")

CHANNEL = "ingest"

PAYLOAD_LIMIT = 7900
"""Bytes of a wake-up; PostgreSQL refuses 8,000 (manual, NOTIFY)."""

COLLECT_SECONDS = 0.005
"""Seconds in which wake-ups are collected into one statement: only the newest of a session."""

LISTEN_SECONDS = 10.0
"""Seconds that a connection is tried for before the failure is logged and it is tried again."""


class WakeUpSender:
    """Sends the frames of this process to all processes, from a task of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest: dict[int, StoredFrame] = {}
        self._waiting = asyncio.Event()

    def send(self, frame: StoredFrame) -> None:
        """Send a wake-up soon; a newer one of the same session replaces it."""
        known = self._newest.get(frame.session)
        if known is None or known.version < frame.version:
            self._newest[frame.session] = frame
        self._waiting.set()

    async def run(self) -> None:
        """Send wake-ups until cancelled."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            frames, self._newest = self._newest, {}
            payloads = [*map(write, frames.values())]
            # Lost wake-ups are made up for by the readers' own looks at the rows.
            with contextlib.suppress(CatalogueError):
                await self._database.fetch(
                    "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload",
                    CHANNEL, payloads,
                )  # fmt: skip
            await asyncio.sleep(COLLECT_SECONDS)


class WakeUpListener:
    """
    Receives the wake-ups of all processes on a connection of its own.

    `received` gets each one, with None for its JSON where the frame has to be read from its row;
    `connected` is called whenever wake-ups may have been lost before.
    """

    def __init__(
        self,
        database: Database,
        received: Callable[[StoredFrame, bool], None],
        connected: Callable[[], None],
    ) -> None:
        self._database = database
        self._received = received
        self._connected = connected

    async def run(self) -> None:
        """Receive wake-ups until cancelled; connect again whenever the database was lost."""
        while True:
            try:
                async with await self._database.connect(LISTEN_SECONDS) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._connected()
                    async for notification in connection.notifies():
                        self._received(*read(notification.payload))
            except CatalogueError as error:
                logger.warning("%s; streams get no news until it can", error)
            except psycopg.Error:
                logger.warning("the connection to the database was lost; connecting again")


def write(frame: StoredFrame) -> str:
    """Return a wake-up as text."""
    head = f"{frame.session} {frame.version} {int(frame.terminal)} {frame.event_id} "
    fits = len(head) + len(frame.json) <= PAYLOAD_LIMIT
    return head + (frame.json.decode() if fits else "")


def read(payload: str) -> tuple[StoredFrame, bool]:
    """Return the frame that `write` wrote, and whether it has its JSON."""
    session, version, terminal, event_id, json = payload.split(" ", 4)
    frame = StoredFrame(int(session), int(version), terminal == "1", event_id, json.encode())
    return frame, bool(json)

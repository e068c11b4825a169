"""The sessions that run now, each with the task that runs it."""

import asyncio
import contextvars
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ingest.catalogue.records import SessionRecord
from ingest.publisher import Publish, SnapshotPublisher
from ingest.resources import SharedResources
from ingest.runner import SessionRunner
from ingest.session import Session, Status

logger = logging.getLogger("ingest")


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """A session that has not ended, with its runner and the task that the runner is in."""

    record: SessionRecord
    session: Session
    runner: SessionRunner
    task: asyncio.Task[bool]


class ActiveSessions:
    """Runs sessions, and holds each until its task is done."""

    def __init__(
        self,
        resources: SharedResources,
        publish: Publish,
        forget: Callable[[str], None],
        min_interval: float,
    ) -> None:
        self._resources = resources
        self._publish = publish
        self._forget = forget
        self._min_interval = min_interval
        self._sessions: dict[str, ActiveSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._sessions

    def get(self, session_id: str) -> ActiveSession | None:
        """Return a session that runs, or None."""
        return self._sessions.get(session_id)

    def statuses(self) -> list[Status]:
        """Return the status of each session."""
        return [active.session.status for active in self._sessions.values()]

    def run(self, record: SessionRecord, session: Session) -> None:
        """Publish the session's first snapshot and start its task."""
        publisher = SnapshotPublisher(
            session,
            self._publish,
            run_id=secrets.token_hex(4),
            min_interval=self._min_interval,
        )
        publisher.changed()
        runner = SessionRunner(session, record, publisher, self._resources)
        # A context of its own: a session outlives the request that started it.
        task = asyncio.get_running_loop().create_task(
            runner.run(), name=f"session {session.id}", context=contextvars.Context()
        )
        self._sessions[session.id] = ActiveSession(record, session, runner, task)
        task.add_done_callback(partial(self._ended, session.id))

    async def resume(self, record: SessionRecord) -> None:
        """Run an interrupted session from what the catalogue has of it."""
        logger.info("session %s: resumed after an interruption", record.id)
        self.run(record, await self._resources.catalogue.restore(record))

    async def stop(self) -> None:
        """Interrupt all sessions; they are resumed at the next start."""
        tasks = [active.task for active in self._sessions.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, session_id: str, task: asyncio.Task[bool]) -> None:
        del self._sessions[session_id]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("session %s: its task failed", session_id, exc_info=error)
        elif task.result():
            self._forget(session_id)

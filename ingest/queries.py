"""Reading sessions, their errors and outcomes from the catalogue, and folders from the disk."""

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from ingest.active import ActiveSessions
from ingest.catalogue.protocol import CatalogueReader
from ingest.catalogue.records import (
    ALL_FILES,
    FileFilter,
    FilePage,
    SessionFilter,
    SessionRecord,
)
from ingest.errors import InvalidRequestError, NoAnswerError, NotFoundError
from ingest.folder_looks import FolderLooks
from ingest.listing import FolderList, LookControl, count_files, list_folders
from ingest.outcome import OutcomeRecord
from ingest.paths import display_path, resolve
from ingest.session import FileError

LISTED = 100
"""Sessions in a list."""

ERRORS_PAGE = 1000
"""Errors returned at a time."""

REPORT_PAGE = 500
"""Outcomes of a report that are read at a time: some 200 KB."""

LOOK_SECONDS = 10.0
"""Time in which a folder has to be read for a picker."""

COUNT_SECONDS = 1.0
"""Time for the numbers of files in its folders; those that are not counted by then are unknown."""


class SessionQueries:
    """
    Reads what the catalogue and the ingest root have.

    `root` is an absolute path. `threads` run calls that block on the file system, and
    `start_threads` those that a start of a session waits for. `active` are the sessions that this
    process runs, if it runs any.
    """

    def __init__(
        self,
        catalogue: CatalogueReader,
        threads: Executor,
        root: Path,
        active: ActiveSessions | None = None,
        start_threads: Executor | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._looks = FolderLooks(threads)
        self._counts = FolderLooks(threads)
        self._starts = FolderLooks(start_threads or threads)
        self._root_path = root
        self._root = os.fsencode(root)
        self._active = active

    async def session(self, session_id: str) -> SessionRecord:
        """
        Return a session's record from the catalogue.

        Raises:
            NotFoundError: no session has this id below this root.
        """
        record = await self._catalogue.session(session_id)
        if record is None:
            raise NotFoundError(f"no session {session_id!r}; it may have expired")
        if not record.status.terminal and record.root != self._root:
            raise NotFoundError(
                f"session {session_id!r} is interrupted and has another ingest root; "
                "start the service with that root to resume it"
            )
        return record

    async def check_retry(self, session_id: str) -> None:
        """
        Check that the files of a session can be retried.

        Raises:
            NotFoundError: no session has this id.
            InvalidRequestError: it still runs, or has another root.
        """
        record = await self.session(session_id)
        if not record.status.terminal:
            raise InvalidRequestError(
                {"retry_of": f"session {session_id!r} is still running; wait or cancel it first"}
            )
        if record.root != self._root:
            raise InvalidRequestError(
                {"retry_of": f"session {session_id!r} belongs to another ingest root"}
            )

    async def newest(self, wanted: SessionFilter) -> tuple[list[SessionRecord], int | None]:
        """
        Return a page of the sessions `wanted`, the newest first, and what to begin the next before.

        The first page ends with all that run, whatever their age; they are on a later page again.
        """
        found = await self._catalogue.newest(LISTED + 1, wanted)
        running = await self._catalogue.unfinished() if wanted.before is None else []
        count, older = _page(found, [*filter(wanted.takes, reversed(running))])
        following = found[count - 1].number if len(found) > count else None
        return found[:count] + older, following

    async def errors_after(self, session_id: str, n: int) -> tuple[list[FileError], int]:
        """Return at most ERRORS_PAGE errors numbered above `n`, and how many errors there are."""
        return await self._catalogue.errors_after(await self._number(session_id), n, ERRORS_PAGE)

    async def files(
        self, session_id: str, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        """Return a page of the outcomes `wanted`, from the one that follows file `after`."""
        number = await self._number(session_id)
        return await self._catalogue.files(number, wanted, after, limit)

    async def outcome(self, session_id: str, n: int) -> OutcomeRecord:
        """Return the outcome of file `n`; raise NotFoundError if it has none."""
        return await self._catalogue.outcome(await self._number(session_id), n)

    async def report(
        self, session_id: str, wanted: FileFilter = ALL_FILES
    ) -> AsyncIterator[Sequence[OutcomeRecord]]:
        """Return the pages of the outcomes `wanted`; raise NotFoundError before the first page."""
        return self._pages(await self._number(session_id), wanted)

    async def directories(self, path: str, after: str | None = None) -> dict[str, Any]:
        """
        Return the folders in `path` whose names follow `after`, and how many files are in each.

        Raises:
            NoAnswerError: the folder could not be read within LOOK_SECONDS.
        """
        control = LookControl()

        def look() -> tuple[bytes, FolderList]:
            directory = resolve(self._root_path, path)
            return directory, list_folders(self._root_path, directory, control, after)

        counts: dict[str, int] = {}
        try:
            directory, listed = await self._looks.run(path, look, LOOK_SECONDS)
            count = partial(count_files, listed.folders, counts, control)
            with contextlib.suppress(NoAnswerError):  # the numbers are not known
                await self._counts.run(path, count, COUNT_SECONDS)
        finally:
            control.ended = True
        below_root = Path(display_path(directory))
        parent = None if directory == b"." else str(below_root.parent)
        return {"path": str(below_root), "parent": parent, **listed.to_json(dict(counts))}

    async def resolve(self, path: str) -> bytes:
        """
        Return the directory that `path` names below the root; see `paths.resolve`.

        Raises:
            NoAnswerError: the folder did not answer within LOOK_SECONDS.
        """
        return await self._starts.run(path, partial(resolve, self._root_path, path), LOOK_SECONDS)

    async def _number(self, session_id: str) -> int:
        active = self._active.get(session_id) if self._active else None
        return active.record.number if active else (await self.session(session_id)).number

    async def _pages(
        self, number: int, wanted: FileFilter
    ) -> AsyncIterator[Sequence[OutcomeRecord]]:
        if wanted == ALL_FILES:  # one statement a page, three times as fast
            after = 0
            while rows := await self._catalogue.outcomes(number, after, REPORT_PAGE):
                yield rows
                after = rows[-1].n
            return
        page = await self._catalogue.files(number, wanted, None, REPORT_PAGE)
        while page.records:
            yield page.records
            if page.next is None:
                return
            page = await self._catalogue.files(number, wanted, page.next, REPORT_PAGE)


def _page(
    found: list[SessionRecord], running: list[SessionRecord]
) -> tuple[int, list[SessionRecord]]:
    """Return how many of `found` are on the page, and those of `running` that follow them."""
    for count in range(min(len(found), LISTED), 0, -1):
        oldest = found[count - 1].number
        older = [record for record in running if record.number < oldest]
        if count + len(older) <= LISTED:
            return count, older
    return min(len(found), LISTED), []  # more run than are on a page

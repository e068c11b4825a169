"""
The job that finds a session's files.

It may be run twice, after a failure or by two workers at once: each start takes a new epoch in the
session's row, and the ledger refuses the finder of an earlier one. What was found before is not
added again. A directory that cannot be read ends the session in error.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

from cluster.change import SessionEndedError, StaleFinderError
from cluster.ledger import Ledger
from cluster.reader import LedgerReader, SessionJob
from cluster.roots import check_root
from ingest.discovery import Chunk, Selection, discover
from ingest.errors import NotFoundError


class FindJob:
    """Finds files below `root`; `threads` run calls that block on the file system."""

    def __init__(self, ledger: Ledger, reader: LedgerReader, root: Path, threads: Executor) -> None:
        self._ledger = ledger
        self._reader = reader
        self._root = root
        self._threads = threads

    async def run(self, number: int, ranges: int) -> None:
        """
        Find the files of a session, and hand out the first `ranges`.

        Raises:
            RootDiffersError: the session's files are not below this host's root.
            CatalogueError: the files could not be recorded; the job is to be run again.
        """
        session = await self._reader.session_job(number)
        if session is None:
            return
        await check_root(self._root, session.root_key)
        with contextlib.suppress(SessionEndedError, StaleFinderError):
            epoch = await self._ledger.begin_finding(number)
            try:
                await self._find(number, epoch, session)
            except NotFoundError as error:
                await self._ledger.fail(number, str(error))
                return
            await self._ledger.begin_processing(number, epoch, ranges)

    async def _find(self, number: int, epoch: int, session: SessionJob) -> None:
        if session.request.retry_of is None:
            await self._find_in_tree(number, epoch, session)
        else:
            await self._find_retried(number, epoch, session, session.request.retry_of)

    async def _find_in_tree(self, number: int, epoch: int, session: SessionJob) -> None:
        request = session.request
        selection = Selection(
            matches=request.matcher(),
            recursive=request.recursive,
            limit=request.max_files,
            exclude=request.exclude,
            one_file_system=request.one_file_system,
        )
        chunks = discover(self._root, session.directory, selection)
        listing = self._list(chunks)
        while (chunk := await listing) is not None:
            listing = self._list(chunks)  # while this chunk is written
            await self._ledger.add_found(
                number,
                epoch,
                dict(zip(chunk.files, chunk.sizes, strict=True)),
                unreadable=dict(chunk.unreadable),
                limit=request.max_files,
            )

    async def _find_retried(
        self, number: int, epoch: int, session: SessionJob, retry_of: str
    ) -> None:
        earlier = await self._reader.session(retry_of)
        if earlier is None:
            raise NotFoundError(f"session {retry_of!r}, to be retried, has expired")
        request = session.request
        after: int | None = 0
        while after is not None:
            if request.retry == "failed":
                files, after = await self._reader.failed_files(earlier.number, after)
            else:
                files, after = await self._reader.unfinished_files(
                    earlier.number, after, failed_too=request.retry == "both"
                )
            if files:
                await self._ledger.add_found(number, epoch, files, limit=request.max_files)

    def _list(self, chunks: Iterator[Chunk]) -> asyncio.Future[Chunk | None]:
        """Return a future of the next chunk, listed in a thread; None after the last."""
        return asyncio.get_running_loop().run_in_executor(self._threads, next, chunks, None)

"""
Finding a session's files and recording them as found.

A FileFinder is used once, by the session's runner, before any file is processed. It finds either
the files of a directory or, for a retry, files of another session. Files are found
in chunks in a thread while the chunk before is written, so a million files need little memory.
A session that was interrupted while finding is resumed: what the catalogue has is not added again.
`find` returns early once the session is cancelled, even if the disk does not answer any more.
"""

import asyncio
from collections.abc import Container, Iterator, Sequence
from itertools import islice
from typing import Any

from ingest.catalogue.records import SessionRecord
from ingest.clock import read_clocks
from ingest.discovery import Chunk, Selection, discover
from ingest.execution.backends import consume_result
from ingest.execution.batch import BatchFile
from ingest.publisher import SnapshotPublisher
from ingest.recorder import OutcomeRecorder
from ingest.resources import SharedResources
from ingest.session import Session


class FileFinder:
    """Finds the files of one session and records them."""

    def __init__(
        self,
        session: Session,
        record: SessionRecord,
        resources: SharedResources,
        recorder: OutcomeRecorder,
        publisher: SnapshotPublisher,
        cancelled: asyncio.Event,
    ) -> None:
        self._session = session
        self._record = record
        self._resources = resources
        self._recorder = recorder
        self._publisher = publisher
        self._cancelled = cancelled
        self._resumed = False

    async def find(self) -> None:
        """
        Find and record all files, or those before the session was cancelled.

        Raises:
            NotFoundError: the directory cannot be read, or the retried session was pruned.
            CatalogueError: the files cannot be recorded.
        """
        self._resumed = self._session.total > 0
        retry_of = self._record.request.retry_of
        if retry_of is None:
            await self._find_in_tree()
        else:
            await self._find_retried(retry_of)

    async def _find_retried(self, session_id: str) -> None:
        number, limit = self._record.number, self._record.request.max_files
        while not self._cancelled.is_set():
            added, size = await self._add_of(session_id, number, limit)
            if not added:
                break
            self._count(added, size)

    async def _add_of(self, session_id: str, number: int, limit: int | None) -> tuple[int, int]:
        """Add the next files of the session that is retried; return how many, and their bytes."""
        catalogue, after = self._resources.catalogue, self._session.total
        retry = self._record.request.retry
        if retry == "failed":
            return await catalogue.add_failed_files(number, session_id, after, limit)
        failed_too = retry == "both"
        return await catalogue.add_unfinished_files(number, session_id, after, limit, failed_too)

    async def _find_in_tree(self) -> None:
        if self._cancelled.is_set():
            return
        request = self._record.request
        selection = Selection(
            matches=request.matcher(),
            recursive=request.recursive,
            limit=request.max_files,
            exclude=request.exclude,
            one_file_system=request.one_file_system,
            leave_out=self._resources.catalogue.own_files(),
        )
        chunks = discover(self._resources.root, self._record.directory, selection)
        cancellation = asyncio.create_task(self._cancelled.wait())
        try:
            listing = self._list(chunks)
            while (chunk := await self._next_chunk(listing, cancellation)) is not None:
                listing = self._list(chunks)  # while this chunk is written
                await self._add(chunk)
        finally:
            cancellation.cancel()

    def _list(self, chunks: Iterator[Chunk]) -> asyncio.Future[Chunk | None]:
        """Return a future of the next chunk, listed in a thread; None after the last."""
        loop = asyncio.get_running_loop()
        listing = loop.run_in_executor(self._resources.threads, next, chunks, None)
        # A disk that does not answer keeps its thread, and must not delay a cancellation.
        listing.add_done_callback(consume_result)
        return listing

    async def _next_chunk(
        self, listing: asyncio.Future[Chunk | None], cancellation: asyncio.Task[bool]
    ) -> Chunk | None:
        """Wait for a chunk; return None after the last, or if the session is cancelled first."""
        both: list[asyncio.Future[Any]] = [listing, cancellation]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return listing.result() if listing.done() and not self._cancelled.is_set() else None

    async def _add(self, chunk: Chunk) -> None:
        number, catalogue = self._record.number, self._resources.catalogue
        reasons = dict(chunk.unreadable)
        sizes = dict(zip(chunk.files, chunk.sizes, strict=True))
        paths: Sequence[bytes] = [*chunk.files, *reasons]
        if self._resumed:
            paths = self._within_limit(await catalogue.new_paths(number, paths), reasons)
        if not paths:
            return
        first = self._session.total + 1
        found = [sizes.get(path, 0) for path in paths]
        await catalogue.add_found(number, first, paths, found)
        self._count(len(paths), sum(found))
        for n, path in enumerate(paths, first):
            if path in reasons:
                await self._recorder.record_failure(BatchFile(n, path), reasons[path])

    def _within_limit(self, paths: Sequence[bytes], folders: Container[bytes]) -> Sequence[bytes]:
        # A folder is not listed twice in the same order: the limit covers both listings.
        limit = self._record.request.max_files
        if limit is None:
            return paths
        room = limit - (self._session.total - self._session.errors)
        files = islice((path for path in paths if path not in folders), max(0, room))
        return [*files, *(path for path in paths if path in folders)]

    def _count(self, files: int, size: int) -> None:
        now = read_clocks()
        self._session.wait(None, now)
        self._session.found(files, size, now)
        self._publisher.changed()

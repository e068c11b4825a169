"""
The interface of a catalogue: the record of sessions, their files and what became of each file.

`SessionManager` is the caller. `ingest.catalogue.sqlite` is the implementation of the service; any
other one that passes `tests/ingest/catalogue/test_contract.py` can be given to `create_app`.

Guarantees of every implementation:

- each method is one transaction: after an error nothing of it was recorded;
- what a method recorded is there after the process was killed;
- methods may be called concurrently from one event loop;
- a method raises CatalogueError where the catalogue cannot be read or written.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ingest.catalogue.records import (
    ALL_SESSIONS,
    FileFilter,
    FilePage,
    PendingFile,
    SessionFilter,
    SessionRecord,
)
from ingest.outcome import OutcomeRecord
from ingest.request import IngestRequest
from ingest.session import FileError, Session, Status


class CatalogueReader(Protocol):
    """
    What is read of recorded sessions; `SessionQueries` is the caller.

    A session's `number` is unique and rises from session to session. Its files are numbered from 1
    in the order in which they were found, and its errors from 1 in the order of their recording.
    """

    async def session(self, session_id: str) -> SessionRecord | None:
        """Return the session with this id, or None."""

    async def newest(self, limit: int, wanted: SessionFilter = ALL_SESSIONS) -> list[SessionRecord]:
        """Return the sessions started last of those `wanted`, the newest first."""

    async def unfinished(self) -> list[SessionRecord]:
        """Return the sessions that have not ended, the oldest first."""

    async def errors_after(self, number: int, n: int, limit: int) -> tuple[list[FileError], int]:
        """
        Return errors numbered above `n`, ascending, and the number of the last error.

        Raises:
            NotFoundError: the session was pruned.
        """

    async def outcomes(self, number: int, after: int, limit: int) -> list[OutcomeRecord]:
        """
        Return outcomes numbered above `after`, ascending: `limit`, or fewer if these are large.

        Without any there are no more. A page is as large as `first_page` allows.

        Raises:
            NotFoundError: the session was pruned.
        """

    async def files(
        self, number: int, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        """
        Return the outcomes `wanted` that follow the one of file `after`; from the first, for None.

        A page has `limit` outcomes unless it is the last, or their metadata exceeds PAGE_BYTES.

        Raises:
            NotFoundError: the session was pruned.
            InvalidRequestError: file `after` has no outcome to go on from.
        """

    async def outcome(self, number: int, n: int) -> OutcomeRecord:
        """
        Return the outcome of file `n`.

        Raises:
            NotFoundError: it has none, or the session was pruned.
        """


class Catalogue(CatalogueReader, Protocol):
    """The record of sessions, their files and outcomes."""

    async def open(self) -> None:
        """Open the catalogue, for this process alone."""

    async def close(self) -> None:
        """Close the catalogue once everything is written."""

    async def check(self) -> None:
        """Raise CatalogueError if nothing can be recorded at the moment."""

    def own_files(self) -> frozenset[tuple[int, int]]:
        """Return device and inode of the catalogue's own files, which no session must find."""

    async def add_session(
        self,
        session_id: str,
        request: IngestRequest,
        root: bytes,
        directory: bytes,
        started: float,
        key: str | None,
    ) -> SessionRecord:
        """Record a new session; if `key` was used before, return the session that it started."""

    async def session_of_key(self, key: str) -> SessionRecord | None:
        """Return the session that a request with this idempotency key started, or None."""

    async def add_found(
        self, number: int, first: int, paths: Sequence[bytes], sizes: Sequence[int] = ()
    ) -> None:
        """Record files as found, numbered from `first`; `sizes` may lack those at the end."""

    async def new_paths(self, number: int, paths: Sequence[bytes]) -> list[bytes]:
        """Return those of `paths` that the session has not found yet."""

    async def add_failed_files(
        self, number: int, session_id: str, after: int, limit: int | None
    ) -> tuple[int, int]:
        """
        Record as found the files of another session that failed, from the error above `after`.

        Each file gets the number of its error, so `after` is how many were added before. Returns
        how many were added by this call, and their bytes: some thousand files at most, none once
        all or `limit` are added.

        Raises:
            NotFoundError: the other session was pruned.
        """

    async def add_unfinished_files(
        self, number: int, session_id: str, after: int, limit: int | None, failed_too: bool
    ) -> tuple[int, int]:
        """
        Record as found the files of another session that have no outcome, in the order found.

        With `failed_too`, also those that failed. `after` is how many were added before. Returns
        how many were added by this call, and their bytes, as `add_failed_files`.

        Raises:
            NotFoundError: the other session was pruned.
        """

    async def set_status(self, number: int, status: Status) -> None:
        """Record the status of a session that has not ended."""

    async def set_root_identity(self, number: int, identity: str) -> None:
        """Record what the session's root is recognised by."""

    async def set_cancelled(self, number: int) -> None:
        """Record that the session is to end as cancelled."""

    async def finish(
        self, number: int, status: Status, ended: float, last_event_id: str, snapshot: bytes
    ) -> None:
        """Record the end of a session with its last frame."""

    async def pending(self, number: int, after: int, limit: int) -> list[PendingFile]:
        """Return files without an outcome, numbered above `after`, ascending."""

    async def fingerprints(
        self, paths: Sequence[bytes], root: bytes | None = None
    ) -> Mapping[bytes, frozenset[tuple[int, int]]]:
        """
        Return for each path the size and modification time (ns) with which it was last done.

        With `root`, what sessions of another root did is not taken into account.
        """

    async def record(
        self,
        number: int,
        outcomes: Sequence[OutcomeRecord],
        failed: Sequence[int],
        moment: float,
    ) -> int:
        """
        Record the outcomes of a batch, and number the errors of the files `failed`.

        Returns the number of the first error. The outcomes may be bare tuples, as
        `BatchResult.outcomes` has them.
        """

    async def restore(self, record: SessionRecord) -> Session:
        """Return the state of an unfinished session, rebuilt from what was recorded."""

    async def prune(self, ended_before: float) -> list[str]:
        """
        Remove sessions that ended earlier; keep the newest outcome of each file that was done.

        Returns the ids of the sessions removed: a hundred at most, so there may be more.
        """

"""A catalogue in memory: a second implementation of the protocol, for tests and for readers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from ingest.catalogue.records import (
    ALL_SESSIONS,
    FileFilter,
    FilePage,
    PendingFile,
    SessionFilter,
    SessionRecord,
)
from ingest.errors import CatalogueError, InvalidRequestError, NotFoundError
from ingest.outcome import OutcomeRecord, first_page
from ingest.paths import display_path
from ingest.request import IngestRequest
from ingest.session import RECENT_ERRORS, FileError, Session, Status


@dataclass(slots=True)
class _Entry:
    record: SessionRecord
    key: str | None
    ended: float | None = None
    found: dict[int, bytes] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    outcomes: dict[int, OutcomeRecord] = field(default_factory=dict)
    errors: list[FileError] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


class MemoryCatalogue:
    """Keeps sessions for as long as the object lives; `close` and `open` keep them."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._done: dict[tuple[bytes, bytes], tuple[int, int]] = {}
        self._number = 0
        self._is_open = False

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    async def check(self) -> None:
        if not self._is_open:
            raise CatalogueError("the catalogue is closed")

    def own_files(self) -> frozenset[tuple[int, int]]:
        return frozenset()

    async def add_session(
        self,
        session_id: str,
        request: IngestRequest,
        root: bytes,
        directory: bytes,
        started: float,
        key: str | None,
    ) -> SessionRecord:
        await self.check()
        if key is not None and (earlier := await self.session_of_key(key)):
            return earlier
        self._number += 1
        record = SessionRecord(
            self._number, session_id, request, root, directory, started, Status.STARTING,
            False, None, None,
        )  # fmt: skip
        self._entries[self._number] = _Entry(record, key)
        return record

    async def session(self, session_id: str) -> SessionRecord | None:
        await self.check()
        found = (entry.record for entry in self._entries.values() if entry.record.id == session_id)
        return next(found, None)

    async def session_of_key(self, key: str) -> SessionRecord | None:
        found = (entry.record for entry in self._entries.values() if entry.key == key)
        return next(found, None)

    async def unfinished(self) -> list[SessionRecord]:
        records = [entry.record for entry in self._entries.values()]
        return [record for record in records if not record.status.terminal]

    async def newest(self, limit: int, wanted: SessionFilter = ALL_SESSIONS) -> list[SessionRecord]:
        await self.check()
        records = [entry.record for entry in reversed(self._entries.values())]
        before = self._number + 1 if wanted.before is None else wanted.before
        return [each for each in records if each.number < before and wanted.takes(each)][:limit]

    async def add_found(
        self, number: int, first: int, paths: Sequence[bytes], sizes: Sequence[int] = ()
    ) -> None:
        await self.check()
        self._entries[number].found.update(enumerate(paths, first))
        self._entries[number].sizes.update(enumerate(sizes, first))

    async def new_paths(self, number: int, paths: Sequence[bytes]) -> list[bytes]:
        known = set(self._entries[number].found.values())
        return [path for path in paths if path not in known]

    async def add_failed_files(
        self, number: int, session_id: str, after: int, limit: int | None
    ) -> tuple[int, int]:
        other = await self.session(session_id)
        if other is None:
            raise NotFoundError(f"session {session_id!r}, to be retried, is forgotten by now")
        entry = self._entries[other.number]
        failed = entry.failed[:limit][after:]
        sizes = [entry.sizes.get(n, 0) for n in failed]
        await self.add_found(number, after + 1, [entry.found[n] for n in failed], sizes)
        return len(failed), sum(sizes)

    async def add_unfinished_files(
        self, number: int, session_id: str, after: int, limit: int | None, failed_too: bool
    ) -> tuple[int, int]:
        other = await self.session(session_id)
        if other is None:
            raise NotFoundError(f"session {session_id!r}, to be retried, is forgotten by now")
        entry = self._entries[other.number]
        left = [
            n
            for n in sorted(entry.found)
            if n not in entry.outcomes or (failed_too and entry.outcomes[n].status == "error")
        ]
        files = left[:limit][after:]
        sizes = [entry.sizes.get(n, 0) for n in files]
        await self.add_found(number, after + 1, [entry.found[n] for n in files], sizes)
        return len(files), sum(sizes)

    async def set_status(self, number: int, status: Status) -> None:
        await self.check()
        self._change(number, status=status)

    async def set_root_identity(self, number: int, identity: str) -> None:
        await self.check()
        self._change(number, root_identity=identity)

    async def set_cancelled(self, number: int) -> None:
        await self.check()
        self._change(number, cancelled=True)

    async def finish(
        self, number: int, status: Status, ended: float, last_event_id: str, snapshot: bytes
    ) -> None:
        await self.check()
        self._change(number, status=status, last_event_id=last_event_id, snapshot=snapshot)
        self._entries[number].ended = ended

    async def pending(self, number: int, after: int, limit: int) -> list[PendingFile]:
        await self.check()
        entry = self._entries[number]
        pending = [
            PendingFile(n, path, entry.sizes.get(n, 0))
            for n, path in sorted(entry.found.items())
            if n > after and n not in entry.outcomes
        ]
        return pending[:limit]

    async def fingerprints(
        self, paths: Sequence[bytes], root: bytes | None = None
    ) -> Mapping[bytes, frozenset[tuple[int, int]]]:
        known: dict[bytes, frozenset[tuple[int, int]]] = dict.fromkeys(paths, frozenset())
        for (path, of), fingerprint in self._done.items():
            if path in known and root in (None, of):
                known[path] = frozenset([fingerprint])
        return known

    async def record(
        self, number: int, outcomes: Sequence[OutcomeRecord], failed: Sequence[int], moment: float
    ) -> int:
        await self.check()
        entry = self._entries[number]
        records = [OutcomeRecord._make(outcome) for outcome in outcomes]
        if any(record.n in entry.outcomes for record in records):
            raise CatalogueError("a file of the batch was recorded before")
        for record in records:
            entry.outcomes[record.n] = record._replace(path=entry.found[record.n])
            if record.status != "error" and record.size is not None and record.modified is not None:
                place = (entry.found[record.n], entry.record.root)
                self._done[place] = (record.size, record.modified)
        first = len(entry.errors) + 1
        for n, file in enumerate(failed, first):
            message = entry.outcomes[file].error or ""
            entry.errors.append(FileError(n, display_path(entry.found[file]), message, moment))
        entry.failed.extend(failed)
        return first if failed else 0

    async def errors_after(self, number: int, n: int, limit: int) -> tuple[list[FileError], int]:
        errors = self._kept(number).errors
        return errors[n : n + limit], len(errors)

    async def restore(self, record: SessionRecord) -> Session:
        entry = self._entries[record.number]
        session = Session(record.id, record.started, record.status, request=record.request)
        counts = Counter(outcome.status for outcome in entry.outcomes.values())
        session.total = len(entry.found)
        session.total_bytes = sum(entry.sizes.values())
        session.finished_bytes = sum(entry.sizes.get(n, 0) for n in entry.outcomes)
        session.done, session.skipped = counts["done"], counts["skipped"]
        session.errors = counts["error"]
        sums: Counter[str] = Counter()
        for outcome in entry.outcomes.values():
            sums.update(orjson.loads(outcome.counters or "{}"))
        session.count(sums)
        session.recent.extend(entry.errors[-RECENT_ERRORS:])
        return session

    async def outcomes(self, number: int, after: int, limit: int) -> list[OutcomeRecord]:
        recorded = sorted(self._kept(number).outcomes.items())
        return first_page([outcome for n, outcome in recorded if n > after][:limit])

    async def files(
        self, number: int, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        outcomes = self._kept(number).outcomes
        taken = sorted(
            filter(wanted.takes, outcomes.values()), key=wanted.sort_key, reverse=wanted.descending
        )
        if after is not None:
            last = outcomes.get(after)
            if last is None:
                raise InvalidRequestError({"after": f"{after}; no such file"})
            position = wanted.sort_key(last)
            taken = [
                each
                for each in taken
                if each is not last and (wanted.sort_key(each) < position) == wanted.descending
            ]
        return FilePage.of(taken, limit)

    async def outcome(self, number: int, n: int) -> OutcomeRecord:
        outcome = self._kept(number).outcomes.get(n)
        if outcome is None:
            raise NotFoundError(f"no outcome of a file {n}")
        return outcome

    async def prune(self, ended_before: float) -> list[str]:
        await self.check()
        old = [
            number
            for number, entry in self._entries.items()
            if entry.ended is not None and entry.ended < ended_before
        ]
        return [self._entries.pop(number).record.id for number in old]

    def _kept(self, number: int) -> _Entry:
        if number not in self._entries:
            raise NotFoundError("the session is forgotten by now, its retention is over")
        return self._entries[number]

    def _change(self, number: int, **fields: object) -> None:
        entry = self._entries[number]
        entry.record = replace(entry.record, **fields)  # type: ignore[arg-type]

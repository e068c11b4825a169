"""What a catalogue is asked for, and what it returns of sessions and their files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from ingest.outcome import OutcomeRecord
from ingest.paths import display_path
from ingest.request import IngestRequest
from ingest.session import Status


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """
    A session as recorded in the catalogue; all its paths are below `root`.

    `started` is in seconds of Unix time. `last_event_id` and `snapshot` (JSON) are those of the
    session's last frame, and None until it has ended. `root_identity` is what `ingest.root_watch`
    recognises the root by, if it is known.
    """

    number: int
    id: str
    request: IngestRequest
    root: bytes
    directory: bytes
    started: float
    status: Status
    cancelled: bool
    last_event_id: str | None
    snapshot: bytes | None
    root_identity: str | None = None


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """
    Which sessions to list: those numbered below `before`, with `text` and in one of `statuses`.

    `text` is looked for in the name and the directory, whatever its case. Empty `text` and empty
    `statuses` take every session.
    """

    before: int | None = None
    text: str = ""
    statuses: frozenset[Status] = frozenset()

    def takes(self, record: SessionRecord) -> bool:
        """Return whether a session has the text and a status that are looked for."""
        if self.statuses and record.status not in self.statuses:
            return False
        text = self.text.casefold()
        places = (record.request.name or "", record.request.directory)
        return any(text in place.casefold() for place in places)


ALL_SESSIONS = SessionFilter()


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file to be processed: number in the session, path below the root, size when found."""

    n: int
    path: bytes
    size: int = 0


class FileOrder(StrEnum):
    """What a list of files is sorted by; files that are equal in it are in the order found."""

    N = "n"
    PATH = "path"
    SIZE = "size"
    MODIFIED = "modified"


SortValue: TypeAlias = int | bytes | str

LOWEST = -(2**63)
"""What an unknown time of modification is sorted as: before every known one."""

SORT_VALUES: Mapping[FileOrder, Callable[[OutcomeRecord], SortValue]] = MappingProxyType(
    {
        FileOrder.N: lambda record: record.n,
        FileOrder.PATH: lambda record: record.path,
        FileOrder.SIZE: lambda record: -1 if record.size is None else record.size,
        FileOrder.MODIFIED: lambda record: LOWEST if record.modified is None else record.modified,
    }
)


@dataclass(frozen=True, slots=True)
class FileFilter:
    """
    Which outcomes of a session to list, and in which order.

    `text` is a part of the path, whatever its case. `media_type` is a whole one, or `image/*`.
    `folder` is a display path below the root; files are taken at any depth below it. Each takes
    every file where it is empty.
    """

    status: str = ""
    text: str = ""
    media_type: str = ""
    folder: str = ""
    order: FileOrder = FileOrder.N
    descending: bool = False

    def takes(self, record: OutcomeRecord) -> bool:
        """Return whether an outcome is to be listed."""
        path, kind = display_path(record.path), (record.media_type or "").lower()
        wanted = self.media_type.lower()
        return (
            self.status in ("", record.status)
            and self.text.lower() in path.lower()
            and (not self.folder or path.startswith(f"{self.folder}/"))
            and (kind.startswith(wanted[:-1]) if wanted.endswith("/*") else wanted in ("", kind))
        )

    def sort_key(self, record: OutcomeRecord) -> tuple[SortValue, int]:
        """Return what an outcome is sorted by."""
        return SORT_VALUES[self.order](record), record.n


ALL_FILES = FileFilter()

PAGE_BYTES = 2 * 1024 * 1024
"""Characters of metadata in a page of files: the file that exceeds them is its last."""


@dataclass(frozen=True, slots=True)
class FilePage:
    """Outcomes of a session, and the number of the file to begin the next page after, or None."""

    records: Sequence[OutcomeRecord]
    next: int | None

    @classmethod
    def of(cls, records: Iterable[OutcomeRecord], limit: int) -> "FilePage":
        """
        Return the first of `records` as a page: at most `limit`, within PAGE_BYTES.

        One record more is taken, which shows whether there is another page.
        """
        page: list[OutcomeRecord] = []
        size = 0
        for record in records:
            if len(page) == limit or size > PAGE_BYTES:
                return cls(page, page[-1].n)
            page.append(record)
            size += len(record.metadata or "")
        return cls(page, None)

"""What a catalogue is asked for, and what it returns of sessions and their files."""

from dataclasses import dataclass

from ingest.request import IngestRequest
from ingest.session import Status


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """
    A session as recorded in the catalogue; all its paths are below `root`.

    `started` is in seconds of Unix time. `last_event_id` and `snapshot` (JSON) are those of the
    session's last frame, and None until it has ended.
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
    """A file to be processed: its number in the session and its path below the root."""

    n: int
    path: bytes

"""The routes of what became of each file: the list of files, one file, and the report."""

import hashlib

from ingest.errors import NotFoundError
from ingest.outcome import OutcomeRecord
from ingest.previews import Previews
from ingest.report import record
from web.query import NUMBER_DIGITS, choice, file_filter, is_number, page_of_files
from web.report import MEDIA_TYPES, ReportWriter
from web.request import Request
from web.response import Response, json
from web.sessions import Sessions


class FileRoutes:
    """Reads outcomes from the sessions and writes them as responses."""

    def __init__(self, sessions: Sessions, previews: Previews, reports: ReportWriter) -> None:
        self._sessions = sessions
        self._previews = previews
        self._reports = reports

    async def page(self, request: Request, session_id: str) -> Response:
        """Return a page of a session's files."""
        wanted = file_filter(request.query)
        after, limit = page_of_files(request.query)
        page = await self._sessions.files(session_id, wanted, after, limit)
        following = None if page.next is None else str(page.next)
        return json({"files": [_numbered(row) for row in page.records], "next": following})

    async def one(self, _: Request, place: str) -> Response:
        """Return one file of a session; `place` is the session and the file's number."""
        return json(_numbered(await self._sessions.outcome(*_place(place))))

    async def preview(self, request: Request, place: str) -> Response:
        """Return a small picture of one file; its ETag is of its content."""
        made = await self._previews.preview(await self._sessions.outcome(*_place(place)))
        etag = f'"{hashlib.sha256(made).hexdigest()[:24]}"'
        kind = b"image/webp" if made.startswith(b"RIFF") else b"image/jpeg"
        headers = [
            (b"content-type", kind),
            (b"cache-control", b"private, max-age=3600"),
            (b"etag", etag.encode()),
        ]
        return Response(304, headers=headers) if request.has(etag) else Response(200, made, headers)

    async def report(self, request: Request, session_id: str) -> Response:
        """Return the report of a session, in pieces as it is read."""
        kind = choice(request.query, "format", MEDIA_TYPES)
        if kind is None:
            csv_first = request.quality("text/csv") > request.quality("application/x-ndjson")
            kind = "csv" if csv_first else "ndjson"
        mark = choice(request.query, "bom", ("0", "1")) != "0"
        wanted = file_filter(request.query, sorted_=False)
        self._reports.check_room()
        pages = await self._sessions.report(session_id, wanted)
        name = f'attachment; filename="ingest-{session_id}.{kind}"'
        return Response(
            200,
            self._reports.write(pages, kind, byte_order_mark=mark),
            [
                (b"content-type", MEDIA_TYPES[kind].encode()),
                (b"cache-control", b"no-store"),
                (b"content-disposition", name.encode()),
                (b"vary", b"accept"),
            ],
        )


def _place(place: str) -> tuple[str, int]:
    """Return the session and the file's number that a path names."""
    session_id, _, n = place.partition("/")
    if not is_number(n, NUMBER_DIGITS):
        raise NotFoundError(f"no file {n!r}; files are numbered from 1")
    return session_id, int(n)


def _numbered(row: OutcomeRecord) -> dict[str, object]:
    return {"n": row.n, **record(row)}

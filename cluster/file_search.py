"""
Lists of a session's files: filtered, in one of four orders, a page at a time.

The database narrows the files down and sorts them; `FileFilter.takes` decides. For it alone is
exact where a path is not ASCII: PostgreSQL compares paths as bytes, in their escaped form. A page
begins after the sort key of the file before it, whatever was recorded meanwhile.
"""

import re
from typing import Any

from cluster.database import Database
from cluster.outcomes import SELECTED
from ingest.catalogue.records import LOWEST, FileFilter, FileOrder, FilePage
from ingest.errors import InvalidRequestError
from ingest.outcome import OutcomeRecord

SORT_VALUES = {
    FileOrder.N: "n",
    FileOrder.PATH: "path",
    FileOrder.SIZE: "coalesce(outcomes.size, -1)",
    FileOrder.MODIFIED: f"coalesce(modified, {LOWEST})",
}

SPECIAL = re.compile(r"([\\%_])")
"""Characters that stand for others in a LIKE pattern."""

NOT_ASCII = re.compile("[^\x00-\x7f]+")


async def find_files(
    database: Database, number: int, wanted: FileFilter, after: int | None, limit: int
) -> FilePage:
    """
    Return a page of a session's outcomes; see `CatalogueReader.files`.

    Raises:
        InvalidRequestError: file `after` has no outcome to go on from.
    """
    value = SORT_VALUES[wanted.order]
    conditions, values = _conditions(wanted)
    start = await _start(database, number, value, after)
    found: list[OutcomeRecord] = []
    compared, direction = ("<", "DESC") if wanted.descending else (">", "ASC")
    while len(found) <= limit:
        where = [*conditions, f"({value}, n) {compared} (%s, %s)"] if start else conditions
        rows = await database.fetch(
            f"SELECT n, path, {SELECTED}, {value}"
            " FROM outcomes JOIN found USING (session, n)"
            f" WHERE {' AND '.join(['session = %s', *where])}"
            f" ORDER BY {value} {direction}, n {direction} LIMIT %s",
            number, *values, *start, limit + 1,
        )  # fmt: skip
        found.extend(filter(wanted.takes, (OutcomeRecord._make(row[:-1]) for row in rows)))
        if len(rows) <= limit:
            break
        start = (rows[-1][-1], rows[-1][0])
    return FilePage.of(found, limit)


async def _start(database: Database, number: int, value: str, after: int | None) -> tuple[Any, ...]:
    """Return the sort key of file `after`, or nothing for the first page."""
    if after is None:
        return ()
    rows = await database.fetch(
        f"SELECT {value}, n FROM outcomes JOIN found USING (session, n)"
        " WHERE session = %s AND n = %s",
        number, after,
    )  # fmt: skip
    if not rows:
        raise InvalidRequestError({"after": f"{after}; it has to be the `next` of a page"})
    return rows[0]


def _conditions(wanted: FileFilter) -> tuple[list[str], list[object]]:
    """Return conditions that hold for each file that is wanted, and their values."""
    conditions: list[str] = []
    values: list[object] = []
    if wanted.status:
        conditions.append("status = %s")
        values.append(wanted.status)
    if wanted.text:
        conditions.append("lower(encode(path, 'escape')) LIKE %s")
        values.append(f"%{_like(wanted.text.lower())}%")
    if wanted.folder and wanted.folder.isascii():
        conditions.append("encode(path, 'escape') LIKE %s")
        values.append(f"{_like(wanted.folder)}/%")
    if wanted.media_type.endswith("/*"):
        conditions.append("starts_with(lower(media_type), %s)")
        values.append(_plain(wanted.media_type)[:-1])
    elif wanted.media_type:
        conditions.append("lower(media_type) = %s")
        values.append(_plain(wanted.media_type))
    return conditions, values


def _plain(text: str) -> str:
    """Return text in lower case; none of the media types has a NUL, which the database refuses."""
    return text.lower().replace("\0", "\ufffd")


def _like(text: str) -> str:
    r"""Return a LIKE pattern for escaped bytes, in which a backslash is two: other text is any."""
    escaped = SPECIAL.sub(r"\\\1", text.replace("\\", "\\\\"))
    return NOT_ASCII.sub("%", escaped.replace("\0", "%"))

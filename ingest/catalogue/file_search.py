"""
Searching the outcomes of one session in SQLite: filtered, sorted, a page at a time.

A FileSearch is used once, by `SQLiteCatalogue.files`, which calls `step` until it returns True and
then `page`. Each call is one read of bounded work, so that other reads run in between, however
large the session is. A step looks at a window of files and keeps the best `limit` of them:

- windows of the session's own numbers, read from the narrow index `outcomes_listed`; or
- windows of `found_by_path`, where the files are sorted by path or lie in one folder.

Where the windows are in the order wanted, the search ends with the first full page. Otherwise it
looks at every window. No window is materialised: memory is that of one page.
"""

import sqlite3

from ingest.catalogue.records import FileFilter, FileOrder, FilePage, SortValue
from ingest.errors import InvalidRequestError, NotFoundError
from ingest.outcome import OutcomeRecord

WINDOW = 50_000
"""Files that one step looks at: some 10 ms."""

FIRST_PATHS = 1_000
"""Paths that the first step looks at; each further one looks at four times as many."""

WHOLE = 2**32
"""A window of all the files of a session."""

LAST_PATH = b"\xff" * 4096
"""Sorted behind every path: none is so long."""

VALUES = {
    FileOrder.N: "key",
    FileOrder.PATH: "path",
    FileOrder.SIZE: "coalesce(size, -1)",
    FileOrder.MODIFIED: "coalesce(modified, -9223372036854775808)",
}
"""What each order sorts by, with SORT_VALUES' replacements of what is unknown."""

COLUMNS = ", ".join(OutcomeRecord._fields[2:])


class FileSearch:
    """A search for one page of a session whose keys are `low` and above, up to `high`."""

    def __init__(
        self, low: int, high: int, wanted: FileFilter, after: int | None, limit: int
    ) -> None:
        self._low = low
        self._high = high
        self._wanted = wanted
        self._after = after
        self._limit = limit + 1  # one more shows whether there is another page
        self._down = wanted.descending
        self._conditions, self._values = _conditions(wanted)
        self._window: _KeyWindow | _PathWindow | None = None
        self._best: list[tuple[SortValue, int]] = []

    def step(self, connection: sqlite3.Connection) -> bool:
        """Search the next window; return True if it was the last."""
        if self._window is None:
            self._window = self._first(connection)
        window, order = self._window, self._wanted.order
        direction = "DESC" if self._down else "ASC"
        conditions = self._conditions
        values: tuple[SortValue, ...] = self._values
        if len(self._best) == self._limit:  # nothing worse is sorted
            conditions += f" AND ({VALUES[order]}, key) {'>' if self._down else '<'} (?, ?)"
            values = (*values, *self._best[-1])
        rows = connection.execute(
            f"SELECT {VALUES[order]}, key FROM {window.source} WHERE {window.condition}"
            f" AND {conditions} ORDER BY 1 {direction}, 2 {direction} LIMIT ?",
            (*window.values, *values, self._limit),
        )
        found = sorted([*self._best, *rows], reverse=self._down)
        self._best = found[: self._limit]
        if window.order is order and len(self._best) == self._limit:
            return True
        return not window.advance(connection)

    def page(self, connection: sqlite3.Connection) -> FilePage:
        """Return the page that was found."""
        query = (
            f"SELECT key - ?, path, {COLUMNS} FROM outcomes JOIN found USING (key) WHERE key = ?"
        )
        found = (connection.execute(query, (self._low, key)).fetchone() for _, key in self._best)
        return FilePage.of((OutcomeRecord._make(row) for row in found if row), self._limit - 1)

    def _first(self, connection: sqlite3.Connection) -> "_KeyWindow | _PathWindow":
        """Return the first window, behind the file where the page before ended."""
        wanted = self._wanted
        position = None if self._after is None else self._position(connection, self._after)
        folder = b"" if "\ufffd" in wanted.folder else wanted.folder.encode()
        if wanted.order is FileOrder.PATH or folder:
            window: _KeyWindow | _PathWindow = _PathWindow(
                (self._low, self._high), folder, wanted.order, self._down
            )
        else:
            (last,) = connection.execute(
                "SELECT max(key) FROM outcomes WHERE key BETWEEN ? AND ?", (self._low, self._high)
            ).fetchone()
            window = _KeyWindow(self._low, last or self._low, wanted, self._down)
        if position is not None:
            if window.order is wanted.order:
                window.begin_behind(position)
            else:
                comparison = "<" if self._down else ">"
                self._conditions += f" AND ({VALUES[wanted.order]}, key) {comparison} (?, ?)"
                self._values = (*self._values, *position)
        return window

    def _position(self, connection: sqlite3.Connection, after: int) -> tuple[SortValue, int]:
        row: tuple[SortValue, int] | None = connection.execute(
            f"SELECT {VALUES[self._wanted.order]}, key"
            " FROM outcomes JOIN found USING (key) WHERE key = ? AND key <= ?",
            (self._low + after, self._high),
        ).fetchone()
        if row is None:
            raise InvalidRequestError({"after": f"{after}; it has to be the `next` of a page"})
        return row


class _KeyWindow:
    """A window of a session's numbers, in their order."""

    order = FileOrder.N

    def __init__(self, low: int, last: int, wanted: FileFilter, down: bool) -> None:
        plain = wanted.order is FileOrder.N and not (wanted.text or wanted.media_type)
        by_status = wanted.status == "error" or (wanted.status and plain)
        index = "outcomes_by_status" if by_status else "outcomes_listed"
        self.source = f"outcomes INDEXED BY {index}"
        if wanted.order is FileOrder.PATH or wanted.text or wanted.folder:
            self.source += " CROSS JOIN found USING (key)"
        self.condition = "key > ? AND key <= ?"
        self._size = WHOLE if plain else WINDOW
        self._down = down
        self._low, self._last = low, last
        self._move()

    @property
    def values(self) -> tuple[int, int]:
        return self._from, self._to

    def begin_behind(self, position: tuple[SortValue, int]) -> None:
        _, key = position
        if self._down:
            self._last = key - 1
        else:
            self._low = key
        self._move()

    def advance(self, _: sqlite3.Connection) -> bool:
        if self._down:
            self._last = self._from
        else:
            self._low = self._to
        self._move()
        return self._low < self._last

    def _move(self) -> None:
        if self._down:
            self._from, self._to = max(self._low, self._last - self._size), self._last
        else:
            self._from, self._to = self._low, min(self._low + self._size, self._last)


class _PathWindow:
    """A window of the paths of all sessions, in their order, of which one session's are taken."""

    order = FileOrder.PATH

    def __init__(self, keys: tuple[int, int], folder: bytes, order: FileOrder, down: bool) -> None:
        self._first: tuple[SortValue, int] = (folder and folder + b"/", 0)
        self._end: tuple[SortValue, int] = (folder + b"0" if folder else LAST_PATH, 0)
        self._keys = keys
        self._down = down and order is FileOrder.PATH
        direction = "DESC" if self._down else "ASC"
        self._size = min(FIRST_PATHS, WINDOW)
        self._part = (
            "SELECT path, key FROM found INDEXED BY found_by_path"
            " WHERE (path, key) > (?, ?) AND (path, key) < (?, ?)"
            f" ORDER BY path {direction}, key {direction} LIMIT ?"
        )
        self.source = f"({self._part}) CROSS JOIN outcomes USING (key)"
        self.condition = "key BETWEEN ? AND ?"

    @property
    def values(self) -> tuple[SortValue, ...]:
        return (*self._first, *self._end, self._size, *self._keys)

    def begin_behind(self, position: tuple[SortValue, int]) -> None:
        if self._down:
            self._end = position
        else:
            self._first = position

    def advance(self, connection: sqlite3.Connection) -> bool:
        last: tuple[SortValue, int] | None = connection.execute(
            f"SELECT path, key FROM ({self._part}) LIMIT 1 OFFSET ?",
            (*self._first, *self._end, self._size, self._size - 1),
        ).fetchone()
        self._size = min(4 * self._size, WINDOW)
        if last is not None:
            self.begin_behind(last)
        return last is not None


def find_outcome(connection: sqlite3.Connection, low: int, high: int, n: int) -> OutcomeRecord:
    """Return the outcome of file `n`; raise NotFoundError if it has none."""
    row = connection.execute(
        f"SELECT key - ?, path, {COLUMNS} FROM outcomes JOIN found USING (key)"
        " WHERE key = ? AND key <= ?",
        (low, low + n, high),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"no file {n} is finished in this session")
    return OutcomeRecord._make(row)


def _conditions(wanted: FileFilter) -> tuple[str, tuple[SortValue, ...]]:
    """Return the conditions of a filter in SQL, without the folder that a window covers."""
    conditions, values = ["1"], list[str]()
    if wanted.status:
        conditions.append("status = ?")
        values.append(wanted.status)
    if wanted.media_type:
        conditions.append(r"media_type LIKE ? ESCAPE '\'")
        kind = wanted.media_type
        values.append(_like(kind[:-1]) + "%" if kind.endswith("/*") else _like(kind))
    if wanted.text.isascii() and wanted.text:
        conditions.append(r"CAST(path AS TEXT) LIKE ? ESCAPE '\'")
        values.append(f"%{_like(wanted.text)}%")
    elif wanted.text:  # LIKE knows the case of ASCII only
        conditions.append("CAST(path AS TEXT) GLOB ?")
        values.append(f"*{''.join(map(_any_case, wanted.text))}*")
    if "\ufffd" in wanted.folder:
        conditions.append("CAST(path AS TEXT) GLOB ?")
        values.append(f"{''.join(map(_glob, wanted.folder))}/*")
    return " AND ".join(conditions), tuple(values)


def _like(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _glob(character: str) -> str:
    """Return the pattern of one character; U+FFFD stands for any byte that is not UTF-8."""
    if character == "\ufffd":
        return "?"
    return f"[{character}]" if character in "*?[" else character


def _any_case(character: str) -> str:
    cases = {character.lower(), character.upper()}
    if len(cases) == 1 or any(len(case) != 1 for case in cases):
        return _glob(character)
    return f"[{''.join(sorted(cases))}]"

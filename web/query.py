"""Reading the parameters of a query string."""

import re
from collections.abc import Collection, Mapping

from ingest.catalogue.records import FileFilter, FileOrder, SessionFilter
from ingest.report import STATUSES
from ingest.session import Status
from web.errors import UnprocessableError

NUMBER_DIGITS = 10
"""Digits of the number of a session or a file at most."""

TEXT_LIMIT = 1000
"""Characters of a text that is looked for in paths, which have 4,095 bytes at most."""

FILES_LIMIT = 500
"""Files in a page at most."""

FILES_LISTED = 100
"""Files in a page where no limit is given."""

MEDIA_TYPE = re.compile(r"[!-)+-.0-~]+/(\*|[!-)+-.0-~]+)")
"""Printable ASCII but for the two that have a meaning here: more than RFC 6838 allows."""


def session_filter(query: Mapping[str, str]) -> SessionFilter:
    """
    Read `before`, `q` and `state` of a list of sessions; `state` may name several, with commas.

    Raises:
        UnprocessableError: naming each parameter that is wrong.
    """
    before, states = query.get("before"), query.get("state")
    errors = {}
    if before is not None and not is_number(before, NUMBER_DIGITS):
        errors["before"] = f"{before!r}; it has to be the `next` of another page"
    named = [] if states is None else states.split(",")
    if not set(named) <= set(Status):
        errors["state"] = f"{states!r}; it is one or more of {', '.join(Status)}"
    _refuse(errors)
    return SessionFilter(
        None if before is None else int(before), query.get("q", ""), frozenset(map(Status, named))
    )


def file_filter(query: Mapping[str, str], *, sorted_: bool = True) -> FileFilter:
    """
    Read `status`, `q`, `type`, `folder` and, if `sorted_`, `sort` of a list of files.

    Raises:
        UnprocessableError: naming each parameter that is wrong.
    """
    sort = query.get("sort", "n") if sorted_ else "n"
    wrong = {
        "status": _not_in(query.get("status"), STATUSES),
        "sort": _not_in(sort.removeprefix("-"), [*FileOrder], f"{sort!r}"),
        "type": _check_type(query.get("type")),
        **{name: _check_text(query.get(name, "")) for name in ("q", "folder")},
    }
    _refuse(wrong)
    return FileFilter(
        query.get("status", ""),
        query.get("q", ""),
        query.get("type", ""),
        _folder(query.get("folder", "")),
        FileOrder(sort.removeprefix("-")),
        sort.startswith("-"),
    )


def page_of_files(query: Mapping[str, str]) -> tuple[int | None, int]:
    """
    Read `after` and `limit` of a page of files.

    Raises:
        UnprocessableError: naming each parameter that is wrong.
    """
    after, limit = query.get("after"), query.get("limit", str(FILES_LISTED))
    wrong: dict[str, str | None] = {}
    if after is not None and not is_number(after, NUMBER_DIGITS):
        wrong["after"] = f"{after!r}; it has to be the `next` of another page"
    if not is_number(limit, NUMBER_DIGITS) or not 1 <= int(limit) <= FILES_LIMIT:
        wrong["limit"] = f"{limit!r}; it has to be between 1 and {FILES_LIMIT}"
    _refuse(wrong)
    return None if after is None else int(after), int(limit)


def choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """
    Return a parameter that has to be one of `choices`, or None if it is not given.

    Raises:
        UnprocessableError: it is something else.
    """
    value = query.get(name)
    _refuse({name: _not_in(value, choices)})
    return value


def is_number(text: str, digits: int) -> bool:
    """Return whether `text` is a whole number with at most `digits` digits."""
    return text.isascii() and text.isdigit() and len(text) <= digits


def _refuse(messages: Mapping[str, str | None]) -> None:
    errors = {name: message for name, message in messages.items() if message}
    if errors:
        raise UnprocessableError("a parameter is wrong", fields=errors)


def _not_in(value: str | None, choices: Collection[str], given: str | None = None) -> str | None:
    if value is None or value in choices:
        return None
    return f"{given or repr(value)}; it is one of {', '.join(choices)}"


def _check_type(value: str | None) -> str | None:
    if value is None or MEDIA_TYPE.fullmatch(value):
        return None
    return f"{value!r}; it has to be a media type, such as image/png or image/*"


def _check_text(value: str) -> str | None:
    if "\0" in value:
        return "it has a NUL in it, which no path has"
    if len(value) > TEXT_LIMIT:
        return f"{len(value):,} characters; the limit is {TEXT_LIMIT:,}"
    return None


def _folder(path: str) -> str:
    """Return the path of a folder without `.` and slashes that change nothing."""
    return "/".join(name for name in path.split("/") if name not in ("", "."))

"""Reading the parameters of a query string."""

from collections.abc import Collection, Mapping

from ingest.catalogue.records import SessionFilter
from ingest.session import Status
from web.errors import UnprocessableError

NUMBER_DIGITS = 10
"""Digits of a session's number at most."""


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
    if errors:
        raise UnprocessableError("a parameter is wrong", fields=errors)
    return SessionFilter(
        None if before is None else int(before), query.get("q", ""), frozenset(map(Status, named))
    )


def choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """
    Return a parameter that has to be one of `choices`, or None if it is not given.

    Raises:
        UnprocessableError: it is something else.
    """
    value = query.get(name)
    if value is not None and value not in choices:
        message = f"{value!r}; it is one of {', '.join(choices)}"
        raise UnprocessableError("a parameter is wrong", fields={name: message})
    return value


def is_number(text: str, digits: int) -> bool:
    """Return whether `text` is a whole number with at most `digits` digits."""
    return text.isascii() and text.isdigit() and len(text) <= digits

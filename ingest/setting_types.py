"""The kinds of value that settings take: how each is read, and in which words it is asked for."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RETRY_LIMIT = 86_400_000
"""A day: a client that waits longer watches nothing."""

DATABASE_SCHEMES = ("postgresql://", "postgres://")
"""How the URL of a PostgreSQL database begins (PostgreSQL's manual, 34.1.1.2)."""

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/,\s]+")
"""What a browser sends as `Origin`; its `null`, and a `*`, would be everybody's page."""


@dataclass(frozen=True, slots=True)
class SettingType:
    """
    `convert` reads a value, or raises a ValueError, TypeError or OverflowError.

    `wanted` says in full what it takes, `short` in a word of a command line's help.
    """

    convert: Callable[[object], Any]
    wanted: str
    short: str


def _path(value: object) -> Path:
    if isinstance(value, str | os.PathLike) and "\0" not in os.fspath(value):
        return Path(value)
    raise ValueError(value)


def _database(value: object) -> Path | str:
    if isinstance(value, str) and value.startswith(DATABASE_SCHEMES):
        return value
    return _path(value)


def _count_or_zero(value: object) -> int:
    return 0 if value in ("0", 0) and not isinstance(value, bool) else _count(value)


def _count(value: object) -> int:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, int) and not isinstance(number, bool) and number >= 1:
        return number
    raise ValueError(value)


def _milliseconds(value: object) -> int:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= RETRY_LIMIT:
        return number
    raise ValueError(value)


def _duration(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        number = float(value)
        if 0 < number < float("inf"):
            return number
    raise ValueError(value)


def _duration_or_zero(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool) and float(value) == 0:
        return 0.0
    return _duration(value)


def _processor(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        module, colon, function = value.partition(":")
        if colon and all(p.isidentifier() for p in f"{module}.{function}".split(".")):
            return value
    raise ValueError(value)


def _delivery(value: object) -> str:
    if value in ("auto", "task"):
        return str(value)
    raise ValueError(value)


def _token(value: object) -> str | None:
    if value is None:
        return None
    if not value or not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ValueError(value)  # an empty one would open the service to everybody
    if value != value.strip():  # no header has spaces around its value: it could not be presented
        raise ValueError(value)
    return value


def _names(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, tuple | list) and all(isinstance(item, str) for item in items):
        return tuple(name for item in items if (name := item.strip().rstrip("/").lower()))
    raise ValueError(value)


def _hosts(value: object) -> tuple[str, ...]:
    hosts = _names(value)
    if any("/" in host for host in hosts):  # an address, of which no `Host` header has the scheme
        raise ValueError(value)
    return hosts


def _origins(value: object) -> tuple[str, ...]:
    origins = _names(value)
    if all(ORIGIN.fullmatch(origin) for origin in origins):
        return origins
    raise ValueError(value)


def _date(value: object) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise ValueError(value)


def _verify(value: object) -> str:
    if value in ("full", "header", "none"):
        return str(value)
    raise ValueError(value)


DELIVERY = SettingType(_delivery, "auto or task", "auto|task")
VERIFY = SettingType(_verify, "full, header or none", "full|header|none")
PATH = SettingType(_path, "a path", "PATH")
DATABASE = SettingType(
    _database, "a path, or the URL of a PostgreSQL database: postgresql://…", "PATH|URL"
)
COUNT_OR_0 = SettingType(_count_or_zero, "a whole number, 0 or more", "N")
COUNT = SettingType(_count, "a whole number of 1 or more", "N")
MILLISECONDS = SettingType(
    _milliseconds, "a whole number of milliseconds, from 0 to a day's 86400000", "MILLISECONDS"
)
SECONDS = SettingType(_duration, "a number of seconds above 0", "SECONDS")
SECONDS_OR_0 = SettingType(_duration_or_zero, "a number of seconds, 0 or more", "SECONDS")
FUNCTION = SettingType(_processor, "module:function", "MODULE:FUNCTION")
SECRET = SettingType(_token, "printable ASCII text, without spaces around it", "TEXT")
HOSTS = SettingType(_hosts, "host names with commas between them, such as example.org", "HOSTS")
ORIGINS = SettingType(
    _origins, "origins with commas between them, such as https://example.org", "ORIGINS"
)
DATE = SettingType(_date, "an ISO 8601 date, such as 2027-01-31", "DATE")

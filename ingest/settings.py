"""The settings: one frozen value, from keywords or from the environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.errors import SettingsError

PREFIX = "INGEST_"

RETRY_LIMIT = 86_400_000
"""A day: a client that waits longer watches nothing."""

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/,\s]+")
"""What a browser sends as `Origin`; its `null`, and a `*`, would be everybody's page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything that can be set; each field is read from `INGEST_` and its name in capitals.

    Times are seconds, except `retry`, which is the milliseconds that go over the wire.

    Raises:
        SettingsError: a value that cannot be used; its text is one line that says what can.

    """

    root: Path = Path()
    """The only tree that may be read; the working directory."""
    database: Path = Path("ingest.db")
    """The SQLite file of the catalogue."""
    workers: int = os.cpu_count() or 1
    """Worker processes; one for each core."""
    processor: str | None = None
    """`module:function`, what is done with each file; the built-in one."""
    file_timeout: float = 300.0
    """How long one file may take."""
    min_interval: float = 0.02
    """Least time between two frames of one session; 0 announces every change."""
    heartbeat: float = 15.0
    """Silence on a stream before a comment."""
    retry: int = 1000
    """Milliseconds that EventSource waits before it reconnects."""
    send_timeout: float = 30.0
    """How long a stream may go unread before it is dropped."""
    max_stream_age: float = 3600.0
    """Age at which a stream ends, for its client to reconnect; 0 is never."""
    max_sessions: int = 16
    """Sessions that may run at once."""
    max_streams: int = 20_000
    """Streams that may be open at once."""
    retention: float = 86_400.0
    """How long a finished session can be asked for."""
    token: str | None = None
    """What every request but `/healthz` has to present."""
    allowed_hosts: tuple[str, ...] = ("*",)
    """`Host` values that are answered."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call in."""
    polling_deprecated: datetime | None = None
    """Since when the `status` routes are deprecated."""
    polling_sunset: datetime | None = None
    """From when on the `status` routes answer 410."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _convert(field.name, value))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """
        Read the settings from `environ`, or `os.environ`; an empty value counts as none.

        Raises:
            SettingsError: naming the variable.
        """
        environ = os.environ if environ is None else environ
        names = {field.name for field in fields(cls)}
        given = {
            name: environ[variable]
            for name in names
            if (variable := PREFIX + name.upper()) in environ and environ[variable] != ""
        }
        return cls(**given)  # type: ignore[arg-type]  # each is converted and checked


def _path(value: object) -> Path:
    if isinstance(value, str | os.PathLike) and "\0" not in os.fspath(value):
        return Path(value)
    raise ValueError(value)


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


def _token(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ValueError(value)
    if value != value.strip():  # no header has spaces around its value: it could not be presented
        raise ValueError(value)
    return value or None


def _names(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, tuple | list) and all(isinstance(item, str) for item in items):
        return tuple(name for item in items if (name := item.strip().rstrip("/").lower()))
    raise ValueError(value)


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


_CONVERTERS: Mapping[str, tuple[Callable[[object], Any], str]] = {
    "root": (_path, "a path"),
    "database": (_path, "a path"),
    "workers": (_count, "a whole number of 1 or more"),
    "processor": (_processor, "module:function"),
    "file_timeout": (_duration, "a number of seconds above 0"),
    "min_interval": (_duration_or_zero, "a number of seconds, 0 or more"),
    "heartbeat": (_duration, "a number of seconds above 0"),
    "retry": (_milliseconds, "a whole number of milliseconds, from 0 to a day's 86400000"),
    "send_timeout": (_duration, "a number of seconds above 0"),
    "max_stream_age": (_duration_or_zero, "a number of seconds, 0 or more"),
    "max_sessions": (_count, "a whole number of 1 or more"),
    "max_streams": (_count, "a whole number of 1 or more"),
    "retention": (_duration_or_zero, "a number of seconds, 0 or more"),
    "token": (_token, "printable ASCII text, without spaces around it"),
    "allowed_hosts": (_names, "host names with commas between them"),
    "cors_origins": (_origins, "origins with commas between them, such as https://example.org"),
    "polling_deprecated": (_date, "an ISO 8601 date, such as 2027-01-31"),
    "polling_sunset": (_date, "an ISO 8601 date, such as 2027-06-30"),
}


def _convert(name: str, value: object) -> Any:
    convert, wanted = _CONVERTERS[name]
    try:
        return convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        shown = "a secret value" if name == "token" else repr(value)
        raise SettingsError(
            f"{PREFIX}{name.upper()} (--{name.replace('_', '-')}) is {shown}; it takes {wanted}"
        ) from error

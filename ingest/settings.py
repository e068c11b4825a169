"""The settings: one frozen value, from keywords or from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from ingest.cores import usable_cores
from ingest.errors import SettingsError
from ingest.setting_types import (
    COUNT,
    COUNT_OR_0,
    DATABASE,
    DATE,
    DELIVERY,
    FUNCTION,
    HOSTS,
    MILLISECONDS,
    ORIGINS,
    PATH,
    SECONDS,
    SECONDS_OR_0,
    SECRET,
    VERIFY,
    SettingType,
)

T = TypeVar("T")

PREFIX = "INGEST_"


def _setting(default: T, kind: SettingType, meaning: str) -> T:
    made: T = field(default=default, metadata={"kind": kind, "meaning": meaning})
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything that can be set; each field is read from `INGEST_` and its name in capitals.

    Raises:
        SettingsError: a value that cannot be used; its text is one line that says what can.

    """

    root: Path = _setting(Path(), PATH, "the only tree that may be read (the working directory)")
    database: Path | str = _setting(
        Path("ingest.db"),
        DATABASE,
        "the SQLite file of sessions and outcomes, or the postgresql:// URL of a database that "
        "many processes share (ingest.db)",
    )
    workers: int = _setting(
        usable_cores(),
        COUNT_OR_0,
        "worker processes; 0 is for a replica of a cluster (one for each core)",
    )
    processor: str | None = _setting(
        None, FUNCTION, "what is done with each file (the built-in processor)"
    )
    verify: Literal["full", "header", "none"] = _setting(
        "full", VERIFY, "how far the built-in processor looks at an image: full decodes it (full)"
    )
    max_pixels: int = _setting(
        89_478_485, COUNT, "pixels of an image that is decoded, at most (89478485)"
    )
    file_timeout: float = _setting(300.0, SECONDS, "how long one file may take (300)")
    min_interval: float = _setting(
        0.02, SECONDS_OR_0, "between two events of a session; 0 sends every change (0.02)"
    )
    heartbeat: float = _setting(15.0, SECONDS, "silence on a stream before a comment (15)")
    delivery: Literal["auto", "task"] = _setting(
        "auto", DELIVERY, "task: every stream is written by its own task (auto)"
    )
    retry: int = _setting(
        1000, MILLISECONDS, "how long EventSource waits before it reconnects (1000)"
    )
    send_timeout: float = _setting(
        30.0, SECONDS, "how long a stream may go unread before it is cut (30)"
    )
    max_stream_age: float = _setting(
        3600.0, SECONDS_OR_0, "after which a stream ends, for its client to reconnect; 0 is never "
        "(3600)",
    )  # fmt: skip
    max_sessions: int = _setting(16, COUNT, "sessions that may run at once (16)")
    max_streams: int = _setting(20_000, COUNT, "streams that may be open at once (20000)")
    retention: float = _setting(
        86_400.0, SECONDS_OR_0, "how long a finished session can be asked for (86400)"
    )
    token: str | None = _setting(
        None, SECRET, "what every request but /healthz has to present (none); safer in INGEST_TOKEN"
    )
    allowed_hosts: tuple[str, ...] = _setting(
        ("*",), HOSTS, "Host headers that are answered (* is all)"
    )
    cors_origins: tuple[str, ...] = _setting(
        (), ORIGINS, "origins whose pages may use the API (none)"
    )
    polling_deprecated: datetime | None = _setting(
        None, DATE, "since when the status routes are deprecated (never)"
    )
    polling_sunset: datetime | None = _setting(
        None, DATE, "from when on the status routes answer 410 (never)"
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = _convert(each.name, each.metadata["kind"], getattr(self, each.name))
            object.__setattr__(self, each.name, value)
        if not self.workers and not self.clustered:
            raise SettingsError(
                "INGEST_WORKERS (--workers) is 0; it takes a whole number of 1 or more, and 0 only "
                "where other hosts have workers (INGEST_DATABASE=postgresql://…)"
            )

    @property
    def clustered(self) -> bool:
        """Whether the database is one that many processes share."""
        return isinstance(self.database, str)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """
        Read the settings from `environ`, or `os.environ`; an empty value counts as none.

        An empty token is refused.

        Raises:
            SettingsError: naming the variable.
        """
        environ = os.environ if environ is None else environ
        if environ.get(f"{PREFIX}TOKEN") == "":
            raise SettingsError(
                f"{PREFIX}TOKEN is empty, which would open the service to everybody; set a token, "
                "or unset the variable"
            )
        given = {
            each.name: environ[variable]
            for each in fields(cls)
            if environ.get(variable := PREFIX + each.name.upper(), "") != ""
        }
        return cls(**given)  # type: ignore[arg-type]  # each is converted and checked

    @classmethod
    def explained(cls) -> dict[str, tuple[str, str]]:
        """Return for each setting the kind of its value, its meaning and default."""
        return {
            each.name: (each.metadata["kind"].short, each.metadata["meaning"])
            for each in fields(cls)
        }


def _convert(name: str, kind: SettingType, value: object) -> Any:
    try:
        return kind.convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        written = "a secret value" if kind is SECRET else repr(value)
        names = f"{PREFIX}{name.upper()} (--{name.replace('_', '-')})"
        raise SettingsError(f"{names} is {written}; it takes {kind.wanted}") from error

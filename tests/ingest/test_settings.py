"""The settings: what is read, what is refused, and in what words."""

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SettingsError
from ingest.settings import Settings

GIVEN = {
    "root": ("/srv/inbox", Path("/srv/inbox")),
    "database": ("/var/ingest.db", Path("/var/ingest.db")),
    "workers": ("3", 3),
    "processor": ("package.module:Class.method", "package.module:Class.method"),
    "file_timeout": ("1.5", 1.5),
    "min_interval": ("0.0", 0.0),
    "heartbeat": ("5", 5.0),
    "delivery": ("task", "task"),
    "verify": ("header", "header"),
    "max_pixels": ("1000000", 1_000_000),
    "retry": ("0", 0),
    "send_timeout": ("1e1", 10.0),
    "max_stream_age": ("0", 0.0),
    "max_sessions": ("1", 1),
    "max_streams": ("7", 7),
    "retention": ("60", 60.0),
    "token": ("s3cret", "s3cret"),
    "allowed_hosts": ("A.example, b.example:80 ,", ("a.example", "b.example:80")),
    "cors_origins": ("https://A.example/", ("https://a.example",)),
    "polling_deprecated": ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
    "polling_sunset": ("2027-06-30T12:00:00+00:00", datetime(2027, 6, 30, 12, tzinfo=UTC)),
}

REFUSED = [
    ("root", "a\0b"),
    ("workers", "0"),
    ("workers", "two"),
    ("workers", True),
    ("workers", 1.0),
    ("processor", "module"),
    ("processor", "module:"),
    ("processor", "a b:c"),
    ("file_timeout", "0"),
    ("file_timeout", "nan"),
    ("file_timeout", "inf"),
    ("file_timeout", None),
    ("min_interval", "-0.1"),
    ("min_interval", "nan"),
    ("min_interval", False),
    ("heartbeat", "0"),
    ("delivery", "direct"),
    ("verify", "half"),
    ("max_pixels", "0"),
    ("heartbeat", "-1"),
    ("retry", "-1"),
    ("retry", "1.5"),
    ("send_timeout", "0"),
    ("max_stream_age", "-1"),
    ("max_sessions", "0"),
    ("max_streams", "9" * 5000),
    ("retention", "1 day"),
    ("token", "g\xfcnther"),
    ("token", "two\nlines"),
    ("token", " t"),
    ("retry", 86_400_001),
    ("cors_origins", "*"),
    ("cors_origins", "https://a, example.org"),
    ("cors_origins", "null"),
    ("allowed_hosts", 5),
    ("cors_origins", [b"x"]),
    ("polling_deprecated", "soon"),
    ("polling_sunset", "2027-13-01"),
]


def test_every_setting_is_read_from_its_variable() -> None:
    """Each field bears its name in capitals behind `INGEST_`; none is left out here."""
    environ = {f"INGEST_{name.upper()}": text for name, (text, _) in GIVEN.items()}
    settings = Settings.from_env(environ)
    assert dataclasses.asdict(settings) == {name: value for name, (_, value) in GIVEN.items()}


def test_empty_variables_and_others_count_for_nothing() -> None:
    """An empty variable is the default, and what is not ours is not looked at."""
    assert Settings.from_env({"INGEST_WORKERS": "", "WORKERS": "x"}) == Settings()


def test_environment_is_that_of_the_process_if_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`Settings.from_env()` reads `os.environ`, when it is called."""
    monkeypatch.setenv("INGEST_WORKERS", "3")
    assert Settings.from_env().workers == 3


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_does_not_parse_is_told_in_one_line(name: str, value: Any) -> None:
    """The line names the variable and the flag, and says what would do."""
    with pytest.raises(SettingsError) as told:
        Settings(**{name: value})
    variable, flag = f"INGEST_{name.upper()}", f"--{name.replace('_', '-')}"
    assert re.fullmatch(rf"{variable} \({flag}\) is .+; it takes .+", str(told.value))


def test_token_that_is_refused_is_not_shown() -> None:
    """A secret does not get into the log because of a stray character in it."""
    with pytest.raises(SettingsError) as told:
        Settings(token="hunter2\n")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("name", ["min_interval", "max_stream_age", "retention"])
def test_zero_is_zero_however_it_is_written(name: str) -> None:
    """`0`, `0.0` and `00` are one number."""
    zeros: list[Any] = ["0", "0.0", "00", 0, 0.0]
    assert [getattr(Settings(**{name: zero}), name) for zero in zeros] == [0.0] * len(zeros)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_url_of_a_shared_database_stays_text(scheme: str) -> None:
    """A Path would lose one of the two slashes; workers may be none, as other hosts have some."""
    settings = Settings(database=f"{scheme}://ingest@db/ingest", workers=0)
    assert (settings.database, settings.clustered) == (f"{scheme}://ingest@db/ingest", True)


def test_path_is_a_database_of_one_process() -> None:
    """A path that merely looks like a URL is a path."""
    assert not Settings(database="postgresql:/x").clustered


def test_settings_cannot_be_changed() -> None:
    """A setting that was checked stays as it was checked."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().workers = 0  # type: ignore[misc]


def test_empty_token_is_refused() -> None:
    """A variable that was meant to have a token, and is empty, does not open the service."""
    with pytest.raises(SettingsError, match="INGEST_TOKEN is empty"):
        Settings.from_env({"INGEST_TOKEN": ""})
    with pytest.raises(SettingsError, match="INGEST_TOKEN"):
        Settings(token="")
    assert Settings.from_env({}).token is None

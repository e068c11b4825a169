"""What the command line takes from the environment: settings, the token, a place for state."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ingest import Settings, SettingsError


def settings_of(flags: Mapping[str, str | None]) -> Settings:
    """
    Return the settings: each flag that was given, and the environment for the others.

    Raises:
        SettingsError: a value cannot be used.
    """
    given = {f"INGEST_{name.upper()}": value for name, value in flags.items() if value is not None}
    return Settings.from_env({**os.environ, **given})


def environment_of(flags: Mapping[str, str | None], names: Sequence[str]) -> dict[str, str]:
    """Return the flags that were given, of those `names`, as variables for a child process."""
    given = {name: flags.get(name) for name in names}
    return {f"INGEST_{name.upper()}": value for name, value in given.items() if value is not None}


def value_of(name: str, flag: str | None) -> str | None:
    """Return the flag's value, or the environment's, or None if neither is set."""
    return flag or os.environ.get(f"INGEST_{name.upper()}")


def state_database(root: str) -> str:
    """
    Return the path of the catalogue for `root` in the user's state folder, which is created.

    The folder is `$XDG_STATE_HOME` or `~/.local/state`
    (https://specifications.freedesktop.org/basedir-spec/latest/).

    Raises:
        SettingsError: the folder cannot be created.
    """
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = state / "ingest-stream"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cannot create {folder}: {error.strerror}; name a file with --database"
        ) from error
    digest = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()
    return str(folder / f"{digest[:16]}.db")

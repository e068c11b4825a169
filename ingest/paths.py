"""Paths below the ingest root: which file or directory is meant, and how it is written as text."""

import os
import unicodedata
from pathlib import Path

from ingest.errors import ForbiddenError, InvalidRequestError, NotFoundError, check_shortage


def display_path(path: bytes) -> str:
    """Return a path as text, with U+FFFD for each byte that is not UTF-8, as JSON requires."""
    return path.decode("utf-8", "replace")


def match_text(path: bytes) -> str:
    """
    Return a path as text that patterns are compared with: UTF-8 whatever the locale, composed.

    File systems keep "é" as one character or as two; patterns are in Unicode's composed form (NFC).
    """
    if path.isascii():
        return path.decode("ascii")
    return unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape"))


def locate(root: str, path: bytes) -> str:
    """Return the full path of a file below `root`; bytes that are not UTF-8 survive (PEP 383)."""
    return f"{root.rstrip('/')}/{os.fsdecode(path)}"


def resolve(root: Path, directory: str) -> bytes:
    """
    Return the path of `directory` relative to `root`, with links resolved; `.` is the root.

    A folder whose name is not UTF-8 can be given by its display path.

    Raises:
        ForbiddenError: the directory is outside the root, or the service may not read it.
        NotFoundError: the directory does not exist.
        InvalidRequestError: the path is empty, contains NUL, or names a file.
        ShortageError: the service has no descriptor left to look at it.
    """
    if not directory or "\0" in directory:
        raise InvalidRequestError(
            {"directory": "must not be empty or contain NUL; '.' is the ingest root"}
        )
    base = os.path.realpath(root)
    wanted = _real_names(base, directory) if "\ufffd" in directory else directory
    try:
        target = os.path.realpath(os.path.join(base, wanted))
    except (OSError, ValueError) as error:
        raise NotFoundError(f"no such directory below the ingest root: {directory!r}") from error
    if os.path.commonpath((base, target)) != base:
        raise ForbiddenError(f"directory is outside the ingest root: {directory!r}")
    try:
        with os.scandir(target):
            pass
    except NotADirectoryError as error:
        raise InvalidRequestError({"directory": f"not a directory: {directory!r}"}) from error
    except PermissionError as error:
        raise ForbiddenError(f"permission denied to read directory: {directory!r}") from error
    except OSError as error:
        check_shortage(error)
        raise NotFoundError(f"no such directory below the ingest root: {directory!r}") from error
    return os.fsencode(os.path.relpath(target, base))


def _real_names(base: str, directory: str) -> str:
    """Return `directory` with the real name of each folder that is given by its display path."""
    found = ""
    for name in directory.split("/"):
        real = name
        if "\ufffd" in name and not os.path.lexists(os.path.join(base, found, name)):
            try:
                names = sorted(os.listdir(os.path.join(base, found)))
            except OSError as error:
                check_shortage(error)
            else:
                real = next((n for n in names if display_path(os.fsencode(n)) == name), name)
        found = f"{found}{real}/"
    return found

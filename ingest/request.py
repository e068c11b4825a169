"""What a session is asked to do: the fields of a start request, checked."""

import fnmatch
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson

from ingest.errors import InvalidRequestError

PATTERN_LIMIT = 1000
"""Characters of a pattern: far more than people type, and short to match."""

EXCLUDE_LIMIT = 100
"""Patterns to exclude, each of at most PATTERN_LIMIT characters."""

EXCLUDE_CHARACTERS = 10_000
"""Characters of all patterns to exclude: they are in every snapshot."""

PARAMS_LIMIT = 16 * 1024
"""Bytes of `params` as JSON: they travel to a worker with each batch."""

RETRIES = ("failed", "unfinished", "both")
"""Which files of a session can be retried."""

NAME_LIMIT = 200
"""Characters of a session's name: it is in every snapshot."""

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates, which no page, log or terminal should get in a name."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no name can have in it, and what cannot be written as UTF-8."""

MAX_FILES_LIMIT = 2**53
"""Up to here every reader of JSON takes the number for what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """
    One ingest that somebody asks for.

    Raises:
        InvalidRequestError: naming every field that has a wrong value, all at once.
    """

    directory: str = "."
    pattern: str = "*"
    recursive: bool = True
    exclude: tuple[str, ...] = ()
    one_file_system: bool = False
    max_files: int | None = None
    retry_of: str | None = None
    retry: str = "failed"
    skip_existing: bool = False
    name: str | None = None
    params: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        errors = {
            name: message
            for name, message in (
                ("directory", _check_directory(self.directory)),
                ("pattern", _check_pattern(self.pattern)),
                ("recursive", _check_boolean(self.recursive)),
                ("exclude", _check_exclude(self.exclude)),
                ("one_file_system", _check_boolean(self.one_file_system)),
                ("max_files", _check_max_files(self.max_files)),
                ("retry_of", _check_retry_of(self.retry_of)),
                ("retry", _check_retry(self.retry)),
                ("skip_existing", _check_boolean(self.skip_existing)),
                ("name", _check_name(self.name)),
                ("params", _check_params(self.params)),
            )
            if message
        }
        if errors:
            raise InvalidRequestError(errors)
        object.__setattr__(self, "exclude", tuple(self.exclude))  # a list, where it was JSON

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> "IngestRequest":
        """
        Return a request from fields by name; reject unknown fields.

        Raises:
            InvalidRequestError: naming every bad and every unknown field.
        """
        names = [field.name for field in fields(cls)]
        errors = {
            name: f"unknown field; there are {', '.join(names)}"
            for name in given
            if name not in names
        }
        try:
            request = cls(**{name: given[name] for name in names if name in given})
        except InvalidRequestError as error:
            errors = {**error.fields, **errors}
        if errors:
            raise InvalidRequestError(errors)
        return request

    def to_mapping(self) -> dict[str, Any]:
        """Return all fields by name, as JSON has them."""
        return {**asdict(self), "exclude": list(self.exclude)}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "IngestRequest":
        """Return a request that was recorded; ignore fields of a newer version."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in names})

    def to_public(self) -> dict[str, Any]:
        """Return the fields that a snapshot shows as `request`."""
        public = self.to_mapping()
        del public["name"], public["params"]
        return public

    def matcher(self) -> re.Pattern[str] | None:
        """Compile `pattern` for whole names in composed form (NFC); None takes every name."""
        globs = _globs(unicodedata.normalize("NFC", self.pattern))
        if "*" in globs:
            return None
        return re.compile("|".join(map(fnmatch.translate, globs)), re.IGNORECASE)


def _globs(pattern: str) -> list[str]:
    return [stripped for glob in pattern.split("|") if (stripped := glob.strip())]


def _check_directory(value: object) -> str | None:
    if not isinstance(value, str):
        return f"{_type(value)}; it has to be text, a directory below the ingest root"
    if not value or "\0" in value:
        return "empty, or with a NUL in it; '.' is the ingest root"
    return None


def _check_pattern(value: object) -> str | None:
    if not isinstance(value, str):
        return f"{_type(value)}; it has to be text, such as *.jpg|*.png"
    if not _globs(value):
        return "empty; * takes every file"
    if len(value) > PATTERN_LIMIT:
        return f"{len(value):,} characters; the limit is {PATTERN_LIMIT:,}"
    return None


def _check_boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else f"{_type(value)}; it has to be true or false"


def _check_exclude(value: object) -> str | None:
    if not isinstance(value, list | tuple):
        return f'{_type(value)}; it has to be a list of patterns, such as [".git/", "*.tmp"]'
    if len(value) > EXCLUDE_LIMIT:
        return f"{len(value):,} patterns; the limit is {EXCLUDE_LIMIT}"
    if error := next(filter(None, map(_check_excluded, value)), None):
        return error
    characters = sum(map(len, value))
    if characters > EXCLUDE_CHARACTERS:
        return f"{characters:,} characters in all; the limit is {EXCLUDE_CHARACTERS:,}"
    return None


def _check_excluded(pattern: object) -> str | None:
    if not isinstance(pattern, str):
        return f"{_type(pattern)} in the list; every pattern has to be text"
    if len(pattern) > PATTERN_LIMIT:
        return f"a pattern of {len(pattern):,} characters; the limit is {PATTERN_LIMIT:,}"
    if UNSTORABLE.search(pattern):
        return f"{pattern!r} has a NUL or a lone surrogate in it; no name has them"
    return None


def _check_name(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return f"{_type(value)}; it has to be text, or null"
    if len(value) > NAME_LIMIT:
        return f"{len(value):,} characters; the limit is {NAME_LIMIT}"
    if CONTROLS.search(value):
        return "it has control characters; only printed text is taken"
    return None


def _check_max_files(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{_type(value)}; it has to be a whole number of 1 or more, or null"
    if 1 <= value <= MAX_FILES_LIMIT:
        return None
    return f"{value}; it has to be between 1 and {MAX_FILES_LIMIT}, or null"


def _check_retry_of(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return None
    return f"{_type(value)}; it has to be a session's id, or null"


def _check_retry(value: object) -> str | None:
    if isinstance(value, str) and value in RETRIES:
        return None
    given = repr(value) if isinstance(value, str) else _type(value)
    return f"{given}; it is one of {', '.join(RETRIES)}"


def _check_params(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return f"{_type(value)}; it has to be an object, or null"
    try:
        size = len(orjson.dumps(value))
    except TypeError as error:
        return f"it is not JSON: {error}"
    return f"{size:,} bytes; the limit is {PARAMS_LIMIT:,}" if size > PARAMS_LIMIT else None


def _type(value: object) -> str:
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", dict: "an object",
             list: "a list", type(None): "null"}  # fmt: skip
    return names.get(type(value), type(value).__name__)

"""What became of one file, and the check of what a processor returned."""

import inspect
import math
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import orjson

from ingest.context import ProcessContext
from ingest.errors import MessageError
from ingest.session import COUNTER_LIMIT

SURROGATES = re.compile("[\ud800-\udfff]")

RESERVED = frozenset({"done", "skipped_existing", "errors"})
"""Counters of the session's own, which no processor may count."""

MAPPING = (dict, Mapping)
"""Types of mappings; the most frequent one first, as a check of an abstract class is slower."""

METADATA_LIMIT = 16 * 1024 * 1024
"""
Characters of one file's metadata as JSON, its hash and its media type included.

Far more than any file says of itself, and far less than the 1,000,000,000 bytes that SQLite takes:
what it refuses ends the session. A batch, which is bounded by time, holds a few of them at most.
"""

MESSAGE_LIMIT = 500
"""Characters of an error's message or of a warning: ten errors travel in every snapshot."""

CONTROLS = re.compile("[\x00-\x1f\x7f]+")

STRICT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
"""What is not JSON is refused, not turned into something like it."""


class OutcomeError(MessageError):
    """A processor returned what cannot be recorded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a processor found in one file.

    `metadata` is any mapping that JSON can hold: its `sha256` and `media_type`, where these are
    text, become columns of the report, the rest stands there under `metadata`. `counters` are
    whole numbers that are added to the session's `stats`. `warning` is what is wrong with a file
    that is done all the same; only its first 500 characters are recorded.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    warning: str | None = None


class ProcessingError(MessageError):
    """
    A processor raises this for a file that is an error, with what is known of the file.

    The text is the error; `outcome` is recorded beside it, except for its counters.
    """

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome or Outcome()


Returned: TypeAlias = Outcome | Mapping[str, Any] | None
PathProcessor: TypeAlias = Callable[[Path], Returned]
Processor: TypeAlias = PathProcessor | Callable[[Path, ProcessContext], Returned]
AsyncProcessor: TypeAlias = (
    Callable[[Path], Awaitable[Returned]] | Callable[[Path, ProcessContext], Awaitable[Returned]]
)


class OutcomeRecord(NamedTuple):
    """
    What is recorded of a file: one type from the worker over the catalogue to the report.

    `n` and `path` are the file's number in its session and its path below the root. The other
    fields are columns of the catalogue and of the report. `status` is done, skipped or error;
    `modified` is in nanoseconds; `metadata` and `counters` are JSON; `warning` is what is wrong
    with a file that is done all the same.
    """

    n: int
    path: bytes
    status: str
    error: str | None = None
    size: int | None = None
    modified: int | None = None
    sha256: str | None = None
    media_type: str | None = None
    metadata: str | None = None
    counters: str | None = None
    warning: str | None = None


PAGE_CHARACTERS = 256 * 1024
"""Characters of metadata and messages in a page of records, to which one record is added."""


def first_page(records: Iterable[OutcomeRecord]) -> list[OutcomeRecord]:
    """Return the first records, up to the one that exceeds PAGE_CHARACTERS."""
    page = []
    characters = 0
    for record in records:
        page.append(record)
        characters += len(record.metadata or "") + len(record.error or "")
        if characters > PAGE_CHARACTERS:
            break
    return page


class ValidatedOutcome(NamedTuple):
    """An outcome in the form in which it is recorded; `metadata` is JSON."""

    sha256: str | None
    media_type: str | None
    metadata: str
    counters: Mapping[str, int]
    warning: str | None = None


def check(returned: object, size: int) -> ValidatedOutcome:
    """
    Turn what a processor returned into what is recorded.

    A processor that does not count `bytes` and `metadata_extracted` itself has them counted:
    the file's size, and 1 where there is metadata.

    Raises:
        OutcomeError: what is to be recorded is not JSON, a counter is not a whole number, or the
            warning is not text.
    """
    if returned is None:
        returned = Outcome()
    elif not isinstance(returned, Outcome):
        if isinstance(returned, Coroutine):
            returned.close()  # otherwise Python warns that it was never awaited
            raise OutcomeError(
                "the processor returned a coroutine and cannot be seen to be async; "
                "give one that is defined by `async def`"
            )
        if not isinstance(returned, Mapping):
            raise OutcomeError(
                f"the processor returned {_kind(returned)}; it may return an "
                "Outcome, a mapping or None"
            )
        returned = Outcome(returned)
    if not isinstance(returned.metadata, MAPPING) or not isinstance(returned.counters, MAPPING):
        raise OutcomeError("an Outcome's metadata and counters have to be mappings")
    if not isinstance(returned.warning, str | None):
        raise OutcomeError(f"an Outcome's warning is {_kind(returned.warning)}; it has to be text")
    metadata = dict(returned.metadata)
    sha256 = _lift(metadata, "sha256")
    media_type = _lift(metadata, "media_type")
    counters = {"bytes": size, "metadata_extracted": int(bool(metadata))}
    for name, value in returned.counters.items():
        counters[_counter_name(name)] = _counter_value(name, value)
    return checked(sha256, media_type, metadata, counters, returned.warning)


def checked(
    sha256: str | None,
    media_type: str | None,
    metadata: dict[str, Any],
    counters: dict[str, int],
    warning: str | None = None,
) -> ValidatedOutcome:
    """
    Encode what is known to be sound but for its metadata.

    Raises:
        OutcomeError: the metadata is not JSON, or too large.
    """
    encoded = _encode(metadata)
    length = len(encoded) + len(sha256 or "") + len(media_type or "")
    if length > METADATA_LIMIT:
        raise OutcomeError(
            f"the processor's metadata is {length:,} characters of JSON; "
            f"the limit is {METADATA_LIMIT:,}"
        )
    warning = one_line(warning) if warning else None
    return ValidatedOutcome(sha256, media_type, encoded, counters, warning)


def known_of(error: BaseException, size: int) -> ValidatedOutcome | None:
    """Return what is to be recorded of a file beside its error; None if nothing can be."""
    if not isinstance(error, ProcessingError):
        return None
    try:
        return check(error.outcome, size)
    except Exception:  # noqa: BLE001 - a processor's mapping may raise anything when it is read
        return None


def is_async(process: Callable[..., Any]) -> bool:
    """Return whether `process`, a function or a callable object, returns a coroutine."""
    call = getattr(process, "__call__", None)  # noqa: B004 - the method itself is looked at
    return inspect.iscoroutinefunction(process) or inspect.iscoroutinefunction(call)


def scrub(text: str) -> str:
    """Return `text` with U+FFFD for each lone surrogate, which orjson refuses."""
    return text if text.isascii() else SURROGATES.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return `text` as one line of at most `MESSAGE_LIMIT` characters, without controls."""
    text = scrub(CONTROLS.sub(" ", text))
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _lift(metadata: dict[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    if isinstance(value, str):
        del metadata[name]
        return scrub(value)
    return None


def _counter_name(name: object) -> str:
    if not isinstance(name, str) or name in RESERVED:
        raise OutcomeError(
            f"{name!r} cannot be a counter's name: text, and none of " + ", ".join(sorted(RESERVED))
        )
    return scrub(str.__str__(name))  # of a subclass, an enum's say, the text alone


def _counter_value(name: object, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > COUNTER_LIMIT:
        raise OutcomeError(f"the counter {name!r} is {value!r}; it has to be a whole number")
    return int(value)


def _encode(metadata: dict[str, Any]) -> str:
    try:
        encoded = orjson.dumps(metadata, option=STRICT)
    except TypeError:
        try:
            # A name that is not UTF-8, copied into the metadata, is not a reason to fail the file.
            encoded = orjson.dumps(_scrub_any(metadata), option=STRICT)
        except (TypeError, RecursionError) as error:
            raise OutcomeError(f"the processor's metadata is not JSON: {error}") from None
    if b"null" in encoded and _has_nan(metadata):
        raise OutcomeError("the processor's metadata is not JSON: a number is not finite")
    return encoded.decode()


def _scrub_any(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {_scrub_any(key): _scrub_any(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub_any(item) for item in value]
    return value


def _has_nan(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_nan(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_has_nan(item) for item in value)


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"

"""What a processor may return, and in what words the rest is refused."""

import functools
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from ingest.outcome import METADATA_LIMIT, Outcome, OutcomeError, check, is_async


class Name(StrEnum):
    PAGES = "pages"


class Number(IntEnum):
    TWO = 2


class Rows(Mapping[str, int]):
    """A mapping that is not a dict, as returned by database drivers."""

    def __getitem__(self, key: str) -> int:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"in": value}
    return value


def test_warning_has_to_be_text() -> None:
    """A warning that is not text is refused with its type."""
    with pytest.raises(OutcomeError, match="warning is a value of type int"):
        check(Outcome(warning=7), 1)  # type: ignore[arg-type]
    assert check(Outcome(warning="odd"), 1).warning == "odd"
    assert check(Outcome(warning=""), 1).warning is None


def test_coroutine_is_refused_with_what_to_do() -> None:
    """A lambda around an async function does not look async; what it gave is not left unawaited."""

    async def process() -> None: ...

    with pytest.raises(OutcomeError, match="async def"):
        check(process(), 1)


@pytest.mark.parametrize(
    ("returned", "metadata"),
    [
        (None, {}),
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        (Outcome({"a": [1, None, "x"]}), {"a": [1, None, "x"]}),
        (Rows(), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        ({"null": None, "text": "null"}, {"null": None, "text": "null"}),
    ],
)
def test_nothing_a_mapping_and_an_outcome_are_taken(returned: object, metadata: object) -> None:
    """All three forms give metadata, and count the bytes and whether there was any."""
    checked = check(returned, 7)
    assert orjson.loads(checked.metadata) == metadata
    assert checked.counters == {"bytes": 7, "metadata_extracted": int(bool(metadata))}


@pytest.mark.parametrize("returned", ["text", b"bytes", 5, True, [1], {1, 2}, object()])
def test_what_is_no_mapping_is_refused_by_its_type(returned: object) -> None:
    """A list of pairs, a text or a number is the file's error, and named."""
    with pytest.raises(OutcomeError, match=f"type {type(returned).__name__};"):
        check(returned, 0)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        [{"deep": -math.inf}],
        {1, 2},
        b"bytes",
        datetime(2027, 1, 1, tzinfo=UTC),
        Path("x"),
        object(),
        2**64,
        nested(300),
        nested(100_000),
        {5: "a key that is not text"},
    ],
)
def test_what_is_not_json_is_the_files_error(value: object) -> None:
    """Nothing is turned into something like it, and nothing raises anything else."""
    with pytest.raises(OutcomeError, match="not JSON"):
        check({"value": value}, 0)


@pytest.mark.parametrize("name", ["text", "sha256", "media_type"])
def test_metadata_of_a_length_that_cannot_be_recorded_is_the_files_error(name: str) -> None:
    """It would end the session; what becomes a column of its own counts, too."""
    check({name: "x" * (METADATA_LIMIT - 100)}, 0)
    with pytest.raises(OutcomeError, match="characters of JSON; the limit is 16,777,216"):
        check({name: "x" * METADATA_LIMIT}, 0)


def test_outcome_of_other_than_mappings_is_refused() -> None:
    """Also where the fields of an Outcome are something else."""
    for outcome in (Outcome([("a", 1)]), Outcome({}, [("a", 1)])):  # type: ignore[arg-type]
        with pytest.raises(OutcomeError, match="mappings"):
            check(outcome, 0)


def test_names_that_are_not_utf8_are_shown_with_a_replacement() -> None:
    """Lone surrogates in keys, values and depths are no reason to lose a file."""
    checked = check({"a\udcff": ["b\udcff", {"c\udcff": ("\udcff",)}], "sha256": "d\udcff"}, 0)
    assert orjson.loads(checked.metadata) == {"a\ufffd": ["b\ufffd", {"c\ufffd": ["\ufffd"]}]}
    assert checked.sha256 == "d\ufffd"


def test_only_text_is_lifted_out_of_the_metadata() -> None:
    """A `sha256` that is a number stays where the processor put it."""
    checked = check({"sha256": 5, "media_type": "text/plain", "x": 1}, 0)
    assert (checked.sha256, checked.media_type) == (None, "text/plain")
    assert orjson.loads(checked.metadata) == {"sha256": 5, "x": 1}


@pytest.mark.parametrize("name", ["done", "skipped_existing", "errors", 5, None])
def test_counter_of_the_sessions_own_is_refused(name: Any) -> None:
    """A processor cannot count files done, nor use a name that is not text."""
    with pytest.raises(OutcomeError, match="cannot be a counter's name"):
        check(Outcome({}, {name: 1}), 0)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 2**53, -(2**53), math.nan])
def test_counter_that_is_no_whole_number_is_refused(value: Any) -> None:
    """A boolean is none either, nor what JavaScript cannot tell from its neighbour."""
    with pytest.raises(OutcomeError, match=r"'pages'.*whole number"):
        check(Outcome({}, {"pages": value}), 0)


def test_counters_of_a_processor_replace_those_counted_for_it() -> None:
    """Bytes counted by the processor are not counted again; names are plain text."""
    counters = {"bytes": 1, "metadata_extracted": 0, Name.PAGES: Number.TWO, "b\udcff": -3}
    checked = check(Outcome({"a": 1}, counters), 99)
    assert orjson.loads(orjson.dumps(checked.counters)) == {
        "bytes": 1, "metadata_extracted": 0, "pages": 2, "b\ufffd": -3,
    }  # fmt: skip


def test_async_processors_are_known_in_all_their_forms() -> None:
    """A function, a method, an object that is called, and one with arguments bound."""

    async def function(path: Path) -> None: ...

    class Object:
        async def __call__(self, path: Path) -> None: ...

        async def method(self, path: Path) -> None: ...

    forms: list[Any] = [function, Object(), Object().method, functools.partial(function)]
    assert all(is_async(form) for form in forms)
    others: list[Any] = [Outcome, Path.lstat]
    assert not any(is_async(form) for form in others)

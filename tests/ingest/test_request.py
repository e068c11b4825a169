"""A start request: which fields are taken, and which names a pattern matches."""

import os
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import InvalidRequestError
from ingest.paths import match_text
from ingest.request import IngestRequest

BAD: dict[str, list[Any]] = {
    "directory": ["", "a\0b", 5, None, ["."]],
    "pattern": ["", "  ", "|", " | ", 5, None, "x" * 1001],
    "recursive": [1, "true", None],
    "exclude": [
        None,
        ".git",
        [5],
        ["a\0"],
        ["\ud800"],
        ["x" * 1001],
        ["x"] * 101,
        ["y" * 999] * 11,
    ],
    "one_file_system": [1, None],
    "max_files": [0, -1, True, 1.0, "5", 2**64],
    "retry_of": ["", 5, False],
    "retry": ["all", "", None, ["failed"]],
    "skip_existing": [0, "no", None],
    "params": [[], "x", 5, {"x": "y" * 16_384}, {"x": {1, 2}}, {"x": "\ud800"}],
}


def matches(pattern: str, name: str | bytes) -> bool:
    matcher = IngestRequest(pattern=pattern).matcher()
    return matcher is None or matcher.match(match_text(os.fsencode(name))) is not None


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_wrong_value_is_named_by_its_field(name: str, value: Any) -> None:
    """No field converts its value: 1 is not a boolean, and true is not a number."""
    with pytest.raises(InvalidRequestError) as told:
        IngestRequest.from_mapping({name: value})
    assert list(told.value.fields) == [name]


def test_all_wrong_fields_are_named_at_once() -> None:
    """Nobody corrects a request field by field; an unknown field is one of the wrong ones."""
    wrong: dict[str, Any] = {name: values[0] for name, values in BAD.items()}
    with pytest.raises(InvalidRequestError) as told:
        IngestRequest.from_mapping({**wrong, "colour": "red"})
    assert set(told.value.fields) == {*BAD, "colour"}


@pytest.mark.parametrize("name", [7, "x" * 201, "two\nlines", "\x1b[31m", "\x85", "\ud800"])
def test_name_that_cannot_be_shown_is_refused(name: Any) -> None:
    """It stands in logs, terminals and pages; letters of any script and pictures are fine."""
    with pytest.raises(InvalidRequestError) as refused:
        IngestRequest(name=name)
    assert list(refused.value.fields) == ["name"]
    assert IngestRequest(name="x" * 200).name
    assert IngestRequest(name="\u05e9\u05dc\u05d5\u05dd \U0001f468\u200d\U0001f469").name


def test_recorded_field_of_a_newer_version_is_ignored() -> None:
    """A catalogue is read by the version before, too."""
    assert IngestRequest.from_stored({"pattern": "*.x", "later": 1}) == IngestRequest(pattern="*.x")


def test_request_survives_its_way_through_the_catalogue() -> None:
    """What is written as JSON and read back is the same request."""
    request = IngestRequest(
        directory="a/\u00e9", pattern="*.x", exclude=("b/",), retry_of="s", params={"a": [1]}
    )
    assert IngestRequest(**orjson.loads(orjson.dumps(request.to_mapping()))) == request


@pytest.mark.parametrize(
    ("pattern", "name", "taken"),
    [
        ("*", ".hidden", True),
        ("*", b"\xff", True),
        ("*.jpg|*.PNG", "A.JPG", True),
        ("*.jpg|*.PNG", "a.png", True),
        ("*.jpg | *.png", "a.png", True),
        ("*.jpg|", "a.gif", False),
        ("*.jpg|*", "a.gif", True),
        ("a?c", "abc", True),
        ("a?c", b"a\xffc", True),
        ("[ab].txt", "B.txt", True),
        ("[!ab].txt", "a.txt", False),
        ("*.txt", "a.txt\n", False),
        ("*.txt", "a\nb.txt", True),
        (".*", ".profile", True),
        ("a.c", "abc", False),
        ("**", "anything", True),
        ("\u00e4*", "\u00c4pfel", True),
        ("\u00e4*", "A\u0308pfel", True),
        ("a\u0308*", "\u00c4pfel", True),
    ],
)
def test_pattern_is_globs_on_the_whole_name(pattern: str, name: str | bytes, taken: bool) -> None:
    """Globs with `|` between them, whatever the case; `*` takes dots, newlines and odd bytes."""
    assert matches(pattern, name) is taken


@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_every_pattern_compiles_or_is_refused(pattern: str, name: str) -> None:
    """No text makes the compiler of patterns raise or warn."""
    try:
        request = IngestRequest(pattern=pattern)
    except InvalidRequestError:
        return
    matcher = request.matcher()
    assert (matcher is None) == ("*" in (glob.strip() for glob in pattern.split("|")))
    if matcher is not None:
        matcher.match(name)


def test_pattern_of_many_stars_is_quick() -> None:
    """A thousand characters of stars do not make the matching explode."""
    pattern = "*a" * 499 + "*b"
    assert not matches(pattern, "a" * 255)

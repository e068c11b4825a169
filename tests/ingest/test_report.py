"""The report: one record a file, as lines of JSON and as a table that runs nothing."""

import csv
import io
import json
from typing import Any

import pytest

from ingest.outcome import OutcomeRecord
from ingest.report import FIELDS, csv_header, csv_rows, ndjson

DONE = OutcomeRecord(
    1, b"a/b.txt", "done", None, 5, 1_764_000_000_123_456_789, "0f", "text/plain",
    '{"x":"\u00e4,\\"y\\""}', '{"bytes":5}', "too large to decode",
)  # fmt: skip
FAILED = OutcomeRecord(2, b"\xff\nc", "error", "two, words", None, None, None, None, None, None)
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1"]


def table(*rows: OutcomeRecord) -> list[dict[str, str]]:
    text = (csv_header() + csv_rows(rows)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_lines_of_json_hold_every_field() -> None:
    """Metadata and counters are objects, also where there are none; odd bytes are shown."""
    lines = ndjson([DONE, FAILED]).decode().splitlines()
    first, second = map(json.loads, lines)
    assert first == {
        "file": "a/b.txt", "status": "done", "error": None, "size": 5,
        "modified": "2025-11-24T16:00:00.123Z", "sha256": "0f", "media_type": "text/plain",
        "metadata": {"x": '\u00e4,"y"'}, "counters": {"bytes": 5},
        "warning": "too large to decode",
    }  # fmt: skip
    assert tuple(first) == tuple(second) == FIELDS
    assert (second["file"], second["metadata"], second["counters"]) == ("\ufffd\nc", {}, {})


def test_table_holds_what_the_lines_hold() -> None:
    """Commas, quotes and line breaks come back out of a reader; the objects are their JSON."""
    for row, line in zip(table(DONE, FAILED), ndjson([DONE, FAILED]).splitlines(), strict=True):
        record: dict[str, Any] = json.loads(line)
        for name, value in record.items():
            if isinstance(value, dict):
                assert json.loads(row[name]) == value
            else:
                assert row[name] == ("" if value is None else str(value))


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("field", ["path", "error", "sha256", "media_type", "warning"])
def test_no_cell_is_a_formula(field: str, formula: str) -> None:
    """Names, messages and what a processor found come from strangers: a spreadsheet runs none."""
    value: Any = formula.encode() if field == "path" else formula
    (row,) = table(DONE._replace(**{field: value}))
    assert row["file" if field == "path" else field] == f"'{formula}"
    assert not row["metadata"].startswith(tuple(FORMULAS))


@pytest.mark.parametrize("before", [";", " ", "\u00a0", "\ufeff", " \u200b;", "\u2003"])
def test_formula_behind_what_a_spreadsheet_strips_is_marked(before: str) -> None:
    """Separators, spaces and invisible characters before a formula do not hide it."""
    (row,) = table(DONE._replace(path=f"{before}=1+1".encode()))
    assert row["file"] == f"'{before}=1+1"


@pytest.mark.parametrize("control", ["\x1b", "\x00", "\x7f", "\x9b", "\x85"])
def test_controls_are_replaced_in_a_cell(control: str) -> None:
    """A terminal that prints the table obeys no name; a formula behind a control is one."""
    first, second = table(
        DONE._replace(path=f"a{control}[2J".encode()), DONE._replace(path=f"{control}=1".encode())
    )
    assert (first["file"], second["file"]) == ("a\ufffd[2J", "'\ufffd=1")


@pytest.mark.parametrize("name", ["a=b", "; a", " a", "a-b"])
def test_name_that_is_no_formula_is_left_as_it_is(name: str) -> None:
    """An apostrophe stands only where it is needed."""
    (row,) = table(DONE._replace(path=name.encode()))
    assert row["file"] == name


def test_no_rows_are_no_bytes() -> None:
    """An empty page adds nothing to a report that is streamed."""
    assert ndjson([]) == csv_rows([]) == b""
    assert csv_header() == ",".join(FIELDS).encode() + b"\r\n"


@pytest.mark.parametrize("modified", [-(2**63), 2**63 - 1, 0, -1])
def test_every_time_that_can_be_recorded_can_be_reported(modified: int) -> None:
    """From 1677 to 2262, and around 1970."""
    assert json.loads(ndjson([DONE._replace(modified=modified)]))["modified"].endswith("Z")

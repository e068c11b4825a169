"""The log as lines of JSON."""

import json
import logging
import sys

from cli.logs import JsonFormatter


def record(message: str, *arguments: object, exc_info: object = None) -> logging.LogRecord:
    made = logging.LogRecord(
        "ingest", logging.WARNING, "f.py", 1, message, arguments,
        exc_info,  # type: ignore[arg-type]
    )  # fmt: skip
    made.created = 1_764_000_000.25
    return made


def test_record_is_one_line_of_json() -> None:
    """Time, level, logger and the message put together; a line break in it breaks no line."""
    line = JsonFormatter().format(record("session %s: %s", "a\nb", "\udcff"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2025-11-24T16:00:00.250Z",
        "level": "warning",
        "logger": "ingest",
        "message": "session a\nb: \udcff",
    }


def test_exception_stays_in_its_line() -> None:
    """A traceback is a field, not twenty lines that nobody can put together again."""
    try:
        int("x")
    except ValueError:
        line = JsonFormatter().format(record("failed", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("literal for int() with base 10: 'x'")

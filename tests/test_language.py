"""The project keeps the rules of language in `tests/language.py`, and each rule sees a breach."""

from pathlib import Path

import pytest

from tests.language import ROOT, breaches, files


def test_no_file_breaks_a_rule_of_language() -> None:
    """Source, tests, documents and messages are plain technical English."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in files()
        for line, what in breaches(path, path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", '"""Give the newest frame."""'),
        ("a.py", 'def f():\n    """return the newest frame."""'),
        ("a.py", "def _bury(worker): ..."),
        ("a.py", "shown = path.decode()"),
        ("a.py", 'raise ValueError("x is no directory")'),
        ("a.js", "// retried for ever"),
        ("a.md", "A client is told of the end."),
    ],
)
def test_rule_sees_a_breach(name: str, text: str) -> None:
    """A phrase, a name or a first word of the dialect is reported with its line."""
    assert [line for line, _ in breaches(Path(name), text)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", '"""Return the newest frame."""'),
        ("a.py", "def remove(worker): ..."),
        ("a.py", 'raise ValueError("not a directory: x")'),
        ("a.md", "The connection is no longer retried; the path is displayed."),
    ],
)
def test_rule_accepts_plain_english(name: str, text: str) -> None:
    """Standard terms are not reported."""
    assert not list(breaches(Path(name), text))

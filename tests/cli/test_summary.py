"""What is said of a session, and what of a file's name is let through."""

import pytest

from cli.summary import exit_status, printable, summarize
from tests.support.snapshots import error, snapshot


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (snapshot("starting", total=12345), "finding files: 12,345"),
        (snapshot(done=3), "processing: 30 %, 3 done"),
        (snapshot("completed", done=9, errors=[error(1)]), "completed: 100 %, 9 done, 1 failed"),
        (snapshot("error", why="disk full"), "error: 0 %, 0 done: disk full"),
    ],
)
def test_session_is_summarized(given: dict[str, object], words: str) -> None:
    """One line has the state, how far it is, and only those counts that are not nought."""
    assert summarize(given) == words


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (snapshot("completed", done=10), 0),
        (snapshot("completed", done=9, errors=[error(1)]), 1),
        (snapshot("cancelled", done=3), 1),
        (snapshot("error", done=3), 2),
    ],
)
def test_exit_status(given: dict[str, object], status: int) -> None:
    """The exit status distinguishes all done, some failed, and error."""
    assert exit_status(given) == status


@pytest.mark.parametrize("bad", ["\x1b", "\x07", "\n", "\r", "\x9b", "\u202e", "\u2028", "\udcff"])
def test_what_steers_a_terminal_is_replaced(bad: str) -> None:
    """Escapes, line breaks, reversed writing and stray bytes are each shown as U+FFFD."""
    assert printable(f"a{bad}[31mb") == "a�[31mb"


def test_letters_of_all_languages_pass() -> None:
    """A name is shown as it is spelt."""
    assert printable("Ü 日本語 क.png") == "Ü 日本語 क.png"

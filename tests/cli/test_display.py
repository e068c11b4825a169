"""What goes to a file, a pipe, a program and a terminal."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

from cli.bar import Bar
from cli.display import JsonLines, Lines, SessionPrinter, choose
from tests.support.snapshots import Remembered, error, snapshot


def test_lines_tell_each_tenth_once() -> None:
    """A thousand snapshots are some twelve lines of a log, each a whole one."""
    out = io.StringIO()
    lines = Lines(out, io.StringIO())
    for done in range(1000):
        lines.snapshot(snapshot(done=done, total=1000))
    lines.snapshot(snapshot("completed", done=1000, total=1000))
    written = out.getvalue().splitlines()
    assert len(written) == 11
    assert written[-1] == "completed: 100 %, 1,000 done"


def test_failed_files_go_to_the_other_output() -> None:
    """What failed is on standard error, so that it is seen when the output is put away."""
    out, err = io.StringIO(), io.StringIO()
    lines = Lines(out, err)
    lines.failed("a\x1b[2J.png", "no\nimage")
    lines.lost("it\x1bbroke")
    lines.close()
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "failed: a�[2J.png: no�image",
        "connection lost (it�broke); trying again",
    ]


def test_json_is_a_line_for_each_snapshot() -> None:
    """A program gets the snapshots whole and nothing between them, in ASCII."""
    out = io.StringIO()
    lines = JsonLines(out)
    given = [snapshot(done=1, errors=[error(1, "\u2028\x1bé")]), snapshot("completed", done=10)]
    for one in given:
        lines.snapshot(one)
        lines.failed("a", "b")
        lines.lost("c")
    lines.close()
    assert out.getvalue().isascii()
    assert [json.loads(line) for line in out.getvalue().splitlines()] == given


def test_failed_file_is_shown_once() -> None:
    """Snapshots repeat their errors; each error is printed once."""
    display = Remembered()
    follower = SessionPrinter(display)
    follower.snapshot(snapshot(errors=[error(1, "a")]))
    follower.snapshot(snapshot(errors=[error(1, "a"), error(2, "b")]))
    assert display.failures == ["a: bad", "b: bad"]


def test_errors_between_snapshots_are_asked_for() -> None:
    """If errors are missing between two snapshots, the number of the last known one is returned."""
    follower = SessionPrinter(Remembered())
    follower.snapshot(snapshot(errors=[error(1)]))
    late = snapshot(errors=[error(n) for n in range(1, 31)], total=100)
    assert follower.missing_after(late) == 1
    follower.errors([error(n) for n in range(2, 25)])
    assert follower.missing_after(late) is None


def test_errors_that_cannot_be_had_are_counted() -> None:
    """Where nobody can tell which files failed, it is said at least how many."""
    display = Remembered()
    SessionPrinter(display).snapshot(
        snapshot(errors=[error(n) for n in range(1, 1031)], total=2000)
    )
    assert display.failures[0] == "1,020 more: the report has them"
    assert len(display.failures) == 11


def test_exit_status_is_the_last_snapshots() -> None:
    """A session that was not seen to its end did not succeed."""
    follower = SessionPrinter(Remembered())
    follower.snapshot(snapshot(done=10))
    assert follower.exit_status == 1
    follower.snapshot(snapshot("completed", done=10))
    assert follower.exit_status == 0


def test_no_bar_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a file or a pipe go lines; to a program, JSON, wherever it is."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(choose(as_json=False), Lines)
    assert isinstance(choose(as_json=True), JsonLines)


def test_letters_that_the_output_has_not_are_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name in other letters than the terminal's ends nothing."""
    with (tmp_path / "out").open("w", encoding="latin-1") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", out)
        choose(as_json=False).failed("日本.png", "bad")
    assert (tmp_path / "out").read_bytes() == b"failed: ??.png: bad\n"


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_bar_fits_its_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    """No line is longer than the terminal is wide, and at the end stand the words."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    bar = Bar(sys.stdout)
    bar.snapshot(snapshot("starting", total=5))
    bar.failed("[red]a\x1b[2J.png", "[/] no image")
    bar.lost("it broke")
    bar.snapshot(snapshot("completed", done=10_000, total=10_000))
    bar.close()
    written = capsys.readouterr().out
    assert "\x1b[2J" not in written
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", written)
    assert all(len(line) <= columns for line in re.split(r"[\r\n]", plain))
    assert "".join(plain.split()).endswith("completed:100%,10,000done")
    assert "[red]a�[2J.png" in plain or columns == 20

"""The command line in processes of its own: into a file, into a terminal, through interruptions."""

import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import DEADLINE, ROOT, Server, serve, until
from tests.support.tools import need

pytestmark = pytest.mark.e2e

PROCESSOR = "tests.support.processors:told"
HOSTILE = "a\x1b[2J\x1b]0;pwned\x07\n\u202eb.txt"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


OVERRIDES = re.compile("INGEST_|(COLUMNS|LINES|NO_COLOR|FORCE_COLOR|TTY_COMPATIBLE)$")
"""Variables by which whoever runs the tests would decide what the command does and shows."""


def environ(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not OVERRIDES.match(name)}
    own = {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state"), "LC_ALL": "C.UTF-8"}
    return {**kept, **own, "PYTHONWARNINGS": "error"}


def command(folder: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "app", "run", str(folder / "inbox"), *flags]


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with its output in pipes."""
    return subprocess.run(
        command(folder, *flags), env=environ(folder), cwd=folder, timeout=DEADLINE,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def files(folder: Path, count: int, told: str = "0") -> Path:
    (folder / "inbox").mkdir()
    for n in range(count):
        (folder / "inbox" / f"{n:02}.txt").write_text(told)
    return folder


def test_run_into_a_pipe(tmp_path: Path) -> None:
    """All done is status 0; there are lines to read, and no control code among them."""
    found = run(files(tmp_path, 20))
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == "completed: 100 %, 20 done"
    assert not CONTROLS.search(found.stdout)


def test_failed_files_are_told_and_steer_nothing(tmp_path: Path) -> None:
    """Some failed is status 1; each has its line, though its name would clear the screen."""
    files(tmp_path, 30, "0 no \x1b[31mimage")
    (tmp_path / "inbox" / HOSTILE).write_text("0 bad")
    found = run(tmp_path, "--processor", PROCESSOR)
    assert found.returncode == 1
    lines = found.stderr.splitlines()
    assert len(lines) == 31
    assert all(line.startswith("failed: ") for line in lines)
    assert not CONTROLS.search(found.stdout + found.stderr)
    assert "failed: a�[2J�]0;pwned���b.txt: ValueError: bad" in lines


def test_json_is_for_programs(tmp_path: Path) -> None:
    """Each line is a snapshot, the last one the end, and the progress never goes back."""
    found = run(files(tmp_path, 20), "--json", "--min-interval", "0")
    seen: list[Any] = [json.loads(line) for line in found.stdout.splitlines()]
    assert (seen[-1]["status"], seen[-1]["processed_files"]) == ("completed", 20)
    assert [one["progress"] for one in seen] == sorted(one["progress"] for one in seen)


def test_report_is_written_at_the_end(tmp_path: Path) -> None:
    """The file's name tells the format; `-` is the standard output, which has nothing else then."""
    files(tmp_path, 3)
    assert run(tmp_path, "--report", "found.csv").returncode == 0
    rows = csv.DictReader(io.StringIO((tmp_path / "found.csv").read_text("utf-8-sig")))
    assert sorted((row["file"], row["status"]) for row in rows) == [
        (f"{n:02}.txt", "done") for n in range(3)
    ]
    assert run(tmp_path, "--report", "found.json").returncode == 0
    assert len((tmp_path / "found.json").read_text().splitlines()) == 3
    piped = run(tmp_path, "--report", "-")
    assert [json.loads(line)["status"] for line in piped.stdout.splitlines()] == ["done"] * 3
    assert piped.stderr.splitlines()[-1] == "completed: 100 %, 3 done"


def test_report_inside_the_folder_is_left_out(tmp_path: Path) -> None:
    """It would list itself and differ at every run; odd characters in its name do not matter."""
    files(tmp_path, 3)
    (tmp_path / "inbox" / "skip.tmp").touch()
    for name in ("found.csv", "f[1] *\\ .csv"):
        report = tmp_path / "inbox" / name
        for _ in range(2):
            found = run(
                tmp_path, "--report", str(report), "--exclude", "*.tmp", "--one-file-system"
            )
            assert found.stdout.splitlines()[-1] == "completed: 100 %, 3 done"
        report.unlink()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--report", "no/such/folder.csv"], "--report"),
        (["--workers", "0"], "--workers"),
        (["--max-files", "0"], "--max-files"),
        (["--processor", "no.such:thing"], "--processor"),
        (["--database", "no/such/folder.db"], "--database"),
    ],
)
def test_what_cannot_begin_is_status_2(tmp_path: Path, flags: list[str], words: str) -> None:
    """One line says what is wrong, without a traceback."""
    found = run(files(tmp_path, 1), *flags)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert words in found.stderr


def test_folder_that_is_none_is_status_2(tmp_path: Path) -> None:
    """The message is about what was typed."""
    found = run(tmp_path)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert "not a directory" in found.stderr


def test_interrupted_command_goes_on(tmp_path: Path) -> None:
    """Ctrl-C is status 130; the same command does the rest, and no file twice."""
    files(tmp_path, 30, "50")
    flags = ("--processor", PROCESSOR, "--workers", "1", "--json")
    process = subprocess.Popen(
        command(tmp_path, *flags), env=environ(tmp_path), cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["processed_files"] >= 3:
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, told = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert told == "ingest-stream: interrupted; run the same command again to resume\n"
    again = run(tmp_path, *flags)
    seen: list[Any] = [json.loads(line) for line in again.stdout.splitlines()]
    assert again.returncode == 0
    assert again.stderr.startswith("resuming an interrupted session; processing: ")
    assert seen[0]["processed_files"] >= 3
    assert (seen[-1]["stats"]["done"], seen[-1]["total_files"]) == (30, 30)


def test_output_that_nobody_reads_ends_it_quietly(tmp_path: Path) -> None:
    """`run DIR | head -1` ends without a traceback."""
    line = " ".join(map(shlex.quote, command(files(tmp_path, 300), "--json")))
    found = subprocess.run(
        ["/bin/sh", "-c", f"{{ {line} --min-interval 0; echo $? >&2; }} | head -1"],
        env=environ(tmp_path), cwd=tmp_path, timeout=DEADLINE,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout.count("\n") == 1
    assert found.stderr == "141\n"


def test_watch_outlives_its_server(tmp_path: Path) -> None:
    """The server is killed and restarted; `watch` prints the end, and each failure once."""
    files(tmp_path, 40, "60")
    (tmp_path / "inbox" / "20.txt").write_text("0 bad")
    settings = {"INGEST_PROCESSOR": PROCESSOR, "INGEST_WORKERS": "1", "INGEST_RETRY": "100"}
    with serve(tmp_path, command="app", **settings) as server:
        url = f"http://127.0.0.1:{server.port}/#{server.start()}"
        watching = subprocess.Popen(
            [sys.executable, "-m", "app", "watch", url, "--json"], env=environ(tmp_path),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        server.stop(signal.SIGKILL)
        port = str(server.port)
    again = Server(tmp_path, ["app", "serve", "--port", port], **settings)
    try:
        out, err = watching.communicate(timeout=DEADLINE)
    finally:
        again.close()
        watching.kill()
    last = json.loads(out.splitlines()[-1])
    assert (watching.returncode, err) == (1, "")
    assert first["processed_files"] < last["processed_files"] == 40
    assert last["status"] == "completed"


def test_log_as_json(tmp_path: Path) -> None:
    """With `--log-format json` every line of the log is an object, the server's own too."""
    with serve(files(tmp_path, 1), "--log-format", "json", command="app") as server:
        session_id = server.start()
        until(lambda: f"session {session_id}: completed" in server.log)
        server.stop()
        lines = [json.loads(line) for line in server.log.splitlines()]
    assert {"ingest", "uvicorn.error"} <= {line["logger"] for line in lines}
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)


class Terminal:
    """A terminal of tmux's, with a server of its own."""

    def __init__(self, folder: Path, columns: int) -> None:
        self._tmux = [need("tmux"), "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._folder = folder
        self.ask("new-session", "-d", "-x", str(columns), "-y", "20", "/bin/sh")

    def ask(self, *what: str) -> str:
        return subprocess.run(
            [*self._tmux, *what], env=environ(self._folder), cwd=self._folder,
            check=True, capture_output=True, text=True, timeout=DEADLINE,
        ).stdout  # fmt: skip

    def type(self, line: str) -> None:
        (self._folder / "typed").write_text(line)
        self.ask("send-keys", ". ./typed", "Enter")

    @property
    def screen(self) -> list[str]:
        return [line for line in self.ask("capture-pane", "-p").splitlines() if line.strip()]


@pytest.fixture(params=[80, 40])
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(tmp_path, request.param)
    yield made
    made.ask("kill-server")


def is_bar(line: str) -> bool:
    return line.startswith("processing")


def test_bar_in_a_terminal(tmp_path: Path, terminal: Terminal) -> None:
    """While it runs one line is a bar, with failures above it; at the end there are words."""
    files(tmp_path, 30, "40")
    (tmp_path / "inbox" / HOSTILE).write_text("0 bad")
    flags = ("--processor", PROCESSOR, "--workers", "1")
    line = " ".join(map(shlex.quote, command(tmp_path, *flags)))
    terminal.type(f"clear; {line}; echo status $?\n")
    bars = set()
    deadline = time.monotonic() + DEADLINE
    while not any(line.startswith("status") for line in terminal.screen):
        assert time.monotonic() < deadline, terminal.screen
        bars |= set(filter(is_bar, terminal.screen))
    words, status = [line for line in terminal.screen if line[:4] in ("comp", "stat")]
    assert words == "completed: 100 %, 30 done, 1 failed"
    assert status == "status 1"
    assert len(bars) > 2
    assert all("%" in line for line in bars)
    assert "failed: a�[2J�]0;pwned���b.txt:" in " ".join(terminal.screen)

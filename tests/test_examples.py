"""The examples: shown in the documents as they are, and those that need no server, run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "embedding.md").read_text("utf-8")

COMMANDS = {ROOT / "examples" / name for name in ("sample_files.py", "local_cluster.py")}
"""What `make` runs: not code for a host."""

EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - COMMANDS)

SECONDS = 30.0


def run(folder: Path, example: str) -> str:
    """Run an example over three files of a line each, and give what it prints."""
    (folder / "inbox").mkdir()
    for n in range(3):
        (folder / "inbox" / f"{n}.txt").write_text("a line\n")
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / example)]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, timeout=SECONDS, check=True, capture_output=True
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_is_shown_as_it_is(example: Path) -> None:
    """The documented code is the tested file, under the file's name."""
    block = f"```python\n{example.read_text('utf-8')}```\n"
    assert block in DOCUMENT
    before = DOCUMENT[: DOCUMENT.index(block)]
    assert f"examples/{example.name}" in before[-2000:]


def test_no_other_code_is_shown() -> None:
    """Each block of Python in the document is the code of an example that a test runs."""
    assert DOCUMENT.count("```python\n") == len(EXAMPLES)


@pytest.mark.e2e
def test_processors_count_what_they_say(tmp_path: Path) -> None:
    """A sync one in worker processes, an async one, and one in an executor all do every file."""
    lines = [line for line in run(tmp_path, "processors.py").splitlines() if "'done': 3" in line]
    assert [line.partition(":")[0] for line in lines] == ["workers", "event loop", "own executor"]
    assert ["'lines': 3" in line for line in lines] == [True, False, True]


@pytest.mark.e2e
def test_sessions_are_started_watched_and_cancelled_from_python(tmp_path: Path) -> None:
    """Without a server a program starts sessions, waits for their end, and gets their errors."""
    printed = run(tmp_path, "from_python.py").splitlines()
    assert "completed 3 of 3" in printed
    assert any(line.startswith(("cancelled", "completed")) for line in printed[-4:])
    assert printed[-1].startswith("403 ")

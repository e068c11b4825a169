"""The sample tree: what the service is tried on shows all that can become of a file."""

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from ingest.builtin.image import ImageError
from ingest.builtin.process_file import process_file
from ingest.execution.batch import BatchFile, run_batch

SCRIPT = Path(__file__).resolve().parent.parent / "examples" / "sample_files.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_files", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(root: Path) -> dict[bytes, bytes]:
    return {
        os.fsencode(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_tree_is_small_and_the_same_each_time(script: ModuleType, tmp_path: Path) -> None:
    """Two runs write the same bytes, and few enough of them to be done in a moment."""
    count, size = script.write(tmp_path / "one")
    script.write(tmp_path / "two")
    files = tree(tmp_path / "one")
    assert files == tree(tmp_path / "two")
    assert len(files) == count
    assert sum(map(len, files.values())) == size
    assert 60 <= count <= 200
    assert size < 3_000_000


def test_every_sample_is_processed_or_a_broken_image(script: ModuleType, tmp_path: Path) -> None:
    """The samples hold many types and keywords, and nothing fails but what is meant to."""
    script.write(tmp_path)
    kinds: Counter[str] = Counter()
    keywords = broken = warnings = 0
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            try:
                outcome = process_file(path)
            except ImageError:
                broken += 1
                continue
            kinds[outcome.metadata["media_type"]] += 1
            keywords += outcome.counters["keywords_added"]
            warnings += outcome.warning is not None
    assert {"image/png", "text/plain", "application/pdf", "application/zip"} <= set(kinds)
    assert {"text/csv", "application/json", "inode/x-empty", "image/svg+xml"} <= set(kinds)
    if script.Image is not None:
        assert (broken, warnings) == (3, 1)
        assert kinds["image/jpeg"] > 10
        assert keywords > 100


def test_built_in_processor_is_recorded_as_if_it_were_checked(
    script: ModuleType, tmp_path: Path
) -> None:
    """What is known to be sound is not looked through for each file; the record is the same."""
    script.write(tmp_path)
    paths = [os.fsencode(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.*"))]
    items = [BatchFile(n, path) for n, path in enumerate(paths)]
    own = run_batch(process_file, str(tmp_path), items, 60.0)
    checked = run_batch(partial(process_file), str(tmp_path), items, 60.0)
    assert own.finished == len(items) > 50
    assert own.outcomes == checked.outcomes
    assert (own.counters, own.failed) == (checked.counters, checked.failed)


def test_without_pillow_all_photos_are_png(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard library is enough to write the tree."""
    monkeypatch.setattr(script, "Image", None)
    count, _ = script.write(tmp_path)
    assert count >= 60
    assert not list(tmp_path.rglob("*.jpg"))


def test_folder_in_use_is_left_alone(script: ModuleType, tmp_path: Path) -> None:
    """A second run, or a wrong argument, exits with a message and writes nothing."""
    (tmp_path / "mine").touch()
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "there already" in done.stdout
    assert os.listdir(tmp_path) == ["mine"]


def test_script_says_what_it_wrote(tmp_path: Path) -> None:
    """Run by hand it creates the folder, and prints how much is in it."""
    command = [sys.executable, str(SCRIPT), str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{len(tree(tmp_path / 'new'))} files, ")
    assert subprocess.run(command[:2], capture_output=True, check=False).returncode == 2

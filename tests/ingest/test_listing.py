"""The folders in a folder, for a picker."""

import os
from pathlib import Path
from typing import Any

import pytest

from ingest import listing
from ingest.errors import NotFoundError
from ingest.listing import LookControl, count_files, list_folders
from tests.support.descriptors import no_descriptors


def look(root: Path, directory: bytes = b".", after: str | None = None) -> dict[str, Any]:
    """List and count, as the route does."""
    control, counts = LookControl(), dict[str, int]()
    listed = list_folders(root, directory, control, after)
    count_files(listed.folders, counts, control)
    return listed.to_json(counts)


def fill(root: Path, paths: list[bytes]) -> None:
    """Create empty files, with the folders above them."""
    for path in paths:
        file = Path(os.fsdecode(os.path.join(os.fsencode(root), path)))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_folders_are_listed_by_name_with_their_files(tmp_path: Path) -> None:
    """Links are none, odd bytes are shown, and only files right in a folder are counted."""
    fill(tmp_path, [b"B/1", b"B/2", b"B/deep/3", b"a/\xff", b"\xff/1", b"file"])
    os.mkfifo(tmp_path / "B" / "fifo")
    (tmp_path / "link").symlink_to("B")
    assert look(tmp_path) == {
        "files": 1,
        "directories": [
            {"name": "a", "path": "a", "files": 1},
            {"name": "B", "path": "B", "files": 2},
            {"name": "\ufffd", "path": "\ufffd", "files": 1},
        ],
    }
    assert look(tmp_path, b"B") == {
        "files": 2,
        "directories": [{"name": "deep", "path": "B/deep", "files": 1}],
    }


def test_folders_of_a_directory_that_vanished_are_not_found(tmp_path: Path) -> None:
    """It was there when its name was looked up."""
    with pytest.raises(NotFoundError, match="No such file"):
        look(tmp_path, b"gone")


def test_many_folders_are_listed_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page goes on behind the last name of the one before, and none is lost or repeated."""
    monkeypatch.setattr(listing, "LISTED", 3)
    names = ["A", "a", "B", "c", "D", "e", "F"]
    fill(tmp_path, [f"{name}/1".encode() for name in names])
    found, after = [], None
    for _ in range(9):
        page = look(tmp_path, after=after)
        found += [folder["name"] for folder in page["directories"]]
        after = page.get("next")
        if after is None:
            break
    assert found == names


def test_look_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """A look whose client left stops at the next entry: nothing more is listed or counted."""
    fill(tmp_path, [b"a/1", b"b/1"])
    ended, counts = LookControl(ended=True), dict[str, int]()
    assert list_folders(tmp_path, b".", ended).folders == []
    count_files(list_folders(tmp_path, b".", LookControl()).folders, counts, ended)
    assert counts == {}


def test_folder_without_a_descriptor_has_no_number(tmp_path: Path) -> None:
    """What could not be counted is unknown, not 0."""
    fill(tmp_path, [b"a/1"])
    listed, counts = list_folders(tmp_path, b".", LookControl()), dict[str, int]()
    with no_descriptors():
        count_files(listed.folders, counts, LookControl())
    assert listed.to_json(counts)["directories"] == [{"name": "a", "path": "a", "files": None}]

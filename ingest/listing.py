"""
Listing the folders in a folder, for a picker. `list_folders` and `count_files` block: use a thread.

Both look at a `LookControl` between two entries, so a look whose client has left ends soon, however
large the folder is.
"""

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.errors import SHORTAGES, NotFoundError, check_shortage
from ingest.paths import display_path

LISTED = 5000
"""Folders in one answer: half a megabyte."""


@dataclass(slots=True)
class LookControl:
    """Ends a look that runs in a thread."""

    ended: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was listed: its path on the disk, and how it is shown."""

    location: str
    name: str
    path: str

    @property
    def sort_key(self) -> tuple[str, str]:
        """What folders are sorted by: their name, whatever its case."""
        return self.name.casefold(), self.name


@dataclass(frozen=True, slots=True)
class FolderList:
    """The number of files right in a folder, its folders by name, and whether there are more."""

    files: int
    folders: list[Folder]
    has_more: bool

    def to_json(self, counts: dict[str, int]) -> dict[str, Any]:
        """Return the form that goes over the wire; `counts` are by a folder's location."""
        listed: dict[str, Any] = {
            "files": self.files,
            "directories": [
                {"name": each.name, "path": each.path, "files": counts.get(each.location)}
                for each in self.folders
            ],
        }
        return {**listed, "next": self.folders[-1].name} if self.has_more else listed


def list_folders(
    root: Path, directory: bytes, control: LookControl, after: str | None = None
) -> FolderList:
    """
    Return the first LISTED folders in `directory` whose names follow `after`.

    Raises:
        NotFoundError: the directory cannot be read any more.
        ShortageError: no descriptor is left to read it.
    """
    base = os.path.realpath(root)
    files = 0
    place = os.path.join(base, os.fsdecode(directory))
    first = None if after is None else (after.casefold(), after)

    def folders(entries: Iterator[os.DirEntry[str]]) -> Iterator[Folder]:
        nonlocal files
        for entry in entries:
            if control.ended:
                return
            files += _is_file(entry)
            if _is_folder(entry):
                folder = _folder(directory, entry)
                if first is None or folder.sort_key > first:
                    yield folder

    try:
        with os.scandir(place) as entries:
            found = heapq.nsmallest(LISTED + 1, folders(entries), key=lambda each: each.sort_key)
    except OSError as error:
        check_shortage(error)
        raise NotFoundError(f"the directory cannot be read: {error.strerror}") from error
    return FolderList(files, found[:LISTED], len(found) > LISTED)


def count_files(folders: list[Folder], counts: dict[str, int], control: LookControl) -> None:
    """
    Set in `counts` the number of files right in each folder.

    A folder that cannot be opened has 0, one that is not reached in time, or cannot be opened for
    lack of descriptors, has no number.
    """
    for folder in folders:
        if control.ended:
            return
        count = 0
        try:
            with os.scandir(folder.location) as entries:
                for entry in entries:
                    if control.ended:
                        return
                    count += _is_file(entry)
        except OSError as error:
            if error.errno in SHORTAGES:
                continue
        counts[folder.location] = count


def _folder(directory: bytes, entry: os.DirEntry[str]) -> Folder:
    name = os.fsencode(entry.name)
    path = name if directory == b"." else directory + b"/" + name
    return Folder(entry.path, display_path(name), display_path(path))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False

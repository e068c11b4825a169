"""Find files and list folders below the ingest root. Everything here blocks: use a thread."""

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import SHORTAGES, NotFoundError, check_shortage
from ingest.paths import display_path

CHUNK_FILES = 1000
CHUNK_SECONDS = 0.05
"""A chunk ends at either: large ones cost least, and a slow disk's are shown as they come."""


FOLDER = os.O_DIRECTORY | os.O_CLOEXEC
THROUGH = FOLDER | getattr(os, "O_PATH", os.O_RDONLY)
"""For a folder on the way, which on Linux need not be readable to be passed through."""


@dataclass(slots=True)
class Chunk:
    """Files found, and folders that could not be read with the reason; paths below the root."""

    files: list[bytes] = field(default_factory=list)
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files) + len(self.unreadable)


def discover(
    root: Path,
    directory: bytes,
    *,
    matches: re.Pattern[str] | None,
    recursive: bool,
    limit: int | None,
    leave_out: frozenset[tuple[int, int]],
) -> Iterator[Chunk]:
    """
    Find the regular files in `directory`, in chunks, without following a link.

    Only the folders still to be looked into are held, so memory does not grow with the files.
    A folder that cannot be read is reported as unreadable, not passed over. The directory
    itself has to be. `leave_out` are files, by device and inode, that are the service's own.

    Raises:
        NotFoundError: the directory cannot be read.
        ShortageError: no descriptor is left to read a folder.
    """
    base = os.path.realpath(os.fsencode(root))
    folders = [directory]
    inodes = frozenset(inode for _, inode in leave_out)
    chunk = Chunk()
    left = limit if limit is not None else -1
    due = time.monotonic() + CHUNK_SECONDS
    while folders:
        folder = folders.pop()
        prefix = b"" if folder == b"." else folder + b"/"
        try:
            with _scan(base, folder) as entries:
                for entry in entries:
                    if _is_folder(entry):
                        if recursive:
                            folders.append(prefix + os.fsencode(entry.name))
                    elif left and _is_wanted(entry, matches, leave_out, inodes):
                        chunk.files.append(prefix + os.fsencode(entry.name))
                        left -= 1
                    if len(chunk) >= CHUNK_FILES or time.monotonic() >= due:
                        yield chunk
                        chunk = Chunk()
                        due = time.monotonic() + CHUNK_SECONDS
                    if not left:
                        folders.clear()
                        break
        except OSError as error:  # where it is opened, or at any entry: a disk that fails, say
            check_shortage(error)
            reason = error.strerror or "it failed"
            if folder == directory:
                raise NotFoundError(f"the directory cannot be read: {reason}") from error
            chunk.unreadable.append((folder, f"the folder cannot be read: {reason}"))
    yield chunk


@contextlib.contextmanager
def _scan(base: bytes, folder: bytes) -> Iterator[Iterator[os.DirEntry[str]]]:
    """
    Scan a folder below `base`, of which no part may have become a link since it was found.

    Raises:
        OSError: it cannot be opened, or is not a folder any more.
    """
    os.lstat(os.path.join(base, folder))  # too long a path fails here, as its files would later
    *way, last = folder.split(b"/")
    fd = os.open(base, THROUGH)
    try:
        for name in way:
            fd = _enter(fd, name, THROUGH)
        fd = _enter(fd, last, FOLDER | os.O_RDONLY)
        with os.scandir(fd) as entries:
            yield entries
    finally:
        os.close(fd)


def _enter(outer: int, name: bytes, flags: int) -> int:
    inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=outer)
    os.close(outer)
    return inner


def list_directories(root: Path, directory: bytes) -> tuple[int, list[dict[str, Any]]]:
    """
    Return the number of files right in `directory`, and its folders by name, each with its own.

    The number is None for a folder that could not be looked into for lack of descriptors.

    Raises:
        NotFoundError: the directory cannot be read any more.
        ShortageError: no descriptor is left to read it.
    """
    base = os.path.realpath(root)
    prefix = "" if directory == b"." else os.fsdecode(directory) + "/"
    try:
        with os.scandir(os.path.join(base, os.fsdecode(directory))) as entries:
            present = list(entries)
    except OSError as error:
        check_shortage(error)
        raise NotFoundError(f"the directory cannot be read: {error.strerror}") from error
    folders = [entry for entry in present if _is_folder(entry)]
    files = sum(_is_file(entry) for entry in present)
    return files, [
        {
            "name": display_path(os.fsencode(folder.name)),
            "path": display_path(os.fsencode(prefix + folder.name)),
            "files": _count_files(folder.path),
        }
        for folder in sorted(folders, key=lambda folder: folder.name.casefold())
    ]


def _count_files(path: str) -> int | None:
    """Return the number of files in a folder; None without a descriptor to open it."""
    try:
        with os.scandir(path) as entries:
            return sum(map(_is_file, entries))
    except OSError as error:
        return None if error.errno in SHORTAGES else 0


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


def _is_wanted(
    entry: os.DirEntry[str],
    matches: re.Pattern[str] | None,
    leave_out: frozenset[tuple[int, int]],
    inodes: frozenset[int],
) -> bool:
    try:
        if not entry.is_file(follow_symlinks=False):
            return False
        if matches is not None and matches.match(entry.name) is None:
            return False
        # The inode comes with the directory's entry; only where it is one of ours is the device
        # asked for, which costs a call.
        if entry.inode() in inodes:
            status = entry.stat(follow_symlinks=False)
            return (status.st_dev, status.st_ino) not in leave_out
    except OSError:
        return False
    return True


def identities(paths: tuple[Path, ...]) -> frozenset[tuple[int, int]]:
    """Return device and inode of those of `paths` that are regular files."""
    found = set()
    for path in paths:
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)

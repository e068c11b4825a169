"""Finding files: which directory is meant, and what lies in it. Blocks; for a thread."""

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import ForbiddenError, InvalidRequestError, NotFoundError

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


def resolve(root: Path, directory: str) -> bytes:
    """
    Give the path below `root` that `directory` means, links resolved; `.` is the root itself.

    A folder whose name is not UTF-8 is found by the name that it is shown by.

    Raises:
        ForbiddenError: it lies outside the root, or may not be read.
        NotFoundError: there is no such directory.
        InvalidRequestError: it is no directory.
    """
    if not directory or "\0" in directory:
        raise InvalidRequestError({"directory": "empty, or with a NUL in it; '.' is the root"})
    base = os.path.realpath(root)
    wanted = _spelled(base, directory) if "\ufffd" in directory else directory
    try:
        target = os.path.realpath(os.path.join(base, wanted))
    except (OSError, ValueError) as error:
        raise NotFoundError(f"no directory {directory!r} below the ingest root") from error
    if os.path.commonpath((base, target)) != base:
        raise ForbiddenError(f"{directory!r} is outside the ingest root")
    try:
        with os.scandir(target):
            pass
    except NotADirectoryError as error:
        raise InvalidRequestError({"directory": f"{directory!r} is no directory"}) from error
    except PermissionError as error:
        raise ForbiddenError(f"{directory!r} may not be read by the service") from error
    except OSError as error:
        raise NotFoundError(f"no directory {directory!r} below the ingest root") from error
    return os.fsencode(os.path.relpath(target, base))


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
    A folder that cannot be read comes as unreadable: it is told, not passed over. The directory
    itself has to be. `leave_out` are files, by device and inode, that are the service's own.

    Raises:
        NotFoundError: the directory cannot be read.
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
        OSError: it cannot be opened, or is no folder any more.
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


def list_directories(root: Path, directory: bytes) -> list[dict[str, Any]]:
    """
    List the folders in `directory` by name, each with the number of files right in it.

    Raises:
        NotFoundError: the directory cannot be read any more.
    """
    base = os.path.realpath(root)
    prefix = "" if directory == b"." else os.fsdecode(directory) + "/"
    try:
        with os.scandir(os.path.join(base, os.fsdecode(directory))) as entries:
            folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise NotFoundError(f"the directory cannot be read: {error.strerror}") from error
    return [
        {
            "name": _shown(folder.name),
            "path": _shown(prefix + folder.name),
            "files": _count_files(folder.path),
        }
        for folder in sorted(folders, key=lambda folder: folder.name.casefold())
    ]


def _shown(name: str) -> str:
    """Write U+FFFD for each byte that is not UTF-8, which no JSON can carry."""
    return os.fsencode(name).decode("utf-8", "replace")


def _spelled(base: str, directory: str) -> str:
    """Put the names on the disk for those shown with U+FFFD, where there is no such folder."""
    found = ""
    for name in directory.split("/"):
        spelled = name
        if "\ufffd" in name and not os.path.lexists(os.path.join(base, found, name)):
            with contextlib.suppress(OSError):
                names = sorted(os.listdir(os.path.join(base, found)))
                spelled = next((other for other in names if _shown(other) == name), name)
        found = f"{found}{spelled}/"
    return found


def _count_files(path: str) -> int:
    try:
        with os.scandir(path) as entries:
            return sum(entry.is_file(follow_symlinks=False) for entry in entries)
    except OSError:
        return 0


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
    """Give device and inode of those of `paths` that are regular files."""
    found = set()
    for path in paths:
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)

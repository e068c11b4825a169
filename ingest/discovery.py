"""Find files below the ingest root. Everything here blocks: use a thread."""

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ingest.errors import NotFoundError, check_shortage
from ingest.exclude import RuleList, compile_rules, is_excluded, patterns_of
from ingest.paths import match_text

CHUNK_FILES = 1000
CHUNK_SECONDS = 0.05
"""A chunk ends at either: large ones cost least, and a slow disk's are shown as they come."""

IGNORE_FILE = ".ingestignore"
"""A file of patterns, as a `.gitignore`, for the folder that it is in and those below."""

IGNORE_FILE_LIMIT = 65_536
"""Bytes of an ignore file: some thousand patterns."""

FOLDER = os.O_DIRECTORY | os.O_CLOEXEC
THROUGH = FOLDER | getattr(os, "O_PATH", os.O_RDONLY)
"""For a folder on the way, which on Linux need not be readable to be passed through."""


@dataclass(slots=True)
class Chunk:
    """
    Files found, and folders that could not be read with the reason; paths below the root.

    `sizes` are those of the files, in the same order.
    """

    files: list[bytes] = field(default_factory=list)
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files) + len(self.unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    Which files below a directory are found.

    `matches` is for the file's name; `exclude` is for files and folders, relative to the directory
    (see `ingest.exclude`). `leave_out` are files, by device and inode, that are the service's own.
    """

    matches: re.Pattern[str] | None = None
    recursive: bool = True
    limit: int | None = None
    exclude: tuple[str, ...] = ()
    one_file_system: bool = False
    leave_out: frozenset[tuple[int, int]] = frozenset()


class _Folder(NamedTuple):
    """A folder still to be scanned, with the rules of the folders above it."""

    path: bytes
    rules: tuple[RuleList, ...]


def discover(root: Path, directory: bytes, selection: Selection) -> Iterator[Chunk]:
    """
    Find the regular files in `directory`, in chunks, without following a link.

    Only the folders still to be looked into are held, and two numbers for each that was entered,
    so memory does not grow with the files. A folder that cannot be read is reported as
    unreadable, not passed over. The directory itself has to be.

    Raises:
        NotFoundError: the directory cannot be read.
        ShortageError: no descriptor is left to read a folder.
    """
    return _TreeScan(os.path.realpath(os.fsencode(root)), directory, selection).chunks()


class _TreeScan:
    """
    One scan of a directory and what is below it.

    A folder is entered once, by device and inode: one that is mounted at a second place in the tree
    (a bind mount, of a folder above it even) is passed over there.
    """

    def __init__(self, base: bytes, directory: bytes, selection: Selection) -> None:
        self._base = base
        self._directory = directory
        self._wanted = selection
        self._inodes = frozenset(inode for _, inode in selection.leave_out)
        excluded = compile_rules(selection.exclude, _below(directory))
        self._first = (excluded,) if excluded.rules else ()
        self._left = -1 if selection.limit is None else selection.limit
        self._entered: dict[int, set[int]] = {}
        self._device: int | None = None
        self._folders: list[_Folder] = []
        self._chunk = Chunk()
        self._due = 0.0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks; the last one may be empty."""
        self._due = time.monotonic() + CHUNK_SECONDS
        self._folders.append(_Folder(self._directory, self._rules_above()))
        while self._folders and self._left:
            folder = self._folders.pop()
            try:
                yield from self._scan(folder)
            except OSError as error:  # where it is opened, or at any entry: a disk that fails, say
                check_shortage(error)
                reason = error.strerror or "it failed"
                if folder.path == self._directory:
                    raise NotFoundError(f"the directory cannot be read: {reason}") from error
                message = f"the folder cannot be read: {reason}"
                self._chunk.unreadable.append((folder.path, message))
        yield self._chunk

    def _rules_above(self) -> tuple[RuleList, ...]:
        """Return the rules of the folders above the directory, those of the nearest one first."""
        rules: tuple[RuleList, ...] = ()
        names = [] if self._directory == b"." else self._directory.split(b"/")
        for depth in range(len(names)):
            folder = b"/".join(names[:depth]) or b"."
            try:
                with _opened(self._base, folder) as fd:
                    rules = (*_own_rules(fd, _below(folder)), *rules)
            except OSError as error:  # a folder that may only be passed through
                check_shortage(error)
        return rules

    def _scan(self, folder: _Folder) -> Iterator[Chunk]:
        prefix = b"" if folder.path == b"." else folder.path + b"/"
        with _opened(self._base, folder.path) as fd:
            if not self._may_enter(os.fstat(fd)):
                return
            text = match_text(prefix)
            rules = (*_own_rules(fd, text), *folder.rules)
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._take(entry, prefix, text, rules)
                    if len(self._chunk) >= CHUNK_FILES or time.monotonic() >= self._due:
                        yield self._chunk
                        self._chunk = Chunk()
                        self._due = time.monotonic() + CHUNK_SECONDS
                    if not self._left:
                        break

    def _take(
        self, entry: os.DirEntry[str], prefix: bytes, text: str, rules: tuple[RuleList, ...]
    ) -> None:
        """Add an entry to the files found, or to the folders still to be scanned, if wanted."""
        is_folder = _is_folder(entry)
        if is_folder and not self._wanted.recursive:
            return
        raw = os.fsencode(entry.name)
        name = match_text(raw)
        if not is_folder and not self._is_wanted(entry, name):
            return
        lists = (*self._first, *rules) if rules else self._first
        if lists and is_excluded(lists, text + name, name, is_folder=is_folder):
            return
        if is_folder:
            self._folders.append(_Folder(prefix + raw, rules))
        else:
            self._chunk.files.append(prefix + raw)
            self._chunk.sizes.append(_size(entry))
            self._left -= 1

    def _is_wanted(self, entry: os.DirEntry[str], name: str) -> bool:
        matches = self._wanted.matches
        try:
            if not entry.is_file(follow_symlinks=False):
                return False
            if matches is not None and matches.match(name) is None:
                return False
            # The inode comes with the directory's entry; only where it is one of ours is the
            # device read, which costs a call.
            if entry.inode() in self._inodes:
                status = entry.stat(follow_symlinks=False)
                return (status.st_dev, status.st_ino) not in self._wanted.leave_out
        except OSError:
            return False
        return True

    def _may_enter(self, status: os.stat_result) -> bool:
        """Return whether a folder is to be entered, and record it as entered."""
        if self._device is None:
            self._device = status.st_dev
        entered = self._entered.setdefault(status.st_dev, set())
        if status.st_ino in entered:
            return False
        if self._wanted.one_file_system and status.st_dev != self._device:
            return False
        entered.add(status.st_ino)
        return True


@contextlib.contextmanager
def _opened(base: bytes, folder: bytes) -> Iterator[int]:
    """
    Open a folder below `base`, of which no part may have become a link since it was found.

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
        yield fd
    finally:
        os.close(fd)


def _enter(outer: int, name: bytes, flags: int) -> int:
    inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=outer)
    os.close(outer)
    return inner


def _below(folder: bytes) -> str:
    """Return the start of the paths below a folder, as text."""
    return "" if folder == b"." else match_text(folder) + "/"


def _own_rules(folder: int, base: str) -> tuple[RuleList, ...]:
    """
    Return the rules in the ignore file of an open folder, if it has one.

    Raises:
        OSError: the file cannot be read; without it, what is to be left out is not known.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(IGNORE_FILE, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):  # absent, a link, a socket
            return ()
        raise OSError(error.errno, f"{IGNORE_FILE}: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ()
        with open(fd, "rb", closefd=False) as file:
            content = file.read(IGNORE_FILE_LIMIT + 1)
    finally:
        os.close(fd)
    if len(content) > IGNORE_FILE_LIMIT:
        text = f"{IGNORE_FILE} has more than {IGNORE_FILE_LIMIT:,} bytes; shorten it"
        raise OSError(errno.EFBIG, text)
    return (compile_rules(patterns_of(content.decode("utf-8", "surrogateescape")), base),)


def _size(entry: os.DirEntry[str]) -> int:
    """Return a file's size; 0 if it cannot be read, which is an error once it is processed."""
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


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

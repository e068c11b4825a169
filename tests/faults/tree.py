"""Trees of small files whose outcomes are known beforehand."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

FILES_A_FOLDER = 100
LINKS_A_FILE = 30_000
"""Hard links of one file: ext4 takes 65,000."""

BAD_EVERY = 97


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder below the root; of each file, named as in reports, its hash, or None if it fails."""

    directory: str
    files: dict[str, str | None]

    @property
    def failing(self) -> set[str]:
        return {name for name, sha256 in self.files.items() if sha256 is None}


def plant(root: Path, directory: str, count: int, *, bad: tuple[str, ...] = ()) -> Tree:
    """Make `count` files in folders of a hundred; some are bad, as those named in `bad` are."""
    files: dict[str, str | None] = {}
    for n in range(count):
        fails = n % BAD_EVERY == BAD_EVERY - 1
        name = f"{directory}/{n // FILES_A_FOLDER:04}/{'bad' if fails else 'file'}-{n}.txt"
        sha256 = _write(root / name)
        files[name] = None if fails else sha256
    for name in bad:
        files[f"{directory}/0000/{name}"] = None
        _write(root / directory / "0000" / name)
    return Tree(directory, files)


def link(root: Path, directory: str, count: int) -> None:
    """Make `count` names for a few files, in folders of a thousand."""
    folder = source = Path()
    for n in range(count):
        if n % 1000 == 0:
            folder = root / directory / f"{n // 1000:05}"
            folder.mkdir(parents=True)
        path = folder / f"{n}.txt"
        if n % LINKS_A_FILE == 0:
            source = path
            path.write_bytes(b"one of many names\n")
        else:
            os.link(source, path)


def _write(path: Path) -> str:
    content = f"the content of {path.name}\n".encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()

"""Folders of files to ingest."""

import os
from pathlib import Path

FOLDER = 1000
"""Files in one folder."""


def make(root: Path, name: str, files: int, size: int) -> Path:
    """Write `files` files of about `size` bytes, no two alike; what is there is taken as it is."""
    tree = root / name
    if (tree / "complete").exists():
        return tree
    for n in range(files):
        if n % FOLDER == 0:
            folder = tree / "files" / f"{n // FOLDER:04}"
            folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{n:07}.txt", n, size)
    (tree / "complete").touch()
    return tree


def _write(path: Path, n: int, size: int) -> None:
    with open(path, "wb", buffering=0) as file:
        if size:
            line = f"file {n}\n".encode()
            block = line * max(1, min(size, 2**20) // len(line))
            file.writelines([block] * max(1, size // len(block)))


def size(tree: Path) -> int:
    """Count the bytes of all files."""
    return sum(
        os.stat(os.path.join(folder, file)).st_size
        for folder, _, files in os.walk(tree)
        for file in files
    )

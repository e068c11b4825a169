"""Paths: which directory below the root a request names, and how paths become text."""

import os
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import ForbiddenError, IngestError, InvalidRequestError, NotFoundError
from ingest.listing import LookControl, list_folders
from ingest.paths import display_path, locate, resolve
from tests.support.ingest import fill


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def deny(path: Any) -> None:
    """Raise the error of a folder that may not be read."""
    raise PermissionError(13, "Permission denied", path)


def test_display_path_is_text_whatever_the_bytes() -> None:
    """Each byte that is not UTF-8 becomes U+FFFD; everything else stays as it is."""
    assert display_path(b"caf\xe9/\xff") == "caf\ufffd/\ufffd"
    assert display_path("caf\u00e9\n".encode()) == "caf\u00e9\n"


def test_file_below_the_root_of_all_has_one_slash() -> None:
    """A processor receives `/a`, not `//a`, which POSIX allows to mean something else."""
    assert locate("/", b"a") == "/a"
    assert locate("/srv", b"a/b\xff") == "/srv/a/b\udcff"


def test_root_that_is_a_link_is_resolved(root: Path) -> None:
    """The operator may give the root as a link."""
    link = root.parent / "link"
    link.symlink_to(root)
    assert resolve(link, ".") == b"."


@pytest.mark.parametrize(
    ("directory", "path"),
    [
        (".", b"."),
        ("sub", b"sub"),
        ("sub/", b"sub"),
        ("./sub/../sub/.", b"sub"),
        ("inner", b"sub/deep"),
        ("{root}", b"."),
        ("{root}/sub", b"sub"),
        ("sub/deep/..", b"sub"),
        ("\u00e4", "\u00e4".encode()),
    ],
)
def test_directory_is_named_below_the_root(root: Path, directory: str, path: bytes) -> None:
    """Relative or absolute, with dots, and through a link that stays inside."""
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "\u00e4").mkdir()
    (root / "inner").symlink_to("sub/deep")
    assert resolve(root, directory.format(root=root)) == path


@pytest.mark.parametrize(
    ("directory", "error"),
    [
        ("..", ForbiddenError),
        ("../beside", ForbiddenError),
        ("../root-beside", ForbiddenError),
        ("../nowhere", ForbiddenError),
        ("sub/../../beside", ForbiddenError),
        ("/", ForbiddenError),
        ("/nowhere", ForbiddenError),
        ("out", ForbiddenError),
        ("out/deeper", ForbiddenError),
        ("dangling_out", ForbiddenError),
        ("", InvalidRequestError),
        ("a\0b", InvalidRequestError),
        ("file", InvalidRequestError),
        ("file/", InvalidRequestError),
        ("nowhere", NotFoundError),
        ("loop", NotFoundError),
        ("x" * 256, NotFoundError),
        ("x/" * 5000, NotFoundError),
        ("\ud800", NotFoundError),
        ("~", NotFoundError),
    ],
)
def test_directory_that_cannot_be_ingested_is_rejected(
    root: Path, directory: str, error: type[IngestError]
) -> None:
    """Outside is forbidden whether it exists or not; inside it is missing, or not a directory."""
    fill(root, ["file", "sub/x"])
    for beside in ("beside", "root-beside"):
        (root.parent / beside).mkdir()
    (root / "out").symlink_to("../beside")
    (root / "dangling_out").symlink_to("../nowhere")
    (root / "loop").symlink_to("loop")
    with pytest.raises(error):
        resolve(root, directory)


def test_directory_without_permission_is_forbidden(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory exists, and the service may not read it."""
    (root / "bad").mkdir()
    monkeypatch.setattr("os.scandir", deny)
    with pytest.raises(ForbiddenError, match="permission denied"):
        resolve(root, "bad")


def test_root_of_all_has_every_directory_below_it(root: Path) -> None:
    """Where the ingest root is `/`, every absolute path is inside it."""
    assert resolve(Path("/"), "/") == b"."
    assert resolve(Path("/"), str(root)) == os.fsencode(root.relative_to("/"))


def test_folder_is_found_by_its_display_path(root: Path) -> None:
    """A name that is not UTF-8 can be chosen; a real name with U+FFFD takes precedence."""
    odd = os.fsdecode(b"caf\xe9")
    (root / odd / "deep \ufffd").mkdir(parents=True)
    display = "caf\ufffd/deep \ufffd"
    assert list_folders(root, b".", LookControl()).folders[0].path == "caf\ufffd"
    assert resolve(root, display) == b"caf\xe9/deep " + "\ufffd".encode()
    assert resolve(root, f"{root}/{display}") == resolve(root, display)
    with pytest.raises(NotFoundError):
        resolve(root, "caf\ufffd\ufffd")
    (root / "caf\ufffd").mkdir()
    assert resolve(root, "caf\ufffd") == "caf\ufffd".encode()

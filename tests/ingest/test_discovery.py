"""Finding files: which directory is meant, what is found in it, and what is passed over."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.discovery import Chunk, Selection, discover, identities
from ingest.errors import NotFoundError
from ingest.request import IngestRequest
from tests.support.ingest import fill, path_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def chunks(root: Path, directory: bytes = b".", **options: Any) -> Iterator[Chunk]:
    return discover(root, directory, Selection(**options))


def find(root: Path, directory: bytes = b".", **options: Any) -> list[bytes]:
    return sorted(file for chunk in chunks(root, directory, **options) for file in chunk.files)


def fail_in(monkeypatch: pytest.MonkeyPatch, folder: bytes, after: int | None) -> None:
    """Make a folder fail when it is opened, or `after` a number of entries."""
    scandir = os.scandir

    class Failing:
        def __init__(self, entries: Any) -> None:
            self._entries = entries

        def __enter__(self) -> Iterator[Any]:
            return self._fail()

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def _fail(self) -> Iterator[Any]:
            for _, entry in zip(range(after or 0), self._entries, strict=False):
                yield entry
            raise OSError(5, "Input/output error")

    def scan(path: Any) -> Any:
        if os.path.basename(path_of(path)) != folder:
            return scandir(path)
        if after is None:
            raise PermissionError(13, "Permission denied")
        return Failing(scandir(path))

    monkeypatch.setattr("os.scandir", scan)


# What is found


def test_all_regular_files_are_found_whatever_their_names(root: Path) -> None:
    """Odd bytes, newlines, dots at the front and 255 bytes are names like others."""
    names = [b"a", b"\xff\xfe", b"new\nline", b".hidden", b"x" * 255, b"sub/dir/\xff", b".d/e"]
    fill(root, names)
    assert find(root) == sorted(names)
    assert find(root, b"sub") == [b"sub/dir/\xff"]


def test_what_is_no_regular_file_is_passed_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FIFOs, sockets, links to files and to folders, loops and dangling links."""
    fill(root, ["a", "sub/b"])
    os.mkfifo(root / "fifo")
    (root / "to_file").symlink_to("a")
    (root / "to_folder").symlink_to("sub")
    (root / "sub" / "loop").symlink_to("..")
    (root / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(root)  # the name of a socket is short
        listening.bind("socket")
        assert find(root) == [b"a", b"sub/b"]


def test_root_itself_may_be_a_link(root: Path) -> None:
    """The link is the operator's; those below it are anybody's."""
    fill(root, ["a"])
    link = root.parent / "link"
    link.symlink_to(root)
    assert find(link) == [b"a"]


def test_folders_are_not_entered_without_recursion(root: Path) -> None:
    """Only what lies right in the directory is found."""
    fill(root, ["a", "sub/b"])
    assert find(root, recursive=False) == [b"a"]


def test_pattern_is_held_against_the_name_alone(root: Path) -> None:
    """The folders on the way need not match; names in odd bytes may."""
    fill(root, [b"sub.txt/a.jpg", b"sub.txt/b.TXT", b"\xff.txt"])
    matches = IngestRequest(pattern="*.txt").matcher()
    assert find(root, matches=matches) == [b"sub.txt/b.TXT", b"\xff.txt"]


def test_no_more_than_the_limit_is_found(root: Path) -> None:
    """Neither in one folder nor over several."""
    fill(root, [f"{folder}/{name}" for folder in "abc" for name in "xyz"])
    for limit in (1, 3, 4, 9):
        assert len(find(root, limit=limit)) == limit
    assert len(find(root, limit=100)) == 9


def test_no_folder_is_looked_into_beyond_the_limit(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten files of a million are found without reading the other folders."""
    fill(root, [f"{folder}/file" for folder in "abcdef"])
    looked: list[Any] = []
    scandir = os.scandir

    def look(path: Any) -> Any:
        looked.append(path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", look)
    assert len(find(root, limit=2)) == 2
    assert len(looked) == 3


def test_files_of_the_service_are_left_out(root: Path) -> None:
    """Its database may lie in the tree; a hard link to it is it, too, and a namesake is not."""
    fill(root, ["ingest.db", "ingest.db-wal", "a", "sub/ingest.db"])
    os.link(root / "ingest.db", root / "sub" / "linked")
    own = identities((root / "ingest.db", root / "ingest.db-wal", root / "ingest.db-shm"))
    assert find(root, leave_out=own) == [b"a", b"sub/ingest.db"]


def test_chunks_are_bounded_and_miss_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files there are, few are held at a time."""
    monkeypatch.setattr("ingest.discovery.CHUNK_FILES", 4)
    fill(root, [f"{n}/{m}" for n in range(5) for m in range(5)])
    found = list(chunks(root))
    assert max(len(chunk) for chunk in found) == 4
    assert len({file for chunk in found for file in chunk.files}) == 25


# What is left out


def test_excluded_folder_is_not_scanned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders are left out by the rules of gitignore, and the rest is found."""
    fill(root, ["a.txt", "b.tmp", "@ea/x", "sub/@ea/y", "sub/c.txt", "sub/keep.tmp"])
    scanned: list[bytes] = []
    scandir = os.scandir

    def scan(fd: int) -> Any:
        scanned.append(path_of(fd))
        return scandir(fd)

    monkeypatch.setattr("os.scandir", scan)
    found = find(root, exclude=("@ea/", "*.tmp", "!keep.tmp"))
    assert found == [b"a.txt", b"sub/c.txt", b"sub/keep.tmp"]
    assert [os.path.basename(path) for path in scanned] == [b"root", b"sub"]


def test_exclusion_is_relative_to_the_directory(root: Path) -> None:
    """A pattern with a slash begins at the session's directory, not at the root."""
    fill(root, ["sub/out/a", "sub/in/out/b", "out/c"])
    assert find(root, b"sub", exclude=("/out",)) == [b"sub/in/out/b"]
    assert find(root, exclude=("/out",)) == [b"sub/in/out/b", b"sub/out/a"]


def test_excluded_files_do_not_count_against_the_limit(root: Path) -> None:
    """Ten files are ten that are wanted."""
    fill(root, [f"{n}.{kind}" for n in range(9) for kind in ("tmp", "txt")])
    assert len(find(root, exclude=("*.tmp",), limit=9)) == 9


def test_ignore_files_are_for_their_folder_and_below(root: Path) -> None:
    """A deeper one overrides those above, and the request overrides all; the root's counts too."""
    fill(root, ["a.tmp", "a.txt", "sub/a.tmp", "sub/b.log", "sub/deep/a.tmp", "sub/deep/c.txt"])
    (root / ".ingestignore").write_text("# what cameras leave\n*.tmp\n.ingestignore\n")
    (root / "sub" / ".ingestignore").write_text("!a.tmp\n/b.log\n")
    assert find(root) == [b"a.txt", b"sub/a.tmp", b"sub/deep/a.tmp", b"sub/deep/c.txt"]
    assert find(root, b"sub/deep") == [b"sub/deep/a.tmp", b"sub/deep/c.txt"]
    assert find(root, exclude=("a.tmp",)) == [b"a.txt", b"sub/deep/c.txt"]


def test_ignore_file_that_is_a_link_or_a_folder_is_none(root: Path) -> None:
    """A link may lead out of the root, and opening a FIFO must not wait for its writer."""
    fill(root, ["a/x", "b/x", "c/x", "c/.ingestignore/y", "rules"])
    (root / "rules").write_text("x")
    (root / "a" / ".ingestignore").symlink_to("../rules")
    os.mkfifo(root / "b" / ".ingestignore")
    assert find(root) == [b"a/x", b"b/x", b"c/.ingestignore/y", b"c/x", b"rules"]


def test_folder_with_an_unreadable_ignore_file_is_an_error(root: Path) -> None:
    """What it would leave out is not known, so nothing of the folder is taken."""
    fill(root, ["sub/a", "b"])
    (root / "sub" / ".ingestignore").write_bytes(b"x\n" * 40_000)
    (found,) = chunks(root)
    assert found.files == [b"b"]
    ((folder, reason),) = found.unreadable
    assert folder == b"sub"
    assert "has more than 65,536 bytes" in reason


def test_folder_that_is_mounted_twice_is_entered_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree may be mounted inside itself: device and inode tell a folder, not its path."""
    fill(root, ["a", "sub/b", "mounted/a", "mounted/mounted/a"])
    fstat, identity = os.fstat, os.stat(root)
    monkeypatch.setattr(
        "os.fstat", lambda fd: identity if path_of(fd).endswith(b"mounted") else fstat(fd)
    )
    assert find(root) == [b"a", b"sub/b"]


def test_other_file_systems_are_entered_unless_it_is_asked_not_to(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder on another device than the directory's own is passed over, with what is in it."""
    fill(root, ["a", "sub/b", "mounted/c"])
    fstat, other = os.fstat, os.stat("/proc")
    monkeypatch.setattr(
        "os.fstat", lambda fd: other if path_of(fd).endswith(b"mounted") else fstat(fd)
    )
    assert find(root) == [b"a", b"mounted/c", b"sub/b"]
    assert find(root, one_file_system=True) == [b"a", b"sub/b"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_patterns_match_whatever_the_locale(root: Path, locale: str) -> None:
    """Names and patterns are UTF-8, also where Python decodes names otherwise."""
    fill(root, ["M\u00fcller/\u00c4.txt", "\u00d6l/b.txt"])
    code = (
        "import sys; from pathlib import Path; from ingest.discovery import *;"
        "from ingest.request import IngestRequest as R;"
        r"r = R(pattern='\u00e4*|b*', exclude=['\u00d6l/']);"
        "s = Selection(matches=r.matcher(), exclude=r.exclude);"
        "found = [f for c in discover(Path(sys.argv[1]), b'.', s) for f in c.files];"
        "sys.stdout.buffer.write(b' '.join(found))"
    )
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", code, str(root)]
    found = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert found.stdout.decode() == "M\u00fcller/\u00c4.txt"


# What cannot be read


@pytest.mark.parametrize(
    ("after", "reason", "found"),
    [(None, "Permission denied", 3), (0, "Input/output error", 3), (2, "Input/output error", 5)],
)
def test_folder_that_cannot_be_read_is_told_and_the_rest_found(
    root: Path, monkeypatch: pytest.MonkeyPatch, after: int | None, reason: str, found: int
) -> None:
    """Whether it does not open or fails half way: what it gave is kept, the others go on."""
    fill(root, [*(f"good/{n}" for n in range(3)), *(f"bad/{n}" for n in range(4))])
    fail_in(monkeypatch, b"bad", after)
    told = list(chunks(root))
    assert [folder for chunk in told for folder in chunk.unreadable] == [
        (b"bad", f"the folder cannot be read: {reason}")
    ]
    assert sum(len(chunk.files) for chunk in told) == found


@pytest.mark.parametrize("after", [None, 0])
def test_directory_that_cannot_be_read_is_an_error(
    root: Path, monkeypatch: pytest.MonkeyPatch, after: int | None
) -> None:
    """There is nothing then that a session could do."""
    fill(root, ["sub/a"])
    fail_in(monkeypatch, b"sub", after)
    with pytest.raises(NotFoundError, match="the directory cannot be read: "):
        find(root, b"sub")


def test_directory_that_vanished_is_an_error(root: Path) -> None:
    """Also where it was there when the session was asked for."""
    with pytest.raises(NotFoundError, match="No such file or directory"):
        find(root, b"gone")


@pytest.mark.parametrize("first", ["top", "sub/top"])
def test_folder_that_becomes_a_link_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Neither itself nor one on the way to it: what lies outside is not found."""
    monkeypatch.setattr("ingest.discovery.CHUNK_FILES", 1)
    fill(root, [first, "sub/deep/a"])
    fill(root.parent, ["outside/deep/secret", "outside/secret"])
    finding = chunks(root)
    assert next(finding).files == [os.fsencode(first)]
    (root / "sub").rename(root.parent / "away")
    (root / "sub").symlink_to("../outside")
    (rest,) = finding
    folder = b"sub" if first == "top" else b"sub/deep"
    assert rest == Chunk([], [(folder, "the folder cannot be read: Not a directory")])


def test_path_that_is_too_long_is_told_and_not_entered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program could open a file there by its name."""
    fill(root, ["a"])
    monkeypatch.chdir(root)
    for _ in range(20):
        os.mkdir("x" * 250)
        os.chdir("x" * 250)
    (Path() / "deep").touch()
    (found,) = chunks(root)
    assert found.files == [b"a"]
    assert [reason for _, reason in found.unreadable] == [
        "the folder cannot be read: File name too long"
    ]


def test_scan_leaves_no_descriptor(root: Path) -> None:
    """Not where it is given up half way or meets a folder that is gone, either."""
    fill(root, [f"{a}/{b}/{c}" for a in "ab" for b in "cd" for c in "ef"])
    before = os.listdir("/proc/self/fd")
    find(root)
    assert len(next(chunks(root, limit=1))) == 1
    with pytest.raises(NotFoundError):
        find(root, b"a/b/gone")
    assert os.listdir("/proc/self/fd") == before

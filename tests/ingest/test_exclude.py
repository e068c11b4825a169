"""Patterns of what is left out: the rules of gitignore, compared with git itself where it is."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.exclude import compile_rules, is_excluded, patterns_of

CASES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (("*.tmp",), ("a.tmp", "sub/b.tmp", "c.tmp/d"), ("a.tmpx", "tmp")),
    (("@ea/",), ("@ea/config", "sub/@ea/x"), ("@ea", "a@ea/x", "@eax")),
    (("build",), ("build", "build/a", "sub/build"), ("builds", "sub/rebuild")),
    (("/build",), ("build", "build/a"), ("sub/build",)),
    (("raw/x",), ("raw/x", "raw/x/y"), ("sub/raw/x", "raw/xy")),
    (("raw/*",), ("raw/x", "raw/y/z"), ("raw", "x/raw/y")),
    (("raw/**",), ("raw/x", "raw/y/z"), ("raw",)),
    (("**/c/d",), ("c/d", "a/c/d", "a/b/c/d"), ("c/x/d", "cc/d")),
    (("a/**/z",), ("a/z", "a/b/z", "a/b/c/z"), ("az", "b/a/z", "a/zz")),
    (("a/**/m/**/z",), ("a/m/z", "a/x/m/m/y/z"), ("a/z", "a/m")),
    (("*", "!keep"), ("a", "b/keep"), ("keep",)),
    (("*.log", "!keep.log"), ("a.log", "x/b.log"), ("keep.log", "x/keep.log")),
    (("sub", "!sub/keep"), ("sub/keep",), ("other",)),
    (("!keep.log", "*.log"), ("keep.log",), ("keep",)),
    (("f?o",), ("foo", "f/f.o"), ("f/o", "fo")),
    (("[a-c].x",), ("a.x", "c.x"), ("d.x", "A.x", "-.x")),
    (("[!a-c].x", "[^d]y"), ("d.x", "ey"), ("a.x", "dy")),
    (("[]-].x", r"[\]].y"), ("].x", "-.x", "].y"), ("a.x", r"\.y")),
    ((r"\!a", r"\#b", r"c\*"), ("!a", "#b", "c*"), ("a", "b", "cc")),
    (("sp ", r"sq\ "), ("sp", "sq "), ("sp ", "sq")),
    (("", "/", "[", "a\\"), (), ("[", "a", "a\\", "x/y")),
    (("**",), ("a", "b/c"), ()),
    (("foo**bar",), ("foobar", "fooxbar", "a/fooxbar"), ("foo/bar",)),
    (("*.TXT",), ("a.TXT",), ("a.txt",)),
)
"""Patterns, what they leave out, and what they do not."""


def left_out(patterns: Iterable[str], path: str) -> bool:
    """Return whether a file or a folder above it is excluded, as a scan finds them."""
    lists = [compile_rules(patterns)]
    names = path.split("/")
    return any(
        is_excluded(lists, "/".join(names[:end]), names[end - 1], is_folder=end < len(names))
        for end in range(1, len(names) + 1)
    )


@pytest.mark.parametrize(("patterns", "out", "kept"), CASES)
def test_pattern_follows_the_rules_of_gitignore(
    patterns: Sequence[str], out: Sequence[str], kept: Sequence[str]
) -> None:
    """Depth, anchors, folders, stars, classes, escapes, and the last pattern that decides."""
    assert [path for path in (*out, *kept) if left_out(patterns, path)] == list(out)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_takes_every_pattern_in_the_same_way(tmp_path: Path) -> None:
    """The cases above are those of the program whose rules they are."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for patterns, out, kept in CASES:
        (tmp_path / ".gitignore").write_text("\n".join(patterns) + "\n")
        paths = [path for path in (*out, *kept) if not path.startswith((".git/", "/"))]
        command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "-z", "--stdin"]
        checked = subprocess.run(
            command, input="\0".join(paths), capture_output=True, text=True, check=False
        )
        ignored = set(checked.stdout.split("\0"))
        assert {path for path in paths if left_out(patterns, path)} == ignored - {""}, patterns


def test_name_in_a_list_may_begin_with_a_number_sign() -> None:
    """`#recycle` is a folder of a network disk; only a file of patterns has comments."""
    assert left_out(["#recycle/"], "#recycle/a")
    assert patterns_of("\ufeff# what\r\n#recycle\r\n\\#x\n*.tmp") == ["\\#x", "*.tmp"]


def test_both_spellings_of_a_character_are_one() -> None:
    """A composed pattern leaves out what the disk has decomposed; `?` is one character."""
    assert left_out(["caf\u00e9"], "caf\u00e9")
    assert left_out(["cafe\u0301"], "caf\u00e9")
    assert left_out(["caf?"], "caf\u00e9")


def test_rules_of_a_folder_are_relative_to_it() -> None:
    """The path is compared from the folder on, and the first list decides."""
    inner, outer = compile_rules(["/a", "!b"], "sub/"), compile_rules(["b", "c"])
    assert is_excluded([inner, outer], "sub/a", "a", is_folder=False)
    assert not is_excluded([inner, outer], "sub/x/a", "a", is_folder=False)
    assert not is_excluded([inner, outer], "sub/b", "b", is_folder=False)
    assert is_excluded([inner, outer], "sub/c", "c", is_folder=False)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("x/" + "*a" * 400 + "*b", "x/" + "a" * 255),
        ("**/a/" * 190 + "b", "a/" * 2000 + "a"),
        ("a/" + "**/*a*a*a*a*a/" * 60 + "b", "/".join(["aaaaaaaa"] * 400)),
    ],
)
def test_pattern_of_many_stars_is_quick(pattern: str, path: str) -> None:
    """No pattern of a start request can keep a scan from going on."""
    assert not is_excluded([compile_rules([pattern])], path, "a", is_folder=False)


@given(st.lists(st.text(max_size=30), max_size=5), st.text(min_size=1, max_size=30))
def test_every_text_is_a_pattern(patterns: list[str], path: str) -> None:
    """An invalid pattern leaves nothing out; none raises."""
    left_out(patterns, path)

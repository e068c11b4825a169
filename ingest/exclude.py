"""
Patterns of files and folders to leave out, with the rules of gitignore. Pure: no I/O.

The rules are those of https://git-scm.com/docs/gitignore. A pattern without a slash is compared
with the name at any depth; one with a slash at its start or in its middle with the path below the
folder that the rules belong to. A trailing slash takes folders only. `*` and `?` match within a
name, `**` across folders, `[…]` one character, and a backslash takes the next character literally.
`!` includes again what an earlier pattern excluded; the last pattern that matches decides. What is
in an excluded folder cannot be included again, as the folder is not entered.

Two differences: POSIX classes (`[[:alpha:]]`) are not supported, and names are compared as text in
composed form (Unicode NFC), so that `?` is one character and both spellings of "é" are one.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

NAME_PART = "[^/]"
NEVER = "(?!)"
"""What no text matches: a pattern that gitignore takes for invalid."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One pattern, compiled for whole texts.

    `by_path` compares it with the path below the rules' folder instead of with the name.
    """

    matches: re.Pattern[str]
    by_path: bool
    folders_only: bool
    includes: bool


@dataclass(frozen=True, slots=True)
class RuleList:
    """Rules, the decisive one first, of a folder: `base` is its path with a slash, or empty."""

    base: str
    rules: tuple[Rule, ...]


def compile_rules(patterns: Iterable[str], base: str = "") -> RuleList:
    """Return the rules of `patterns`, of which the last one that matches decides."""
    rules = [rule for pattern in patterns if (rule := _rule(pattern)) is not None]
    return RuleList(base, tuple(reversed(rules)))


def patterns_of(text: str) -> list[str]:
    """Return the patterns of an ignore file: its lines but for comments."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return [line for line in lines if not line.startswith("#")]


def is_excluded(lists: Sequence[RuleList], path: str, name: str, *, is_folder: bool) -> bool:
    """
    Return whether `lists`, the decisive one first, exclude the file or folder `name`.

    `path` and every list's base are below one and the same folder; `name` is the end of `path`.
    """
    for each in lists:
        for rule in each.rules:
            if rule.folders_only and not is_folder:
                continue
            text = path[len(each.base) :] if rule.by_path else name
            if rule.matches.fullmatch(text):
                return not rule.includes
    return False


def _rule(pattern: str) -> Rule | None:
    """Return the rule of one pattern, or None for a blank one."""
    text = unicodedata.normalize("NFC", _without_spaces(pattern))
    includes = text.startswith("!")
    text = text[includes:]
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    if not text:
        return None
    by_path = "/" in text
    whole = _path(text.removeprefix("/").split("/")) if by_path else _name(text)
    return Rule(re.compile(whole, re.DOTALL), by_path, folders_only, includes)


def _without_spaces(pattern: str) -> str:
    """Return a pattern without trailing spaces, but for those after a backslash."""
    stripped = pattern.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 and stripped != pattern else stripped


def _path(names: Sequence[str]) -> str:
    """
    Translate a pattern with slashes, given as its names.

    The names between two `**` are matched where they first fit: if the rest does not match after
    that, it matches after no later place either. So each group is atomic, and many `**` are quick.
    """
    groups = [list(group) for is_any, group in groupby(names, _is_any) if not is_any]
    if not groups:
        return ".+"
    begins, ends = not _is_any(names[0]), not _is_any(names[-1])
    whole = ""
    for index, group in enumerate(groups):
        fixed = "/".join(map(_name, group))
        first, last = index == 0, index == len(groups) - 1
        if first and begins:
            whole += fixed if last and ends else f"{fixed}/"
        elif last and ends:
            whole += f"(?:{NAME_PART}+/)*{fixed}"
        else:
            whole += f"(?>(?:{NAME_PART}+/)*?{fixed}/)"
    return whole if ends else f"{whole}.+"


def _is_any(name: str) -> bool:
    """Return whether a name of a pattern stands for any number of folders."""
    return len(name) > 1 and not name.strip("*")


def _name(pattern: str) -> str:
    """Translate a pattern of one name; each `*` but the last is atomic, so any number is quick."""
    try:
        pieces = list(_pieces(pattern))
    except ValueError:
        return NEVER
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>{NAME_PART}*?{piece})" for piece in middle) + f"{NAME_PART}*{last}"


def _pieces(pattern: str) -> Iterator[str]:
    """
    Yield the translated text before, between and after the stars.

    Raises:
        ValueError: the pattern is invalid.
    """
    piece, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            yield piece
            piece = ""
        elif character == "?":
            piece += NAME_PART
        elif character == "[":
            characters, at = _class(pattern, at)
            piece += characters
        elif character == "\\":
            piece += re.escape(_character(pattern, at - 1)[0])
            at += 1
        else:
            piece += re.escape(character)
    yield piece


def _class(pattern: str, at: int) -> tuple[str, int]:
    """
    Translate the class of characters that begins before `at`; return it, and where it ends.

    Raises:
        ValueError: it has no end.
    """
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    first, ranges = at, ""
    while at == first or pattern[at : at + 1] != "]":
        low, at = _character(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            high, at = _character(pattern, at + 1)
        if low <= high:
            ranges += f"{re.escape(low)}-{re.escape(high)}"
    if not ranges:
        return NAME_PART if negated else NEVER, at + 1
    return f"(?!/)[{'^' if negated else ''}{ranges}]", at + 1


def _character(pattern: str, at: int) -> tuple[str, int]:
    """
    Return the character at `at`, which a backslash may stand before, and what follows it.

    Raises:
        ValueError: the pattern ends before it.
    """
    at += pattern[at : at + 1] == "\\"
    if at >= len(pattern):
        raise ValueError(pattern)
    return pattern[at], at + 1

"""
The rules of language: plain technical English, one word for one thing.

`python -m tests.language [FOLDER_OR_FILE …]` prints each breach as `file:line: what`. The test
`tests/test_language.py` runs the same over the whole project.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CHECKED = frozenset({".py", ".js", ".md", ".html", ".toml", ".cfg", ".service", ".json"})

LEFT_OUT = frozenset({"tests/language.py", "tests/test_language.py", "LICENSE"})
"""These name the words themselves."""

PHRASES: tuple[tuple[str, str], ...] = (
    (r"for ever\b", "forever, or without limit"),
    (r"\bgives? back\b", "return"),
    (r"\b(?:is|are|was|were|be) told\b", "name who is notified or what is reported"),
    (r"\btells? (?:of|whether|how|what|when|that)\b", "return, report, or say who is notified"),
    (r"\bsays? so\b", "state what is reported"),
    (r"\bis no (?!longer|other|more)", "is not a"),
    (r"\bthere (?:is|are) none\b(?= *:)", "state the condition"),
    (r"\bdear\b", "expensive"),
    (r"\bpolite(?:ly)?\b", "name the behaviour"),
    (r"\bheed(?:s|ed|ful|fully)?\b", "name the behaviour"),
    (r"\bbur(?:y|ied|ies)\b|\bmourn\w*", "name the step: remove, reap, report"),
    (r"\bculprit\b|strikes again", "isolate, retry alone"),
    (r"\btook longer than\b", "timed out after"),
    (r"\bnever heard of\b", "no result was returned"),
    (r"\bcannot be listened on\b", "cannot listen on"),
    (r"\bthose that there are not\b", "unknown fields"),
    (r"\b(?:one|those|they|he|somebody|anybody|people|client|clients) who asks?\b", "the caller"),
    (r"\bnot looked after\b", "name what stopped"),
    (r"\bstay for now\b", "name what failed"),
    (r"\blook(?:s|ed)? away\b", "name the step"),
    (r"\bis answered here\b", "host not allowed"),
    (r"\bis not said\b", "is missing"),
    (r"\bby the letter of\b|\bto the letter\b", "as the specification requires"),
    (r"\bhas its turn\b|\bgets its turn\b|\bits turn comes\b", "runs, or yields to the event loop"),
    (r"\bbroken? off\b|\bbreaks? off\b", "interrupted, suspended"),
    (r"\bhas come to its end\b|\bat its end\b|\bcame to its end\b", "has ended, is finished"),
    (r"\bwho watch(?:es)?\b", "watchers, subscribers"),
    (r"\bso many\b(?! (?:files|times))", "state the number"),
    (r"\bbeware\b|\bwhim\b|\bwishes\b|\bthe wish\b", "name the request"),
    (r"\bon its way\b", "in transit, being sent"),
    (r"\bin vain\b", "without effect"),
)
"""A pattern that belongs to a private dialect, and what to write instead."""

NAMES = (
    r"\b_?(?:bury|mourn|look_away|ignore_polite_signals|heedfulFetch|[Ss]urroundings|Parts|cut"
    r"|turns|stamp|shown|life|around)\b"
)
"""Identifiers that only the author understood; checked in code, not in prose."""

BAD_STARTS = frozenset(
    {
        "Give", "Gives", "Tell", "Tells", "Say", "Says", "Let", "Lets", "Have", "Has", "Look",
        "Put", "Puts", "Draw", "Hear", "Hand", "Hands", "Be", "Begin", "Want", "Know", "Knows",
        "Go", "Goes", "See", "Think", "Ask", "Asks", "Answer", "Answers", "Take", "Takes",
    }
)  # fmt: skip
"""First words of a docstring that hide what is returned or done."""

START = re.compile(r"""[A-Z0-9`"'(<.*\[{~/:\\]|https?:""")


def breaches(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Return each breach in a file's text as its line number and what to change."""
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, instead in PHRASES:
            if found := re.search(pattern, line, re.IGNORECASE):
                yield number, f"{found[0]!r}: write {instead}"
    if path.suffix == ".py":
        yield from _breaches_in_code(ast.parse(text))


def _breaches_in_code(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            line = node.body[0].lineno if node.body else 1
            if text and (why := _bad_start(text)):
                yield line, why
        name = _name(node)
        if name and re.fullmatch(NAMES, name):
            yield getattr(node, "lineno", 1), f"the name {name!r}: use the standard term"


def _bad_start(docstring: str) -> str | None:
    word = docstring.split(maxsplit=1)[0]
    if word.rstrip(",:;.") in BAD_STARTS:
        return f"docstring starts with {word!r}: start with Return, Raise, Wait, … or a noun phrase"
    if not START.match(word):
        return f"docstring starts with {word!r}: start with a capital"
    return None


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    return node.arg if isinstance(node, ast.arg | ast.keyword) else None


def files(places: Sequence[str] = ()) -> Iterator[Path]:
    """Return the checked files that git knows, below `places` or everywhere."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *places]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in sorted(set(listed.stdout.splitlines())):
        path = ROOT / name
        if path.suffix in CHECKED and name not in LEFT_OUT and path.is_file():
            yield path


def main(places: Sequence[str]) -> int:
    """Print the breaches below `places`; return 1 if there are any."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in files(places)
        for line, what in breaches(path, path.read_text("utf-8"))
    ]
    print(*found, f"{len(found)} breaches", sep="\n")  # noqa: T201 - a report for a terminal
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The documents name what there is, and their links lead somewhere."""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from cli import arguments
from ingest import IngestError, IngestRequest, Settings, __version__
from ingest import errors as ingest_errors
from ingest.manager import SessionStatistics
from ingest.session import Session
from sse import StreamRegistry
from tests.support.moments import at
from web import errors
from web.errors import HTTPError
from web.metrics import Metrics
from web.static import DESCRIPTION

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def words(name: str) -> set[str]:
    """Return each code span of a document, whole and in its parts."""
    spans = CODE.findall(text(name))
    return {*spans, *(part for span in spans for part in re.findall(r"[\w./{}-]+", span))}


def routes() -> Iterator[str]:
    for path, item in json.loads(DESCRIPTION.read_text("utf-8"))["paths"].items():
        yield from (f"{method.upper()} {path}" for method in item if method in ("get", "post"))


HIDDEN = {"--until-eof"}
"""Flags that only another process of ours gives."""


def flags(command: str) -> set[str]:
    """Return the flags of a command, from its parser."""
    (commands,) = (
        action.choices
        for action in arguments.parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return set(commands[command]._option_string_actions) - {"-h", "--help"}


@pytest.mark.parametrize("route", list(routes()))
def test_route_is_documented(route: str) -> None:
    """Each method and path stands in the document of the API."""
    assert re.search(rf"`{re.escape(route)}(\?[^`]*)?`", text("api.md")), route


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_setting_is_documented_with_its_default(field: Any) -> None:
    """Each setting has a row in the table, with the default that it has."""
    name = f"INGEST_{field.name.upper()}"
    (row,) = re.findall(rf"^\| `{name}` \| (.+?) \|", text("api.md"), re.MULTILINE)
    spoken = {"root": "the working directory", "workers": "number of cores"}
    spoken |= {"processor": "the built-in one", "allowed_hosts": "`*`"}
    default = field.default
    if default in (None, ()):
        wanted = "none"
    else:
        wanted = f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    assert row == spoken.get(field.name, wanted)


@pytest.mark.parametrize("field", fields(IngestRequest), ids=lambda field: field.name)
def test_field_of_a_start_is_documented_with_its_default(field: Any) -> None:
    """Each field of a start request has a row, with the default that it has."""
    (row,) = re.findall(rf"^\| `{field.name}` \| [^|]+ \| `(.+?)` \|", text("api.md"), re.MULTILINE)
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    assert json.loads(row) == default


def test_snapshot_is_documented() -> None:
    """Each field of the snapshot, each counter and each field of an error is in the document."""
    session = Session("s", 0.0)
    session.begin_processing(at(0.0))
    snapshot = session.snapshot(at(1.0))
    error = json.loads(DESCRIPTION.read_text("utf-8"))["components"]["schemas"]["FileError"]
    wanted = {*snapshot, *snapshot["stats"], *error["properties"]}
    assert wanted - words("api.md") == set()


def test_states_are_documented() -> None:
    """Each state of a session is named where the snapshot is described."""
    schema = json.loads(DESCRIPTION.read_text("utf-8"))["components"]["schemas"]["Snapshot"]
    assert set(schema["properties"]["status"]["enum"]) <= words("api.md")


def test_record_of_the_report_is_documented() -> None:
    """Each field of a report's record is in the document."""
    schema = json.loads(DESCRIPTION.read_text("utf-8"))["components"]["schemas"]["Record"]
    assert set(schema["properties"]) <= words("api.md")


def test_error_statuses_are_documented() -> None:
    """Each status that the service refuses with has a row that says when."""
    named = [*vars(errors).values(), *vars(ingest_errors).values()]
    classes = [each for each in named if isinstance(each, type)]
    refusals = [each for each in classes if issubclass(each, HTTPError | IngestError)]
    found = {each.status for each in refusals} - {HTTPError.status}
    rows = set(re.findall(r"^\| `(\d{3})` \|", text("api.md"), re.MULTILINE))
    assert {str(status) for status in found} == rows


def test_metrics_are_documented() -> None:
    """Each metric has a row, and each row is a metric that there is."""

    class Nothing:
        def statistics(self) -> SessionStatistics:
            return SessionStatistics({}, {}, {}, 0)

    made = Metrics(cast("Any", Nothing()), StreamRegistry())
    found = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in made._registry.collect()
    }
    rows = re.findall(
        r"^\| `(ingest_\w+)(?:\{[\w,]+\})?` \| (\w+) \|", text("operating.md"), re.MULTILINE
    )
    assert {name for name, _ in rows} == found


def test_metrics_asked_for_are_there() -> None:
    """Each name in the queries for panels and alarms is one of the table's."""
    names = set(re.findall(r"^\| `(ingest_\w+)", text("operating.md"), re.MULTILINE))
    used = {
        re.sub(r"_bucket$", "", name)
        for name in re.findall(r"\b(ingest_\w+)", text("operating.md"))
    }
    assert used == names


@pytest.mark.parametrize("command", arguments.COMMANDS)
def test_flags_are_documented(command: str) -> None:
    """Each flag stands in its command's part of the document, or is one that is said of all."""
    (part,) = re.findall(
        rf"^## {command}$(.*?)^## ", text("command-line.md"), re.MULTILINE | re.DOTALL
    )
    assert set(re.findall(r"--[a-z][\w-]*", part)) >= flags(command) - HIDDEN
    assert set(re.findall(r"--[a-z][\w-]*", part)) <= set().union(*map(flags, arguments.COMMANDS))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Each link to another file has it there, and each to a heading has that heading."""
    for link in LINK.findall(document.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in set(map(slug, HEADING.findall(target.read_text("utf-8")))), link


def slug(heading: str) -> str:
    """Make a heading's anchor, as the usual forges do."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_document_can_be_found() -> None:
    """From the first page each document is reached by links."""
    found, pending = set[Path](), [ROOT / "README.md"]
    while pending:
        document = pending.pop()
        if document not in found and document.suffix == ".md" and document.exists():
            found.add(document)
            links = LINK.findall(document.read_text("utf-8"))
            pending += [(document.parent / link.partition("#")[0]).resolve() for link in links]
    assert set(DOCUMENTS) - found == set()


def test_modules_named_in_the_architecture_exist() -> None:
    """The table of modules names existing files only, and every module."""
    rows = re.findall(r"^\| (`[^|]+`) \|", text("architecture.md"), re.MULTILINE)
    named = set[str]()
    for row in rows:
        folder = ""
        for span in CODE.findall(row):
            folder = span.rpartition("/")[0] or folder
            named.add(f"{folder}/{span.rpartition('/')[2]}".rstrip("/"))
    assert {path for path in named if not (ROOT / path).exists()} == set()
    folders = ("sse", "ingest", "cluster", "web", "cli")
    paths = [path for name in folders for path in ROOT.glob(f"{name}/**/*.py")]
    modules = {path.relative_to(ROOT).as_posix() for path in paths if path.stem != "__init__"}
    assert modules - named == set()


def test_version_stands_in_one_place() -> None:
    """The package's metadata and the documents take the version from one line of code."""
    assert "version = attr: ingest.__version__" in (ROOT / "setup.cfg").read_text("utf-8")
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*/*.py"), ROOT / "setup.cfg"]:
        if path != ROOT / "ingest" / "__init__.py":
            assert __version__ not in path.read_text("utf-8"), path

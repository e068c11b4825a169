"""The description of the API, held against the routes and against real answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from ingest import IngestRequest
from tests.support.client import API, Answer, Client, Gate, serving
from web.files import FileRoutes
from web.routes import Routes
from web.static import DESCRIPTION

DOCUMENT = json.loads(DESCRIPTION.read_text("utf-8"))

METHODS = {"get", "head", "post", "put", "delete", "options", "patch", "trace"}


def resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference inside the document."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def validator(schema: Mapping[str, Any]) -> Validator:
    """Make a validator that knows the document's schemas, and checks formats too."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return cast(
        "Validator",
        Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER),
    )


def check(answer: Answer, method: str, template: str) -> None:
    """Hold an answer against what the document says of its route."""
    responses = DOCUMENT["paths"][template][method]["responses"]
    assert str(answer.status) in responses, (answer.status, template)
    content = resolve(responses[str(answer.status)]).get("content", {})
    media_type = (answer.header("content-type") or "").partition(";")[0]
    if answer.body:
        assert media_type in content
        if media_type.endswith("json"):
            validator(content[media_type]["schema"]).validate(answer.json)


def operations() -> Iterator[tuple[str, str]]:
    for template, item in DOCUMENT["paths"].items():
        yield from ((template, method) for method in METHODS & set(item))


def routes() -> Iterator[tuple[str, str]]:
    nothing = cast("Any", None)
    made = Routes(
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        FileRoutes(nothing, nothing, nothing),
        nothing,
    )
    names = {"/static": "name"}
    for path, methods in made._exact.items():
        yield from ((path, method.lower()) for method in methods)
    for folder, methods in made._below.items():
        template = f"{folder}/{{{names.get(folder, 'session_id')}}}"
        if folder.endswith("/*"):
            template = f"{folder.removesuffix('*')}{{session_id}}/{{n}}"
        yield from ((template, method.lower()) for method in methods)


def test_routes_and_description_name_the_same() -> None:
    """Every route and method is described, and nothing is that there is not."""
    assert sorted(operations()) == sorted(routes())


async def test_description_is_served(tmp_path: Path) -> None:
    """The document comes as it lies in the package, and is revalidated by its ETag."""
    async with serving(tmp_path) as client:
        answer = await client.get("/openapi.json")
        assert answer.body == DESCRIPTION.read_bytes()
        assert answer.header("content-type") == "application/json"
        etag = answer.header("etag") or ""
        assert (await client.get("/openapi.json", if_none_match=etag)).status == 304


async def test_description_needs_the_token(tmp_path: Path) -> None:
    """The description of the API requires the token too."""
    async with serving(tmp_path, token="secret") as client:
        check(await client.get("/openapi.json"), "get", "/openapi.json")
        assert (await client.get("/openapi.json")).status == 401


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` points at something, and each component is pointed at."""
    references = set[str]()
    pending: list[Any] = [DOCUMENT]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if "$ref" in node:
                assert resolve(node)
                references.add(node["$ref"])
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    kinds = ("schemas", "responses", "parameters")
    names = {
        f"#/components/{kind}/{name}" for kind in kinds for name in DOCUMENT["components"][kind]
    }
    assert references == names


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_schema_is_valid(name: str) -> None:
    """Each schema is one by JSON Schema's own, and its required fields are described."""
    schema = DOCUMENT["components"]["schemas"][name]
    Draft202012Validator.check_schema(schema)
    assert set(schema.get("required", [])) <= set(schema.get("properties", {}))


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_request_fields_are_described_with_their_defaults() -> None:
    """The fields of a start request and their defaults are those of the code."""
    described = DOCUMENT["components"]["schemas"]["Request"]["properties"]
    assert {name: schema["default"] for name, schema in described.items()} == {
        field.name: _as_json(field.default) for field in fields(IngestRequest)
    }


async def ask_all(client: Client) -> None:
    """Request the successful response of every route."""
    started = await client.process(recursive=True)
    check(started, "post", f"{API}/process")
    session_id = started.json["session_id"]
    last = await client.finished(session_id)
    one = "{session_id}"
    asked = [
        (f"{API}/status/{session_id}", b"", f"{API}/status/{one}"),
        (f"{API}/status/{session_id}", b"errors_after=0", f"{API}/status/{one}"),
        (f"{API}/status", b"", f"{API}/status"),
        (f"{API}/directories", b"", f"{API}/directories"),
        (f"{API}/files/{session_id}", b"limit=2", f"{API}/files/{one}"),
        (f"{API}/files/{session_id}/1", b"", f"{API}/files/{one}/{{n}}"),
        (f"{API}/report/{session_id}", b"format=csv", f"{API}/report/{one}"),
        ("/healthz", b"", "/healthz"),
        ("/healthz", b"ready", "/healthz"),
        ("/", b"", "/"),
        ("/metrics", b"", "/metrics"),
    ]
    for path, query, template in asked:
        answer = await client.get(path, query)
        assert answer.status == 200, path
        check(answer, "get", template)
    cancelled = await client.ask("POST", f"{API}/cancel/{session_id}")
    check(cancelled, "post", f"{API}/cancel/{one}")
    assert last["stats"]["errors"] == 1


async def test_answers_are_as_described(tmp_path: Path) -> None:
    """What each route answers, a failed file in it, is valid by the document's schemas."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "bad.txt").touch()
    (tmp_path / "inbox" / "below").mkdir()
    async with serving(tmp_path) as client:
        await ask_all(client)


async def test_events_are_snapshots(tmp_path: Path) -> None:
    """The data of every event, from the first to the last, is valid by the Snapshot's schema."""
    snapshot = validator({"$ref": "#/components/schemas/Snapshot"})

    gate = Gate()
    async with serving(tmp_path, gate.process) as client:
        stream = await client.stream(await client.start())
        gate.open()
        seen = await stream.snapshots()
        assert {one["status"] for one in seen} >= {"processing", "completed"}
        for one in seen:
            snapshot.validate(one)
            assert set(one) == set(DOCUMENT["components"]["schemas"]["Snapshot"]["properties"])


async def test_report_lines_are_records(tmp_path: Path) -> None:
    """Each line of a report is valid by the Record's schema, a failed file's too."""
    record = validator({"$ref": "#/components/schemas/Record"})

    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "bad.txt").touch()
    async with serving(tmp_path) as client:
        session_id = await client.start()
        await client.finished(session_id)
        lines = (await client.get(f"{API}/report/{session_id}")).body.splitlines()
        assert len(lines) == 4
        for line in lines:
            record.validate(json.loads(line))
            assert set(json.loads(line)) == set(
                DOCUMENT["components"]["schemas"]["Record"]["properties"]
            )


async def test_problems_are_as_described(tmp_path: Path) -> None:
    """Each refusal has a status that the document gives its route, and is a Problem."""
    async with serving(tmp_path, token="secret") as client:
        check(await client.get(f"{API}/status"), "get", f"{API}/status")
    async with serving(tmp_path) as client:
        for fields_ in ({"directory": 1}, {"directory": "/"}, {"directory": "x"}, {"x": 1}):
            answer = await client.process(None, **fields_)
            assert answer.status >= 400
            check(answer, "post", f"{API}/process")
        for route in ("status", "stream", "files", "report"):
            answer = await client.get(f"{API}/{route}/none")
            assert answer.status == 404
            check(answer, "get", f"{API}/{route}/{{session_id}}")
        await client.app.drain()
        check(await client.get("/healthz"), "get", "/healthz")


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ("Snapshot", {"status": "completed"}),
        ("FileError", {"n": 0, "file": "a", "message": "b", "time": "2026-01-01T00:00:00Z"}),
        ("Request", {"unknown": 1}),
        ("Problem", {"title": "x"}),
    ],
)
def test_schema_refuses_what_is_wrong(schema: str, wrong: Mapping[str, Any]) -> None:
    """A schema that accepts anything would never fail."""
    assert not validator({"$ref": f"#/components/schemas/{schema}"}).is_valid(wrong)

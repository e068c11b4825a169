"""Mounted below a prefix, in the ways of servers and frameworks."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import API, Client, serving

MOUNTS: dict[str, dict[str, Any]] = {
    "full path": {"root_path": "/ingest", "path": "/ingest{}"},
    "full path and raw path": {
        "root_path": "/ingest",
        "path": "/ingest{}",
        "raw_path": "/ingest{}",
    },
    "added to a full path": {
        "root_path": "/ingest",
        "path": "/ingest/ingest{}",
        "raw_path": "/ingest/ingest{}",
    },
    "stripped path": {"root_path": "/ingest", "path": "{}"},
    "slash after the prefix": {"root_path": "/ingest/", "path": "/ingest{}"},
    "stripped, slash at the end": {"root_path": "", "path": "{}/", "raw_path": "/ingest{}"},
    "stripped, both slashes": {"root_path": "", "path": "{}/", "raw_path": "/ingest{}/"},
    "stripped, raw path with query": {"root_path": "", "path": "{}", "raw_path": "/ingest{}?a=/b"},
}


def scope_of(kind: str, path: str) -> dict[str, Any]:
    scope = {name: value.format(path) for name, value in MOUNTS[kind].items()}
    if "raw_path" in scope:
        scope["raw_path"] = scope["raw_path"].encode()
    return scope


@pytest.mark.parametrize("kind", MOUNTS)
async def test_mounted_application_answers_under_its_prefix(tmp_path: Path, kind: str) -> None:
    """Every route is found, and the addresses that are given out have the prefix in front."""
    async with serving(tmp_path) as client:
        scope = scope_of(kind, f"{API}/process")
        headers = {"content-type": "application/json"}
        answer = await client.ask("POST", headers=headers, body=b"{}", **scope)
        assert answer.status == 202, answer.body
        session_id = answer.json["session_id"]
        assert answer.header("location") == f"/ingest{API}/status/{session_id}"
        assert answer.json["stream_url"] == f"/ingest{API}/stream/{session_id}"
        for path in (
            "/healthz",
            "/static/app.js",
            f"{API}/status",
            f"{API}/status/{session_id}",
        ):
            assert (await client.ask("GET", **scope_of(kind, path))).status == 200, path
        assert (await client.ask("GET", **scope_of(kind, "/nowhere"))).status == 404


@pytest.mark.parametrize(
    "scope",
    [
        # Starlette and FastAPI, whose own root_path no path has in front
        {"root_path": "/api/ingest", "path": "/ingest{}", "raw_path": "/ingest{}"},
        {"root_path": "/api/ingest", "path": "/ingest{}"},
        # Litestar, below the server's root_path, and below one that only a proxy knows
        {"root_path": "/api", "path": "{}/", "raw_path": "/api/ingest{}"},
        {"root_path": "/api", "path": "{}/", "raw_path": "/ingest{}"},
        {"root_path": "/api/ingest", "path": "/api/ingest{}", "raw_path": "/api/ingest{}"},
        {"root_path": "/api/ingest", "path": "{}", "raw_path": "/api/ingest{}"},
        {"root_path": "/api/ingest", "path": "{}", "raw_path": "{}"},
        # uvicorn with a prefix that ends in a slash
        {"root_path": "/api/ingest/", "path": "/api/ingest/{}", "raw_path": "/api/ingest/{}"},
    ],
)
async def test_prefixes_of_the_proxy_and_of_the_host_add_up(
    tmp_path: Path, scope: dict[str, str]
) -> None:
    """A client's addresses have both in front, whatever of them the host's scope tells."""

    def scope_below(path: str) -> dict[str, Any]:
        given: dict[str, Any] = {name: value.format(path) for name, value in scope.items()}
        if not given["root_path"].endswith("/"):
            given["path"] = given["path"].replace("//", "/")
        return {**given, "raw_path": given.get("raw_path", "").encode()}

    async with serving(tmp_path) as client:
        asked = scope_below(f"{API}/process")
        headers = {"content-type": "application/json"}
        answer = await client.ask("POST", headers=headers, body=b"{}", **asked)
        assert answer.status == 202, answer.body
        status_url = f"/api/ingest{API}/status/{answer.json['session_id']}"
        assert answer.header("location") == status_url
        for path in ("/", "/healthz", "/static/app.js", f"{API}/status"):
            assert (await client.ask("GET", **scope_below(path))).status == 200, path


@pytest.mark.parametrize("kind", MOUNTS)
async def test_mounted_page_is_served(tmp_path: Path, kind: str) -> None:
    """The page is at the prefix with a slash behind it."""
    async with serving(tmp_path) as client:
        scope = scope_of(kind, "/")
        if scope["path"] == "//":
            scope["path"] = "/"
        assert (await client.ask("GET", **scope)).status == 200


@pytest.mark.parametrize(
    "scope",
    [
        {"root_path": "/in gest", "path": "/in gest"},
        {"root_path": "/in gest", "path": ""},
        {"root_path": "/in gest", "path": "/in gest/in gest"},
        {"root_path": "", "path": "/", "raw_path": b"/in%20gest"},
    ],
)
async def test_page_without_its_slash_is_sent_there(tmp_path: Path, scope: dict[str, Any]) -> None:
    """At the bare prefix relative URLs lead beside the page, so one is sent on, token and all."""
    async with serving(tmp_path, token="a&b") as client:
        answer = await client.ask("GET", query=b"token=a%26b", **scope)
        assert answer.status == 308
        assert answer.header("location") == "/in%20gest/?token=a%26b"
        assert answer.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    "scope",
    [
        {"root_path": "/api", "path": f"{API}/status"},
        {"root_path": API, "path": f"{API}/status"},
        {"root_path": "/ingest", "path": f"/ingestion{API}/status"},
        {"path": f"{API}/status", "raw_path": None},
        {"path": f"{API}/status/", "raw_path": b""},
    ],
)
async def test_prefix_that_looks_like_a_route(tmp_path: Path, scope: dict[str, Any]) -> None:
    """The path after the prefix decides; if that is not a route, the whole path does."""
    status = 404 if "ingestion" in scope["path"] else 200

    async with serving(tmp_path) as client:
        assert (await client.ask("GET", **scope)).status == status


@pytest.mark.parametrize("root", ["/\udcff", "/\u00fc"])
async def test_prefix_in_odd_characters(tmp_path: Path, root: str) -> None:
    """A prefix that is not ASCII is escaped in the addresses that are given out."""
    async with serving(tmp_path) as client:
        mounted = Client(client.app, root_path=root)
        headers = {"content-type": "application/json"}
        answer = await mounted.ask("POST", f"{root}{API}/process", headers=headers, body=b"{}")
        assert answer.status == 202
        assert (answer.header("location") or "").startswith("/%")

"""Who may ask: host, origin, token."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import API, JSON, Answer, Client, serving
from tests.support.running import run

TOKEN = "secret-token"
OTHER = "https://a.example"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def ask(
    folder: Path,
    method: str = "GET",
    path: str = f"{API}/status",
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> Answer:
    async def scenario() -> Answer:
        async with serving(folder, **settings) as client:
            body = b"{}" if method == "POST" else b""
            return await client.ask(method, path, headers=headers, body=body)

    return run(scenario())


def post(folder: Path, headers: dict[str, str], **settings: Any) -> int:
    return ask(folder, "POST", f"{API}/process", {**JSON, **headers}, **settings).status


@pytest.mark.parametrize(
    "given",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"},
     {"authorization": "Bearer"}, {"authorization": "Bearer \xff"}, {"authorization": TOKEN},
     {"cookie": f"ingest_token={TOKEN}"}, {"cookie": "ingest_token="}, {"cookie": "\xff=;;,="}],
)  # fmt: skip
def test_token_is_asked_for(tmp_path: Path, given: dict[str, str]) -> None:
    """Without the token 401 is a problem document with the scheme; the token is not a cookie."""
    answer = ask(tmp_path, headers=given, token=TOKEN)
    assert answer.status == answer.json["status"] == 401
    assert (answer.header("www-authenticate") or "").startswith("Bearer")
    assert answer.header("content-type") == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/static/app.js"), ("GET", f"{API}/stream/x"), ("POST", f"{API}/process"),
     ("POST", f"{API}/cancel/x"), ("GET", f"{API}/report/x"), ("GET", f"{API}/directories"),
     ("GET", "/nowhere"), ("DELETE", f"{API}/status"), ("OPTIONS", f"{API}/status")],
)  # fmt: skip
def test_every_route_is_guarded(tmp_path: Path, method: str, path: str) -> None:
    """Without a token only the health is answered, and not even unknown paths are revealed."""
    assert ask(tmp_path, method, path, token=TOKEN).status == 401


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_token_opens(tmp_path: Path, scheme: str) -> None:
    """The scheme's case makes no difference, the token's does."""
    assert ask(tmp_path, headers={"authorization": scheme + TOKEN}, token=TOKEN).status == 200
    wrong = {"authorization": scheme + TOKEN.upper()}
    assert ask(tmp_path, headers=wrong, token=TOKEN).status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [("files.example", 200), ("FILES.example:8000", 200), ("[::1]:80", 200), ("b.example:1", 200),
     ("other.example", 421), ("", 421), ("files.example.evil", 421), ("b.example", 421),
     ("files.example:8000:1", 421), ("\xff", 421)],
)  # fmt: skip
def test_host_is_ours(tmp_path: Path, host: str, status: int) -> None:
    """A Host that is not allowed is 421, before the token is looked at; ports may be left out."""
    hosts = "files.example, [::1],b.example:1"
    headers = {"host": host, **(BEARER if status == 200 else {})}
    answer = ask(tmp_path, headers=headers, allowed_hosts=hosts, token=TOKEN)
    assert answer.status == status


def test_no_host_is_not_ours(tmp_path: Path) -> None:
    """A request without Host asks for nobody that is allowed."""
    assert ask(tmp_path, allowed_hosts="files.example").status == 421
    assert ask(tmp_path, allowed_hosts="*").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"origin": "http://me.example:8000"}, 202),
        ({"origin": "HTTP://ME.example:8000"}, 202),
        ({"origin": OTHER}, 202),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://me.example"}, 403),
        ({"origin": "http://me.example:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "\xff"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 202),
        ({"sec-fetch-site": "same-origin", "origin": "https://outside.example"}, 202),
        ({"sec-fetch-site": "cross-site", "origin": OTHER}, 202),
    ],
)
def test_post_of_another_origin(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """A page of another origin may start nothing, unless it is one of those allowed to."""
    given = {"host": "me.example:8000", **headers}
    assert post(tmp_path, given, cors_origins=OTHER) == status


@pytest.mark.parametrize(
    ("host", "forwarded", "origin"),
    [
        ("localhost:8000", "files.example", "https://files.example"),
        ("localhost:8000", "files.example, proxy.example", "https://files.example"),
        ("files.example:443", "", "https://files.example"),
        ("files.example:80", "", "http://files.example"),
    ],
)
def test_own_origin_behind_a_proxy(tmp_path: Path, host: str, forwarded: str, origin: str) -> None:
    """Behind a proxy the own host is the one that it forwards, its default port being no matter."""
    headers = {"host": host, "origin": origin, "x-forwarded-host": forwarded}
    assert post(tmp_path, headers) == 202


@pytest.mark.parametrize("path", [f"{API}/cancel/x", "/"])
def test_every_post_asks_for_the_origin(tmp_path: Path, path: str) -> None:
    """What a form of another site can post is refused, the sign-in too."""
    answer = ask(tmp_path, "POST", path, {"origin": "https://evil.example"}, token=TOKEN)
    assert answer.status == 403


def test_preflight_needs_no_token(tmp_path: Path) -> None:
    """A browser asks without the token whether a page may ask with it."""
    headers = {"origin": OTHER, "access-control-request-method": "POST"}
    answer = ask(
        tmp_path, "OPTIONS", f"{API}/process", headers, cors_origins=f"{OTHER}/", token=TOKEN
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == OTHER
    allowed = (answer.header("access-control-allow-headers") or "").split(", ")
    assert {"authorization", "content-type", "idempotency-key", "last-event-id"} <= set(allowed)
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    assert (answer.header("vary") or "").lower() == "origin"


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example", "access-control-request-method": "POST"},
     {"origin": OTHER}, {"access-control-request-method": "POST"}],
)  # fmt: skip
def test_what_is_no_preflight_of_ours(tmp_path: Path, headers: dict[str, str]) -> None:
    """Another page's preflight, and an OPTIONS that is none, are methods that no route takes."""
    answer = ask(tmp_path, "OPTIONS", f"{API}/process", headers, cors_origins=OTHER)
    assert (answer.status, answer.header("allow")) == (405, "POST")


@pytest.mark.parametrize("status", [200, 401, 404, 421])
def test_allowed_page_may_read_every_answer(tmp_path: Path, status: int) -> None:
    """Refusals too carry the headers without which a page could not read them."""
    path = f"{API}/status" if status != 404 else "/nowhere"
    headers = {"origin": OTHER, "host": "me.example" if status != 421 else "evil.example"}
    headers |= BEARER if status != 401 else {}
    answer = ask(
        tmp_path, "GET", path, headers,
        cors_origins=OTHER, token=TOKEN, allowed_hosts="me.example",
    )  # fmt: skip
    assert (answer.status, answer.header("access-control-allow-origin")) == (status, OTHER)
    assert "etag" in (answer.header("access-control-expose-headers") or "")


def test_other_pages_may_read_nothing(tmp_path: Path) -> None:
    """Caches keep the answers for different origins apart; another origin is named in none."""
    answer = ask(tmp_path, headers={"origin": "https://evil.example"}, cors_origins=OTHER)
    assert answer.header("access-control-allow-origin") is None
    assert answer.header("vary") == "origin"
    assert ask(tmp_path, headers={"origin": OTHER}).header("access-control-allow-origin") is None


async def test_duplicate_headers_are_no_way_around(tmp_path: Path) -> None:
    """Of two origins or two tokens not just one is looked at."""
    async with serving(tmp_path, token=TOKEN) as client:
        for pairs in (
            [(b"authorization", b"Bearer x"), (b"authorization", f"Bearer {TOKEN}".encode())],
            [(b"authorization", f"Bearer {TOKEN}".encode()), (b"authorization", b"Bearer x")],
        ):
            asker = Client(client.app, headers=pairs)
            assert (await asker.ask("GET", f"{API}/status")).status == 401

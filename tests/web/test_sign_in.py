"""Signing in at the page: the token is traded for a cookie."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.client import API, Client, read, serving
from tests.support.running import run

TOKEN = "se cret+&%=/"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_page_without_token_is_a_form(tmp_path: Path) -> None:
    """Who has no token gets 401 at the page, as HTML that asks for it and is kept nowhere."""
    async with serving(tmp_path, token=TOKEN) as client:
        for method in ("GET", "HEAD"):
            answer = await client.ask(method, "/")
            assert answer.status == 401
            assert (answer.header("content-type") or "").startswith("text/html")
            assert answer.header("cache-control") == "no-store"
            assert "frame-ancestors 'none'" in (answer.header("content-security-policy") or "")
            assert (answer.header("www-authenticate") or "").startswith("Bearer")
            assert answer.header("etag") is None
        assert b"<form" in (await client.get("/")).body


@pytest.mark.parametrize("way", ["query", "form", "head"])
async def test_token_buys_a_cookie(tmp_path: Path, way: str) -> None:
    """The token in the address or the form is traded for a cookie that opens every route."""
    async with serving(tmp_path, token=TOKEN) as client:
        sent = f"token={quote(TOKEN, safe='')}".encode()
        if way == "form":
            answer = await client.ask("POST", "/", headers=FORM, body=sent)
        else:
            answer = await client.ask("HEAD" if way == "head" else "GET", "/", sent)
        assert (answer.status, answer.header("location")) == (303, "./")
        assert answer.header("cache-control") == "no-store"
        cookie, *attributes = (answer.header("set-cookie") or "").split("; ")
        assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(attributes)
        assert "Secure" not in attributes
        assert quote(TOKEN) not in cookie
        assert TOKEN not in cookie
        for path in ("/", f"{API}/status", "/static/app.js"):
            crowd = f'other={{"a": 1, x}}; bad cookie;{cookie}; last=\xff'
            assert (await client.get(path, cookie=crowd)).status == 200


@pytest.mark.parametrize("given", [b"token=wrong", b"token=", b"token=%ff", b"token=\xff", b"x"])
async def test_wrong_token_buys_nothing(tmp_path: Path, given: bytes) -> None:
    """A wrong token, in whatever bytes, gets the form once more and no cookie."""
    async with serving(tmp_path, token=TOKEN) as client:
        for answer in (
            await client.get("/", given),
            await client.ask("POST", "/", headers=FORM, body=given),
        ):
            assert answer.status == 401
            assert answer.header("set-cookie") is None


async def test_token_in_an_address_opens_the_page_alone(tmp_path: Path) -> None:
    """Elsewhere a token in the address opens nothing: addresses are logged, kept and sent on."""
    async with serving(tmp_path, token="secret") as client:
        assert (await client.get(f"{API}/status", b"token=secret")).status == 401


@pytest.mark.parametrize("path", ["/", f"{API}/status", "/nowhere", "/healthz"])
@pytest.mark.parametrize("query", [b"token=secret", b"a=1&%74oken=secret&b", b"token=secret&\xff"])
@pytest.mark.parametrize("host", ["me.example", "evil.example"])
def test_token_is_kept_from_the_log(tmp_path: Path, path: str, query: bytes, host: str) -> None:
    """When an answer begins, and servers log, the address has no token in it."""
    logged = []

    async def scenario() -> None:
        async with serving(tmp_path, token="secret", allowed_hosts="me.example") as client:
            scope = client.connect("GET", path, query, {"host": host}).scope

            async def send(message: object) -> None:
                logged.append(bytes(scope["query_string"]))

            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": b"", "more_body": False}

            await client.app(scope, receive, send)

    run(scenario())
    assert logged
    assert not [line for line in logged if b"secret" in line or not line.isascii()]


async def test_signed_in_token_leaves_the_address(tmp_path: Path) -> None:
    """One who is signed in, or need not be, is sent on to the address without the token."""
    async with serving(tmp_path) as client:
        answer = await client.get("/", b"token=anything")
        assert (answer.status, answer.header("location")) == (303, "./")
        assert answer.header("set-cookie") is None
        assert (await client.ask("POST", "/")).status == 303


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("https", {}),
        ("http", {"x-forwarded-proto": "HTTPS"}),
        ("http", {"x-forwarded-proto": "https, http"}),
    ],
)
async def test_cookie_of_a_secure_page_is_secure(
    tmp_path: Path, scheme: str, headers: dict[str, str]
) -> None:
    """Signed in over HTTPS, at the proxy in front too, the cookie never goes over HTTP."""
    async with serving(tmp_path, token="secret") as client:
        asker = Client(client.app, scheme=scheme)
        answer = await asker.ask("GET", "/", b"token=secret", headers)
        assert (answer.header("set-cookie") or "").endswith("; Secure")


async def test_cookie_is_for_the_mount_alone(tmp_path: Path) -> None:
    """Below a prefix the cookie is not sent to what else the host serves."""
    async with serving(tmp_path, token="secret") as client:
        mounted = Client(client.app, root_path="/in gest")
        answer = await mounted.ask("GET", "/in gest/", b"token=secret")
        assert "; Path=/in%20gest/; " in (answer.header("set-cookie") or "")
        assert answer.header("location") == "./"


def test_cookie_of_another_token_is_worth_nothing(tmp_path: Path) -> None:
    """A new token ends what the old one bought."""

    async def cookie_of(token: str) -> str:
        async with serving(tmp_path, token=token) as client:
            answer = await client.get("/", f"token={token}".encode())
            return (answer.header("set-cookie") or "").split(";")[0]

    async def scenario(cookie: str) -> None:
        async with serving(tmp_path, token="new") as client:
            assert (await client.get(f"{API}/status", cookie=cookie)).status == 401

    run(scenario(run(cookie_of("old"))))


async def test_cookies_may_come_in_several_fields(tmp_path: Path) -> None:
    """HTTP/2 lets a client send each cookie in a field of its own."""
    async with serving(tmp_path, token="secret") as client:
        bought = (await client.get("/", b"token=secret")).header("set-cookie") or ""
        values = (b"a=1", bought.split(";")[0].encode(), b"b=2")
        pairs = [(b"cookie", value) for value in values]
        connection = client.connect("GET", f"{API}/status")
        connection.scope["headers"] = pairs
        await connection.send_input({"type": "http.request", "body": b"", "more_body": False})
        assert (await read(connection)).status == 200


async def test_visitor_from_elsewhere_is_asked_to_come_again(tmp_path: Path) -> None:
    """A strict cookie is not sent on a link from another site, so the page is asked for anew."""
    async with serving(tmp_path, token="secret") as client:
        answer = await client.get("/", sec_fetch_site="cross-site")
        assert (answer.status, answer.header("refresh")) == (401, "0")
        assert (await client.get("/", sec_fetch_site="none")).header("refresh") is None

"""Refused requests: the status and the text of each."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import API, JSON, Answer, Client, make_app, read, serving
from tests.support.running import run
from web import request as web_request

PROCESS = f"{API}/process"


def ask(folder: Path, method: str, path: str, **given: Any) -> Answer:
    async def scenario() -> Answer:
        async with serving(folder) as client:
            return await client.ask(method, path, **given)

    return run(scenario())


def post(folder: Path, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return ask(folder, "POST", PROCESS, body=body, headers=JSON if headers is None else headers)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"{}x", b"{'a': 1}", b"\xff", b'{"pattern": NaN}',
        b'{"pattern": "\\ud800"}', b"\xef\xbb\xbf{}", b"[" * 5000, b'{"a":' * 2000, b"\0",
    ],
)  # fmt: skip
def test_body_that_is_not_json(tmp_path: Path, body: bytes) -> None:
    """No body, a byte order mark, lone surrogates and bottomless nesting are not JSON: 400."""
    answer = post(tmp_path, body)
    assert answer.status == answer.json["status"] == 400
    assert answer.header("content-type") == "application/problem+json"
    assert {"type", "title", "detail"} <= set(answer.json)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"{}"', b"true"])
def test_body_that_is_no_object(tmp_path: Path, body: bytes) -> None:
    """JSON that is not an object is 422."""
    assert post(tmp_path, body).status == 422


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"],
)
def test_body_that_is_not_called_json(tmp_path: Path, media_type: str | None) -> None:
    """Only application/json is read: a form of another site can send no such body unasked."""
    headers = {} if media_type is None else {"content-type": media_type}
    assert post(tmp_path, b"{", headers).status == 415


@pytest.mark.parametrize("media_type", ["Application/JSON", "application/json ; charset=utf-8"])
def test_media_type_is_read_as_the_standard_says(tmp_path: Path, media_type: str) -> None:
    """Case and parameters of a media type make no difference."""
    assert post(tmp_path, b"{}", {"content-type": media_type}).status == 202


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("directory", 1), ("directory", None), ("directory", ""), ("directory", "a\0b"),
        ("directory", "0.txt"), ("pattern", []), ("pattern", ""), ("pattern", "*" * 1001),
        ("recursive", 1), ("recursive", None), ("recursive", "true"), ("max_files", 0),
        ("exclude", "*.tmp"), ("exclude", None), ("exclude", [1]), ("exclude", ["a\0b"]),
        ("exclude", ["*"] * 101), ("exclude", {}), ("one_file_system", 1),
        ("max_files", -1), ("max_files", 1.0), ("max_files", True), ("max_files", "1"),
        ("max_files", 1e300), ("retry_of", 1), ("retry_of", ""), ("skip_existing", 0),
        ("skip_existing", {}), ("recursiv", True), ("", 1), ("__class__", 1), ("\u2028", 1),
    ],
)  # fmt: skip
def test_field_that_is_wrong_is_named(tmp_path: Path, field: str, value: object) -> None:
    """A wrong type, a value out of range and an unknown field are 422 and named."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            return await client.process(None, **{field: value})

    answer = run(scenario())
    assert (answer.status, answer.bad_fields) == (422, [field])


def test_all_wrong_fields_are_named_at_once(tmp_path: Path) -> None:
    """Whoever mends a request need not send it six times to learn what is wrong with it."""
    answer = post(
        tmp_path,
        b'{"directory": 1, "pattern": 2, "recursive": 3, "max_files": "4", "retry_of": 5,'
        b' "skip_existing": 6, "other": 7}',
    )
    assert answer.status == 422
    assert sorted(answer.bad_fields) == [
        "directory", "max_files", "other", "pattern", "recursive", "retry_of", "skip_existing",
    ]  # fmt: skip


def test_last_of_duplicate_keys_counts(tmp_path: Path) -> None:
    """Of a key that comes twice the last value is taken, as browsers do."""
    assert post(tmp_path, b'{"max_files": "x", "max_files": 1}').status == 202
    assert post(tmp_path, b'{"max_files": 1, "max_files": "x"}').status == 422


@pytest.mark.parametrize(
    ("directory", "status"),
    [("..", 403), ("/", 403), ("../nowhere", 403), ("/nowhere/x", 403), ("link", 403),
     ("nowhere", 404), ("x" * 5000, 404), ("\ufffd", 404)],
)  # fmt: skip
def test_directory_that_is_not_ours(tmp_path: Path, directory: str, status: int) -> None:
    """What resolves to outside the root is 403 whether it exists or not; what is missing is 404."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "link").symlink_to(tmp_path)

    async def scenario() -> tuple[Answer, Answer]:
        async with serving(tmp_path) as client:
            query = b"path=" + directory.encode()
            started = await client.process(directory=directory)
            return started, await client.get(f"{API}/directories", query)

    started, listed = run(scenario())
    assert (started.status, listed.status) == (status, status)


def test_content_length_over_the_limit(tmp_path: Path) -> None:
    """A body that is announced as too long is refused before a byte of it has come."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            headers = {**JSON, "content-length": "65537"}
            return await read(client.connect("POST", PROCESS, b"", headers))

    assert run(scenario()).status == 413


def test_body_is_counted(tmp_path: Path) -> None:
    """A body of 64 KiB is read; one byte more, in however many pieces, is refused as it comes."""

    async def scenario() -> list[int]:
        statuses = []
        async with serving(tmp_path) as client:
            for size in (65_536, 65_537):
                connection = client.connect("POST", PROCESS, b"", JSON)
                piece = b"{}" + b" " * (size - 32_768 - 2)
                for body, more in ((piece, True), (b" " * 32_768, size > 65_536)):
                    await connection.send_input(
                        {"type": "http.request", "body": body, "more_body": more}
                    )
                statuses.append((await read(connection)).status)
        return statuses

    assert run(scenario()) == [202, 413]


def test_body_that_is_announced_as_none_is_not_waited_for(tmp_path: Path) -> None:
    """Over HTTP/2 only a length of 0 shows that no body follows."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            headers = {**JSON, "content-length": "0"}
            return await read(client.connect("POST", PROCESS, b"", headers))

    assert run(scenario()).status == 400


@pytest.mark.parametrize("length", ["x", "-1", "\xb2", "1" * 5000, ""])
def test_odd_content_length_is_no_failure(tmp_path: Path, length: str) -> None:
    """A length that no server lets through is judged by the body, or as too long."""
    answer = post(tmp_path, b"{}", {**JSON, "content-length": length})
    assert answer.status == (413 if len(length) > 5 else 202)


def test_body_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends half a body and stays is answered 408, not waited for."""
    monkeypatch.setattr(web_request, "BODY_SECONDS", 0.0)

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            connection = client.connect("POST", PROCESS, b"", JSON)
            await connection.send_input({"type": "http.request", "body": b"{", "more_body": True})
            return await read(connection)

    assert run(scenario()).status == 408


async def test_client_that_leaves_within_its_body(tmp_path: Path) -> None:
    """Nothing is started for a client that went away in the middle of what it wanted."""
    async with serving(tmp_path) as client:
        connection = client.connect("POST", PROCESS, b"", JSON)
        await connection.send_input({"type": "http.request", "body": b"{}", "more_body": True})
        await connection.send_input({"type": "http.disconnect"})
        await connection.wait()
        assert connection.output_queue.empty()
        assert (await client.get(f"{API}/status")).json["sessions"] == []


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, POST"), ("/healthz", "GET, HEAD"), ("/static/app.js", "GET, HEAD"),
        (PROCESS, "POST"), (f"{API}/cancel/x", "POST"), (f"{API}/status", "GET, HEAD"),
        (f"{API}/status/x", "GET, HEAD"), (f"{API}/stream/x", "GET, HEAD"),
        (f"{API}/report/x", "GET, HEAD"), (f"{API}/directories", "GET, HEAD"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "get", "B\udcff\u2028", ""])
def test_method_that_is_not_allowed(tmp_path: Path, path: str, allowed: str, method: str) -> None:
    """405 lists the route's methods in Allow; methods are case-sensitive."""
    answer = ask(tmp_path, method, path)
    assert (answer.status, answer.header("allow")) == (405, allowed)


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere", "/api", API, f"{API}/stream", f"{API}/cancel", f"{API}/status/a/b",
        f"{API}/process/a", "/static", "/static/../guard.py", "/static//etc/passwd", "/healthz/x",
        "//", "*", "\udcff", "/\u2028", f"{API}/status/\udcff", f"{API}/status/\0",
        f"{API}/stream/\ufffd", f"{API}/report/\ud800", f"{API}/status/{'x' * 10_000}",
    ],
)  # fmt: skip
def test_path_that_leads_nowhere(tmp_path: Path, path: str) -> None:
    """An unknown route, session or file is 404, in whatever bytes it is asked for."""
    if path == "//":
        assert ask(tmp_path, "GET", path).status == 200  # slashes at the end make no difference
        return
    answer = ask(tmp_path, "GET", path)
    assert answer.status == answer.json["status"] == 404
    assert answer.header("content-type") == "application/problem+json"


@pytest.mark.parametrize("route", ["status", "stream", "report"])
def test_session_that_is_unknown(tmp_path: Path, route: str) -> None:
    """A session that is not there is 404 on each of its routes, for a HEAD without a body."""
    assert ask(tmp_path, "GET", f"{API}/{route}/unknown").status == 404
    head = ask(tmp_path, "HEAD", f"{API}/{route}/unknown")
    assert (head.status, head.body) == (404, b"")


@pytest.mark.parametrize(
    "query", [b"\xff\xfe=\x80", b"wait=%", b"&&&==", b"%ff=%00", b"a" * 60_000, b"wait=0&\xe2\x82"]
)
async def test_query_in_odd_bytes(tmp_path: Path, query: bytes) -> None:
    """A query in odd bytes is answered, and what the server then logs of it is ASCII."""
    async with serving(tmp_path) as client:
        connection = client.connect("GET", f"{API}/status", query)
        assert (await read(connection)).status == 200
        assert connection.scope["query_string"].isascii()


def test_failure_is_a_problem_document(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that is none of ours becomes a 500 that tells no secrets, logged once."""

    async def scenario() -> Answer:
        app = make_app(tmp_path)
        async with app.lifespan():
            assert app._lifecycle.running is not None
            monkeypatch.setattr(app._lifecycle.running.sessions, "newest", _fail)
            return await Client(app).get(f"{API}/status")

    answer = run(scenario())
    assert answer.status == answer.json["status"] == 500
    assert answer.header("x-content-type-options") == "nosniff"
    assert b"secret" not in answer.body
    assert [record.exc_info is not None for record in caplog.records].count(True) == 1


async def _fail() -> list[bytes]:
    raise RuntimeError("/secret/path")

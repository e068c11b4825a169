"""GET report: a record for each file, as NDJSON or CSV."""

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.client import API, Answer, Client, Gate, make_app, serving
from tests.support.running import run
from web import response

FIELDS = [
    "file", "status", "error", "size", "modified", "sha256", "media_type", "metadata", "counters",
    "warning",
]  # fmt: skip


def report(folder: Path, query: bytes = b"", **headers: str) -> Answer:
    """Run a session over three files and a bad one, and give its report."""

    async def scenario() -> Answer:
        async with serving(folder) as client:
            (folder / "inbox" / "bad=.txt").touch()
            session_id = await client.start()
            await client.finished(session_id)
            return await client.get(f"{API}/report/{session_id}", query, **headers)

    return run(scenario())


def test_report_has_a_record_for_each_file(tmp_path: Path) -> None:
    """A line of JSON for each file, with the same fields whatever became of it."""
    answer = report(tmp_path)
    assert answer.header("content-type") == "application/x-ndjson"
    assert answer.header("x-content-type-options") == "nosniff"
    records = {line["file"]: line for line in map(orjson.loads, answer.body.splitlines())}
    assert sorted(records) == ["0.txt", "1.txt", "2.txt", "bad=.txt"]
    assert {tuple(record) for record in records.values()} == {tuple(FIELDS)}
    assert records["0.txt"]["metadata"] == {"name": "0.txt"}
    assert (records["0.txt"]["status"], records["0.txt"]["size"]) == ("done", 1)
    assert records["bad=.txt"]["status"] == "error"
    assert "this file is bad" in records["bad=.txt"]["error"]


def test_record_is_one_line_to_every_reader(tmp_path: Path) -> None:
    """Some readers end a line at U+0085, U+2028 and U+2029, so these are written as escapes."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a\u2028b\u2029c\x85.txt").touch()
    lines = report(tmp_path).body.decode().splitlines()
    assert "a\u2028b\u2029c\x85.txt" in {orjson.loads(line)["file"] for line in lines}


@pytest.mark.parametrize(
    ("query", "accept"),
    [(b"format=csv", "*/*"), (b"", "text/csv"), (b"", "text/csv; q=0.9, */*"),
     (b"format=csv", "application/json")],
)  # fmt: skip
def test_report_as_csv(tmp_path: Path, query: bytes, accept: str) -> None:
    """CSV is asked for by the query or the Accept header, the query being the stronger."""
    answer = report(tmp_path, query, accept=accept)
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))
    assert list(rows[0]) == FIELDS
    assert len(rows) == 4
    assert {orjson.loads(row["metadata"] or b"{}").get("name") for row in rows} == {
        "0.txt", "1.txt", "2.txt", None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "accept"),
    [(b"format=ndjson", "text/csv"), (b"", "application/json, text/csv;q=0"), (b"", "text/*;q=0")],
)
def test_report_as_ndjson(tmp_path: Path, query: bytes, accept: str) -> None:
    """NDJSON is for those who name it, and those who do not take CSV."""
    assert report(tmp_path, query, accept=accept).header("content-type") == "application/x-ndjson"


@pytest.mark.parametrize("wanted", [b"", b"xml", b"CSV ", b"%ff"])
def test_report_in_another_format(tmp_path: Path, wanted: bytes) -> None:
    """A format that there is not is 422 and named."""
    answer = report(tmp_path, b"format=" + wanted)
    assert (answer.status, answer.bad_fields) == (422, ["format"])


@pytest.mark.parametrize(("query", "begins"), [(b"", b"\xef\xbb\xbffile,"), (b"&bom=0", b"file,")])
def test_csv_begins_with_a_byte_order_mark(tmp_path: Path, query: bytes, begins: bytes) -> None:
    """A spreadsheet takes a file without one for the encoding of its system."""
    assert report(tmp_path, b"format=csv" + query).body.startswith(begins)


@pytest.mark.parametrize(("status", "files"), [("done", 3), ("error", 1), ("skipped", 0)])
@pytest.mark.parametrize("wanted", ["ndjson", "csv"])
def test_report_of_one_status(tmp_path: Path, status: str, files: int, wanted: str) -> None:
    """Only those records are in it; a table without rows still names its columns."""
    answer = report(tmp_path, f"format={wanted}&status={status}".encode())
    lines = answer.body.decode().splitlines()
    assert len(lines) == files + (wanted == "csv")
    assert all(status in line for line in lines[wanted == "csv" :])


@pytest.mark.parametrize("query", [b"status=failed", b"status=", b"bom=no", b"bom="])
def test_report_with_a_wrong_parameter(tmp_path: Path, query: bytes) -> None:
    """A value that does not exist is named, not ignored."""
    answer = report(tmp_path, query)
    assert (answer.status, answer.bad_fields) == (422, [query.decode().partition("=")[0]])


async def test_report_of_a_running_session(tmp_path: Path) -> None:
    """Of a session that runs there is what is finished."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        session_id = await client.start()
        stream = await client.stream(session_id)
        gate.open(1)
        while (await stream.snapshot())["processed_files"] < 1:
            pass
        answer = await client.get(f"{API}/report/{session_id}")
        assert len(answer.body.splitlines()) == 1


async def test_report_stops_when_its_reader_leaves(tmp_path: Path) -> None:
    """Nothing more is read from the catalogue for a client that has gone."""
    async with make_app(tmp_path, files=501).lifespan() as app:
        client = Client(app)
        session_id = await client.start()
        await client.finished(session_id)
        tasks = len(asyncio.all_tasks())
        pieces = await pieces_sent(client, f"{API}/report/{session_id}", leaves=True)
        assert pieces == 1
        assert len(asyncio.all_tasks()) <= tasks


def test_report_is_given_up_for_one_who_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that reads nothing is aborted after a time limit."""
    monkeypatch.setattr(response, "PIECE_SECONDS", 0.001)

    async def scenario() -> int:
        async with make_app(tmp_path).lifespan() as app:
            client = Client(app)
            session_id = await client.start()
            await client.finished(session_id)
            return await pieces_sent(client, f"{API}/report/{session_id}", leaves=False)

    assert run(scenario()) == 1


def test_whole_answer_is_given_up_for_one_who_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for one who takes not even the headers, or the end, of an answer that is short."""
    monkeypatch.setattr(response, "PIECE_SECONDS", 0.001)

    async def scenario() -> None:
        async with make_app(tmp_path).lifespan() as app:
            client = Client(app)
            for stalls_at in (1, 2):
                sent = 0

                async def send(message: dict[str, Any], stalls_at: int = stalls_at) -> None:
                    nonlocal sent
                    sent += 1
                    if sent == stalls_at:
                        await asyncio.Event().wait()

                called: Any = app
                await called(client.connect("GET", f"{API}/status").scope, None, send)
                assert sent == stalls_at

    run(scenario())


async def pieces_sent(client: Client, path: str, *, leaves: bool) -> int:
    """Count the pieces of an answer whose reader leaves, or stalls, at the first one."""
    gone, pieces = asyncio.Event(), 0

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal pieces
        pieces += message["type"] == "http.response.body"
        if pieces and leaves:
            gone.set()
        elif pieces:
            await asyncio.Event().wait()

    app: Any = client.app
    await app(client.connect("GET", path).scope, receive, send)
    return pieces

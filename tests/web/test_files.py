"""GET files: a page of what became of a session's files, and one of them."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.client import API, Client, Gate, serving


async def process(path: Path) -> dict[str, Any]:
    """Process a file without any work; pictures get a media type, and bad ones fail."""
    if path.name.startswith("bad"):
        raise ValueError("this file is bad")
    return {"media_type": "image/png" if path.suffix == ".png" else "text/plain", "sha256": "0f"}


async def finished(client: Client) -> str:
    """Run a session over three texts, and a picture and a bad file in a folder."""
    session_id = await client.start()
    await client.finished(session_id)
    return session_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with more files for a session than the three that each has."""
    below = tmp_path / "inbox" / "below"
    below.mkdir(parents=True)
    (below / "A.png").write_bytes(b"x" * 100)
    (below / "bad.txt").touch()
    return tmp_path


async def names(client: Client, session_id: str, query: str) -> list[str]:
    """Return the names of the files on the page that a query is answered with."""
    answer = await client.get(f"{API}/files/{session_id}", query.encode())
    assert answer.status == 200, answer.body
    return [file["file"] for file in answer.json["files"]]


async def test_files_are_the_records_of_the_report(folder: Path) -> None:
    """With their numbers, in the order found; one alone is the same record."""
    async with serving(folder, process) as client:
        session_id = await finished(client)
        lines = (await client.get(f"{API}/report/{session_id}")).body.splitlines()
        answer = (await client.get(f"{API}/files/{session_id}")).json
        assert answer == {
            "files": [{"n": n, **orjson.loads(line)} for n, line in enumerate(lines, 1)],
            "next": None,
        }
        for file in answer["files"]:
            one = await client.get(f"{API}/files/{session_id}/{file['n']}")
            assert (one.status, one.json) == (200, file)


@pytest.mark.parametrize(
    ("query", "files"),
    [
        ("status=error", {"below/bad.txt"}),
        ("type=image/*", {"below/A.png"}),
        ("type=text/plain&status=done", {"0.txt", "1.txt", "2.txt"}),
        ("q=W/a", {"below/A.png"}),
        ("folder=below", {"below/A.png", "below/bad.txt"}),
        ("folder=./below/&q=png", {"below/A.png"}),
        ("folder=.&q=1", {"1.txt"}),
        ("q=nothing", set()),
    ],
)
async def test_files_and_report_take_the_same_filters(
    folder: Path, query: str, files: set[str]
) -> None:
    """What the list shows is what the report has."""
    async with serving(folder, process) as client:
        session_id = await finished(client)
        assert set(await names(client, session_id, query)) == files
        report = await client.get(f"{API}/report/{session_id}", query.encode())
        assert {orjson.loads(line)["file"] for line in report.body.splitlines()} == files


async def test_files_are_sorted_and_paged(folder: Path) -> None:
    """Each page begins where the one before it ended, in the order that was asked for."""
    async with serving(folder, process) as client:
        session_id = await finished(client)
        assert (await names(client, session_id, "sort=-size&limit=1")) == ["below/A.png"]
        found, query = list[str](), "sort=-path&limit=2"
        while query:
            answer = (await client.get(f"{API}/files/{session_id}", query.encode())).json
            found += [file["file"] for file in answer["files"]]
            query = answer["next"] and f"sort=-path&limit=2&after={answer['next']}"
        assert found == ["below/bad.txt", "below/A.png", "2.txt", "1.txt", "0.txt"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=failed", "status"), ("status=", "status"), ("sort=name", "sort"),
        ("sort=--n", "sort"), ("sort=", "sort"), ("limit=0", "limit"), ("limit=501", "limit"),
        ("limit=x", "limit"), ("after=x", "after"), ("after=-1", "after"), ("after=99", "after"),
        ("type=image", "type"), ("type=*/*", "type"), ("type=", "type"), ("q=%00", "q"),
        ("folder=a%00", "folder"), ("q=" + "x" * 1001, "q"),
    ],
)  # fmt: skip
async def test_wrong_parameter_is_named(folder: Path, query: str, field: str) -> None:
    """A value that cannot be is 422, not a page without files."""
    async with serving(folder, process) as client:
        session_id = await finished(client)
        answer = await client.get(f"{API}/files/{session_id}", query.encode())
        assert (answer.status, answer.bad_fields) == (422, [field])


async def test_wrong_parameters_are_named_at_once(folder: Path) -> None:
    """All filters that are wrong, not the first."""
    async with serving(folder, process) as client:
        answer = await client.get(f"{API}/files/x", b"status=x&type=x&sort=x")
        assert sorted(answer.bad_fields) == ["sort", "status", "type"]


async def test_files_that_do_not_exist_are_404(folder: Path) -> None:
    """An unknown session, and a number of no file; a longer path has no route."""
    async with serving(folder, process) as client:
        session_id = await finished(client)
        for place in (
            "none", "none/1", f"{session_id}/0", f"{session_id}/6", f"{session_id}/x",
            f"{session_id}/-1", f"{session_id}/1/2", f"{session_id}/99999999999", "",
        ):  # fmt: skip
            answer = await client.get(f"{API}/files/{place}")
            assert answer.status == 404, place
            assert answer.header("content-type") == "application/problem+json"


async def test_files_of_a_running_session_are_those_that_are_finished(folder: Path) -> None:
    """The others are not listed, and have no record of their own."""
    async with serving(folder, (gate := Gate()).process) as client:
        session_id = await client.start()
        stream = await client.stream(session_id)
        gate.open(1)
        while (await stream.snapshot())["processed_files"] < 1:
            pass
        answer = (await client.get(f"{API}/files/{session_id}")).json
        assert [file["n"] for file in answer["files"]] == [1]
        assert (await client.get(f"{API}/files/{session_id}/2")).status == 404
        await stream.leave()


async def test_files_need_the_token_and_know_head(folder: Path) -> None:
    """As every other route; another method is 405."""
    async with serving(folder, process, token="secret") as client:
        for place in ("x", "x/1"):
            assert (await client.get(f"{API}/files/{place}")).status == 401
    async with serving(folder, process) as client:
        session_id = await finished(client)
        for place in (session_id, f"{session_id}/1"):
            answer = await client.ask("HEAD", f"{API}/files/{place}")
            assert (answer.status, answer.body) == (200, b"")
            refused = await client.ask("POST", f"{API}/files/{place}")
            assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")

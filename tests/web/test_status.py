"""GET status: the newest snapshot, its ETag, the list, the errors by number."""

from pathlib import Path

import orjson
import pytest

from ingest.catalogue.records import SessionFilter, SessionRecord
from ingest.manager import SessionManager
from tests.support.client import API, Gate, serving
from tests.support.running import run, settle


async def test_status_has_the_data_of_the_newest_frame(tmp_path: Path) -> None:
    """Whoever polls and whoever streams read the same bytes."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        session_id = await client.start()
        stream = await client.stream(session_id)
        event = await stream.event()
        gate.open()
        while (following := await stream.event()) is not None:
            event = following
        answer = await client.get(f"{API}/status/{session_id}")
        assert event is not None
        assert answer.body.decode() == event.data
        assert answer.header("etag") == f'"{event.id}"'
        assert answer.header("content-type") == "application/json"


async def test_snapshot_counts_every_file(tmp_path: Path) -> None:
    """Done, skipped and failed files add up to those processed, and those to 100 per cent."""
    async with serving(tmp_path) as client:
        (tmp_path / "inbox" / "bad.txt").touch()
        last = await client.finished(await client.start())
        assert last["stats"]["done"] + last["stats"]["errors"] == last["processed_files"] == 4
        assert (last["status"], last["progress"], last["total_files"]) == ("completed", 100, 4)
        assert last["errors"][0]["file"] == "bad.txt"
        assert set(last["errors"][0]) == {"n", "file", "message", "time"}
        assert last["current_file"] is last["error"] is None
        assert last["eta_seconds"] == 0


@pytest.mark.parametrize("form", ["{}", "W/{}", '"a", {}', '"a" ,W/{},"b"', "*"])
async def test_known_snapshot_is_not_sent_again(tmp_path: Path, form: str) -> None:
    """304 answers a list with the ETag in it, a weak one and a star, with the ETag and no body."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        await client.finished(session_id)
        etag = (await client.get(f"{API}/status/{session_id}")).header("etag")
        assert etag is not None
        path = f"{API}/status/{session_id}"
        answer = await client.get(path, if_none_match=form.format(etag))
        assert (answer.status, answer.body, answer.header("etag")) == (304, b"", etag)
        assert answer.header("content-length") is None


@pytest.mark.parametrize("form", ["", '"a"', "W/", "\xff", '"'])
async def test_other_etags_get_the_snapshot(tmp_path: Path, form: str) -> None:
    """An ETag of another snapshot, or what is none, does not keep the newest one back."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        answer = await client.get(f"{API}/status/{session_id}", if_none_match=form)
        assert (answer.status, answer.json["session_id"]) == (200, session_id)


def test_etag_holds_over_a_restart(tmp_path: Path) -> None:
    """The last snapshot of a session is the same in every life of the server, byte by byte."""

    async def first() -> tuple[str, bytes, str]:
        async with serving(tmp_path) as client:
            session_id = await client.start()
            await client.finished(session_id)
            answer = await client.get(f"{API}/status/{session_id}")
            return session_id, answer.body, answer.header("etag") or ""

    async def second(session_id: str, body: bytes, etag: str) -> None:
        async with serving(tmp_path) as client:
            answer = await client.get(f"{API}/status/{session_id}")
            assert (answer.body, answer.header("etag")) == (body, etag)

    run(second(*run(first())))


async def test_list_has_the_newest_first(tmp_path: Path) -> None:
    """The list has the snapshots themselves, running ones too, the newest first, at most 100."""
    async with serving(tmp_path, (gate := Gate()).process, max_sessions=200) as client:
        ids = [await client.start(pattern="0.txt") for _ in range(101)]
        listed = (await client.get(f"{API}/status")).json["sessions"]
        assert [snapshot["session_id"] for snapshot in listed] == ids[:0:-1]
        status = await client.get(f"{API}/status/{ids[-1]}")
        assert set(listed[0]) == set(status.json)
        gate.open()


@pytest.mark.embedded
def test_session_that_ends_under_the_list_stays_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read as running and told of when it has ended, it is shown as the last frame has it."""
    newest = SessionManager.newest

    async def scenario() -> None:
        async with serving(tmp_path, (gate := Gate()).process) as client:
            session_id = await client.start()

            async def end_meanwhile(
                store: SessionManager, wanted: SessionFilter
            ) -> tuple[list[SessionRecord], int | None]:
                read = await newest(store, wanted)
                gate.open()
                await client.finished(session_id)
                while store.running:
                    await settle()
                return read

            monkeypatch.setattr(SessionManager, "newest", end_meanwhile)
            (listed,) = (await client.get(f"{API}/status")).json["sessions"]
            assert (listed["session_id"], listed["status"]) == (session_id, "completed")

    run(scenario())


async def test_errors_are_given_by_number(tmp_path: Path) -> None:
    """Of more errors than a snapshot shows each can be had, ascending, with how many there are."""
    (tmp_path / "inbox").mkdir()
    for n in range(1015):
        (tmp_path / "inbox" / f"bad{n}.txt").touch()

    async with serving(tmp_path, files=0) as client:
        session_id = await client.start()
        last = await client.finished(session_id)
        assert [error["n"] for error in last["errors"]] == list(range(1006, 1016))
        path = f"{API}/status/{session_id}"
        for after, first, length in ((b"0", 1, 1000), (b"1005", 1006, 10), (b"1015", 0, 0)):
            answer = await client.get(path, b"errors_after=" + after)
            numbers = [error["n"] for error in answer.json["errors"]]
            assert numbers == list(range(first, first + length))
            assert (answer.json["total"], answer.header("etag")) == (1015, None)
        answer = await client.get(path, b"errors_after=1005")
        assert answer.json["errors"] == last["errors"]


@pytest.mark.parametrize("after", ["", "x", "-1", "1.0", "1e3", "\xb2", "9" * 30, "%00"])
async def test_number_of_errors_that_is_none(tmp_path: Path, after: str) -> None:
    """A value that is not the number of an error is 422 and named."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        query = f"errors_after={after}".encode()
        answer = await client.get(f"{API}/status/{session_id}", query)
        assert (answer.status, answer.bad_fields) == (422, ["errors_after"])


async def test_separators_are_escaped_in_every_face(tmp_path: Path) -> None:
    """U+0085, U+2028 and U+2029 in a name, at which some clients split lines, come as escapes."""
    name = "bad\u0085\u2028\u2029.txt"
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / name).touch()

    async with serving(tmp_path, files=0) as client:
        session_id = await client.start()
        stream = await client.stream(session_id)
        last = (await stream.snapshots())[-1]
        status = await client.get(f"{API}/status/{session_id}")
        assert last["errors"][0]["file"] == name == status.json["errors"][0]["file"]
        for raw in (stream.raw, status.body, (await client.get(f"{API}/status")).body):
            assert "\u2028" not in raw.decode()
            assert "\u0085" not in raw.decode()
            assert b"\\u2029" in raw


async def test_head_has_the_headers_of_get(tmp_path: Path) -> None:
    """HEAD works wherever GET does, with the same headers and no body."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        await client.finished(session_id)
        for path in (
            "/", "/healthz", "/static/style.css", f"{API}/status", f"{API}/directories",
            f"{API}/status/{session_id}", f"{API}/report/{session_id}",
        ):  # fmt: skip
            get, head = await client.get(path), await client.ask("HEAD", path)
            assert (head.status, head.body) == (200, b""), path
            assert head.headers == get.headers
            assert get.body


async def test_name_that_is_not_utf8_is_shown(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is processed, and shown with U+FFFD."""
    (tmp_path / "inbox").mkdir()
    (Path(str(tmp_path / "inbox") + "/bad\udcff.txt")).touch()

    async with serving(tmp_path, files=0) as client:
        session_id = await client.start()
        last = await client.finished(session_id)
        assert last["errors"][0]["file"] == "bad\ufffd.txt"
        report = await client.get(f"{API}/report/{session_id}")
        assert orjson.loads(report.body)["file"] == "bad\ufffd.txt"

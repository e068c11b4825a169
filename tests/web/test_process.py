"""POST process: a session is started, once for each key."""

import asyncio
from pathlib import Path

import pytest

from tests.support.client import API, Answer, Client, Gate, at_once, make_app, serving
from tests.support.running import run

BODY_FIELDS = {
    "session_id", "name", "request", "status", "progress", "total_files", "processed_files",
    "current_file", "stats", "errors", "error", "files_per_second", "eta_seconds", "start_time",
    "end_time", "changed_at", "waiting", "bytes_per_second", "total_bytes", "under_way",
    "status_url", "stream_url",
}  # fmt: skip


async def test_process_answers_where_to_look(tmp_path: Path) -> None:
    """The answer to a start is the snapshot, and the addresses under which it moves on."""
    async with serving(tmp_path) as client:
        answer = await client.process()
        snapshot = answer.json
        assert answer.status == 202
        assert set(snapshot) == BODY_FIELDS
        assert answer.header("location") == f"{API}/status/{snapshot['session_id']}"
        assert snapshot["status_url"] == answer.header("location")
        assert snapshot["stream_url"] == f"{API}/stream/{snapshot['session_id']}"
        assert (await client.get(snapshot["status_url"])).status == 200


async def test_snapshot_shows_what_was_asked_for(tmp_path: Path) -> None:
    """In the answer to the start, in the stream, in the list and after a restart."""
    async with serving(tmp_path) as client:
        session_id = await client.start(pattern="*.txt", max_files=2, name="Lisbon \U0001f30d")
        last = await client.finished(session_id)
        assert last["name"] == "Lisbon \U0001f30d"
        assert last["request"] == {
            "directory": ".", "pattern": "*.txt", "recursive": True, "exclude": [],
            "one_file_system": False, "max_files": 2, "retry_of": None, "retry": "failed",
            "skip_existing": False,
        }  # fmt: skip
        unnamed = await client.finished(await client.start())
        assert unnamed["name"] is None
    async with serving(tmp_path) as client:
        assert (await client.get(f"{API}/status/{session_id}")).json["request"] == last["request"]


async def test_process_takes_all_fields(tmp_path: Path) -> None:
    """What is asked for is what is taken: this folder, this pattern, so many files, not deeper."""
    async with serving(tmp_path) as client:
        (tmp_path / "inbox" / "sub").mkdir()
        (tmp_path / "inbox" / "sub" / ".A.TXT").touch()
        asked = {"recursive": True, "retry_of": None, "skip_existing": False}
        for fields, total in (
            ({"directory": ".", "pattern": "*.txt|*.png"}, 4),
            ({"recursive": False}, 3),
            ({"max_files": 2}, 2),
            ({"max_files": 2**53}, 4),
            ({"directory": str(tmp_path / "inbox" / "sub")}, 1),
            ({"pattern": "*.png"}, 0),
            ({"exclude": ["sub/"], "one_file_system": True}, 3),
            ({"exclude": ["*.txt", "!0.txt"]}, 2),
        ):
            last = await client.finished(await client.start(**{**asked, **fields}))
            assert (last["total_files"], last["status"]) == (total, "completed"), fields
            assert last["progress"] == 100


async def test_skip_existing_passes_over_what_is_known(tmp_path: Path) -> None:
    """A file that is in the catalogue as it is on the disk is counted, and not processed again."""
    async with serving(tmp_path) as client:
        await client.finished(await client.start())
        last = await client.finished(await client.start(skip_existing=True))
        assert last["stats"]["skipped_existing"] == last["processed_files"] == 3


async def test_retry_takes_the_failed_files(tmp_path: Path) -> None:
    """A retry takes what failed in a finished session, whatever directory it names, or a few."""
    async with serving(tmp_path) as client:
        (tmp_path / "inbox" / "bad.txt").touch()
        first = await client.start()
        await client.finished(first)
        last = await client.finished(await client.start(retry_of=first, pattern="0.txt"))
        assert [error["file"] for error in last["errors"]] == ["bad.txt"]
        assert (last["total_files"], last["stats"]["errors"]) == (1, 1)
        (tmp_path / "inbox" / "bad too.txt").touch()
        second = await client.start()
        assert (await client.finished(second))["stats"]["errors"] == 2
        last = await client.finished(await client.start(retry_of=second, max_files=1))
        assert last["total_files"] == 1


async def test_retry_of_a_running_session_is_refused(tmp_path: Path) -> None:
    """What a session that still runs will have failed at, nobody knows."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        running = await client.start()
        answer = await client.process(retry_of=running)
        assert (answer.status, answer.bad_fields) == (422, ["retry_of"])
        assert (await client.process(retry_of="nobody")).status == 404
        gate.open()


async def test_key_starts_one_session(tmp_path: Path) -> None:
    """A repeated POST with the same key is answered with the session that the first one started."""
    async with serving(tmp_path) as client:
        first = await client.process({"idempotency-key": "k"})
        await client.finished(first.json["session_id"])
        again = await client.process({"idempotency-key": "k"})
        other = await client.process({"idempotency-key": "l"})
        assert again.json["session_id"] == first.json["session_id"]
        assert (again.status, again.json["status"]) == (202, "completed")
        assert other.json["session_id"] != first.json["session_id"]


def test_key_holds_for_posts_at_once(tmp_path: Path) -> None:
    """A double click starts nothing twice, and every click is answered with the one session."""

    async def scenario() -> list[Answer]:
        async with serving(tmp_path) as client:
            posts = [client.process({"idempotency-key": "k"}) for _ in range(20)]
            return await asyncio.gather(*posts)

    answers = run(scenario())
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["session_id"] for answer in answers}) == 1


def test_key_holds_over_a_restart(tmp_path: Path) -> None:
    """A client that retries after the server came back gets the session it had started."""

    async def one_run() -> str:
        async with serving(tmp_path) as client:
            answer = await client.process({"idempotency-key": "k"})
            session_id: str = answer.json["session_id"]
            return session_id

    assert run(one_run()) == run(one_run())


def test_key_with_another_body_is_refused(tmp_path: Path) -> None:
    """A key that comes with another request is a client's mistake, not a wish to have the first."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            await client.process({"idempotency-key": "k"})
            return await client.process({"idempotency-key": "k"}, pattern="*.png")

    answer = run(scenario())
    assert (answer.status, answer.bad_fields) == (422, ["Idempotency-Key"])


@pytest.mark.parametrize(("key", "status"), [("", 422), ("k" * 256, 422), ("\xff" * 255, 202)])
def test_key_has_a_length(tmp_path: Path, key: str, status: int) -> None:
    """A key has 1 to 255 characters; in odd bytes it is a key like any other."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            return await client.process({"idempotency-key": key})

    assert run(scenario()).status == status


async def test_too_many_sessions_are_told_to_come_back(tmp_path: Path) -> None:
    """One session too many gets 503 with Retry-After; the key of one that runs gets its session."""
    async with serving(tmp_path, (gate := Gate()).process, max_sessions=1) as client:
        first = await client.process({"idempotency-key": "k"})
        refused = await client.process()
        again = await client.process({"idempotency-key": "k"})
        assert (refused.status, refused.header("retry-after")) == (503, "5")
        assert again.json["session_id"] == first.json["session_id"]
        gate.open()
        await client.finished(first.json["session_id"])
        assert (await client.process()).status == 202


def test_interrupted_session_goes_on_at_the_next_start(tmp_path: Path) -> None:
    """A session that runs at the shutdown is finished in the next life, each file counted once."""

    async def first_life() -> str:
        async with serving(tmp_path, (gate := Gate()).process) as client:
            session_id = await client.start()
            stream = await client.stream(session_id)
            gate.open(1)
            while (await stream.snapshot())["processed_files"] < 1:
                pass
            return session_id

    async def second_life(session_id: str) -> None:
        async with make_app(tmp_path, at_once).lifespan() as app:
            client = Client(app)
            last = await client.finished(session_id)
            report = await client.get(f"{API}/report/{session_id}")
            assert (last["status"], last["total_files"], last["stats"]["done"]) == (
                "completed", 3, 3,
            )  # fmt: skip
            assert len(report.body.splitlines()) == 3

    run(second_life(run(first_life())))

"""GET stream: the snapshots of a session as they come, through the application."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import API, Answer, Client, Gate, make_app, serving
from tests.support.running import run, settle

EXPECTED = {
    "content-type": "text/event-stream",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


def names(headers: object) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}  # type: ignore[attr-defined]


def tasks_of(name: str) -> list[str]:
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    return [c.__qualname__ for c in coroutines if c.__qualname__.startswith(name)]


async def test_stream_starts_with_the_snapshot(tmp_path: Path) -> None:
    """The first event comes at once, of the default type, with an id, data in a line, and retry."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        stream = await client.stream(await client.start())
        event = await stream.event()
        assert event is not None
        assert (event.type, stream.status) == ("message", 200)
        assert event.id
        assert event.retry_ms is not None
        assert 900 <= event.retry_ms <= 1100
        assert stream.raw.count(b"data:") == stream.raw.count(b"\n\n") == 1
        gate.open()
        later = await stream.event()
        assert later is not None
        assert later.retry_ms is None


async def test_stream_has_its_headers_and_the_guards(tmp_path: Path) -> None:
    """A stream carries the headers that keep it live, and the ones that every answer carries."""
    async with serving(tmp_path, cors_origins="https://a.example") as client:
        stream = await client.stream(await client.start(), origin="https://a.example")
        headers = names(stream.headers)
        assert {name: headers.get(name) for name in EXPECTED} == EXPECTED
        assert headers["access-control-allow-origin"] == "https://a.example"
        assert not {"connection", "content-length", "transfer-encoding"} & set(headers)
        await stream.snapshots()


@pytest.mark.embedded
async def test_stream_tells_each_change_and_ends(tmp_path: Path) -> None:
    """With no interval every file is published; counts never go back; the end ends the stream."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        stream = await client.stream(await client.start())
        seen = [await stream.snapshot()]
        for _ in range(3):
            gate.open(1)
            done = seen[-1]["processed_files"]
            while seen[-1]["processed_files"] == done:
                seen.append(await stream.snapshot())
        seen += await stream.snapshots()
        counts = [snapshot["processed_files"] for snapshot in seen]
        progress = [snapshot["progress"] for snapshot in seen]
        assert sorted(set(counts)) == [0, 1, 2, 3]
        assert counts == sorted(counts)
        assert progress == sorted(progress)
        assert progress[-2:] == [99, 100]
        assert seen[-1]["status"] == "completed"


async def test_frames_wait_for_their_interval(tmp_path: Path) -> None:
    """Within the interval one frame goes out, and after it the newest, the last one always."""
    async with serving(tmp_path, min_interval=0.2) as client:
        begun = asyncio.get_running_loop().time()
        stream = await client.stream(await client.start())
        seen = await stream.snapshots()
        lasted = asyncio.get_running_loop().time() - begun
        assert (seen[0]["status"], seen[-1]["status"]) == ("starting", "completed")
        assert lasted >= 0.2
        assert len(seen) <= lasted / 0.2 + 1


async def test_finished_session_is_told_once(tmp_path: Path) -> None:
    """Who comes after the end gets the last snapshot and the end; who has it, 204 and no more."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        await client.finished(session_id)
        stream = await client.stream(session_id)
        event = await stream.event()
        assert event is not None
        assert await stream.event() is None
        path = f"{API}/stream/{session_id}"
        for method in ("GET", "HEAD"):
            answer = await client.ask(method, path, headers={"last-event-id": event.id})
            assert (answer.status, answer.body) == (204, b"")
            assert answer.header("x-content-type-options") == "nosniff"
        for other in ("", "x", event.id + "0", event.id[:-1], "\xff"):
            assert (await client.get(path, last_event_id=other)).status == 200


def test_last_id_holds_over_a_restart(tmp_path: Path) -> None:
    """A client that has the last snapshot gets 204 after a restart too."""

    async def first() -> tuple[str, str]:
        async with serving(tmp_path) as client:
            session_id = await client.start()
            stream = await client.stream(session_id)
            await stream.snapshots()
            return session_id, stream.parser.last_event_id

    async def second(session_id: str, last: str) -> tuple[Answer, Answer]:
        async with serving(tmp_path) as client:
            path = f"{API}/stream/{session_id}"
            return await client.get(path, last_event_id=last), await client.get(path)

    known, other = run(second(*run(first())))
    assert (known.status, other.status) == (204, 200)


async def test_nothing_missed_is_nothing_resent(tmp_path: Path) -> None:
    """A reconnect with the newest id waits for the next frame; with another gets the newest."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        session_id = await client.start_held()
        newest = (await client.get(f"{API}/status/{session_id}")).header("etag")
        assert newest is not None
        again = await client.stream(session_id, last_event_id=newest.strip('"'))
        other = await client.stream(session_id, last_event_id="another-life-1")
        assert (await other.snapshot())["processed_files"] == 0
        await settle()
        assert again._connection.output_queue.empty()
        gate.open(1)
        assert (await again.snapshot())["processed_files"] == 1
        assert b"retry:" in again.raw


def test_id_of_an_earlier_life_gets_the_snapshot(tmp_path: Path) -> None:
    """An id from before a restart never means "nothing missed" in a session that goes on."""

    async def one_run() -> tuple[str, str]:
        async with serving(tmp_path, Gate().process) as client:
            listed = (await client.get(f"{API}/status")).json["sessions"]
            session_id = listed[0]["session_id"] if listed else await client.start()
            stream = await client.stream(session_id)
            event = await stream.event()
            assert event is not None
            return session_id, event.id

    async def later(session_id: str, last: str) -> None:
        async with serving(tmp_path, Gate().process) as client:
            stream = await client.stream(session_id, last_event_id=last)
            assert (await stream.snapshot())["session_id"] == session_id

    run(later(*run(one_run())))


async def test_head_has_the_headers_alone(tmp_path: Path) -> None:
    """A HEAD on a running session's stream is answered and over."""
    async with serving(tmp_path, Gate().process) as client:
        answer = await client.ask("HEAD", f"{API}/stream/{await client.start()}")
        assert (answer.status, answer.body) == (200, b"")
        assert names(answer.headers).items() >= EXPECTED.items()


async def test_stream_too_many_is_refused(tmp_path: Path) -> None:
    """One stream more than may be open gets 503 with Retry-After, until another has gone."""
    async with serving(tmp_path, Gate().process, max_streams=1) as client:
        session_id = await client.start()
        stream = await client.stream(session_id)
        refused = await client.get(f"{API}/stream/{session_id}")
        assert (refused.status, refused.header("retry-after")) == (503, "5")
        assert refused.json["status"] == 503
        await stream.leave()
        assert (await client.stream(session_id)).status == 200


@pytest.mark.embedded
async def test_client_that_leaves_is_forgotten_at_once(tmp_path: Path) -> None:
    """A client that goes away is noticed with no frame sent, and its tasks are gone."""
    async with serving(tmp_path, Gate().process) as client:
        session_id = await client.start()
        streams = [await client.stream(session_id) for _ in range(20)]
        assert len(tasks_of("TaskStream")) == 20
        for stream in streams:
            await stream.leave()
        assert (await client.get("/healthz")).json["streams"] == 0
        assert not tasks_of("TaskStream")


async def test_drain_ends_every_stream_cleanly(tmp_path: Path) -> None:
    """A drain ends open streams with their last piece; later ones get the newest and the end."""
    async with serving(tmp_path, Gate().process) as client:
        session_id = await client.start()
        streams = [await client.stream(session_id) for _ in range(3)]
        await client.app.drain()
        for stream in streams:
            assert await stream.snapshots()
            assert stream.ended
        late = await client.stream(session_id)
        assert len(await late.snapshots()) == 1


def test_sender_that_raises_ends_its_stream_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that raises OSError at a client which has gone is taken at its word, in silence."""

    async def scenario() -> None:
        async with make_app(tmp_path, Gate().process).lifespan() as app:
            client = Client(app)
            session_id = await client.start()

            async def gone(_: object) -> None:
                raise BrokenPipeError

            async def receive() -> dict[str, object]:
                await asyncio.Event().wait()
                raise AssertionError

            for path in (f"{API}/stream/{session_id}", f"{API}/status"):
                await app(client.connect("GET", path).scope, receive, gone)
            assert (await client.get("/healthz")).json["streams"] == 0

    run(scenario())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]

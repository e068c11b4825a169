"""What a host that embeds the application calls."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest import Snapshot
from ingest.errors import IngestError, InvalidRequestError, NotFoundError
from tests.support.client import API, Client, Gate, make_app
from tests.support.running import run, settle
from web import Application, create_app


async def follow(app: Application, session_id: str) -> list[Snapshot]:
    return [snapshot async for snapshot in app.watch(session_id)]


async def test_session_is_started_and_watched(tmp_path: Path) -> None:
    """A host starts a session and sees what every other watcher sees, to its end."""
    async with make_app(tmp_path).lifespan() as app:
        session_id = await app.start(pattern="*.txt", idempotency_key="k")
        seen = await follow(app, session_id)
        assert seen[-1]["status"] == "completed"
        assert seen[-1] == await app.snapshot(session_id)
        assert await follow(app, session_id) == [seen[-1]]
        assert await app.start(pattern="*.txt", idempotency_key="k") == session_id
        last = await Client(app).finished(session_id)
        assert last == seen[-1]


async def test_session_is_cancelled(tmp_path: Path) -> None:
    """A cancel is True the first time, and False when the session has ended."""
    async with make_app(tmp_path, Gate().process).lifespan() as app:
        session_id = await app.start()
        assert await app.cancel(session_id)
        assert (await follow(app, session_id))[-1]["status"] == "cancelled"
        assert not await app.cancel(session_id)


async def test_what_is_wrong_is_raised(tmp_path: Path) -> None:
    """A host gets the errors that a client gets as statuses."""
    async with make_app(tmp_path).lifespan() as app:
        with pytest.raises(InvalidRequestError) as caught:
            await app.start(max_files=0, unknown=1)
        assert set(caught.value.fields) == {"max_files", "unknown"}
        for call in (app.cancel("x"), app.snapshot("x"), follow(app, "x")):
            with pytest.raises(NotFoundError):
                await call
        assert issubclass(NotFoundError, IngestError)


async def test_calls_start_what_is_needed(tmp_path: Path) -> None:
    """A host that forgets the lifespan may call as well as serve."""
    app = make_app(tmp_path)
    assert (await follow(app, await app.start()))[-1]["processed_files"] == 3
    await app._lifecycle.close()


async def test_report_is_that_of_the_route(tmp_path: Path) -> None:
    """A host writes the same bytes to a file that a client would download."""
    async with make_app(tmp_path).lifespan() as app:
        session_id = await app.start()
        await follow(app, session_id)
        for kind in ("ndjson", "csv"):
            pieces = [piece async for piece in app.report(session_id, kind)]
            route = f"{API}/report/{session_id}"
            answer = await Client(app).get(route, f"format={kind}".encode())
            assert b"".join(pieces) == answer.body
            assert b"0.txt" in answer.body
        with pytest.raises(ValueError, match="ndjson, csv"):
            await anext(app.report(session_id, "xml"))
        with pytest.raises(NotFoundError):
            await anext(app.report("nobody"))


async def test_watcher_ends_with_the_service(tmp_path: Path) -> None:
    """A host's task that watches does not outlast the service, and holds up no shutdown."""
    app = make_app(tmp_path, Gate().process)
    async with app.lifespan():
        watcher = asyncio.create_task(follow(app, await app.start()))
        await settle()
    assert (await watcher)[-1]["status"] in ("starting", "processing")


async def test_watcher_that_breaks_off_is_forgotten(tmp_path: Path) -> None:
    """A host that has seen enough follows no longer."""
    async with make_app(tmp_path, Gate().process).lifespan() as app:
        session_id = await app.start()
        snapshots = app.watch(session_id)
        await anext(snapshots)
        assert app._lifecycle.running is not None
        channel = await app._lifecycle.running.sessions.channel(session_id)
        assert channel.statistics().subscribers == 1
        await snapshots.aclose()
        assert channel.statistics().subscribers == 0


def test_executor_stays_the_hosts(tmp_path: Path) -> None:
    """A host's executor does the work, and is still its own after the end."""
    ran = []

    def process(path: Path) -> None:
        ran.append(path.name)

    async def scenario() -> None:
        with ThreadPoolExecutor(1) as executor:
            settings = make_app(tmp_path)._lifecycle._settings()
            app = create_app(settings, process=process, executor=executor)
            async with app.lifespan():
                await follow(app, await app.start())
            assert executor.submit(len, "ab").result() == 2

    run(scenario())
    assert sorted(ran) == ["0.txt", "1.txt", "2.txt"]


async def test_drain_before_the_start_is_nothing(tmp_path: Path) -> None:
    """A host may drain what it never came to start, and drain twice."""
    app = make_app(tmp_path)
    await app.drain()
    assert not (tmp_path / "ingest.db").exists()
    async with app.lifespan():
        await asyncio.gather(app.drain(), app.drain())

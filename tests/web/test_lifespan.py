"""The application's start and end, told by a server, by a host, or by nobody."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ingest import Settings, SettingsError
from tests.support.client import DEADLINE, Answer, Client, Communicator, Gate, make_app
from tests.support.running import run, settle
from web import Application, create_app

HEALTH = "/healthz"


async def start(app: Application) -> Any:
    """Return the connection of an ASGI lifespan and the answer to its start."""
    lifespan = Communicator(app, {"type": "lifespan", "asgi": {"version": "3.0"}})
    await lifespan.send_input({"type": "lifespan.startup"})
    return lifespan, await lifespan.receive_output(DEADLINE)


async def stop(lifespan: Any) -> Any:
    await lifespan.send_input({"type": "lifespan.shutdown"})
    message = await lifespan.receive_output(DEADLINE)
    await lifespan.wait()
    return message


def test_making_is_inert(tmp_path: Path) -> None:
    """An application that is made and not started has opened, written and asked for nothing."""

    def settings() -> Settings:
        raise AssertionError("read before the start")

    create_app(settings)
    make_app(tmp_path)
    assert not (tmp_path / "ingest.db").exists()


async def test_environment_has_the_settings_that_nobody_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`create_app()` reads `INGEST_…` at its start, as every other way to serve does."""
    app = create_app()
    monkeypatch.setenv("INGEST_ROOT", str(tmp_path))
    monkeypatch.setenv("INGEST_DATABASE", str(tmp_path / "by-environment.db"))
    monkeypatch.setenv("INGEST_WORKERS", "1")

    async with app.lifespan():
        assert (tmp_path / "by-environment.db").exists()


async def test_lifespan_starts_and_stops(tmp_path: Path) -> None:
    """The service runs from the server's startup to its shutdown."""
    app = make_app(tmp_path)
    before = asyncio.all_tasks()
    lifespan, started = await start(app)
    assert started == {"type": "lifespan.startup.complete"}
    assert (tmp_path / "ingest.db").exists()
    assert (await Client(app).get(HEALTH)).status == 200
    assert await stop(lifespan) == {"type": "lifespan.shutdown.complete"}
    await settle()
    assert asyncio.all_tasks() == before


async def test_failing_start_is_told(tmp_path: Path) -> None:
    """A failed start is reported to the server in one line, and leaves nothing behind."""
    app = make_app(tmp_path, root=tmp_path / "nowhere")
    _, message = await start(app)
    assert message["type"] == "lifespan.startup.failed"
    assert "INGEST_ROOT" in message["message"]
    assert "\n" not in message["message"]
    with pytest.raises(SettingsError):
        async with app.lifespan():
            pass
    (tmp_path / "nowhere").mkdir()
    async with app.lifespan():
        assert (await Client(app).get(HEALTH)).status == 200


def test_failure_of_ours_at_the_start_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen exception too fails the start; raised, it would be taken for no lifespan."""

    def settings() -> Settings:
        raise ZeroDivisionError

    async def scenario() -> Answer:
        app = create_app(settings)
        _, message = await start(app)
        assert message["type"] == "lifespan.startup.failed"
        return await Client(app).get(HEALTH)

    answer = run(scenario())
    assert answer.json["status"] in (500, 503)
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


async def test_second_application_on_the_same_database_is_refused(tmp_path: Path) -> None:
    """One owns a database; the other fails with one line, and starts once it is free."""
    first, second = make_app(tmp_path), make_app(tmp_path)
    async with first.lifespan():
        _, message = await start(second)
        assert message["type"] == "lifespan.startup.failed"
        assert "in use" in message["message"]
        assert "\n" not in message["message"]
    async with second.lifespan():
        assert (await Client(second).get(HEALTH)).status == 200


def test_request_that_cannot_be_served_is_503(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a lifespan a failing start is the request's 503; the reason is the log's alone."""

    async def scenario() -> None:
        client = Client(make_app(tmp_path, root=tmp_path / "nowhere"))
        answer = await client.get(HEALTH)
        assert (answer.status, answer.header("retry-after")) == (503, "5")
        assert str(tmp_path) not in answer.body.decode()
        (tmp_path / "nowhere").mkdir()
        assert (await client.get(HEALTH)).status == 200
        await client.app._lifecycle.close()

    run(scenario())
    assert [
        r.message for r in caplog.records if r.levelno >= logging.ERROR and "nowhere" in r.message
    ]


def test_first_requests_wait_for_one_start(tmp_path: Path) -> None:
    """A host that forgets the lifespan still works: the first request starts what is needed."""
    starts = []

    def settings() -> Settings:
        starts.append(1)
        (tmp_path / "inbox").mkdir()
        return Settings(root=tmp_path / "inbox", database=tmp_path / "ingest.db", workers=1)

    async def scenario() -> None:
        client = Client(create_app(settings))
        answers = await asyncio.gather(*(client.get(HEALTH) for _ in range(20)))
        assert {answer.status for answer in answers} == {200}
        await client.app._lifecycle.close()

    run(scenario())
    assert len(starts) == 1


async def test_first_request_that_is_given_up_fails_no_other(tmp_path: Path) -> None:
    """A first request that is cancelled within the start leaves the start to the next one."""
    client = Client(make_app(tmp_path))
    first = asyncio.create_task(client.get(HEALTH))
    second = asyncio.create_task(client.get(HEALTH))
    await settle()
    first.cancel()
    assert (await second).status == 200
    await client.app._lifecycle.close()


async def test_two_applications_do_not_meet(tmp_path: Path) -> None:
    """Of two applications in one process each has its sessions, and its end."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    first, second = (make_app(folder) for folder in folders)
    async with second.lifespan():
        async with first.lifespan():
            session_id = await first.start()
        assert (await Client(second).get(f"/api/ingest/status/{session_id}")).status == 404
        assert (await Client(second).get(HEALTH)).status == 200


def test_application_starts_again_after_its_end(tmp_path: Path) -> None:
    """A stopped application can be started once more, on another event loop too."""
    app = make_app(tmp_path, Gate().process)

    async def scenario(known: str | None) -> str:
        async with app.lifespan():
            client = Client(app)
            answers = await asyncio.gather(*(client.get(HEALTH) for _ in range(5)))
            assert {answer.status for answer in answers} == {200}
            if known is None:
                return await client.start()
            stream = await client.stream(known)
            assert (await stream.snapshot())["session_id"] == known
            return known

    run(scenario(run(scenario(None))))


def test_late_starts_meet_on_another_loop(tmp_path: Path) -> None:
    """Requests that wait for a start on one event loop are no trouble for those on the next."""
    app = make_app(tmp_path)

    async def scenario() -> None:
        client = Client(app)
        answers = await asyncio.gather(*(client.get(HEALTH) for _ in range(5)))
        assert {answer.status for answer in answers} == {200}
        await app._lifecycle.close()

    run(scenario())
    run(scenario())


def test_loop_that_ended_without_a_lifespan(tmp_path: Path) -> None:
    """A host that gives each request a loop of its own, as some test clients do, is served."""
    app = make_app(tmp_path, Gate().process)

    async def first() -> str:
        return await Client(app).start()

    async def second(session_id: str) -> None:
        stream = await Client(app).stream(session_id)
        assert (await stream.snapshot())["session_id"] == session_id
        await app._lifecycle.close()

    session_id = asyncio.run(first())  # its session still runs when the loop ends
    run(second(session_id))


async def test_websocket_is_closed(tmp_path: Path) -> None:
    """A websocket is refused by a close before it is accepted, which servers answer as 403."""
    async with make_app(tmp_path).lifespan() as app:
        socket = Communicator(app, {"type": "websocket", "path": "/"})
        await socket.send_input({"type": "websocket.connect"})
        assert await socket.receive_output(DEADLINE) == {"type": "websocket.close"}
        await socket.wait()


def test_unknown_scope_is_refused(tmp_path: Path) -> None:
    """The specification has an application raise at a protocol that it does not know."""

    async def scenario() -> None:
        socket = Communicator(make_app(tmp_path), {"type": "pigeon"})
        await socket.wait()

    with pytest.raises(NotImplementedError, match="pigeon"):
        run(scenario())

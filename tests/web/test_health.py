"""GET healthz: for those who decide whether requests are sent here."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.client import Gate, serving
from web.health import FRESH_SECONDS, Health


async def test_health_is_answered_without_a_token(tmp_path: Path) -> None:
    """A load balancer has no token; it gets the numbers of sessions and streams."""
    async with serving(tmp_path, Gate().process, token="secret") as client:
        answer = await client.get("/healthz")
        assert (answer.status, answer.json["status"]) == (200, "ok")
        assert answer.header("cache-control") == "no-store"


async def test_health_counts_sessions_and_streams(tmp_path: Path) -> None:
    """Sessions and streams are counted at the moment of the request."""
    async with serving(tmp_path, Gate().process) as client:
        stream = await client.stream(await client.start())
        health = (await client.get("/healthz")).json
        assert health == {"status": "ok", "sessions": 1, "streams": 1}
        await stream.leave()
        assert (await client.get("/healthz")).json["streams"] == 0


async def test_health_is_503_while_shutting_down(tmp_path: Path) -> None:
    """From the drain on no more requests are to be sent here, and nothing new is started."""
    async with serving(tmp_path) as client:
        await client.app.drain()
        assert (await client.get("/healthz")).status == 503
        refused = await client.process()
        assert (refused.status, refused.header("retry-after")) == (503, "5")


async def test_ready_writes_to_the_catalogue(tmp_path: Path) -> None:
    """A service that lives, and whose catalogue was taken away, is not ready, and says why."""
    async with serving(tmp_path) as client:
        ready = await client.get("/healthz", b"ready")
        assert (ready.status, ready.json["status"]) == (200, "ok")
    async with serving(tmp_path) as client:
        (tmp_path / "ingest.db").rename(tmp_path / "moved.db")
        answer = await client.get("/healthz", b"ready")
        assert (answer.status, answer.json["status"]) == (503, "not ready")
        assert "removed or replaced" in answer.json["detail"]
        assert (await client.get("/healthz")).status == 200


async def test_checks_are_not_made_more_often_than_they_change(tmp_path: Path) -> None:
    """Whoever asks a thousand times a second has the catalogue written once in that second."""
    async with serving(tmp_path) as client:
        assert client.app._lifecycle.running is not None
        sessions, now, checks = client.app._lifecycle.running.sessions, [0.0], [0]

        async def check() -> None:
            checks[0] += 1

        sessions.check = check  # type: ignore[method-assign]
        health = Health(sessions, client.app._lifecycle.running.streams, lambda: now[0])
        for _ in range(10):
            assert (await health.answer(ready=True, stopping=False)).status == 200
        assert checks == [1]
        now[0] += FRESH_SECONDS
        await health.answer(ready=True, stopping=False)
        assert checks == [2]


async def test_check_that_takes_too_long_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs makes the service unready; the request is answered all the same."""
    monkeypatch.setattr("web.health.CHECK_SECONDS", 0.001)

    async with serving(tmp_path) as client:
        assert client.app._lifecycle.running is not None
        client.app._lifecycle.running.sessions.check = asyncio.Event().wait  # type: ignore[method-assign,assignment]
        answer = await client.get("/healthz", b"ready")
        assert (answer.status, answer.json["detail"][:14]) == (503, "the catalogue,")


async def test_ready_looks_at_the_root(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A root that is gone, or that does not answer, makes it unready; the log has one line."""
    now = [0.0]
    async with serving(tmp_path) as client:
        assert client.app._lifecycle.running is not None
        running = client.app._lifecycle.running
        health = Health(running.sessions, running.streams, lambda: now[0])
        (tmp_path / "inbox").rename(tmp_path / "gone")
        for _ in range(3):
            answer = await health.answer(ready=True, stopping=False)
            assert answer.status == 503
            now[0] += FRESH_SECONDS
        (tmp_path / "gone").rename(tmp_path / "inbox")
        assert (await health.answer(ready=True, stopping=False)).status == 200
    logged = [(record.levelname, record.message[:9]) for record in caplog.records]
    assert [line for line in logged if "ready" in line[1]] == [("ERROR", "not ready")]


async def test_ready_reads_the_catalogue(tmp_path: Path) -> None:
    """A catalogue that takes writes to its first page and cannot be read is not ready."""
    async with serving(tmp_path) as client:
        with closing(sqlite3.connect(tmp_path / "ingest.db")) as connection:
            connection.execute("DROP TABLE outcomes")
        answer = await client.get("/healthz", b"ready")
        assert (answer.status, answer.json["status"]) == (503, "not ready")


async def test_failure_is_one_error_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that fails for the service's own reasons has a line with the reason."""
    async with serving(tmp_path) as client:
        (tmp_path / "ingest.db").rename(tmp_path / "moved.db")
        assert (await client.process()).status == 503
        (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert line.getMessage().startswith("POST '/api/ingest/process': the catalogue ingest.db")

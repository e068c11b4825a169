"""GET status?wait: an answer that is held back until there is something to say."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import API, Answer, Client, Gate, read, serving
from tests.support.running import run, settle
from web import long_poll as polling
from web.long_poll import WAIT_LIMIT, wait_seconds


async def held(client: Client, query: bytes = b"wait=60") -> tuple[str, Any]:
    """Poll a session that stands still."""
    session_id = await client.start_held()
    path = f"{API}/status/{session_id}"
    etag = (await client.get(path)).header("etag")
    assert etag is not None
    connection = client.connect("GET", path, query, {"if-none-match": etag})
    await connection.send_input({"type": "http.request", "body": b"", "more_body": False})
    await settle()
    return session_id, connection


def poll(
    folder: Path, then: Callable[[Client, Gate, str], Any], query: bytes = b"wait=60"
) -> Answer:
    """Poll a session that is held up, do `then`, and give the answer to the poll."""

    async def scenario() -> Answer:
        gate = Gate()
        async with serving(folder, gate.process) as client:
            session_id, connection = await held(client, query)
            assert connection.output_queue.empty()
            made = then(client, gate, session_id)
            if made is not None:
                await made
            return await read(connection)

    return run(scenario())


def test_poll_is_answered_at_the_next_change(tmp_path: Path) -> None:
    """A held request is answered by the next snapshot, not by its time running out."""
    answer = poll(tmp_path, lambda _, gate, __: gate.open(1))
    assert (answer.status, answer.json["processed_files"]) == (200, 1)


def test_poll_is_answered_at_the_end(tmp_path: Path) -> None:
    """The end of a session answers those who wait for it."""
    answer = poll(tmp_path, lambda client, _, id_: client.ask("POST", f"{API}/cancel/{id_}"))
    assert answer.status == 200


def test_poll_is_answered_when_the_service_stops(tmp_path: Path) -> None:
    """A stopping service answers every poll at once."""
    answer = poll(tmp_path, lambda client, *_: client.app.drain())
    assert (answer.status, answer.body) == (304, b"")


async def test_poll_does_not_wait_once_the_service_stops(tmp_path: Path) -> None:
    """A stopping service lets no later poll wait."""
    async with serving(tmp_path, Gate().process) as client:
        session_id = await client.start()
        await client.app.drain()
        path = f"{API}/status/{session_id}"
        assert (await client.get(path, b"wait=60", if_none_match="*")).status == 304


@pytest.mark.parametrize("seconds", [b"1e9", b"61", b"inf", b"60"])
def test_poll_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: bytes) -> None:
    """However long a client would wait, it gets "not modified" within the limit."""
    monkeypatch.setattr(polling, "WAIT_LIMIT", 0.001)

    async def scenario() -> Answer:
        async with serving(tmp_path, Gate().process) as client:
            return await read((await held(client, b"wait=" + seconds))[1])

    answer = run(scenario())
    assert (answer.status, answer.body) == (304, b"")


async def test_poller_that_leaves_is_forgotten(tmp_path: Path) -> None:
    """A client that goes away while it waits is noticed at once and followed by nobody."""
    async with serving(tmp_path, Gate().process) as client:
        session_id, connection = await held(client)
        assert client.app._lifecycle.running is not None
        channel = await client.app._lifecycle.running.sessions.channel(session_id)
        assert channel.statistics().subscribers == 1
        tasks = len(asyncio.all_tasks())
        await connection.send_input({"type": "http.disconnect"})
        await connection.wait()
        assert channel.statistics().subscribers == 0
        assert not client.app._lifecycle.running.polling._followers
        assert len(asyncio.all_tasks()) < tasks


@pytest.mark.parametrize("headers", [{}, {"if_none_match": '"other"'}])
def test_poll_without_the_newest_etag_is_answered_at_once(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    """Nobody waits who has not seen the newest snapshot."""

    async def scenario() -> Answer:
        async with serving(tmp_path, Gate().process) as client:
            session_id = await client.start()
            return await client.get(f"{API}/status/{session_id}", b"wait=60", **headers)

    assert run(scenario()).status == 200


def test_finished_session_is_answered_at_once(tmp_path: Path) -> None:
    """After the last snapshot there is nothing to wait for."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            session_id = await client.start()
            await client.finished(session_id)
            return await client.get(f"{API}/status/{session_id}", b"wait=60", if_none_match="*")

    assert run(scenario()).status == 304


@pytest.mark.parametrize("wait", [b"nan", b"-1", b"-inf", b"", b"x", b"1;2", b"%00", b"\xff"])
def test_wait_that_is_no_time(tmp_path: Path, wait: bytes) -> None:
    """A value that is not a number of seconds is 422 and named."""

    async def scenario() -> Answer:
        async with serving(tmp_path) as client:
            return await client.get(f"{API}/status/{await client.start()}", b"wait=" + wait)

    answer = run(scenario())
    assert (answer.status, answer.bad_fields) == (422, ["wait"])


def test_wait_is_limited() -> None:
    """More than 60 seconds is taken as 60; none, and nothing said, as 0."""
    assert [wait_seconds({"wait": text}) for text in ("1e9", "inf", "59.5", "0")] == [
        60,
        60,
        59.5,
        0,
    ]
    assert (wait_seconds({}), WAIT_LIMIT) == (0, 60)

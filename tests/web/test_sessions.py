"""The sessions of this process, as the routes see them."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import API, Gate, make_app, serving
from tests.support.running import run


def test_session_that_began_while_it_was_looked_up_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One recorded a moment ago, by a request with the same key say, is not taken for missing."""

    async def scenario() -> None:
        async with make_app(tmp_path, Gate().process).lifespan() as app:
            session_id = await app.start()
            assert app._lifecycle.running is not None
            sessions: Any = app._lifecycle.running.sessions
            channel = sessions._channels.pop(session_id)
            look_up = sessions._store.finished

            async def finished(session_id: str) -> Any:
                stored = await look_up(session_id)
                sessions._channels[session_id] = channel
                return stored

            monkeypatch.setattr(sessions._store, "finished", finished)
            assert await sessions.channel(session_id) is channel

    run(scenario())


async def test_list_is_read_in_pages_with_running_sessions_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that runs is on the first page whatever came after it, and then in its place."""
    monkeypatch.setattr("ingest.queries.LISTED", 3)
    async with serving(tmp_path, (gate := Gate()).process) as client:
        running = await client.start_held()
        ended = [await client.finished(await client.start(pattern="none")) for _ in range(5)]
        newest = [each["session_id"] for each in reversed(ended)]
        first = (await client.get(f"{API}/status")).json
        assert [each["session_id"] for each in first["sessions"]] == [*newest[:2], running]
        second = (await client.get(f"{API}/status", f"before={first['next']}".encode())).json
        assert [each["session_id"] for each in second["sessions"]] == newest[2:5]
        last = (await client.get(f"{API}/status", f"before={second['next']}".encode())).json
        assert [each["session_id"] for each in last["sessions"]] == [running]
        assert last["next"] is None
        gate.open()
        await client.finished(running)


async def test_list_is_searched_by_text_and_state(tmp_path: Path) -> None:
    """A wrong parameter is named; a right one that nothing matches gives an empty page."""
    async with serving(tmp_path) as client:
        named = await client.start(name="Lisbon 2019")
        await client.finished(named)
        await client.finished(await client.start())

        async def found(query: bytes) -> list[str]:
            answer = await client.get(f"{API}/status", query)
            return [each["session_id"] for each in answer.json["sessions"]]

        assert await found(b"q=lisbon") == [named]
        assert len(await found(b"state=completed,error")) == 2
        assert await found(b"state=cancelled") == []
        for query, field in (
            (b"before=x", "before"),
            (b"state=done", "state"),
            (b"state=", "state"),
        ):
            answer = await client.get(f"{API}/status", query)
            assert (answer.status, answer.bad_fields) == (422, [field])

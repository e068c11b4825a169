"""The sessions of this process, as the routes see them."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Gate, make_app
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

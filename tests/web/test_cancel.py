"""POST cancel: a session is ended before its time."""

from pathlib import Path

from tests.support.client import API, Client, Gate, make_app, serving
from tests.support.running import run


async def test_cancel_ends_a_session(tmp_path: Path) -> None:
    """A cancel is 202 with the snapshot; what was counted stays, and the progress is kept."""
    async with serving(tmp_path, (gate := Gate()).process) as client:
        session_id = await client.start()
        stream = await client.stream(session_id)
        gate.open(1)
        while (await stream.snapshot())["processed_files"] < 1:
            pass
        answer = await client.ask("POST", f"{API}/cancel/{session_id}")
        assert (answer.status, answer.json["session_id"]) == (202, session_id)
        last = (await stream.snapshots())[-1]
        assert (last["status"], last["progress"], last["processed_files"]) == (
            "cancelled", 33, 1,
        )  # fmt: skip
        assert last["end_time"] is not None
        assert last["current_file"] is None


async def test_cancel_of_a_finished_session_changes_nothing(tmp_path: Path) -> None:
    """A cancel of a finished session is answered 200, and changes nothing."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        last = await client.finished(session_id)
        answer = await client.ask("POST", f"{API}/cancel/{session_id}")
        assert (answer.status, answer.json) == (200, last)


async def test_cancel_twice_is_no_error(tmp_path: Path) -> None:
    """A second press of the button finds the session cancelled, or being cancelled."""
    async with serving(tmp_path, Gate().process) as client:
        session_id = await client.start()
        for _ in range(2):
            answer = await client.ask("POST", f"{API}/cancel/{session_id}")
            assert answer.status in (200, 202)
        assert (await client.finished(session_id))["status"] == "cancelled"


def test_cancel_holds_over_a_restart(tmp_path: Path) -> None:
    """A wish that was answered is on disk: the next life ends the session as cancelled."""

    async def first() -> str:
        async with make_app(tmp_path, Gate().process).lifespan() as app:
            client = Client(app)
            session_id = await client.start()
            assert (await client.ask("POST", f"{API}/cancel/{session_id}")).status == 202
            return session_id

    async def second(session_id: str) -> None:
        async with serving(tmp_path) as client:
            assert (await client.finished(session_id))["status"] == "cancelled"

    run(second(run(first())))


async def test_cancel_of_nothing(tmp_path: Path) -> None:
    """What is not there cannot be cancelled: 404."""
    async with serving(tmp_path) as client:
        assert (await client.ask("POST", f"{API}/cancel/unknown")).status == 404

"""The catalogue and the backend that a host gives to `create_app` are used."""

from pathlib import Path

from ingest.settings import Settings
from tests.support.ingest import fill
from tests.support.inline_backend import InlineBackend
from tests.support.memory_catalogue import MemoryCatalogue
from web.application import create_app
from web.sessions import LocalSessions


async def test_session_runs_over_a_catalogue_and_a_backend_of_the_host(tmp_path: Path) -> None:
    """Neither a database nor a worker process is made."""
    fill(tmp_path / "root", ["a", "b", "c", "d"])
    database = tmp_path / "ingest.db"
    processed: list[str] = []
    app = create_app(
        Settings(root=tmp_path / "root", database=database),
        catalogue=MemoryCatalogue(),
        backend=InlineBackend(lambda path: processed.append(path.name)),
    )
    async with app.lifespan():
        session_id = await app.start(pattern="a|b|c")
        snapshots = [snapshot async for snapshot in app.watch(session_id)]
    assert (snapshots[-1]["status"], snapshots[-1]["processed_files"]) == ("completed", 3)
    assert sorted(processed) == ["a", "b", "c"]
    assert not database.exists()


async def test_sessions_of_the_host_are_made_with_the_settings(tmp_path: Path) -> None:
    """They replace those of this process, whatever stands behind them."""
    made: list[Settings] = []

    def make(settings: Settings) -> LocalSessions:
        made.append(settings)
        return LocalSessions(
            settings, catalogue=MemoryCatalogue(), backend=InlineBackend(lambda _: None)
        )

    settings = Settings(root=tmp_path)
    app = create_app(settings, sessions=make)
    async with app.lifespan():
        assert await app.sessions() == []
    assert made == [settings]

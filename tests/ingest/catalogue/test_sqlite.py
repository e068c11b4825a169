"""What is particular to the catalogue in SQLite: its pieces, its speed, and what pruning keeps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest.catalogue import retention as pruning
from ingest.catalogue.sqlite import ROWS, SQLiteCatalogue
from ingest.errors import NotFoundError
from tests.support.catalogues import STAT, add, finish, record


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[SQLiteCatalogue]:
    catalogue = SQLiteCatalogue(tmp_path / "ingest.db")
    await catalogue.open()
    try:
        yield catalogue
    finally:
        await catalogue.close()


async def files(catalogue: SQLiteCatalogue) -> list[bytes]:
    """List every path of which there is still any record."""

    def work(sql: Any) -> list[bytes]:
        return [path for (path,) in sql.execute("SELECT path FROM found ORDER BY key")]

    return await catalogue._database.read(work)


async def steps_of(catalogue: SQLiteCatalogue, path: bytes) -> int:
    """Count the steps of SQLite's machine in finding out whether a file is known."""
    reading = catalogue._database._reading
    assert reading is not None
    steps: list[None] = []
    reading.set_progress_handler(lambda: steps.append(None), 1)
    await catalogue.fingerprints([path])
    reading.set_progress_handler(None, 1)
    return len(steps)


@pytest.mark.parametrize("files", [1, ROWS - 1, ROWS, ROWS + 1, 4 * ROWS])
async def test_batch_of_any_length_is_recorded_whole(tmp_path: Path, files: int) -> None:
    """However many statements it takes, each file has the outcome that is its own."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", *(b"%d" % n for n in range(1, files + 1)))
        await record(catalogue, stored, 1, *["done"] * files)
        rows = await catalogue.outcomes(stored.number, 0, 9 * ROWS)
        assert [(row.n, row.path, row.metadata) for row in rows] == [
            (n, b"%d" % n, f'{{"n":{n}}}') for n in range(1, files + 1)
        ]


async def test_file_that_was_often_skipped_is_known_at_one_look(tmp_path: Path) -> None:
    """What is read of a file does not grow with the number of its ingests."""
    async with opened(tmp_path) as catalogue:
        first = await add(catalogue, "0", b"a")
        await record(catalogue, first, 1, "done")
        steps = []
        for n in range(1, 200):
            stored = await add(catalogue, str(n), b"a")
            await record(catalogue, stored, 1, "skipped")
            if n in (1, 199):
                steps.append(await steps_of(catalogue, b"a"))
        assert steps[0] == steps[1]
        assert await catalogue.fingerprints([b"a"]) == {b"a": {STAT}}


@pytest.mark.parametrize("piece", [1, 2, 5000])
async def test_prune_keeps_the_newest_record_of_each_file_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Old sessions go with their errors and skips; what makes a file known stays, once."""
    monkeypatch.setattr(pruning, "PIECE", piece)

    async with opened(tmp_path) as catalogue:
        one = await add(catalogue, "one", b"a", b"b", b"c", b"never begun", key="k")
        await record(catalogue, one, 1, "done", "done", "error")
        two = await add(catalogue, "two", b"a", b"b", b"d")
        await record(catalogue, two, 1, "done", "skipped", "done")
        running = await add(catalogue, "running", b"a", b"e")
        await record(catalogue, running, 1, "error")
        await finish(catalogue, one, 2000.0)
        await finish(catalogue, two, 3000.0)
        assert await catalogue.prune(2000.0) == []
        assert await catalogue.prune(2000.5) == ["one"]
        assert await files(catalogue) == [b"b", b"a", b"b", b"d", b"a", b"e"]
        assert await catalogue.prune(9999.0) == ["two"]
        assert await files(catalogue) == [b"b", b"a", b"d", b"a", b"e"]
        known = await catalogue.fingerprints([b"a", b"b", b"c", b"d"])
        assert [path for path, stats in known.items() if stats] == [b"a", b"b", b"d"]
        assert await catalogue.session("one") is None
        assert len(await catalogue.outcomes(running.number, 0, 9)) == 1
        assert (await add(catalogue, "new", key="k")).number > running.number


async def test_forgotten_session_is_nowhere_while_it_is_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No list, report or retry has a part of it; and what a kill left, the next look takes."""
    monkeypatch.setattr(pruning, "PIECE", 1)
    pieces: list[int] = []
    prune_piece = pruning.prune_piece

    def fail_at_the_second(connection: Any, after: int, high: int) -> int | None:
        pieces.append(after)
        if len(pieces) == 2:
            raise OSError(28, "No space left on device")
        return prune_piece(connection, after, high)

    monkeypatch.setattr(pruning, "prune_piece", fail_at_the_second)

    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", b"a", b"b", b"c", key="k")
        await record(catalogue, stored, 1, "error", "error", "done")
        await finish(catalogue, stored, 2000.0)
        with pytest.raises(Exception, match="No space"):
            await catalogue.prune(3000.0)
        assert await files(catalogue) == [b"b", b"c"]
        assert await catalogue.newest(9) == []
        new = await add(catalogue, "new", key="k")
        for reading in (
            catalogue.errors_after(stored.number, 0, 9),
            catalogue.outcomes(stored.number, 0, 9),
            catalogue.add_failed_files(new.number, "s", 0, None),
        ):
            with pytest.raises(NotFoundError, match="forgotten"):
                await reading
    async with opened(tmp_path) as catalogue:
        assert await catalogue.prune(3000.0) == []
        assert await files(catalogue) == [b"c"]
        left = "SELECT (SELECT count(*) FROM forgotten) + (SELECT count(*) FROM errors)"
        assert await catalogue._database.read(lambda sql: sql.execute(left).fetchone()) == (0,)


async def test_many_old_sessions_are_forgotten_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first, found by their end and without what they held."""
    monkeypatch.setattr(pruning, "FORGOTTEN", 2)

    async with opened(tmp_path) as catalogue:
        for n in range(5):
            await finish(catalogue, await add(catalogue, str(n)), 2000.0 - n)
        assert await catalogue.prune(1999.5) == ["4", "3"]
        assert await catalogue.prune(1999.5) == ["2", "1"]
        assert await catalogue.prune(1999.5) == []
        plan = "EXPLAIN QUERY PLAN SELECT number, id FROM sessions WHERE ended < 1 ORDER BY ended"
        (row,) = await catalogue._database.read(lambda sql: sql.execute(plan).fetchall())
        assert "USING INDEX sessions_by_end" in row[3]

"""The job of a range: every file is recorded, given back, or left to the job's next run."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster.change import FileRange, SessionEndedError
from cluster.ranges import ATTEMPTS, RangeJob
from cluster.reader import PendingFiles, SessionJob
from cluster.roots import RootDiffersError, look_at_root
from ingest.catalogue.records import PendingFile
from ingest.context import SessionInfo
from ingest.errors import CatalogueError, ExecutorError
from ingest.execution.batch import BatchFile, BatchResult, FileProgress, run_batch
from ingest.execution.protocol import BatchError, Report
from ingest.outcome import OutcomeRecord
from ingest.request import IngestRequest
from ingest.session import Status

FILES = FileRange(1, "", 1, 6, 1)


class Ledger:
    """Keeps what a range records; `failures` are raised first, one a call."""

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.outcomes: dict[int, str] = {}
        self.given_back: list[tuple[int, int]] = []
        self.under_way: list[bytes] = []
        self.handed_out = 0
        self._failures = list(failures)

    async def record(
        self,
        number: int,
        outcomes: Sequence[OutcomeRecord],
        *,
        sizes: Mapping[int, int],
        seconds: float,
        under_way: Mapping[BatchFile, FileProgress],
        rest: tuple[int, int] | None = None,
        next_files: int | None = None,
    ) -> int:
        if self._failures:
            raise self._failures.pop(0)
        self.under_way += [file.path for file in under_way]
        self.outcomes |= {each.n: each.error or each.status for each in outcomes}
        if rest:
            self.given_back.append(rest)
        elif next_files:
            self.handed_out += 1
        return len(outcomes)

    async def record_failure(self, number: int, file: BatchFile, message: str) -> None:
        self.outcomes[file.n] = message

    async def split(self, number: int, ranges: Sequence[tuple[int, int]]) -> None:
        self.given_back += ranges


class Reader:
    """A session of files that are named by their numbers."""

    def __init__(self, root: Path, key: str, following: int | None = None) -> None:
        self.status = Status.PROCESSING
        self._root = root
        self._key = key
        self._following = following

    async def session_job(self, number: int) -> SessionJob:
        root = str(self._root).encode()
        return SessionJob("s", IngestRequest(), root, self._key, b".", self.status)

    async def pending(self, number: int, low: int, high: int, limit: int) -> PendingFiles:
        files = [PendingFile(n, b"%d" % n) for n in range(low, high + 1)]
        return PendingFiles(files, self._following)


class Backend:
    """Runs batches of at most two files in this thread; `before` is called with each batch."""

    concurrency = 2
    batch_files = 2
    batch_seconds = 0.02

    def __init__(self, before: Callable[[Sequence[BatchFile]], Any] = lambda _: None) -> None:
        self._before = before

    async def run(
        self, root: str, files: Sequence[BatchFile], session: SessionInfo | None = None
    ) -> BatchResult:
        waiting = self._before(files)
        if waiting is not None:
            await waiting
        return run_batch(lambda _: None, root, files, self.batch_seconds)

    async def check(self) -> None:
        return


class Place:
    """A root with six files, and a range's job over it."""

    def __init__(self, root: Path, key: str, ledger: Ledger, backend: Any) -> None:
        self.ledger = ledger
        self.reader = Reader(root, key)
        self.stopping = asyncio.Event()
        reader: Any = self.reader
        written: Any = ledger
        self.job = RangeJob(written, reader, backend, root, self.stopping)


@pytest.fixture
def same_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the look at the root: a loop that skips waiting does not wait for a thread."""

    async def check(*_: object) -> None:
        return

    async def look(*_: object) -> str:
        return ""

    monkeypatch.setattr("cluster.ranges.check_root", check)
    monkeypatch.setattr(f"{__name__}.look_at_root", look)


async def place(root: Path, ledger: Ledger | None = None, backend: Any = None) -> Place:
    for n in range(1, 7):
        (root / str(n)).touch()
    return Place(root, await look_at_root(root), ledger or Ledger(), backend or Backend())


async def test_range_is_recorded_and_the_next_one_handed_out(tmp_path: Path) -> None:
    here = await place(tmp_path)
    await here.job.run(FILES, 0)
    assert here.ledger.outcomes == dict.fromkeys(range(1, 7), "done")
    assert (here.ledger.given_back, here.ledger.handed_out) == ([], 1)


async def test_files_that_were_not_read_are_given_back(tmp_path: Path) -> None:
    """A range may have more files than are read into memory at once."""
    here = await place(tmp_path)
    here.reader._following = 7
    await here.job.run(FileRange(1, "", 1, 6, 1), 0)
    assert here.ledger.given_back == [(6, 7)]


async def test_stopped_worker_gives_back_what_it_has_not_begun(tmp_path: Path) -> None:
    here = await place(tmp_path)
    here.job._backend = Backend(lambda _: here.stopping.set())
    await here.job.run(FILES, 0)
    assert here.ledger.outcomes == {1: "done", 2: "done"}
    assert here.ledger.given_back == [(3, 6)]


@pytest.mark.skips_waiting
@pytest.mark.usefixtures("same_root")
async def test_range_ends_after_its_time(tmp_path: Path) -> None:
    """However slow a file is, another session waits for one file and not for the range."""
    here = await place(tmp_path, backend=Backend(lambda _: asyncio.sleep(0.8)))
    await here.job.run(FILES, 0)
    assert here.ledger.outcomes == dict.fromkeys(range(1, 5), "done")
    assert here.ledger.given_back == [(5, 6)]


@pytest.mark.skips_waiting
@pytest.mark.usefixtures("same_root")
async def test_file_that_takes_long_is_reported(tmp_path: Path) -> None:
    """Watchers see what a session is at, though nothing of it is finished."""

    class Reporting(Backend):
        async def run_reporting(
            self,
            root: str,
            files: Sequence[BatchFile],
            report: Report,
            session: SessionInfo | None = None,
        ) -> BatchResult:
            report(FileProgress(files[0].n, 0.5))
            await asyncio.sleep(30)
            return await self.run(root, files, session)

    here = await place(tmp_path, backend=Reporting())
    await here.job.run(FILES, 0)
    assert here.ledger.under_way == [b"1"]


async def test_cancelled_run_gives_back_the_batch_that_ran(tmp_path: Path) -> None:
    """A worker that stops in the middle of a long file leaves it to another one at once."""
    running = asyncio.Event()

    def hold(batch: Sequence[BatchFile]) -> Any:
        if batch[0].n == 3:
            running.set()
            return asyncio.Event().wait()
        return None

    here = await place(tmp_path, backend=Backend(hold))
    task = asyncio.create_task(here.job.run(FILES, 0))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert here.ledger.outcomes == {1: "done", 2: "done"}
    assert here.ledger.given_back == [(3, 6)]


async def test_lost_batch_costs_the_file_that_is_lost_alone(tmp_path: Path) -> None:
    def lose(batch: Sequence[BatchFile]) -> None:
        if any(file.n == 4 for file in batch):
            raise BatchError("killed by SIGSEGV")

    here = await place(tmp_path, backend=Backend(lose))
    await here.job.run(FILES, 0)
    assert here.ledger.outcomes.pop(4) == "killed by SIGSEGV"
    assert set(here.ledger.outcomes.values()) == {"done"}
    assert len(here.ledger.outcomes) == 5


@pytest.mark.skips_waiting
@pytest.mark.usefixtures("same_root")
async def test_file_that_appears_late_is_done(tmp_path: Path) -> None:
    """A network file system shows a new file some time after its folder lists it."""
    here = await place(tmp_path)
    (tmp_path / "2").unlink()
    asyncio.get_running_loop().call_later(0.9, (tmp_path / "2").touch)
    await here.job.run(FILES, 0)
    assert here.ledger.outcomes == dict.fromkeys(range(1, 7), "done")


@pytest.mark.skips_waiting
@pytest.mark.usefixtures("same_root")
async def test_file_that_stays_away_is_an_error_after_two_seconds(tmp_path: Path) -> None:
    """Until then nothing else waits: the next range is handed out before."""
    here = await place(tmp_path)
    (tmp_path / "2").unlink()
    begun = asyncio.get_running_loop().time()
    await here.job.run(FILES, 0)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(2.0, abs=0.5)
    assert here.ledger.outcomes[2] == "No such file or directory"
    assert here.ledger.handed_out == 1


@pytest.mark.parametrize("lost", [1, 3])
@pytest.mark.skips_waiting
@pytest.mark.usefixtures("same_root")
async def test_lost_database_is_waited_for(tmp_path: Path, lost: int) -> None:
    """It is not a reason to process a file twice, or to count a failed attempt."""
    batches: list[int] = []
    backend = Backend(lambda batch: batches.extend(file.n for file in batch))
    here = await place(tmp_path, Ledger([CatalogueError("gone")] * lost), backend)
    await here.job.run(FILES, 0)
    assert batches == list(range(1, 7))
    assert here.ledger.outcomes == dict.fromkeys(range(1, 7), "done")


async def test_ended_session_takes_its_files_out_of_the_worker(tmp_path: Path) -> None:
    """Nothing more of it is recorded or given back, though a file is still being processed."""
    running = asyncio.Event()

    def hold(_: Sequence[BatchFile]) -> Any:
        running.set()
        return asyncio.Event().wait()

    here = await place(tmp_path, backend=Backend(hold))
    task = asyncio.create_task(here.job.run(FILES, 0))
    await running.wait()
    here.job.end(1)
    await task
    assert (here.ledger.outcomes, here.ledger.given_back) == ({}, [])


async def test_session_that_ends_meanwhile_is_dropped(tmp_path: Path) -> None:
    here = await place(tmp_path, Ledger([SessionEndedError("cancelled")] * 9))
    await here.job.run(FILES, 0)
    assert (here.ledger.outcomes, here.ledger.given_back) == ({}, [])


async def test_host_that_can_run_no_batch_gives_all_back(tmp_path: Path) -> None:
    def refuse(_: Sequence[BatchFile]) -> None:
        raise ExecutorError("no worker process can be started")

    here = await place(tmp_path, backend=Backend(refuse))
    with pytest.raises(ExecutorError):
        await here.job.run(FILES, 0)
    assert (here.ledger.outcomes, here.ledger.given_back) == ({}, [(1, 6)])


async def test_host_with_another_root_takes_nothing(tmp_path: Path) -> None:
    """An empty mount point must not turn a session's files into errors."""
    here = await place(tmp_path)
    here.reader._key = "another-1"
    with pytest.raises(RootDiffersError):
        await here.job.run(FILES, 0)
    assert (here.ledger.outcomes, here.ledger.given_back) == ({}, [(1, 6)])


async def test_job_that_fails_too_often_is_split_down_to_the_file(tmp_path: Path) -> None:
    """The file that takes whole workers down is found in a few steps, and is one error."""
    here = await place(tmp_path)
    await here.job.run(FILES, ATTEMPTS)
    assert here.ledger.given_back == [(1, 3), (4, 6)]
    await here.job.run(FileRange(1, "", 4, 4, 9), ATTEMPTS)
    assert here.ledger.outcomes == {4: "no worker could finish it in 3 attempts"}

"""Which processor is taken, and where it runs."""

import asyncio
import contextlib
import functools
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ingest.builtin.options import Options, Verify
from ingest.builtin.process_file import BuiltinProcessor, process_file
from ingest.errors import SettingsError
from ingest.execution.backends import EventLoopBackend, ExecutorBackend
from ingest.execution.select import built_in, load, select_backend
from ingest.settings import Settings
from ingest.workers.pool import WorkerPool
from tests.support.ingest import die_of_poison


class NoPickle:
    """A processor that raises something of its own where it is pickled."""

    def __call__(self, path: Path) -> None: ...

    def __reduce__(self) -> str:
        raise LookupError


@contextlib.asynccontextmanager
async def made(settings: Settings, process: Any = None, executor: Any = None) -> AsyncIterator[Any]:
    async with contextlib.AsyncExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(1))
        work = await select_backend(settings, process, executor, threads, stack)
        yield work


def settings(tmp_path: Path, **options: Any) -> Settings:
    return Settings(root=tmp_path, database=tmp_path / "ingest.db", workers=2, **options)


def test_built_in_processor_has_the_options_that_are_set() -> None:
    """INGEST_VERIFY and INGEST_MAX_PIXELS travel with the processor to the workers."""
    assert built_in(Settings()) is process_file
    chosen = built_in(Settings(verify="header", max_pixels=7))
    assert chosen == BuiltinProcessor(Options(Verify.HEADER, 7))


async def test_builtin_processor_runs_in_worker_processes(tmp_path: Path) -> None:
    """With nothing given and nothing set; the pool itself ends what takes too long."""
    async with made(settings(tmp_path)) as work:
        assert (work._process, work._timeout, work.concurrency) == (process_file, None, 4)
        assert isinstance(work._executor, WorkerPool)
    assert work._executor._closed


async def test_processor_given_goes_before_the_one_set(tmp_path: Path) -> None:
    """A host's own function is taken whatever the environment says."""
    name = f"{die_of_poison.__module__}:{die_of_poison.__name__}"

    async with made(settings(tmp_path, processor=name)) as work:
        assert work._process is die_of_poison
    async with made(settings(tmp_path, processor=name), process_file) as work:
        assert work._process is process_file


@pytest.mark.parametrize(
    "process", [lambda _: None, NoPickle(), functools.partial(print, threading.Lock())]
)
async def test_what_no_other_process_can_import_runs_in_threads(
    tmp_path: Path, process: Any
) -> None:
    """However it is that it cannot be pickled; the threads end with the store."""
    async with made(settings(tmp_path), process) as work:
        assert isinstance(work._executor, ThreadPoolExecutor)
        assert work._timeout == 300.0
    with pytest.raises(RuntimeError, match="after shutdown"):
        work._executor.submit(print)


def load_by_path(path: Path, name: str) -> Any:
    """Load a module as pytest's `importlib` mode does: no other process finds it by its name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_what_no_worker_can_import_runs_in_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it pickles here; where it was set by its name, it stops the start instead."""
    (tmp_path / "hidden.py").write_text("def f(path): ...")
    hidden = load_by_path(tmp_path / "hidden.py", "hidden")
    monkeypatch.setitem(sys.modules, "hidden", hidden)

    async with made(settings(tmp_path), hidden.f) as work:
        assert isinstance(work._executor, ThreadPoolExecutor)
        assert "cannot be imported" in caplog.text
    with pytest.raises(SettingsError, match=r"'hidden:f', which no worker .*: No module named"):
        async with made(settings(tmp_path, processor="hidden:f")):
            pass


TYPED = """
import asyncio, sys, tempfile
from pathlib import Path
from ingest import Settings
from ingest.request import IngestRequest
from ingest.manager import SessionManager

def send(path):  # a name that is in a worker's own main module, too
    return {"name": path.name}

async def main():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        (root / "a").touch()
        ended = asyncio.Event()
        def publish(*args, last):
            if last:
                print(args[1].json.decode())
                ended.set()
        settings = Settings(root=root, database=f"{folder}/db", workers=1)
        store = SessionManager(settings, publish, print, process=send)
        await store.open()
        await store.start(IngestRequest())
        await ended.wait()
        await store.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["-c", "stdin", "file"])
def test_processor_of_the_main_module_does_its_files(tmp_path: Path, way: str) -> None:
    """In workers where it is in a file, and in threads where no other process could find it."""
    (tmp_path / "typed.py").write_text(TYPED)
    arguments = {"-c": ["-c", TYPED], "stdin": ["-"], "file": [str(tmp_path / "typed.py")]}[way]
    ended = subprocess.run(
        [sys.executable, *arguments], input=TYPED, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}, timeout=30.0,
    )  # fmt: skip
    assert '"done":1' in ended.stdout
    assert ("runs in threads" in ended.stderr) == (way != "file")


def test_worker_imports_no_multiprocessing() -> None:
    """It costs each worker 20 ms, and gives the name of a host's main module to another one."""
    modules = "ingest.execution.batch, ingest.manager, sys"
    script = f"import {modules}; print('multiprocessing' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert ended.stdout == "False\n"


async def test_foreign_executor_stays_its_owners(tmp_path: Path) -> None:
    """It is used, timed from here, and not shut down."""
    with ThreadPoolExecutor(1) as executor:
        async with made(settings(tmp_path), print, executor) as work:
            assert isinstance(work, ExecutorBackend)
            assert work.concurrency == 2
        assert executor.submit(int).result() == 0


async def test_async_processor_runs_on_the_loop_whatever_executor_there_is(tmp_path: Path) -> None:
    """A coroutine is of no use in another process."""
    with ThreadPoolExecutor(1) as executor:
        async with made(settings(tmp_path), asyncio.sleep, executor) as work:
            assert isinstance(work, EventLoopBackend)
            assert work.concurrency == 8 * 2


@pytest.mark.parametrize(
    "name",
    [
        "no_such_module:f",
        "os.path:no_such_function",
        "os.path.no_such:f",
        "string:digits",
        "broken_processor:f",
        "misspelt_processor:f",
        "leaving_processor:f",
    ],
)
def test_processor_that_cannot_be_loaded_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever goes wrong in importing it: it is the operator's to mend."""
    (tmp_path / "broken_processor.py").write_text("raise RuntimeError('no licence')")
    (tmp_path / "misspelt_processor.py").write_text("def f(:")
    (tmp_path / "leaving_processor.py").write_text("raise SystemExit('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=r"INGEST_PROCESSOR \(--processor\) is ") as told:
        load(name)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("root", ["nowhere", "file", "x" * 300, "file/below"])
async def test_root_that_is_no_directory_stops_the_start(tmp_path: Path, root: str) -> None:
    """Nothing is started, and the line names the setting."""
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"INGEST_ROOT \(--root\)"):
        async with made(Settings(root=tmp_path / root)):
            pass

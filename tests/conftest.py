"""Runs `async def` tests: each on an event loop of its own, in debug mode, under a deadline."""

import inspect
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import postgres
from tests.support.clustered import SERVER, is_clustered
from tests.support.running import run, run_in_no_time


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test with its fixtures; leave every other test to pytest."""
    function: Any = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    coroutine = function(**{name: pyfuncitem.funcargs[name] for name in names})
    skips = pyfuncitem.get_closest_marker("skips_waiting") is not None
    (run_in_no_time if skips else run)(coroutine)
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of the embedded form where the tests run over the clustered one."""
    if is_clustered() and item.get_closest_marker("embedded"):
        pytest.skip("it is about the embedded form")


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """Start a server; without PostgreSQL skip the test, or fail it where CI is set."""
    folder = postgres.binaries()
    if folder is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed; install the package postgresql")
        pytest.skip("PostgreSQL is not installed")
    with postgres.server(folder) as server:
        yield str(server.folder)


@pytest.fixture(scope="session", autouse=is_clustered())
def shared_database_server(postgres_socket: str) -> Iterator[None]:
    """The server of the tests that run over the clustered form, in a variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SERVER, postgres_socket)
        yield

"""Runs `async def` tests: each on an event loop of its own, in debug mode, under a deadline."""

import inspect
from typing import Any

import pytest

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

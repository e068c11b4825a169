"""
Running a coroutine of a test: one event loop, debug mode, a deadline, nothing left behind.

`SkippingLoop` is the loop of tests marked `skips_waiting`: its time moves on to the next timer
when nothing else is left to do, so a test of an hour's heartbeat takes milliseconds.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds that one test may take on a busy machine; reached only by a test that fails."""

SETTLE_ROUNDS = 50
"""Turns of the event loop after which every task that can proceed has done so."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    Return what `coroutine` returns.

    Raises:
        AssertionError: the event loop reported an unhandled exception.
        TimeoutError: it ran for longer than the deadline.
    """
    return asyncio.run(_checked(coroutine, DEADLINE), debug=True)


def run_in_no_time(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what `coroutine` returns, run on a loop that skips its waiting."""
    with asyncio.Runner(debug=True, loop_factory=SkippingLoop) as runner:
        return runner.run(_checked(coroutine, 1e6))


async def settle() -> None:
    """Run every task until it waits for something that does not come by itself."""
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)


async def _checked(coroutine: Coroutine[Any, Any, T], deadline: float) -> T:
    unhandled: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    async with asyncio.timeout(deadline):
        returned = await coroutine
    await settle()
    assert unhandled == []
    assert asyncio.all_tasks() == {asyncio.current_task()}, "the test left a task behind"
    return returned


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves on to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_SkippingSelector(self))

    def time(self) -> float:
        return self.now


class _SkippingSelector(selectors.SelectSelector):
    def __init__(self, loop: SkippingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is left that could go on"
        self._loop.now += timeout
        return super().select(0)

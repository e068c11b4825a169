"""A uvicorn server around a contender that is an ASGI application, with the fan-out beside it."""

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

import uvicorn

from benchmarks.servers.load import Load, Target, emit, parse


def run(make: Callable[[Load], tuple[Any, Target]]) -> None:
    """Serve the application that `make` gives, called inside the loop, until SIGTERM."""
    load = parse()
    with asyncio.Runner(loop_factory=_loop_factory(load.loop)) as runner:
        runner.run(_serve(load, make))


async def _serve(load: Load, make: Callable[[Load], tuple[Any, Target]]) -> None:
    app, target = make(load)
    config = uvicorn.Config(
        app,
        port=load.port,
        http=load.http,
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    emitting = asyncio.create_task(emit(load, target))
    await uvicorn.Server(config).serve()
    emitting.cancel()


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Choose as `uvicorn --loop` does: uvloop where it is installed."""
    if name == "asyncio":
        return None
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(
            "uvloop"
        ).new_event_loop
    except ImportError:
        return None
    return factory

"""A function that blocks its thread until a test lets it go, as a dead disk does."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest


@dataclass(slots=True)
class Hold:
    """How many calls of the function have begun."""

    calls: int = 0


@contextlib.contextmanager
def held(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> Iterator[Hold]:
    """Yield; until the end of the block every call of a module's function blocks."""
    real, gate, hold = getattr(module, name), threading.Event(), Hold()

    def blocked(*args: Any) -> Any:
        hold.calls += 1
        gate.wait()
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, blocked)
        try:
            yield hold
        finally:
            gate.set()

"""A call that goes to a worker process, and what may become of it."""

import contextlib
import io
import pickle
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any


class PoolError(Exception):
    """The pool, not the function, is why a call has no result. The text can be shown to users."""


class WorkerDied(PoolError):  # noqa: N818  # reads as a fact
    """The worker process ended under the call."""


class CallTimedOut(PoolError):  # noqa: N818
    """The call ran for longer than it may, and its worker process was killed."""


class PoolBroken(PoolError):  # noqa: N818
    """No worker process can be started. It says nothing of the call itself."""


class PoolClosed(PoolError, RuntimeError):  # noqa: N818
    """The pool was closed before the call was finished. It says nothing of the call itself."""

    def __init__(self) -> None:
        super().__init__("the pool of worker processes is closed")


class WorkerTraceback(Exception):  # noqa: N818
    """The traceback in the worker, as the cause of what was raised there."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


@dataclass(slots=True, eq=False)
class Call:
    """
    A function with its arguments, pickled, and the future that its caller holds.

    `on_progress` receives what the function reports before it returns.
    """

    pickled: bytes
    future: Future[Any]
    retried: bool = False
    on_progress: Callable[[Any], None] | None = None

    def begin(self) -> bool:
        """Mark the call as running; return False if it was cancelled."""
        return self.retried or self.future.set_running_or_notify_cancel()

    def progressed(self, report: bytes) -> None:
        """Call `on_progress` with what the function reports; what cannot be read is lost."""
        if self.on_progress is not None:
            with contextlib.suppress(Exception):
                self.on_progress(AnswerUnpickler(io.BytesIO(report)).load())

    def resolve(self, answer: bytes) -> None:
        """Resolve the future with the worker's answer."""
        try:
            succeeded, value, traceback = AnswerUnpickler(io.BytesIO(answer)).load()
        except Exception as error:  # noqa: BLE001  # what pickling raises can be anything
            self.future.set_exception(error)
            return
        if succeeded:
            self.future.set_result(value)
        else:
            value.__cause__ = WorkerTraceback(traceback)
            self.future.set_exception(value)


class AnswerUnpickler(pickle.Unpickler):
    """An unpickler that also knows the main module by its name in a worker."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = "__main__" if module_name == "__mp_main__" else module_name
        return super().find_class(name, global_name)

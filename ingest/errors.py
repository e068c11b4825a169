"""What can go wrong in an ingest, split by whose fault it is."""

import errno
from collections.abc import Mapping

SHORTAGES = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS, errno.EINTR}
)
"""Errors of system calls that say nothing of the file: descriptors, memory or processes lack."""


class IngestError(Exception):
    """
    An ingest cannot be started, read or go on.

    `status` is the HTTP status that says the same; the text is meant for the one who asked.
    """

    status = 500


class MessageError(Exception):
    """Something failed, and the text alone says what: it is shown without the class's name."""


class SettingsError(IngestError):
    """A setting has a value that cannot be used; the operator's to mend."""


class CatalogueError(IngestError):
    """The catalogue cannot be opened, read or written; the operator's to mend."""

    status = 503


class CatalogueBusyError(CatalogueError):
    """The catalogue cannot be used now: locked by another program, or short of resources."""


class ExecutorError(IngestError):
    """The executor takes no more work."""


class NoWorkerError(ExecutorError):
    """No worker process can be started at the moment."""


class ShortageError(IngestError):
    """The process or the machine is short of descriptors, memory or threads at the moment."""

    status = 503


class NoAnswerError(IngestError):
    """A folder does not answer: its network file system, or its disk, hangs."""

    status = 504


class NotFoundError(IngestError):
    """The session or directory does not exist."""

    status = 404


class ForbiddenError(IngestError):
    """A directory outside the ingest root, or one that may not be read."""

    status = 403


class InvalidRequestError(IngestError):
    """Fields of a request have wrong values; `fields` tells by name what is wrong with each."""

    status = 422

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in fields.items()))
        self.fields = fields


class TooManySessionsError(IngestError):
    """As many sessions run as may."""

    status = 503


PASSING = (CatalogueBusyError, NoWorkerError, ShortageError)
"""Errors that pass by themselves: a session waits until they do."""


def check_shortage(error: OSError) -> None:
    """
    Raise ShortageError if a system call failed for lack of descriptors, memory or processes.

    Such an error must not be reported as a file or directory that does not exist.
    """
    if error.errno in SHORTAGES:
        raise ShortageError(
            f"the service is short of resources: {error.strerror}; retry in a few seconds"
        ) from error


class TooManyPreviewsError(IngestError):
    """As many previews are being made as may."""

    status = 503


def is_passing(error: Exception) -> bool:
    """Return whether an error is expected to pass by itself, so that waiting helps."""
    if isinstance(error, OSError):
        return error.errno in SHORTAGES
    no_thread = isinstance(error, RuntimeError) and "start new thread" in str(error)
    return no_thread or isinstance(error, (*PASSING, MemoryError))

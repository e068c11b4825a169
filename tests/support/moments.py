"""Moments for tests, in seconds of both clocks."""

from ingest.progress import Moment


def at(wall: float, steady: float | None = None) -> Moment:
    """Return a moment; the steady clock goes with the wall clock unless it is given."""
    return Moment(wall, wall if steady is None else steady)

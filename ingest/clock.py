"""The two clocks: one that people read and that may be set, one that only goes forward."""

import time

from ingest.progress import Moment


def read_clocks() -> Moment:
    """Return the present moment."""
    return Moment(time.time(), time.monotonic())

"""A session's state in its row: nothing of a session is lost between two processes."""

from cluster import state
from ingest.progress import UnderWay, Work
from ingest.session import RECENT_ERRORS, FileError, Session, Status
from tests.support.moments import at


def test_decoded_session_goes_on_as_the_first_would() -> None:
    """Rates, errors and counters of the next snapshot are those of the session never stored."""
    session = Session("s", 1000.0)
    session.found(100, 5000, at(1000.0))
    session.begin_processing(at(1001.0))
    session.work_on(70, UnderWay("slow", at(1001.0), 900, 300), at(1002.0))
    for n in range(1, 13):
        error = FileError(n, f"{n}.txt", "bad", 1001.0 + n)
        session.record(
            done=2, skipped=1, errors=[error], counters={"pages": n}, last="é", now=at(1001.0 + n),
            work=Work({n: 50}, 40, 0.1),
        )  # fmt: skip
    copy = state.decode(state.encode(session))
    assert copy.recent.maxlen == RECENT_ERRORS
    for each in (session, copy):
        each.record(
            done=1, skipped=0, errors=[], counters={"pages": 1}, last="z", now=at(1020.0),
            work=Work({20: 50}, 40, 0.1),
        )  # fmt: skip
    assert copy.snapshot(at(1021.0)) == session.snapshot(at(1021.0))
    for each in (session, copy):
        each.finish(Status.COMPLETED, at(1030.0))
    assert copy.snapshot(at(1031.0)) == session.snapshot(at(1031.0))


def test_new_session_is_decoded() -> None:
    """A session without marks, errors or files survives too."""
    session = Session("s", 1000.0)
    copy = state.decode(state.encode(session))
    assert copy.status is Status.STARTING
    assert copy.snapshot(at(1001.0)) == session.snapshot(at(1001.0))

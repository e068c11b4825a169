"""The session's state: what its snapshots say as it goes on."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.session import FileError, RecentError, Session, Snapshot, Status, iso
from tests.support.ingest import check_frame, check_step
from tests.support.moments import at


def session_of(total: int) -> Session:
    session = Session("s", 1000.0)
    session.found(total, 10 * total, at(1000.0))
    return session


def count(session: Session, now: float, done: int = 0, errors: int = 0, **counters: int) -> None:
    first = session.errors + 1
    failed = [FileError(n, f"{n}.txt", "bad", now) for n in range(first, first + errors)]
    session.record(
        done=done, skipped=0, errors=failed, counters=counters, last="last.txt", now=at(now)
    )


def test_snapshot_has_the_documented_fields() -> None:
    """The keys and their order are those that clients were promised."""
    snapshot = session_of(1).snapshot(at(1001.0))
    assert " ".join(snapshot) == (
        "session_id name request status waiting progress total_files processed_files current_file "
        "stats errors error files_per_second bytes_per_second eta_seconds total_bytes under_way "
        "start_time end_time changed_at"
    )
    assert list(snapshot["stats"]) == [
        "done", "skipped_existing", "errors", "bytes", "metadata_extracted", "keywords_added",
    ]  # fmt: skip


def test_progress_is_rounded_down_and_99_until_completed() -> None:
    """All files finished is 99; only the end itself is 100."""
    session = session_of(3)
    assert session.progress == 0
    count(session, 1000.0, errors=1)
    assert session.progress == 0, "still finding files"
    session.begin_processing(at(1000.0))
    assert session.progress == 33
    count(session, 1000.0, done=2)
    assert session.progress == 99
    session.finish(Status.COMPLETED, at(1001.0))
    assert session.progress == 100


@pytest.mark.parametrize("end", [Status.CANCELLED, Status.ERROR])
def test_session_that_breaks_off_keeps_its_progress(end: Status) -> None:
    """A cancelled or failed session shows how far it got, and no file as current."""
    session = session_of(4)
    session.begin_processing(at(1000.0))
    count(session, 1000.0, done=2)
    session.finish(end, at(1001.0), "why")
    snapshot = session.snapshot(at(1001.0))
    assert (snapshot["status"], snapshot["progress"], snapshot["error"]) == (end, 50, "why")
    assert (snapshot["current_file"], snapshot["eta_seconds"]) == (None, None)
    assert snapshot["end_time"] == iso(1001.0)


def test_types_of_the_snapshot_name_what_is_in_it() -> None:
    """A host's type checker knows every key of a snapshot and of its errors, and no other."""
    session = session_of(1)
    error = FileError(1, "a", "why", 1000.0)
    session.record(done=0, skipped=0, errors=[error], counters={}, last="a", now=at(1000.0))
    snapshot = session.snapshot(at(1000.0))
    assert snapshot.keys() == Snapshot.__annotations__.keys()
    assert snapshot["errors"][0].keys() == RecentError.__annotations__.keys()


def test_session_without_files_is_completed_at_100() -> None:
    """No files: `completed`, 0 of 0, 100."""
    session = session_of(0)
    session.begin_processing(at(1000.0))
    session.finish(Status.COMPLETED, at(1000.0))
    check_frame(session.snapshot(at(1000.0)))
    assert (session.progress, session.total) == (100, 0)


def test_changed_at_is_the_earliest_change_not_yet_reported() -> None:
    """Three changes between two snapshots: the second tells the moment of the first of them."""
    session = session_of(9)
    assert session.snapshot(at(1000.5))["changed_at"] == 1_000_000.0
    for now in (1001.0, 1002.0, 1003.0):
        count(session, now, done=1)
    assert session.snapshot(at(1004.0))["changed_at"] == 1_001_000.0
    assert session.snapshot(at(1005.0))["changed_at"] == 1_005_000.0


def test_changed_at_is_the_earliest_in_whatever_order_changes_are_told() -> None:
    """A file that begins while another one's outcome is being recorded does not hide its age."""
    session = session_of(9)
    session.snapshot(at(1000.5))
    session.begun("b", at(1002.0))
    count(session, 1001.0, done=1)
    assert session.snapshot(at(1003.0))["changed_at"] == 1_001_000.0


def test_snapshot_holds_the_newest_ten_errors_ascending() -> None:
    """Of 25 errors those numbered 16 to 25 are shown, and the count is of all."""
    session = session_of(25)
    count(session, 1000.0, errors=25)
    snapshot = session.snapshot(at(1000.0))
    assert [error["n"] for error in snapshot["errors"]] == list(range(16, 26))
    assert snapshot["stats"]["errors"] == 25


def test_rate_is_of_the_last_seconds_and_in_the_end_of_all() -> None:
    """A session that stalls is seen to; one that ended tells its mean."""
    session = session_of(1000)
    session.begin_processing(at(1000.0))
    for second in range(1, 11):
        count(session, 1000.0 + second, done=50)
    running = session.snapshot(at(1010.0))
    assert (running["files_per_second"], running["eta_seconds"]) == (50.0, 10.0)
    assert session.snapshot(at(1030.0))["files_per_second"] < 15
    session.finish(Status.CANCELLED, at(1050.0))
    assert session.snapshot(at(1060.0))["files_per_second"] == 10.0


def test_clock_that_is_set_back_makes_no_negative_rate() -> None:
    """A wall clock may jump; a rate is never below 0."""
    session = session_of(10)
    session.begin_processing(at(1000.0))
    count(session, 990.0, done=5)
    assert session.snapshot(at(990.0))["files_per_second"] == 0.0


def test_counters_beyond_what_json_holds_do_not_break_the_snapshot() -> None:
    """A processor that counts in astronomical numbers does not end its session's stream."""
    session = session_of(5000)
    for _ in range(5000):
        count(session, 1000.0, done=1, huge=2**53 - 1, low=-(2**53) + 1)
    stats = orjson.loads(orjson.dumps(session.snapshot(at(1000.0))))["stats"]
    assert stats["huge"] == 2**53 - 1
    assert stats["low"] == -(2**53) + 1


def test_time_is_utc_to_the_millisecond() -> None:
    """Also before 1970, and without a fraction."""
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(-0.5) == "1969-12-31T23:59:59.500Z"


STEPS = st.lists(
    st.tuples(st.sampled_from(["found", "done", "errors", "begun", "snapshot"]), st.integers(1, 30))
)


@given(STEPS, st.integers(0, 20), st.sampled_from([None, Status.CANCELLED, Status.ERROR]))
def test_snapshots_are_consistent_whatever_happens(
    steps: list[tuple[str, int]], turn: int, end: Status | None
) -> None:
    """Counts add up, and nothing goes back, in any order of finding, counting and looking."""
    session, now = session_of(40), 1000.0
    frames = [session.snapshot(at(now))]
    for index, (what, number) in enumerate(steps):
        now += 0.25
        if index == turn:
            session.begin_processing(at(now))
        left = min(number, session.total - session.processed)
        if what == "found" and session.status is Status.STARTING:
            session.found(number, 10 * number, at(now))
        elif what in {"done", "errors"}:
            count(session, now, **{what: left})
        elif what == "begun":
            session.begun(f"{number}.txt", at(now))
        else:
            frames.append(session.snapshot(at(now)))
    if end is None and session.status is Status.PROCESSING:
        count(session, now, done=session.total - session.processed)
        end = Status.COMPLETED
    session.finish(end or Status.ERROR, at(now))
    frames.append(session.snapshot(at(now)))
    for frame in frames:
        check_frame(frame)
    for before, after in pairwise(frames):
        check_step(before, after)

"""Rates and the time left: how they follow what happens, and what they never claim."""

import random

import pytest

from ingest.progress import Mark, Moment, RateMeter, TimeLeft, UnderWay, Work, longest
from ingest.session import Session, Status
from tests.support.moments import at

MEGABYTE = 10**6


def processing(files: int, size: int) -> Session:
    session = Session("s", 1000.0)
    session.found(files, size, at(1000.0))
    session.begin_processing(at(1000.0))
    return session


def finish_with(session: Session, sizes: list[int], seconds: float, now: Moment) -> None:
    first = session.processed
    work = Work(dict(enumerate(sizes, first)), sum(sizes), seconds)
    session.record(done=len(sizes), skipped=0, errors=[], counters={}, last="f", now=now, work=work)


def test_rates_fall_while_nothing_lands() -> None:
    """After 300 quick files and a minute of one, no snapshot says 300 files per second."""
    session = processing(301, 301 * MEGABYTE)
    for n in range(10):
        finish_with(session, [MEGABYTE] * 30, 0.1, at(1000.1 + n / 10))
    rates = [
        (frame["files_per_second"], frame["bytes_per_second"], frame["eta_seconds"])
        for frame in (session.snapshot(at(now)) for now in (1001.0, 1003.0, 1010.0, 1060.0))
    ]
    assert rates[0][:2] == (300.0, 300.0 * MEGABYTE)
    assert rates == sorted(rates, key=lambda rate: rate[:2], reverse=True)
    assert rates[-1][0] < 2


def test_time_left_is_never_less_than_a_file_under_way_will_take() -> None:
    """At its own rate if it is read, as long again as it took if that is not known."""
    session = processing(101, 2100 * MEGABYTE)
    finish_with(session, [MEGABYTE] * 100, 1.0, at(1001.0))
    read = UnderWay("big", at(1001.0), 2000 * MEGABYTE, 500 * MEGABYTE)
    session.work_on(100, read, at(1011.0))
    assert session.snapshot(at(1011.0))["eta_seconds"] == pytest.approx(30, abs=5)
    session.work_on(100, UnderWay("big", at(1001.0), 2000 * MEGABYTE), at(1101.0))
    left = session.snapshot(at(1101.0))["eta_seconds"]
    assert left is not None
    assert left >= 100


def test_bytes_of_a_file_under_way_count_in_the_rate() -> None:
    """A film of an hour is not an hour of nothing."""
    session = processing(1, 100 * MEGABYTE)
    for second in range(1, 6):
        size = second * 10 * MEGABYTE
        session.work_on(1, UnderWay("film", at(1000.0), 100 * MEGABYTE, size), at(1000.0 + second))
    assert session.snapshot(at(1005.0))["bytes_per_second"] == 10.0 * MEGABYTE


def test_files_under_way_are_the_longest_and_gone_once_finished() -> None:
    """Those of less than a second are not named, and no more than eight are."""
    session = processing(20, 20)
    for n in range(10):
        session.work_on(n, UnderWay(f"{n}", at(1000.0 + n / 10), 1), at(1001.5))
    frame = session.snapshot(at(1001.5))
    assert [file["file"] for file in frame["under_way"]] == [f"{n}" for n in range(6)]
    assert frame["under_way"][0] == {
        "file": "0", "since": "1970-01-01T00:16:40.000Z", "bytes": 0, "size": 1,
    }  # fmt: skip
    assert len(session.snapshot(at(1009.0))["under_way"]) == 8
    finish_with(session, [1] * 10, 9.0, at(1009.0))
    assert session.snapshot(at(1009.0))["under_way"] == []


def test_no_time_left_before_it_means_something() -> None:
    """Not while finding files, nor before the first file, nor at once, nor while waiting."""
    session = processing(10, 10)
    assert session.snapshot(at(1009.0))["eta_seconds"] is None
    finish_with(session, [1], 0.1, at(1000.1))
    assert session.snapshot(at(1000.2))["eta_seconds"] is None
    assert session.snapshot(at(1001.0))["eta_seconds"] is not None
    session.wait("the root is not mounted", at(1001.0))
    frame = session.snapshot(at(1001.0))
    assert (frame["waiting"], frame["eta_seconds"]) == ("the root is not mounted", None)


@pytest.mark.parametrize("clock", [1000.0 - 3600, 1000.0 + 86_400, 0.0])
def test_clock_that_is_set_changes_no_duration(clock: float) -> None:
    """Set back an hour, forward a day, or from 1970: rates, time left and length are the same."""
    session = processing(100, 100)
    finish_with(session, [1] * 50, 5.0, at(clock, 1005.0))
    frame = session.snapshot(at(clock, 1005.0))
    assert (frame["files_per_second"], frame["eta_seconds"]) == (10.0, 5.0)
    session.finish(Status.CANCELLED, at(clock + 5, 1010.0))
    assert session.snapshot(at(clock + 5, 1010.0))["end_time"] == "1970-01-01T00:16:50.000Z"


def test_sizes_beyond_what_json_holds_do_not_break_the_snapshot() -> None:
    """Sparse files may claim 8 EiB each."""
    session = processing(4, 4 * 2**62)
    session.work_on(1, UnderWay("sparse", at(1000.0), 2**63 - 1), at(1002.0))
    frame = session.snapshot(at(1002.0))
    assert (frame["total_bytes"], frame["under_way"][0]["size"]) == (2**53 - 1, 2**53 - 1)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    "sizes",
    [
        [1000] * 20_000,
        [100 * MEGABYTE] * 200,
        [1000, 2000, 500, 100, MEGABYTE] * 3000,
    ],
    ids=["small", "large", "mix"],
)
def test_time_left_is_near_after_the_first_tenth(workers: int, sizes: list[int]) -> None:
    """Within 1.5 times the true value in 9 of 10 samples, if files cost by number and by size."""
    chance = random.Random(1)
    left, now, size = TimeLeft(), 0.0, sum(sizes)
    left.begin(now)
    samples: list[tuple[float, float | None]] = []
    done = 0
    while done < len(sizes):
        batch, seconds = 0, 0.0
        while seconds < 0.02 and done + batch < len(sizes):
            seconds += (0.0005 + sizes[done + batch] / 4e8) * chance.uniform(0.7, 1.3)
            batch += 1
        now += seconds / workers
        size -= sum(sizes[done : done + batch])
        left.observe(batch, sum(sizes[done : done + batch]), seconds, now)
        done += batch
        samples.append((now, left.estimate(len(sizes) - done, size, now)))
    late = [(moment, guess) for moment, guess in samples if now * 0.1 < moment < now * 0.98]
    near = [
        guess is not None and 1 / 1.5 <= guess / (now - moment) <= 1.5 for moment, guess in late
    ]
    assert sum(near) / len(near) >= 0.9


def test_meter_without_a_begin_has_no_rate() -> None:
    """A session that is cancelled while finding files has processed none per second."""
    meter = RateMeter()
    meter.reach(Mark(1.0, 5, 5))
    assert meter.recent(Mark(2.0, 5, 5)) == meter.overall(Mark(2.0, 5, 5)) == (0.0, 0.0)
    assert longest([], at(0.0)) == []

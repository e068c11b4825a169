"""The benchmark's statistics."""

import math

import pytest

from benchmarks.deployment import Seen, lags_of
from benchmarks.stats import Histogram, bucket_of, middle_of, spread


def test_quantiles_are_true_to_one_per_cent() -> None:
    """A quantile is off by a bucket's half width at most, over six decades."""
    histogram = Histogram()
    for n in range(1, 1001):
        histogram.add(n * 1e-3)
    assert histogram.quantile(0.5) == pytest.approx(0.5, rel=0.01)
    assert histogram.quantile(0.99) == pytest.approx(0.99, rel=0.01)
    assert histogram.quantile(1.0) == pytest.approx(1.0, rel=0.01)


def test_quantile_of_nothing_is_no_number() -> None:
    """What was never received has no lag, not a lag of 0."""
    assert math.isnan(Histogram().quantile(0.5))


@pytest.mark.parametrize("seconds", [1e-7, 3e-6, 4.2e-4, 0.05, 1.0, 59.9])
def test_bucket_holds_its_middle(seconds: float) -> None:
    """The duration that stands for a bucket falls into it."""
    bucket = bucket_of(seconds)
    assert bucket_of(middle_of(bucket)) == bucket


def test_histogram_survives_its_text() -> None:
    """What the client prints is read back, and adds up."""
    histogram = Histogram.parse("0:2 700:5")
    histogram.merge(Histogram.parse("700:1 800:1"))
    assert str(histogram) == "0:2 700:6 800:1"
    assert histogram.total == 9


def test_spread_is_the_widest_distance_from_the_median() -> None:
    """One repeat out of line shows, however many agree."""
    assert spread([10.0, 10.0, 15.0]) == pytest.approx(0.5)
    assert spread([10.0]) == 0


def test_poll_is_charged_for_every_change_since_the_one_before() -> None:
    """A poll that skips changes has not avoided their lag."""
    seen = Seen(moments=[11.0, 12.0], files=[0, 3])
    lags = lags_of([(11.1, 1), (11.5, 2), (11.9, 3)], seen)
    assert lags.total == 3
    assert lags.quantile(1.0) == pytest.approx(0.9, rel=0.01)

"""What samples say: median, spread, and quantiles of a histogram. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

BUCKET = 1.01
"""How much wider each bucket of a histogram is than the one before; client.c has the same."""

SMALLEST = 1e-6
"""Where the first bucket ends, in seconds."""


class Histogram:
    """Durations in seconds, each kept to 1 %: a few kilobytes for any number of them."""

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self.counts: Counter[int] = Counter()
        for bucket, count in counts:
            self.counts[bucket] += count

    @classmethod
    def parse(cls, text: str) -> "Histogram":
        """Read `bucket:count` pairs, as the client prints them."""
        pairs = (pair.split(":") for pair in text.split())
        return cls((int(bucket), int(count)) for bucket, count in pairs)

    def __str__(self) -> str:
        return " ".join(f"{bucket}:{count}" for bucket, count in sorted(self.counts.items()))

    @property
    def total(self) -> int:
        return self.counts.total()

    def add(self, seconds: float) -> None:
        self.counts[bucket_of(seconds)] += 1

    def merge(self, other: "Histogram") -> None:
        self.counts.update(other.counts)

    def quantile(self, q: float) -> float:
        """Return the quantile `q` of the durations; NaN without any."""
        left = max(1, math.ceil(q * self.total))
        for bucket, count in sorted(self.counts.items()):
            left -= count
            if left <= 0:
                return middle_of(bucket)
        return math.nan


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration."""
    return int(math.log(seconds / SMALLEST) / math.log(BUCKET)) if seconds > SMALLEST else 0


def middle_of(bucket: int) -> float:
    """Return the duration that represents a bucket."""
    return float(SMALLEST * BUCKET ** (bucket + 0.5))


def spread(values: Sequence[float]) -> float:
    """Return the spread of repeats: the largest distance from the median, as a share of it."""
    centre = median(values)
    return max(abs(value - centre) for value in values) / centre if centre else 0.0

"""Metrics for Prometheus, https://prometheus.io/docs/instrumenting (extra `metrics`)."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from sse import StreamRegistry
from web.log_handler import dropped_lines
from web.request import Request
from web.response import NO_STORE, Response
from web.sessions import Sessions

try:
    from prometheus_client import CollectorRegistry, Counter, Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.exposition import choose_encoder
except ImportError:  # the extra is not installed
    CollectorRegistry = None  # type: ignore[assignment,misc]

LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Bounds in seconds: a frame is out within 1 ms, or waits 20 ms for its turn (`min_interval`)."""

DELAYS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

DELAY_PERIOD = 0.5
"""Seconds between two looks at how late the event loop is."""

CLIENTS = 20
"""Distinct client names in metrics: a client can send any name."""

PRODUCT = re.compile(r"[\w.-]{1,40}", re.ASCII)


def has_metrics() -> bool:
    """Return whether the extra is installed."""
    return CollectorRegistry is not None


class Metrics:
    """
    The metrics of one application, in a registry of its own.

    What others count already is read when it is asked for; only times and polls are kept here.
    """

    def __init__(
        self, sessions: Sessions, streams: StreamRegistry, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._registry = CollectorRegistry()
        self._lag = Histogram(
            "ingest_lag_seconds",
            "From a change to the moment at which its frame was handed to the streams.",
            buckets=LAGS,
            registry=self._registry,
        )
        self._delay = Histogram(
            "ingest_loop_delay_seconds",
            "How late the event loop wakes up what sleeps.",
            buckets=DELAYS,
            registry=self._registry,
        )
        self._polls = Counter(
            "ingest_polls",
            "Requests to the status routes, by what was asked and by which client.",
            ["kind", "client"],
            registry=self._registry,
        )
        self._clients: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._registry.register(_Counts(sessions, streams))

    def start(self) -> None:
        """Start to measure the running event loop."""
        loop = asyncio.get_running_loop()
        due = loop.time() + DELAY_PERIOD
        self._timer = loop.call_at(due, self._wake, loop, due)

    def stop(self) -> None:
        """End what `start` began."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def delivered(self, snapshot: bytes) -> None:
        """Record the lag of a snapshot that was just published."""
        changed_at: float = orjson.loads(snapshot)["changed_at"]
        self._lag.observe(max(0.0, self._clock() - changed_at / 1000))

    def polled(self, request: Request, *, one: bool) -> None:
        """Count a request to a status route: for one session, or for the list."""
        self._polls.labels(_kind(request) if one else "list", self._client(request)).inc()

    def response(self, request: Request) -> Response:
        """Return the metrics in the requested format."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        headers = [(b"content-type", content_type.encode()), (b"vary", b"accept"), NO_STORE]
        return Response(200, encode(self._registry), headers)

    def _wake(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._delay.observe(max(0.0, loop.time() - due))
        self.start()

    def _client(self, request: Request) -> str:
        """Name the program that asks; the rest are one once there have been many."""
        found = PRODUCT.match(request.headers.get("user-agent", ""))
        name = found[0] if found else "unknown"
        if len(self._clients) < CLIENTS:
            self._clients.add(name)
        return name if name in self._clients else "other"


class _Counts:
    """Reads what sessions and streams have counted themselves."""

    def __init__(self, sessions: Sessions, streams: StreamRegistry) -> None:
        self._sessions = sessions
        self._streams = streams

    def collect(self) -> Iterator[Any]:
        now = self._sessions.statistics()
        yield _by("status", GaugeMetricFamily, "ingest_sessions", RUNNING, now.running)
        yield _by("status", CounterMetricFamily, "ingest_sessions_ended", ENDED, now.ended)
        yield _by("outcome", CounterMetricFamily, "ingest_files", FILES, now.files)
        yield CounterMetricFamily("ingest_bytes", "Bytes of the files processed.", now.bytes)
        streams = self._streams.statistics()
        yield GaugeMetricFamily("ingest_streams", "Streams open.", streams.open)
        ways = {"direct": streams.direct, "task": streams.open - streams.direct}
        yield _by("delivery", GaugeMetricFamily, "ingest_streams_by_delivery", DELIVERED, ways)
        yield CounterMetricFamily("ingest_streams_opened", "Streams opened.", streams.opened)
        yield CounterMetricFamily("ingest_frames_sent", SENT, streams.frames_sent)
        yield CounterMetricFamily("ingest_frames_skipped", SKIPPED, streams.frames_skipped)
        yield CounterMetricFamily("ingest_log_lines_dropped", DROPPED, dropped_lines())


RUNNING = "Sessions that are not at their end, by status."
ENDED = "Sessions that came to their end, by status."
FILES = "Files that were finished with, by outcome."
DELIVERED = "Streams open, by the way of delivery."
SENT = "Frames sent to streams."
SKIPPED = "Frames that a slow stream skipped for a newer one."
DROPPED = "Lines of the log that were dropped as nobody read it."


def _by(label: str, family: Any, name: str, text: str, counts: Any) -> Any:
    made = family(name, text, labels=[label])
    for value, count in counts.items():
        made.add_metric([value], count)
    return made


def _kind(request: Request) -> str:
    if "errors_after" in request.query:
        return "errors"
    return "long poll" if "wait" in request.query else "snapshot"

"""Lag: from a file's change, `changed_at`, to its receipt, on an idle and on a busy machine."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median

from benchmarks import contenders, plot, service, trees
from benchmarks.bench import Bench, Result, interleave
from benchmarks.contenders import Contender
from benchmarks.processes import Sample, Watch, measure
from benchmarks.stats import Histogram, spread
from benchmarks.table import Cell

RATES: Mapping[int, float] = {1: 50.0, 100: 50.0, 1000: 10.0, 10_000: 1.0}
"""Events a second for each number of streams: within what the limit can deliver."""

SERVICE = "ingest-stream"
POLLS: Mapping[float, str] = {1.0: "polling every second", 0.1: "polling every 0.1 s"}
POLLS_A_SECOND = 10_000
"""More than these no server here can answer."""

FILES = 10_000
"""More than any of these measurements gets through."""

COLUMNS = (
    "server",
    "streams",
    "changes/s",
    "p50 ms",
    "p99 ms",
    "± %",
    "max ms",
    "stall ms",
    "received %",
    "server CPU %",
)
QUANTILES = [n / 1000 for n in range(1, 1000, 3)] + [0.9995, 1.0]


def run(bench: Bench) -> list[Result]:
    return [_compare(bench, busy=False), _compare(bench, busy=True)]


def _compare(bench: Bench, *, busy: bool) -> Result:
    name, title = ("lag-busy", "busy on all cores") if busy else ("lag", "idle machine")
    result = Result(name, f"Lag, {title}", COLUMNS)
    merged: dict[int, dict[str, Histogram]] = {}
    counts = bench.counts(100, 1000) if busy or bench.quick else bench.counts(*RATES)
    for streams in counts:
        repeats = 1 if streams > 1000 else bench.repeats
        found = interleave(f"{name} of {streams}", repeats, _cases(bench, streams, busy=busy))
        for case, samples in found.items():
            lags = Histogram()
            for sample in samples:
                lags.merge(sample.lags)
            merged.setdefault(streams, {})[case] = lags
            result.rows.append(_row(case, streams, samples, lags))
    result.plots |= _plots(name, title, merged)
    result.notes += _notes(busy=busy)
    return result


def _notes(*, busy: bool) -> list[str]:
    about = (
        f"{SERVICE} is the whole service: files finished at that rate by worker processes, "
        "recorded in the catalogue, counted and streamed, every change announced. The others emit "
        "the same events from memory. A poll is charged for every change since the one before. "
        "A stall is the longest time for which the service's event loop was held."
    )
    burden = (
        f"{SERVICE}: its own workers compute without a pause. The others: as many processes "
        "that compute, at normal priority. Nothing but the client is pinned."
    )
    return [about, burden] if busy else [about]


def _cases(bench: Bench, streams: int, *, busy: bool) -> dict[str, Callable[[], Sample]]:
    cases: dict[str, Callable[[], Sample]] = {
        SERVICE: partial(of_service, bench, streams, RATES[streams], busy=busy)
    }
    for contender in contenders.installed(quick=bench.quick):
        cases[contender.name] = partial(_of_contender, bench, contender, streams, busy=busy)
    for interval, name in POLLS.items():
        if streams / interval <= POLLS_A_SECOND and not busy:
            poll = partial(of_service, bench, streams, RATES[streams], interval=interval)
            cases[name] = poll
    return cases


def _watch(bench: Bench, path: str, streams: int, interval: float | None) -> Watch:
    more = (interval or streams > 1000) and not bench.quick
    seconds = bench.seconds + (2.0 if more else 0.0)
    return Watch(path, streams, 0.5, seconds, interval, RATES.get(streams, 1.0))


def of_service(
    bench: Bench,
    streams: int,
    rate: float,
    *,
    interval: float | None = None,
    busy: bool = False,
) -> Sample:
    """Watch one session of the service, by as many streams or polls."""
    tree = trees.make(bench.workspace, "empty", FILES, 0)
    cores = bench.cores.all if busy else bench.cores.server
    with service.paced(tree, cores, rate, ["--busy"] if busy else []) as running:
        session = running.start()
        running.wait_until_processing(session)
        path = service.stream_path(session) if interval is None else service.status_path(session)
        watch = _watch(bench, path, streams, interval)
        before = running.server.memory()
        running.server.get("/stall")
        sample = measure(
            running.server, bench.client, watch, bench.cores, lambda: running.server.get("/stall")
        )
        sample.stall = float(running.server.get("/stall"))
        sample.server_memory -= before
        return sample


def _of_contender(bench: Bench, contender: Contender, streams: int, *, busy: bool) -> Sample:
    cores = bench.cores.all if busy else bench.cores.server
    with (
        _burning(len(cores) if busy else 0),
        contender.serve(cores, streams=streams, rate=RATES[streams]) as server,
    ):
        return measure(server, bench.client, _watch(bench, "/stream", streams, None), bench.cores)


@contextmanager
def _burning(processes: int) -> Iterator[None]:
    """Keep as many cores busy."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "while True: sum(range(1000))"])
        for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


def _row(name: str, streams: int, samples: Sequence[Sample], lags: Histogram) -> dict[str, Cell]:
    tails = [sample.lags.quantile(0.99) for sample in samples]
    expected = sum(streams * RATES[streams] * sample.seconds for sample in samples)
    emitted_by_clock = name != SERVICE and name not in POLLS.values()
    return {
        "server": name,
        "streams": f"{streams:,}",
        "changes/s": RATES[streams],
        "p50 ms": median(sample.lags.quantile(0.5) for sample in samples) * 1000,
        "p99 ms": median(tails) * 1000,
        "± %": 100 * spread(tails),
        "max ms": lags.quantile(1.0) * 1000,
        "stall ms": max(s.stall for s in samples) * 1000 if name == SERVICE else None,
        "received %": 100 * lags.total / expected if emitted_by_clock else None,
        "server CPU %": 100 * median(s.server_cpu / s.seconds for s in samples),
    }


def _plots(name: str, title: str, merged: Mapping[int, Mapping[str, Histogram]]) -> dict[str, str]:
    plots = {}
    by_streams: dict[str, list[tuple[float, float]]] = {}
    for streams, cases in merged.items():
        points = {
            case: [(lags.quantile(q) * 1000, 100 * q) for q in QUANTILES]
            for case, lags in cases.items()
            if lags.total
        }
        plots[f"{name}-{streams}.svg"] = plot.lines(
            f"Lag at {streams:,} streams, {title}", "lag, ms", "% received by then", points,
            linear="y",
        )  # fmt: skip
        for case, lags in cases.items():
            by_streams.setdefault(case, []).append((streams, lags.quantile(0.99) * 1000))
    plots[f"{name}.svg"] = plot.lines(
        f"Lag against streams, {title}", "streams", "p99 lag, ms", by_streams
    )
    return plots

"""Fan-out: one source of events, many streams, as fast as each contender can."""

import math
from functools import partial
from statistics import median

from benchmarks import contenders, plot
from benchmarks.bench import Bench, Result, interleave
from benchmarks.contenders import BARE, Contender
from benchmarks.processes import Sample, Watch, measure
from benchmarks.stats import spread

STREAMS = 1000
COLUMNS = (
    "server",
    "streams",
    "events/s",
    "± %",
    "limit / this",
    "CPU s per 1 M",
    "p99 ms",
    "client CPU %",
)
BUSY_CLIENT = 0.95


def run(bench: Bench) -> list[Result]:
    result = Result("fanout", "Fan-out: events delivered a second", COLUMNS)
    throughput: dict[str, list[tuple[float, float]]] = {}
    for streams in (100,) if bench.quick else bench.counts(1, 10, 100, STREAMS, 10_000):
        repeats = bench.repeats if streams in (100, STREAMS) else 1
        cases = {
            contender.name: partial(measure_one, bench, contender, streams)
            for contender in contenders.installed(quick=bench.quick)
        }
        samples = interleave(f"fan-out to {streams}", repeats, cases)
        limit = median(s.events_per_second for s in samples[BARE.name])
        for name, found in samples.items():
            cells = row(name, streams, found, limit)
            result.rows.append(cells)
            throughput.setdefault(name, []).append((streams, float(cells["events/s"])))
    result.notes.append(
        "The next event is published when the one before was handed to every connection. "
        "A client that used less than all of its core was not what held a server back."
    )
    title = "Events delivered a second"
    result.plots["throughput.svg"] = plot.lines(title, "streams", "events/s", throughput)
    return [result]


def measure_one(bench: Bench, contender: Contender, streams: int) -> Sample:
    with contender.serve(bench.cores.server, streams=streams, rate=0) as server:
        watch = Watch("/stream", streams, seconds=bench.seconds)
        return measure(server, bench.client, watch, bench.cores)


def row(name: str, streams: int, samples: list[Sample], limit: float) -> dict[str, str | float]:
    rates = [sample.events_per_second for sample in samples]
    share = median(sample.client_share for sample in samples)
    return {
        "server": name,
        "streams": f"{streams:,}",
        "events/s": median(rates),
        "± %": 100 * spread(rates),
        "limit / this": limit / median(rates) if median(rates) else math.nan,
        "CPU s per 1 M": median(s.server_cpu / max(1, s.events) * 1e6 for s in samples),
        "p99 ms": median(s.lags.quantile(0.99) * 1000 for s in samples),
        "client CPU %": f"{100 * share:.0f}{' !' if share > BUSY_CLIENT else ''}",
    }

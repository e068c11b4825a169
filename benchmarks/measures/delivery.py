"""Delivery: what each way to bring one frame to many streams costs, on the same server."""

from functools import partial
from statistics import median

from benchmarks.bench import Bench, Result, interleave
from benchmarks.contenders import BARE, STREAMS, Contender
from benchmarks.measures.fanout import COLUMNS, measure_one, row

STREAM_COUNT = 1000

WAYS = (
    BARE,
    STREAMS,
    Contender("a shared future", "ways", ("--way=future",)),
    Contender("an asyncio.Event a stream", "ways", ("--way=event",)),
    Contender("an asyncio.Queue a stream", "ways", ("--way=queue",)),
)


def run(bench: Bench) -> list[Result]:
    """Compare the ways that were looked at before one was chosen."""
    result = Result("delivery", "Delivery: ways to bring a frame to 1,000 streams", COLUMNS)
    streams = 100 if bench.quick else STREAM_COUNT
    cases = {way.name: partial(measure_one, bench, way, streams) for way in WAYS}
    samples = interleave(f"delivery to {streams}", bench.repeats, cases)
    limit = median(sample.events_per_second for sample in samples[BARE.name])
    result.rows += [row(name, streams, found, limit) for name, found in samples.items()]
    result.notes.append(
        "All but the first run on uvicorn. The last three do nothing but deliver: they know no "
        "heartbeat, no time-out, no Last-Event-ID and no end."
    )
    return [result]

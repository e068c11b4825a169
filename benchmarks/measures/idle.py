"""Idle streams: what each costs while nothing happens, and how fast they open."""

from functools import partial

from benchmarks import contenders
from benchmarks.bench import Bench, Result, interleave
from benchmarks.contenders import Contender
from benchmarks.processes import Sample, Watch, measure

HEARTBEAT = 15.0
COLUMNS = ("server", "streams", "KiB a stream", "CPU s per 30 s", "opened/s", "refused")


def run(bench: Bench) -> list[Result]:
    result = Result("idle", "Idle streams, a heartbeat every 15 s", COLUMNS)
    seconds = 1.5 if bench.quick else HEARTBEAT
    for streams in bench.counts(100) if bench.quick else bench.counts(1000, 10_000):
        cases = {
            contender.name: partial(_measure, bench, contender, streams, seconds)
            for contender in contenders.installed(quick=bench.quick)
        }
        for name, samples in interleave(f"idle, {streams} streams", 1, cases).items():
            (sample,) = samples
            result.rows.append(
                {
                    "server": name,
                    "streams": f"{streams:,}",
                    "KiB a stream": sample.server_memory / streams / 1024,
                    "CPU s per 30 s": sample.server_cpu / sample.seconds * 30,
                    "opened/s": sample.opened / sample.opening,
                    "refused": float(sample.failed),
                }
            )
    result.notes.append(
        "Memory is the server process's own, without the kernel's buffers; the growth since its "
        f"start. CPU over {seconds:g} s, in which each stream has one heartbeat at most."
    )
    return [result]


def _measure(bench: Bench, contender: Contender, streams: int, seconds: float) -> Sample:
    heartbeat = min(HEARTBEAT, seconds)
    with contender.serve(
        bench.cores.server, streams=streams, rate=-1, heartbeat=heartbeat
    ) as server:
        before = server.memory()
        watch = Watch("/stream", streams, warmup=0.5, seconds=seconds)
        sample = measure(server, bench.client, watch, bench.cores)
        sample.server_memory -= before
        return sample

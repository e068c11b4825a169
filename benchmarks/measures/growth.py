"""Growth: what more subscribers, more sessions and more files do to lag, memory and CPU."""

from pathlib import Path
from threading import Event, Thread

from benchmarks import plot, service, trees
from benchmarks.bench import Bench, Result, interleave
from benchmarks.measures import ingest, lag
from benchmarks.processes import Sample, Watch, measure
from benchmarks.table import Cell

MIB = 2**20
FILES_A_SECOND = 100.0
WITHIN = 600.0
STREAM_COLUMNS = (
    "streams",
    "sessions",
    "changes/s",
    "p50 ms",
    "p99 ms",
    "stall ms",
    "MiB more",
    "CPU %",
)
FILE_COLUMNS = ("files", "seconds", "files/s", "MiB more", "CPU s")


def run(bench: Bench) -> list[Result]:
    return [_subscribers(bench), _sessions(bench), _files(bench)]


def _subscribers(bench: Bench) -> Result:
    result = Result("growth-subscribers", "Growth with subscribers of one session", STREAM_COLUMNS)
    lags, cpu = [], []
    for streams in (10,) if bench.quick else bench.counts(1, 10, 100, 1000, 10_000):
        rate = min(10.0, 10_000 / streams)
        cases = {lag.SERVICE: lambda n=streams, r=rate: lag.of_service(bench, n, r)}
        for samples in interleave(f"{streams} subscribers", 1, cases).values():
            row = _row(samples[0], streams, 1, rate)
            result.rows.append(row)
            lags.append((float(streams), samples[0].lags.quantile(0.99) * 1000))
            cpu.append((float(streams), samples[0].server_cpu / samples[0].seconds * 100))
    series = {"p99 lag, ms": lags, "CPU, %": cpu}
    result.plots["growth-subscribers.svg"] = plot.lines(result.title, "streams", "", series)
    return result


def _sessions(bench: Bench) -> Result:
    result = Result("growth-sessions", "Growth with sessions, one stream each", STREAM_COLUMNS)
    for sessions in (10,) if bench.quick else bench.counts(1, 10, 100, 1000):
        cases = {lag.SERVICE: lambda n=sessions: _run_sessions(bench, n)}
        for samples in interleave(f"{sessions} sessions", 1, cases).values():
            result.rows.append(_row(samples[0], sessions, sessions, FILES_A_SECOND))
    result.notes.append("Files a second are of all sessions together.")
    return result


def _run_sessions(bench: Bench, sessions: int) -> Sample:
    tree = trees.make(bench.workspace, "few", 2000, 0)
    flags = [f"--max-sessions={sessions}"]
    with service.paced(tree, bench.cores.server, FILES_A_SECOND, flags) as running:
        before = running.server.memory()
        ids = [running.start() for _ in range(sessions)]
        paths = bench.workspace / "paths"
        paths.write_text("\n".join(map(service.stream_path, ids)) + "\n", encoding="ascii")
        running.server.get("/stall")
        watch = Watch(f"@{paths}", sessions, 1.0, bench.seconds)
        sample = measure(
            running.server, bench.client, watch, bench.cores, lambda: running.server.get("/stall")
        )
        sample.stall = float(running.server.get("/stall"))
        sample.server_memory -= before
        return sample


def _row(sample: Sample, streams: int, sessions: int, rate: float) -> dict[str, Cell]:
    return {
        "streams": f"{streams:,}",
        "sessions": f"{sessions:,}",
        "changes/s": rate,
        "p50 ms": sample.lags.quantile(0.5) * 1000,
        "p99 ms": sample.lags.quantile(0.99) * 1000,
        "stall ms": sample.stall * 1000,
        "MiB more": sample.server_memory / MIB,
        "CPU %": sample.server_cpu / sample.seconds * 100,
    }


def _files(bench: Bench) -> Result:
    result = Result("growth-files", "Growth with files of one session", FILE_COLUMNS)
    for files in (2000,) if bench.quick else (1000, 10_000, 100_000, bench.most_files):
        tree = trees.make(bench.workspace, f"{files}-empty", files, 0)
        cases = {lag.SERVICE: lambda t=tree, n=files: _run_files(bench, t, n)}
        for rows in interleave(f"{files} files", 1, cases).values():
            result.rows.append(rows[0])
    result.notes.append("Empty files: what is measured is everything but reading them.")
    return result


def _run_files(bench: Bench, tree: Path, files: int) -> dict[str, Cell]:
    with service.real(tree, bench.cores.all) as running:
        before, used = running.server.memory(), running.server.cpu_with_workers()
        peaks, over = [before], Event()

        def sample_memory() -> None:
            while not over.wait(0.1):
                peaks.append(running.server.memory())

        sampler = Thread(target=sample_memory)
        sampler.start()
        try:
            snapshot = running.wait_for_end(running.start(), WITHIN)
        finally:
            over.set()
            sampler.join()
        seconds = ingest.seconds_of(snapshot)
        return {
            "files": f"{files:,}",
            "seconds": seconds,
            "files/s": files / seconds,
            "MiB more": (max(peaks) - before) / MIB,
            "CPU s": running.server.cpu_with_workers() - used,
        }

"""The benchmark's command line: `python -m benchmarks --help`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import deployment, machine
from benchmarks.bench import Bench, Result
from benchmarks.measures import delivery, fanout, growth, idle, ingest, lag, wire
from benchmarks.processes import BenchmarkError

HERE = Path(__file__).parent

MEASURES: Mapping[str, Callable[[Bench], list[Result]]] = {
    "lag": lag.run,
    "fanout": fanout.run,
    "delivery": delivery.run,
    "idle": idle.run,
    "ingest": ingest.run,
    "wire": wire.run,
    "growth": growth.run,
}


def main() -> int:
    """Measure what is asked for; print the tables and write them to a folder."""
    arguments = _parser().parse_args()
    if arguments.url:
        return _measure_deployment(arguments)
    cores = machine.Cores.of_this_machine()
    limit = machine.allow_open_files()
    written: list[Result] = []
    about = f"{machine.describe()}; {datetime.now(UTC):%Y-%m-%d}"
    print(f"{about}\nserver on core {set(cores.server)}, client on {set(cores.client)}\n")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as workspace:
        client = machine.build_client(HERE / "client.c", Path(workspace))
        if client is None:
            print("warning: no C compiler; the client in Python holds fast servers back")
        bench = Bench(
            cores,
            [client] if client else [sys.executable, "-m", "benchmarks.client"],
            Path(workspace),
            most_streams=min(arguments.most_streams, limit - 500),
            most_files=arguments.most_files,
            quick=arguments.quick,
            repeats=1 if arguments.quick else arguments.repeats,
            seconds=1.0 if arguments.quick else arguments.seconds,
        )
        for name in arguments.measure or MEASURES:
            for result in MEASURES[name](bench):
                print(result, flush=True)
                written.append(result)
                _write(arguments.output, about, written)
    return 0


def _measure_deployment(arguments: argparse.Namespace) -> int:
    try:
        fields = {"directory": arguments.directory}
        print(deployment.run(arguments.url, arguments.token, fields))
    except (BenchmarkError, OSError) as error:
        print(f"it cannot be measured: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measure", nargs="*", choices=[[], *MEASURES], help="all, if none is named")
    parser.add_argument("--quick", action="store_true", help="under a minute: does it all work?")
    parser.add_argument("--repeats", type=int, default=3, help="(3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement (3)")
    parser.add_argument("--most-streams", type=int, default=10_000, help="(10000)")
    parser.add_argument("--most-files", type=int, default=1_000_000, help="(1000000)")
    parser.add_argument("--url", help="measure the lag of this deployment instead")
    parser.add_argument("--token", help="what it asks for")
    parser.add_argument("--directory", default=".", help="what it shall ingest (its root)")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), help="folder")
    return parser


def _write(folder: Path, about: str, results: list[Result]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {"about": about, "results": [result.to_json() for result in results]}
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(map(str, results))
    (folder / "results.md").write_text(f"{about}\n\n{text}", encoding="utf-8")
    for result in results:
        for name, svg in result.plots.items():
            (folder / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

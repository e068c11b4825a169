"""`python -m tests.faults`: inject the faults one after the other, and print what was seen."""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from random import Random, SystemRandom
from types import MappingProxyType

from tests.faults.clients import ages_and_limits, read_badly
from tests.faults.cluster import kill_cluster
from tests.faults.disk import fill_disk, harm_catalogue
from tests.faults.kills import kill_at_random
from tests.faults.memory import many_events, many_files
from tests.faults.once import ask_again, end_and_restart
from tests.faults.orphans import end_with_clients, leave_no_orphans
from tests.faults.overload import overload
from tests.faults.poison import poison_loop, poison_workers
from tests.faults.scenario import Bench, Options, Row, Scenario

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "kills": kill_at_random,
        "ends": end_and_restart,
        "once": ask_again,
        "poison": poison_workers,
        "async": poison_loop,
        "orphans": leave_no_orphans,
        "unread": end_with_clients,
        "clients": read_badly,
        "limits": ages_and_limits,
        "full": fill_disk,
        "catalogue": harm_catalogue,
        "overload": overload,
        "files": many_files,
        "events": many_events,
        "cluster": kill_cluster,
    }
)


QUICK_JOBS = 3

SHOWN = 20
"""Failures told in full: one cause may have thousands."""


def main() -> int:
    arguments = parse()
    seed = arguments.seed if arguments.seed is not None else SystemRandom().randrange(10**6)
    quick = arguments.quick
    options = Options(
        quick=quick,
        kills=arguments.kills or (6 if quick else 60),
        files=arguments.files or (20_000 if quick else 1_000_000),
        events=arguments.events or (10_000 if quick else 1_000_000),
        seed=seed,
        plots=arguments.plots,
    )
    say(f"seed {seed}\n\n| fault | what was seen | |\n| --- | --- | --- |\n")
    names = arguments.only or list(SCENARIOS)
    # In the short form most of the time is waiting, so some wait together.
    with ThreadPoolExecutor(arguments.jobs or (QUICK_JOBS if quick else 1)) as threads:
        failures = list(chain(*threads.map(lambda name: told(name, arguments, options), names)))
    for failure in failures[:SHOWN]:
        say(f"\nFAILED {failure}")
    say(f"\n{len(failures)} failures\n")
    return 1 if failures else 0


def told(name: str, arguments: argparse.Namespace, options: Options) -> list[str]:
    """Run a scenario, print its lines, and give its failures."""
    begun = time.monotonic()
    failures = []
    for row in run(name, options, arguments.folder):
        say(f"| {row.fault} | {row.seen} | {row.verdict} |\n")
        failures += [f"{row.fault}: {failure}" for failure in row.failures]
    if arguments.verbose:
        sys.stderr.write(f"{name}: {time.monotonic() - begun:.1f} s\n")
    return failures


def run(name: str, options: Options, folder: Path | None) -> Iterator[Row]:
    """Run a scenario in a folder of its own; what it raises is a failure, too."""
    with tempfile.TemporaryDirectory(prefix=f"faults-{name}-", dir=folder) as made:
        bench = Bench(Path(made), options, Random(f"{options.seed} {name}"))
        try:
            yield from SCENARIOS[name](bench)
        except Exception as error:  # noqa: BLE001 - the other scenarios have their turn
            log = bench.folder / "server.log"
            said = log.read_text(errors="replace")[-3000:] if log.exists() else "nothing"
            trace = "".join(traceback.format_exception(error))
            yield Row(name, "failed", [f"{trace}\nthe server said: {said}"])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*SCENARIOS, []], help="run these alone")
    parser.add_argument("--quick", action="store_true", help="a short form, below a minute")
    parser.add_argument("--kills", type=int, help="SIGKILLs (60; quick: 6)")
    parser.add_argument("--files", type=int, help="files of the large session (1,000,000; 20,000)")
    parser.add_argument("--events", type=int, help="events to 100 streams (1,000,000; 10,000)")
    parser.add_argument("--seed", type=int, help="repeat a run's chances")
    parser.add_argument("--folder", type=Path, help="make the trees here, not in the default one")
    parser.add_argument("--plots", type=Path, help="write the memory's plots into this folder")
    parser.add_argument("--jobs", type=int, help="scenarios at a time (1; quick: 3)")
    parser.add_argument("--verbose", action="store_true", help="tell the time of each scenario")
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

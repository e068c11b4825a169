"""Your own processors: in worker processes, on the event loop, and in your own executor."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ingest import Outcome, Settings, Snapshot
from web import Application, create_app


def count_lines(path: Path) -> Outcome:
    """Count lines: this takes CPU time, so it runs in worker processes, and may crash there."""
    lines = path.read_bytes().count(b"\n")
    return Outcome(metadata={"lines": lines}, counters={"lines": lines})


async def ask_elsewhere(path: Path) -> dict[str, str]:
    """Call another service: this mostly waits, so it runs on the event loop."""
    await asyncio.sleep(0.01)
    return {"answer": f"{path.name} is known"}


@contextmanager
def applications(root: Path, state: Path) -> Iterator[dict[str, Application]]:
    """Make one application for each way, and shut down the executor, which stays yours."""

    def settings(name: str) -> Settings:
        return Settings(root=root, database=state / f"{name}.db", workers=2)

    with ThreadPoolExecutor(4) as executor:
        yield {
            "workers": create_app(settings("workers"), process=count_lines),
            "event loop": create_app(settings("loop"), process=ask_elsewhere),
            "own executor": create_app(
                settings("executor"), process=count_lines, executor=executor
            ),
        }


async def ingest_all(app: Application) -> Snapshot:
    """Run one session to its end, without any server."""
    async with app.lifespan():
        session_id = await app.start(pattern="*.txt|*.md")
        async for snapshot in app.watch(session_id):
            print(f"{snapshot['progress']:3} %  {snapshot['current_file'] or ''}")
    return snapshot


if __name__ == "__main__":
    with applications(Path("inbox"), Path()) as made:
        for name, app in made.items():
            print(f"{name}: {asyncio.run(ingest_all(app))['stats']}")

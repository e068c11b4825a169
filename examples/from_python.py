"""Sessions from Python, without a server: started, watched, cancelled, listed."""

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path

from ingest import IngestError, Settings
from web import create_app


async def main(root: Path) -> None:
    """Watch one session to its end, and cancel another."""
    async with create_app(Settings(root=root)).lifespan() as app:
        # The same key gives the same session, even after a crash.
        session_id = await app.start(directory=".", idempotency_key="2026-11-23")
        async for snapshot in app.watch(session_id):
            print(snapshot["status"], snapshot["processed_files"], "of", snapshot["total_files"])

        session_id = await app.start(pattern="*.txt")
        async with aclosing(app.watch(session_id)) as snapshots:
            async for snapshot in snapshots:
                if snapshot["status"] != "starting":
                    break  # seen enough
        await app.cancel(session_id)
        async for snapshot in app.watch(session_id):
            print(snapshot["status"], snapshot["processed_files"], "of", snapshot["total_files"])

        for snapshot in await app.sessions():
            print(snapshot["start_time"], snapshot["session_id"], snapshot["status"])
        try:
            await app.start(directory="../elsewhere")
        except IngestError as error:
            print(error.status, error)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "inbox")))

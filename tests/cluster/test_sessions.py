"""A replica without workers: it serves, and shows that its sessions wait."""

import asyncio
from pathlib import Path
from typing import Any

import orjson

from cluster.sessions import NO_WORKER, ClusterSessions
from ingest.request import IngestRequest
from ingest.settings import Settings


async def test_session_shows_that_no_worker_is_alive(database: str, tmp_path: Path) -> None:
    """Otherwise it would stand at 0 files without a word; a watcher of another replica sees it."""
    settings = Settings(root=tmp_path, database=database, workers=0)
    replicas = [ClusterSessions(settings) for _ in range(2)]
    for replica in replicas:
        await replica.open()
    try:
        session_id = await replicas[0].start(IngestRequest(name="Lisbon"))
        channel = await replicas[1].channel(session_id)
        notified = asyncio.Event()

        class Watcher:
            def notify(self) -> None:
                notified.set()

        channel.subscribe(Watcher())
        while snapshot(channel)["waiting"] is None:
            await notified.wait()
            notified.clear()
        assert snapshot(channel)["waiting"] == NO_WORKER
        assert snapshot(channel)["name"] == "Lisbon"
    finally:
        for replica in replicas:
            await replica.close()


def snapshot(channel: Any) -> Any:
    return orjson.loads(channel.newest.data)

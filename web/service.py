"""The Python API of the service: what a host calls instead of its HTTP routes."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Self

import orjson

from ingest.request import IngestRequest
from ingest.session import Snapshot
from web.lifecycle import Lifecycle
from web.report import MEDIA_TYPES


class Service:
    """
    Sessions in the terms of Python; each method starts the service if it does not run.

    Making one is inert: it opens, starts and writes nothing. Nothing is global: two services in
    one process share no state.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[Self]:
        """
        Run the service inside a host's own lifespan.

        Raises:
            IngestError: it cannot start; the text states the remedy.
        """
        await self._lifecycle.open()
        try:
            yield self
        finally:
            await self._lifecycle.close()

    async def drain(self) -> None:
        """
        End all streams and long polls, cleanly and within half a second.

        For a server or host with a shutdown of its own, to be awaited before it waits for open
        responses. Later requests are still answered, streams with the newest frame and their end.
        """
        if self._lifecycle.running is not None:
            await self._lifecycle.running.shutdown.drain()

    async def start(self, *, idempotency_key: str | None = None, **fields: Any) -> str:
        """
        Start a session and return its id; the fields are those of the HTTP request.

        Raises:
            IngestError: it cannot be started; see `ingest.errors`.
        """
        running = await self._lifecycle.open()
        return await running.sessions.start(IngestRequest.from_mapping(fields), idempotency_key)

    async def cancel(self, session_id: str) -> bool:
        """
        End a session as cancelled; return False if it has ended already.

        Raises:
            IngestError: the session is unknown, or the request could not be recorded.
        """
        return await (await self._lifecycle.open()).sessions.cancel(session_id)

    async def snapshot(self, session_id: str) -> Snapshot:
        """
        Return the newest snapshot of a session.

        Raises:
            IngestError: the session is unknown.
        """
        channel = await (await self._lifecycle.open()).sessions.channel(session_id)
        assert channel.newest is not None
        snapshot: Snapshot = orjson.loads(channel.newest.data)
        return snapshot

    async def sessions(self) -> list[Snapshot]:
        """List the snapshots of the hundred sessions started last, the newest first."""
        running = await self._lifecycle.open()
        snapshots, _ = await running.sessions.newest()
        return [orjson.loads(snapshot) for snapshot in snapshots]

    async def errors_after(self, session_id: str, n: int) -> list[dict[str, Any]]:
        """
        List a session's errors numbered above `n`, ascending, a thousand at most.

        Raises:
            IngestError: the session is unknown.
        """
        running = await self._lifecycle.open()
        errors, _ = await running.sessions.errors_after(session_id, n)
        return [{**error.to_json()} for error in errors]

    async def report(self, session_id: str, format: str = "ndjson") -> AsyncGenerator[bytes, None]:  # noqa: A002 - as in the query
        """
        Iterate over the report of a session, in pieces as `GET report` sends them.

        `format` is `ndjson` or `csv`. The report of a running session has the files finished
        so far.

        Raises:
            IngestError: the session is unknown.
            ValueError: the format is unknown.
        """
        if format not in MEDIA_TYPES:
            raise ValueError(f"unknown format {format!r}; expected one of {', '.join(MEDIA_TYPES)}")
        running = await self._lifecycle.open()
        pages = await running.sessions.report(session_id)
        async with contextlib.aclosing(running.reports.write(pages, format)) as pieces:
            async for piece in pieces:
                yield piece

    async def watch(self, session_id: str) -> AsyncGenerator[Snapshot, None]:
        """
        Iterate over the newest snapshot and each newer one, until the session or the service ends.

        A slow consumer skips to the newest snapshot, like every other subscriber.

        Raises:
            IngestError: the session is unknown.
        """
        running = await self._lifecycle.open()
        channel = await running.sessions.channel(session_id)
        seen = None
        with running.polling.following(channel) as follower:
            while True:
                if channel.newest is not None and channel.newest is not seen:
                    seen = channel.newest
                    yield orjson.loads(seen.data)
                elif channel.closed or running.polling.stopping:
                    return
                else:
                    await follower.wait()

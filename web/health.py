"""Whether requests are to be sent here: to those who restart services, and who balance loads."""

import asyncio
import logging
import time
from collections.abc import Callable

from ingest.errors import IngestError
from sse import StreamRegistry
from web.response import Response, json
from web.sessions import Sessions

logger = logging.getLogger("web")

CHECK_SECONDS = 2.0
"""Seconds for a check: probes time out after a few seconds themselves."""

FRESH_SECONDS = 1.0
"""Age up to which a check is taken for the next: anybody may ask, and each one writes."""


class Health:
    """
    Liveness, which costs nothing, and readiness, which writes to the disk.

    A service that lives and is not ready is to be left alone and given nothing: its streams go
    on, and a restart would not mend a full disk.
    """

    def __init__(
        self,
        sessions: Sessions,
        streams: StreamRegistry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._streams = streams
        self._clock = clock
        self._checking = asyncio.Lock()
        self._checked: tuple[float, str] | None = None

    async def answer(self, *, ready: bool, stopping: bool) -> Response:
        """Return `200` if the service is live, and with `ready` only if it can run sessions."""
        if stopping:
            return json({"status": "shutting down"}, 503)
        if ready and (trouble := await self._trouble()):
            return json({"status": "not ready", "detail": trouble}, 503)
        counts = {"sessions": self._sessions.running, "streams": self._streams.open}
        return json({"status": "ok", **counts})

    async def _trouble(self) -> str:
        """Return the reason for not being ready; empty if there is none."""
        async with self._checking:
            if self._checked is None or self._clock() - self._checked[0] >= FRESH_SECONDS:
                before = self._checked[1] if self._checked else ""
                trouble = await self._check()
                self._checked = self._clock(), trouble
                if trouble and trouble != before:
                    logger.error("not ready: %s", trouble)
                elif before and not trouble:
                    logger.info("ready again")
            return self._checked[1]

    async def _check(self) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._sessions.check()
        except IngestError as error:
            return str(error)
        except TimeoutError:
            return f"the catalogue, the root or the workers take longer than {CHECK_SECONDS:g} s"
        return ""

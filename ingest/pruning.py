"""Pruning: removing sessions from the catalogue once their retention has passed."""

import asyncio
import logging
import time

from ingest.catalogue.protocol import Catalogue
from ingest.errors import IngestError

logger = logging.getLogger("ingest")

PRUNE_SECONDS = 60.0
"""The longest time between two searches for expired sessions."""


async def prune_expired(catalogue: Catalogue, retention: float) -> None:
    """Remove sessions that ended more than `retention` seconds ago, until cancelled."""
    while True:
        try:
            while ids := await catalogue.prune(time.time() - retention):
                for session_id in ids:
                    logger.info("session %s: pruned, its retention has passed", session_id)
        except IngestError as error:
            logger.warning("pruning failed: %s", error)
        await asyncio.sleep(min(PRUNE_SECONDS, max(1.0, retention / 4)))

"""Who is compared, and how each is started."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Server
from benchmarks.servers import nchan


@dataclass(frozen=True, slots=True)
class Contender:
    """A server of events; `needs` is the package, or file, without which it is left out."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    needs: str | Path | None = None

    @property
    def installed(self) -> bool:
        if isinstance(self.needs, Path):
            return self.needs.exists()
        return self.needs is None or importlib.util.find_spec(self.needs) is not None

    def serve(
        self, cores: frozenset[int], *, streams: int, rate: float, heartbeat: float = 15.0
    ) -> Server:
        """Make its server: `rate` events a second, 0 for as many as it can, below 0 for none."""
        given = {"streams": streams, "rate": rate, "heartbeat": heartbeat}
        flags = [f"--{name}={value}" for name, value in given.items()]
        return Server(f"benchmarks.servers.{self.module}", [*flags, *self.arguments], cores)


BARE = Contender("bare asyncio sockets (the limit)", "bare")
STREAMS = Contender("sse (ours)", "channel")

CONTENDERS = (
    BARE,
    STREAMS,
    Contender("sse (ours), asyncio's loop", "channel", ("--loop=asyncio",), "uvloop"),
    Contender("nchan (in C, in nginx)", "nchan", needs=nchan.MODULE),
    Contender("aiohttp-sse", "aiohttp_sse", needs="aiohttp_sse"),
    Contender("sse-starlette", "sse_starlette", needs="sse_starlette"),
    Contender("FastAPI's SSE", "fastapi_sse", needs="fastapi"),
)


QUICK = (BARE.name, STREAMS.name, "sse-starlette")


def installed(*, quick: bool = False) -> list[Contender]:
    """List the contenders whose packages are there; a few of them for a quick run."""
    there = [contender for contender in CONTENDERS if contender.installed]
    return [c for c in there if c.name in QUICK] if quick else there

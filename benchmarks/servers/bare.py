"""The limit: sockets of asyncio written to in a loop, and nothing else."""

import asyncio

from benchmarks.servers.load import emit, parse

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class Bare(asyncio.Protocol):
    """One connection; any request is answered with the stream."""

    def __init__(self, everyone: "Everyone") -> None:
        self._everyone = everyone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        del data
        self._transport.write(HEAD)
        self._everyone.transports[self._transport] = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._everyone.transports.pop(self._transport, None)


class Everyone:
    def __init__(self) -> None:
        self.transports: dict[asyncio.Transport, None] = {}

    def count(self) -> int:
        return len(self.transports)

    def publish(self, event: str) -> None:
        frame = f"data: {event}\n\n".encode()
        chunk = b"%x\r\n%b\r\n" % (len(frame), frame)
        for transport in tuple(self.transports):
            # What is buffered would go out many events at a time: less work, and late.
            if not transport.get_write_buffer_size():
                transport.write(chunk)

    async def delivered(self) -> None:
        """Return at once: what was written was sent."""


async def main() -> None:
    load = parse()
    everyone = Everyone()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Bare(everyone), "127.0.0.1", load.port, backlog=2048)
    async with server:
        if load.heartbeat:
            loop.call_later(load.heartbeat, _beat, everyone, load.heartbeat)
        await emit(load, everyone)


def _beat(everyone: Everyone, period: float) -> None:
    for transport in tuple(everyone.transports):
        transport.write(b"3\r\n:\n\n\r\n")
    asyncio.get_running_loop().call_later(period, _beat, everyone, period)


if __name__ == "__main__":
    asyncio.run(main())

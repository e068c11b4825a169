"""The library aiohttp-sse, used as in its chat example: a queue for each client."""

import asyncio

from aiohttp import web
from aiohttp_sse import sse_response

from benchmarks.servers.load import Inboxes, emit, parse


async def main() -> None:
    load = parse()
    inboxes = Inboxes()

    async def stream(request: web.Request) -> web.StreamResponse:
        async with sse_response(request, ping_interval=load.heartbeat) as response:
            inbox = inboxes.join()
            try:
                while response.is_connected():
                    await response.send(await inbox.get())
                    inbox.task_done()
            finally:
                inboxes.leave(inbox)
        return response

    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", load.port, backlog=2048).start()
    await emit(load, inboxes)


if __name__ == "__main__":
    asyncio.run(main())

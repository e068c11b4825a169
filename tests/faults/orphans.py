"""What a server leaves behind when it ends, and how long that takes."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, processes, running
from tests.faults.tree import plant
from tests.faults.watcher import Watcher, connect

GONE_SECONDS = 2.0


def leave_no_orphans(bench: Bench) -> Iterator[Row]:
    """Workers end with the server, SIGKILL and SIGTERM alike, and the port is free at once."""
    server = bench.server(file_timeout=600)
    plant(server.root, "held", 2, bad=("hang-1", "hang-2", "hang-3"))
    with running(server):
        for name, end in (("SIGKILL", server.kill), ("SIGTERM", server.stop)):
            session_id = server.begin("held")
            Watcher(server.host, server.port, session_id)
            time.sleep(0.5)
            yield _end(server, name, end)


def _end(server: Server, name: str, end: object) -> Row:
    workers = server.workers()
    sockets = _sockets(server.pid)
    shared = [pid for pid in workers if _sockets(pid) & sockets]
    begun = time.monotonic()
    assert callable(end)
    end()
    ended = time.monotonic() - begun
    while alive := {pid for pid, _ in processes()} & set(workers):
        if time.monotonic() - begun > ended + GONE_SECONDS:
            break
        time.sleep(0.01)
    gone = time.monotonic() - begun - ended
    up = server.start()
    row = Row(
        f"{name} while every worker hangs in a file",
        f"the server ended in {ended:.2f} s, its {len(workers)} workers {gone:.2f} s later; they "
        f"held none of its {len(sockets)} sockets; the same port answered {up:.1f} s later",
    )
    row.check(len(workers) >= 2, f"there were {len(workers)} workers")
    row.check(not alive, f"{alive} live on")
    row.check(not shared, f"{shared} hold sockets of the server")
    row.check(ended < 3, f"it took {ended:.1f} s to end")
    return row


def _sockets(pid: int) -> set[str]:
    links = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.add(os.readlink(entry))
        except OSError:
            continue
    return {link for link in links if link.startswith("socket:")}


def end_with_clients(bench: Bench) -> Iterator[Row]:
    """SIGTERM while clients read nothing of what they asked for."""
    server = bench.server(min_interval=0)
    plant(server.root, "tree", 3000)
    with running(server), ExitStack() as clients:
        session_id = server.begin("tree")
        server.wait_end(session_id)
        paths = 5 * [f"report/{session_id}"] + 5 * ["status"]
        paths += 10 * [f"stream/{server.begin('tree')}"]
        for path in paths:
            client = connect(server.host, server.port, path, buffer=4096)
            clients.enter_context(client)
        time.sleep(1)
        seconds = server.stop()
    row = Row(
        "SIGTERM, and clients that read neither streams nor reports nor anything",
        f"with {len(paths)} such clients it ended after {seconds:.1f} s",
    )
    row.check(seconds < 5, f"it took {seconds:.1f} s to end")
    yield row

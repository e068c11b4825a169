"""The memory of a server over a large session and over many events, measured and drawn."""

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from statistics import median

from tests.faults.plot import plot
from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, running
from tests.faults.tree import link
from tests.faults.watcher import RANK, connect

STREAMS = 100
STALLED = 80
LEVEL = 15_000_000
"""Bytes that memory may differ between the first quarter of a run and its end."""

WAL_LIMIT = 64 * 1024 * 1024

Samples = list[tuple[float, float]]


def many_files(bench: Bench) -> Iterator[Row]:
    """One session of very many files, killed in its middle."""
    server = bench.server()
    count = bench.options.files
    link(server.root, "many", count)
    with running(server):
        session_id = server.begin("many")
        first, wal = _follow(server, session_id, count // 2)
        server.kill()
        again = server.start()
        second, wal_again = _follow(server, session_id, count)
        final = server.snapshot(session_id)
    wal = max(wal, wal_again)
    if bench.options.plots:
        lines = {"first life": first, "second life, after SIGKILL": second}
        plot(bench.options.plots / "memory-files.svg", "server RSS, MB, by files processed", lines)
    row = Row(
        f"a session of {count:,} files, SIGKILL at its half",
        f"{final['status']}; RSS {_range(first)} and, after the kill, {_range(second)} MB; "
        f"the write-ahead log had {wal / 1e6:.0f} MB at most; up again in {again:.1f} s",
    )
    row.check(final["processed_files"] == count, f"{final['processed_files']} of {count}")
    row.check(wal < WAL_LIMIT, "the write-ahead log grows")
    for samples in (first, second):
        row.check(_rise(samples) < LEVEL / 1e6, f"memory rose by {_rise(samples):.0f} MB")
    yield row


def _follow(server: Server, session_id: str, until: int) -> tuple[Samples, int]:
    samples: Samples = []
    wal = 0
    while True:
        snapshot = server.snapshot(session_id)
        if snapshot["status"] == "processing":
            samples.append((snapshot["processed_files"], server.rss() / 1e6))
        wal = max(wal, server.wal())
        if snapshot["processed_files"] >= until or RANK[snapshot["status"]] == 2:
            return samples, wal
        time.sleep(0.25)


def many_events(bench: Bench) -> Iterator[Row]:
    """Events without a pause to a hundred streams, most of which nobody reads."""
    server = bench.server("instant", min_interval=0, send_timeout=2)
    link(server.root, "many", bench.options.events // 2)
    with running(server):
        session_id = server.begin("many")
        crowd = Crowd(server, session_id)
        samples, _ = _follow(server, session_id, bench.options.events // 2)
        event_id = server.get(f"/api/ingest/status/{session_id}").headers["etag"]
        crowd.leave()
    events = int(event_id.strip('"').rpartition("-")[2])
    if bench.options.plots:
        title = "server RSS, MB, by files processed; two events a file"
        plot(bench.options.plots / "memory-events.svg", title, {"100 streams": samples})
    row = Row(
        f"{events:,} events to {STREAMS} streams, {STALLED} of them never read",
        f"RSS {_range(samples)} MB; {crowd.aborted} stalled clients were aborted and came back; "
        f"{crowd.received / 1e6:,.0f} MB were read",
    )
    row.check(events >= bench.options.events, f"only {events} events")
    row.check(_rise(samples) < LEVEL / 1e6, f"memory rose by {_rise(samples):.0f} MB")
    yield row


class Crowd(threading.Thread):
    """
    A hundred clients: some read as fast as they can, the others not at all.

    Where the server has cut one that does not read, another takes its place.
    """

    def __init__(self, server: Server, session_id: str) -> None:
        super().__init__(daemon=True)
        self.received = 0
        self.aborted = 0
        self._server = server
        self._path = f"stream/{session_id}"
        self._leaving = threading.Event()
        self._stalled = deque(self._join(4096) for _ in range(STALLED))
        self._selector = selectors.DefaultSelector()
        for _ in range(STREAMS - STALLED):
            self._selector.register(self._join(None), selectors.EVENT_READ)
        self.start()

    def run(self) -> None:
        looked = time.monotonic()
        while not self._leaving.is_set():
            for key, _ in self._selector.select(0.2):
                assert isinstance(key.fileobj, socket.socket)
                self.received += len(key.fileobj.recv(1 << 18))
            if time.monotonic() - looked > 1:
                looked = time.monotonic()
                self._replace_cut()

    def leave(self) -> None:
        self._leaving.set()
        self.join()
        for client in self._stalled:
            client.close()
        for key in tuple(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _join(self, buffer: int | None) -> socket.socket:
        return connect(self._server.host, self._server.port, self._path, buffer=buffer)

    def _replace_cut(self) -> None:
        for _ in range(min(STREAMS - self._server.streams(), STALLED)):
            # A connection that was cut looks open from here as long as nothing is read.
            self._stalled.popleft().close()
            self._stalled.append(self._join(4096))
            self.aborted += 1


def _range(samples: Samples) -> str:
    values = [value for _, value in samples]
    return f"{min(values):.0f} to {max(values):.0f}"


def _rise(samples: Samples) -> float:
    """Return the MB by which memory at the end is above that after the first quarter."""
    quarter = max(1, len(samples) // 4)
    early = median(value for _, value in samples[quarter : 2 * quarter] or samples)
    late = median(value for _, value in samples[-quarter:])
    return late - early

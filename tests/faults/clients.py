"""Clients that do not read, hardly read or vanish, beside some that keep up."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from statistics import median, quantiles

from tests.faults.network import Network
from tests.faults.scenario import Bench, Row, skip
from tests.faults.server import Server, running
from tests.faults.watcher import Watcher, connect

SEND_TIMEOUT = 2.0
LONG = "x" * 200
"""Paths of such names make snapshots of 10 KB, that fill the kernel's 4 MB in a few seconds."""

STUBBORN = """
import socket, sys, time
clients = []
for _ in range(int(sys.argv[4])):
    client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    client.sendall(f"GET {sys.argv[3]} HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n".encode())
    client.setblocking(False)
    clients.append(client)
print("ready", flush=True)
while True:
    for client in clients:
        try:
            client.recv(1 << 20)
        except OSError:
            pass
    time.sleep(0.01)
"""


def read_badly(bench: Bench) -> Iterator[Row]:
    """The lag of those who read, alone and beside those who do not."""
    server = bench.server("steady", min_interval=0, send_timeout=SEND_TIMEOUT, max_stream_age=3600)
    server.bind = "0.0.0.0"
    folder = server.root / "tree" / LONG / LONG / LONG
    folder.mkdir(parents=True)
    for n in range(2500 if bench.options.quick else 10_000):
        (folder / f"{'bad' if n % 10 == 0 else 'file'}-{n}").touch()
    with running(server), contextlib.ExitStack() as stack:
        session_id = server.begin("tree")
        good = [Watcher(server.host, server.port, session_id) for _ in range(5)]
        seconds = 2 if bench.options.quick else 10
        alone = _lag(good, seconds)
        memory = server.rss()
        count = _bad_clients(server, session_id, stack)
        vanished = _vanish(server, session_id, stack)
        beside = _lag(good, seconds)
        begun = time.monotonic()
        while server.streams() > len(good) and time.monotonic() - begun < 60:
            time.sleep(0.1)
        left = server.streams() - len(good)
        waited = seconds + time.monotonic() - begun
        grown = server.rss() - memory
        for watcher in good:
            watcher.give_up()
    row = Row(
        f"{count} clients that never read, read a byte a second, or are stopped"
        + (f"; {vanished} whose packets are dropped" if vanished else ""),
        f"lag of the others: median {alone[0]:.2f} and 99 % {alone[1]:.1f} ms alone, "
        f"{beside[0]:.2f} and {beside[1]:.1f} ms beside them; all are gone after "
        f"{waited:.0f} s (send_timeout is {SEND_TIMEOUT:g} s); memory grew by "
        f"{grown / 1e6:.1f} MB",
    )
    row.check(left <= 0, f"{left} streams are still open")
    row.check(beside[0] < max(20.0, 3 * alone[0]), "the others' lag went up")
    row.check(grown < (count + vanished) * 200_000 + 5_000_000, "memory is not bounded")
    row.failures += [violation for watcher in good for violation in watcher.violations]
    yield row
    if not vanished:
        yield skip("clients whose packets are dropped", "skipped: needs root and `ip netns`")


def _lag(watchers: list[Watcher], seconds: float) -> tuple[float, float]:
    for watcher in watchers:
        watcher.lags.clear()
    time.sleep(seconds)
    lags = [1000 * lag for watcher in watchers for lag in list(watcher.lags)]
    return median(lags), quantiles(lags, n=100)[98]


def _bad_clients(server: Server, session_id: str, stack: contextlib.ExitStack) -> int:
    path = f"stream/{session_id}"
    for _ in range(20):
        stack.enter_context(connect(server.host, server.port, path, buffer=4096))
    slow = [connect(server.host, server.port, path, buffer=4096) for _ in range(5)]
    over = threading.Event()

    def sip() -> None:
        while not over.wait(1):
            for client in slow:
                with contextlib.suppress(OSError):
                    client.recv(1)

    threading.Thread(target=sip, daemon=True).start()
    stack.callback(over.set)
    for client in slow:
        stack.enter_context(client)
    stopped = _start_clients([], server.host, server, session_id, stack)
    os.kill(stopped, signal.SIGSTOP)
    return 35


def _start_clients(
    prefix: list[str], host: str, server: Server, session_id: str, stack: contextlib.ExitStack
) -> int:
    path = f"/api/ingest/stream/{session_id}"
    client = subprocess.Popen(
        [*prefix, sys.executable, "-c", STUBBORN, host, str(server.port), path, "10"],
        stdout=subprocess.PIPE,
    )
    stack.callback(client.wait)
    stack.callback(client.kill)
    assert client.stdout is not None
    assert client.stdout.readline() == b"ready\n"
    stack.callback(client.stdout.close)
    return client.pid


def _vanish(server: Server, session_id: str, stack: contextlib.ExitStack) -> int:
    network = Network.make(stack)
    if network is None:
        return 0
    _start_clients(network.prefix, network.server_address, server, session_id, stack)
    network.drop_packets()
    return 10


def ages_and_limits(bench: Bench) -> Iterator[Row]:
    """Streams on which nothing happens end at their age; what is full says when to come again."""
    server = bench.server(
        file_timeout=600, max_stream_age=3, heartbeat=60, max_streams=4, max_sessions=1
    )
    (server.root / "hang").touch()
    with running(server), contextlib.ExitStack() as stack:
        session_id = server.begin(".")
        path = f"stream/{session_id}"
        for _ in range(4):
            stack.enter_context(connect(server.host, server.port, path))
        time.sleep(0.3)
        full = [server.get(f"/api/ingest/{path}"), server.process(".")]
        begun = time.monotonic()
        while server.streams() and time.monotonic() - begun < 10:
            time.sleep(0.05)
        seconds = time.monotonic() - begun
    row = Row(
        "silent clients; too many streams and sessions",
        f"gone after {seconds:.1f} s (max_stream_age is 3 s, varied by a tenth); one stream or "
        f"session too many: {full[0].status} and {full[1].status}, Retry-After "
        f"{full[0].headers.get('retry-after')} s",
    )
    row.check(seconds < 5, "silent clients stay")
    for answer in full:
        row.check(answer.status == 503 and "retry-after" in answer.headers, f"{answer}")
    yield row

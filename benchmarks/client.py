"""
The client for machines without a C compiler, and for TLS: used and printing like client.c.

Slower: at some tens of thousands of events a second it is the client that is measured.
"""

import resource
import selectors
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field

from benchmarks.stats import Histogram

TOKEN = b'"changed_at":'
COUNT = b'"processed_files":'
BUFFER = 256 * 1024
CARRY = 64
AT_MOST_SECONDS = 900.0
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True, eq=False)
class Connection:
    link: socket.socket
    request: bytes
    rest: bytes = b""
    files: int | None = None
    waiting: bool = False


@dataclass(slots=True)
class Client:
    polling: bool
    tls: bool
    host: str
    port: int
    paths: list[str]
    wanted: int
    headers: list[str]
    rate: float
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    connections: list[Connection] = field(default_factory=list)
    lags: Histogram = field(default_factory=Histogram)
    measuring: bool = False
    events: int = 0
    received: int = 0
    polls: int = 0
    failed: int = 0
    live: int = 0

    def open(self) -> None:
        for n in range(self.wanted):
            link = socket.create_connection((self.host, self.port), 30)
            if self.tls:
                link = ssl.create_default_context().wrap_socket(link, server_hostname=self.host)
            lines = [f"GET {self.paths[n % len(self.paths)]} HTTP/1.1"]
            lines += [f"Host: {self.host}:{self.port}", *self.headers, "", ""]
            connection = Connection(link, "\r\n".join(lines).encode())
            self.connections.append(connection)
            self.live += 1
            self.ask(connection)
            self.read(connection, first=True)
            link.setblocking(False)
            if connection.link.fileno() >= 0:
                self.selector.register(link, selectors.EVENT_READ, connection)

    def ask(self, connection: Connection) -> None:
        connection.waiting = True
        connection.link.sendall(connection.request)
        self.polls += self.measuring

    def read(self, connection: Connection, *, first: bool = False) -> None:
        while True:
            try:
                data = connection.link.recv(BUFFER)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            if not data or (first and data[8:12] != b" 200"):
                self.finish(connection, failed=first)
                return
            self.take(connection, connection.rest + data, time.time())
            self.received += len(data) * self.measuring
            if not self.polling and data.endswith(LAST_CHUNK):
                self.finish(connection)
            if first or connection.link.fileno() < 0 or not self.tls:
                return

    def finish(self, connection: Connection, *, failed: bool = False) -> None:
        if connection.link in self.selector.get_map():
            self.selector.unregister(connection.link)
        connection.link.close()
        self.live -= 1
        self.failed += failed

    def take(self, connection: Connection, data: bytes, received: float) -> None:
        done = 0
        keep = max(0, len(data) - len(TOKEN) + 1)
        while (at := data.find(TOKEN, done)) >= 0:
            end = begin = at + len(TOKEN)
            while end < len(data) and data[end : end + 1] in b"0123456789.":
                end += 1
            if end == len(data):
                keep = at
                break
            lag = received - float(data[begin:end]) / 1000
            if self.polling:
                self.note_poll(connection, data[done:at], lag)
            elif self.measuring:
                self.lags.add(lag)
            self.events += self.measuring
            done = end
            keep = max(keep, done)
        connection.rest = data[keep:][-CARRY:]

    def note_poll(self, connection: Connection, data: bytes, lag: float) -> None:
        """Charge the poll for what happened before it, one change after the other."""
        connection.waiting = False
        _, found, rest = data.rpartition(COUNT)
        if not found:
            return
        files = int(rest[: rest.index(b",")])
        if connection.files is not None and self.measuring:
            for n in range(connection.files + 1, files + 1):
                self.lags.add(lag + (files - n) / self.rate)
        connection.files = files

    def serve(self, until: float, started: float, interval: float, turn: int) -> int:
        """Poll what is due and read what is there, until the given moment; give the next turn."""
        while (now := time.monotonic()) < until and self.live:
            due = until
            if self.polling:
                while (due := started + turn * interval / self.wanted) <= now:
                    connection = self.connections[turn % self.wanted]
                    if not connection.waiting and connection.link.fileno() >= 0:
                        self.ask(connection)
                    turn += 1
            for key, _ in self.selector.select(max(0.0, min(due, until) - now)):
                self.read(key.data)
        return turn

    def report(self, seconds: float, cpu: float) -> None:
        print("end")
        print(f"events {self.events}\nbytes {self.received}\npolls {self.polls}")
        print(f"live {self.live}\nfailed {self.failed}")
        print(f"seconds {seconds:.6f}\ncpu {cpu:.6f}\nhistogram {self.lags}\ndone", flush=True)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    mode, host, port, path, wanted, *numbers = sys.argv[1:10]
    warmup, seconds, interval, rate = map(float, numbers)
    paths = [path]
    if path.startswith("@"):
        with open(path[1:], encoding="ascii") as file:
            paths = file.read().split()
    polling, tls = mode.startswith("poll"), mode.endswith("+tls")
    client = Client(polling, tls, host, int(port), paths, int(wanted), sys.argv[10:], rate or 1)
    begun = time.monotonic()
    client.open()
    started = time.monotonic()
    print("opened", client.live, started - begun, flush=True)
    turn = client.serve(started + warmup, started, interval, 0)
    client.measuring = True
    print("begin", flush=True)
    used, begun = cpu_seconds(), time.monotonic()
    client.serve(begun + (seconds or AT_MOST_SECONDS), started, interval, turn)
    client.report(time.monotonic() - begun, cpu_seconds() - used)


if __name__ == "__main__":
    main()

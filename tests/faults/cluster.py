"""A cluster under random faults: two replicas, three workers, one PostgreSQL, roaming watchers."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.audit import compare
from tests.faults.scenario import Bench, Row
from tests.faults.server import REPOSITORY, Server
from tests.faults.tree import Tree, plant
from tests.faults.watcher import RANK, Watcher
from tests.support import postgres
from tests.support.postgres import PostgresServer

WORKERS = 3

SESSIONS = 2
"""Sessions that run at once."""

FROZEN_SECONDS = (3.0, 12.0)
"""How long a worker is stopped: for less and for more than it takes to be taken for dead."""

DOWN_SECONDS = 3.0

END_SECONDS = 120.0


class RoamingWatcher(Watcher):
    """A watcher that reconnects to the next replica, as a browser behind a balancer does."""

    def __init__(self, ports: Sequence[int], session_id: str) -> None:
        self._ports = itertools.cycle(ports)
        super().__init__("127.0.0.1", next(self._ports), session_id)

    def _follow(self) -> None:
        self._address = "127.0.0.1", next(self._ports)
        super()._follow()


@dataclass
class WorkerHost:
    """A process `ingest-stream worker`, over any number of lives."""

    root: Path
    database: str
    processor: str
    log: Path
    frozen_until: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        command = [sys.executable, "-m", "cli", "worker", "--workers", "2"]
        command += ["--root", str(self.root), "--processor", self.processor]
        command += ["--file-timeout", "20", "--log-level", "warning"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env={**os.environ, "INGEST_DATABASE": self.database},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self, seconds: float) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.frozen_until = time.monotonic() + seconds

    def thaw(self, *, now: bool = False) -> None:
        """Resume it, once its time is over."""
        if self.process and self.frozen_until and (now or time.monotonic() > self.frozen_until):
            self.frozen_until = 0.0
            self.process.send_signal(signal.SIGCONT)


@dataclass
class Session:
    id: str
    tree: Tree
    watchers: list[RoamingWatcher]

    @property
    def over(self) -> bool:
        snapshot = self.watchers[0].snapshot
        return snapshot is not None and RANK[snapshot["status"]] == 2


@dataclass
class Cluster:
    """All processes of a cluster, and the sessions that were started in it."""

    bench: Bench
    database: PostgresServer
    files: int
    sessions: list[Session] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        with psycopg.connect(self.database.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE ingest")
        self.url = self.database.url("ingest")
        root = self.bench.folder / "tree"
        root.mkdir()
        processor = "tests.faults.processors:slow"
        settings = {"workers": 0, "retry": 100}
        url: Any = self.url
        self.replicas = [Server(root, url, settings) for _ in range(2)]
        self.workers = [
            WorkerHost(root, self.url, processor, self.bench.folder / f"worker-{n}.log")
            for n in range(WORKERS)
        ]
        self.trees = [plant(root, f"tree-{n}", self.files) for n in range(SESSIONS)]

    def start(self) -> None:
        for worker in self.workers:
            worker.launch()
        for replica in self.replicas:
            replica.start()

    def end(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(OSError):
                worker.thaw(now=True)
            worker.kill()
        for replica in self.replicas:
            if replica.alive:
                replica.kill()

    def keep_busy(self) -> None:
        """Start sessions until SESSIONS of them run; now and then one is cancelled."""
        running = [session for session in self.sessions if not session.over]
        if len(running) < SESSIONS:
            self._begin(self.trees[len(self.sessions) % len(self.trees)])
        elif self.bench.random.random() < 0.05:
            self._ask("POST", f"/api/ingest/cancel/{running[0].id}")
            self.struck["cancelled"] += 1

    def strike(self, fault: str) -> None:
        """Inject one fault."""
        getattr(self, f"_{fault}")()
        self.struck[fault] += 1

    def thaw(self) -> None:
        for worker in self.workers:
            worker.thaw()

    def wait_end(self) -> list[str]:
        """Wait until all sessions have ended; return what did not."""
        until = time.monotonic() + END_SECONDS
        while time.monotonic() < until and not all(session.over for session in self.sessions):
            self.thaw()
            time.sleep(0.1)
        return [
            f"{s.id} did not end: {s.watchers[0].snapshot}" for s in self.sessions if not s.over
        ]

    def _begin(self, tree: Tree) -> None:
        key = f"key-{len(self.sessions)}"
        body = {"directory": tree.directory}
        answer = self._ask("POST", "/api/ingest/process", body, {"Idempotency-Key": key})
        if answer is not None and answer.status == 202:
            session_id = answer.json["session_id"]
            ports = [replica.port for replica in self.replicas]
            watchers = [RoamingWatcher(order, session_id) for order in (ports, ports[::-1])]
            self.sessions.append(Session(session_id, tree, watchers))

    def _ask(self, method: str, path: str, body: object = None, headers: Any = None) -> Any:
        """Return the answer of some replica; None if it is away at the moment."""
        replica = self.bench.random.choice(self.replicas)
        with contextlib.suppress(OSError):
            return replica.ask(method, path, body, headers)
        return None

    def _worker(self) -> None:
        worker = self.bench.random.choice(self.workers)
        worker.thaw(now=True)
        worker.kill()
        time.sleep(self.bench.random.uniform(0, 0.5))
        worker.launch()

    def _workers(self) -> None:
        for worker in self.workers:
            worker.thaw(now=True)
            worker.kill()
        for worker in self.workers:
            worker.launch()

    def _frozen(self) -> None:
        self.bench.random.choice(self.workers).freeze(self.bench.random.uniform(*FROZEN_SECONDS))

    def _replica(self) -> None:
        replica = self.bench.random.choice(self.replicas)
        replica.kill()
        time.sleep(self.bench.random.uniform(0, 0.5))
        replica.launch()

    def _database(self) -> None:
        self.database.crash()
        time.sleep(self.bench.random.uniform(0, DOWN_SECONDS))
        self.database.start()


FAULTS = ("worker",) * 6 + ("replica",) * 3 + ("frozen",) * 3 + ("workers",) + ("database",)


def kill_cluster(bench: Bench) -> Iterator[Row]:
    """Kill and freeze its processes and its database at random; then count every file."""
    programs = postgres.binaries()
    row = Row("cluster: random faults", "")
    if programs is None:
        row.seen, row.skipped = "PostgreSQL is not installed", True
        yield row
        return
    count = 12 if bench.options.quick else bench.options.kills * 3
    with postgres.server(programs) as database:
        cluster = Cluster(bench, database, files=600)
        cluster.start()
        try:
            for _ in range(count):
                cluster.keep_busy()
                time.sleep(bench.random.uniform(0.2, 2.0))
                cluster.thaw()
                cluster.strike(bench.random.choice(FAULTS))
            row.failures += cluster.wait_end()
            _judge(row, cluster)
        finally:
            cluster.end()
    yield row


def _judge(row: Row, cluster: Cluster) -> None:
    for replica in cluster.replicas:
        if not replica.alive:
            replica.launch()
    lost = twice = 0
    ended = [session for session in cluster.sessions if session.over]
    for session in ended:
        found = compare(cluster.replicas[0], session.id, session.tree)
        lost, twice = lost + found.lost, twice + found.twice
        row.failures += [f"{session.id}: {wrong}" for wrong in found.wrong]
    for session in cluster.sessions:
        for watcher in session.watchers:
            watcher.give_up()
            row.failures += watcher.violations
    files = sum(len(session.tree.files) for session in ended)
    faults = ", ".join(f"{count} {name}" for name, count in sorted(cluster.struck.items()))
    row.seen = f"{faults}; {len(ended)} sessions of {files:,} files: {lost} lost, {twice} twice"
    row.check(lost == 0 and twice == 0, "files were lost, or recorded twice")

"""Random SIGKILLs in every phase of a session; then every file is counted."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.faults.audit import audit, copy, recorded
from tests.faults.scenario import Bench, Row
from tests.faults.server import Server, running
from tests.faults.tree import Tree, plant
from tests.faults.watcher import RANK, Watcher

MANY_SESSIONS = 5
"""Unfinished sessions at which one is waited for, before others are started."""


@dataclass
class Watched:
    """A session of this harness, and its watchers."""

    id: str
    tree: Tree
    watchers: list[Watcher]
    cancel_answered: bool = False

    @property
    def over(self) -> bool:
        snapshot = self.watchers[0].snapshot
        return snapshot is not None and RANK[snapshot["status"]] == 2

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        self.watchers[0].wait_for(wanted, 60)


@dataclass
class Kills:
    """The lives of one server under random kills."""

    bench: Bench
    server: Server
    trees: dict[str, Tree]
    sessions: list[Watched] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)

    def begin(self, tree: str) -> Watched:
        while len(running_now := [s for s in self.sessions if not s.over]) >= MANY_SESSIONS:
            running_now[0].wait_for(lambda snapshot: RANK[snapshot["status"]] == 2)
        session_id = self.server.begin(tree)
        address = self.server.host, self.server.port
        watchers = [Watcher(*address, session_id) for _ in range(2)]
        session = Watched(session_id, self.trees[tree], watchers)
        self.sessions.append(session)
        return session

    def pause(self, seconds: float) -> None:
        time.sleep(self.bench.random.uniform(0, seconds))

    def strike(self, phase: str) -> None:
        """Bring a session into the phase, and kill."""
        getattr(self, f"_{phase}")()
        self.server.kill()
        self._look(phase)
        if phase == "restoring":
            # Once more, in the middle of the start that takes the sessions up.
            self.server.launch()
            self.pause(0.6)
            self.server.kill()
        self.starts.append(self.server.start())

    def _finding(self) -> None:
        self.begin("large")
        self.pause(0.08)

    def _processing(self) -> None:
        session = self.begin("small")
        session.wait_for(lambda snapshot: snapshot["processed_files"] > 0)
        self.pause(0.15)

    def _finishing(self) -> None:
        session = self.begin("small")
        session.wait_for(
            lambda snapshot: (
                RANK[snapshot["status"]] == 2
                or snapshot["processed_files"] >= 0.95 * snapshot["total_files"] > 0
            )
        )
        self.pause(0.04)

    def _cancelled(self) -> None:
        session = self.begin(self.bench.random.choice(["large", "small"]))
        self.pause(0.3)

        def cancel() -> None:
            with suppress(OSError, http.client.HTTPException):
                session.cancel_answered = self.server.cancel(session.id).status == 202

        asking = threading.Thread(target=cancel)
        asking.start()
        self.pause(0.03)
        self.server.kill()
        asking.join()

    def _several(self) -> None:
        for _ in range(3):
            self.begin("small")
        self.pause(0.4)

    _restoring = _several

    def _look(self, phase: str) -> None:
        """Check that the dead server's disk holds everything that a watcher had received."""
        with closing(copy(self.server.database)) as connection:
            states = []
            for session in self.sessions:
                status, cancelled, found, outcomes = recorded(connection, session.id)
                seen = session.watchers[0].snapshot or {"processed_files": 0, "total_files": 0}
                if seen["processed_files"] > outcomes or seen["total_files"] > found:
                    self.failures.append(f"shown and not recorded, while {phase}: {seen}")
                if RANK[status] < 2:
                    last = outcomes > 0.9 * found
                    states.append("cancelled" if cancelled else "finishing" if last else status)
        self.struck.update(set(states) or {"at rest"})
        self.struck["several at once"] += len(states) > 1

    def settle(self) -> Row:
        """Wait for the end of all sessions, and audit each."""
        lost = twice = events = reconnections = back = 0
        ends: Counter[str] = Counter()
        for session in self.sessions:
            for watcher in session.watchers:
                if not watcher.wait_end(120):
                    self.failures.append(f"a watcher saw no end, but {watcher.snapshot}")
            final = self.server.snapshot(session.id)
            result = audit(self.server, session.id, session.tree)
            lost, twice = lost + result.lost, twice + result.twice
            self.failures += result.wrong
            ends[final["status"]] += 1
            if session.cancel_answered and final["status"] != "cancelled":
                self.failures.append(f"cancelled, and ended {final['status']}")
            for watcher in session.watchers:
                events += watcher.events
                reconnections += watcher.connections - 1
                back += len(watcher.violations)
                self.failures += watcher.violations
                if watcher.snapshot != final:
                    self.failures.append("a watcher ended at another snapshot than the status's")
        files = sum(len(session.tree.files) for session in self.sessions)
        seen = (
            f"{len(self.starts)} kills over {len(self.sessions)} sessions of {files:,} files "
            f"({_list(ends)}); the kills struck: {_list(self.struck)}; {lost} lost, {twice} twice; "
            f"{2 * len(self.sessions)} watchers with {reconnections} reconnections and {events:,} "
            f"events, {back} went back; up again in {max(self.starts):.1f} s at most"
        )
        row = Row("SIGKILL at random", seen, self.failures)
        row.check(lost == twice == 0, f"{lost} lost, {twice} twice")
        return row


def kill_at_random(bench: Bench) -> Iterator[Row]:
    """Kill in every phase in turn, with up to five sessions under way, and audit at the end."""
    server = bench.server()
    sizes = {"small": 600, "large": 3000} if bench.options.quick else {"small": 2000, "large": 8000}
    trees = {name: plant(server.root, name, count) for name, count in sizes.items()}
    phases = ("finding", "processing", "finishing", "cancelled", "several", "restoring")
    with running(server):
        kills = Kills(bench, server, trees)
        for n in range(bench.options.kills):
            kills.strike(phases[n % len(phases)])
        yield kills.settle()


def _list(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())

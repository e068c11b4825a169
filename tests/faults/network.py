"""A network of our own, to drop a client's packets in: it vanishes without a FIN or RST."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass

from tests.faults.scenario import is_root


@dataclass(frozen=True, slots=True)
class Network:
    """A network namespace with one cable to this one."""

    name: str
    cable: str
    server_address: str

    @classmethod
    def make(cls, stack: contextlib.ExitStack) -> "Network | None":
        """Make one, or give None where that is not possible."""
        if not is_root() or shutil.which("ip") is None:
            return None
        number = os.getpid() % 250
        made = cls(f"faults{number}", f"faults{number}", f"10.213.{number}.1")
        try:
            made._lay_cable(stack)
        except subprocess.CalledProcessError:
            return None
        return made

    @property
    def prefix(self) -> list[str]:
        """What to put before a command that is to run there."""
        return ["ip", "netns", "exec", self.name]

    def drop_packets(self) -> None:
        """Drop all packets from now on, both ways."""
        _ip("link", "set", self.cable, "down")

    def _lay_cable(self, stack: contextlib.ExitStack) -> None:
        there = self.server_address[:-1] + "2"
        _ip("netns", "add", self.name)
        stack.callback(_ip, "netns", "del", self.name)
        _ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("addr", "add", f"{self.server_address}/24", "dev", self.cable)
        _ip("link", "set", self.cable, "up")
        _ip("-n", self.name, "addr", "add", f"{there}/24", "dev", "eth0")
        _ip("-n", self.name, "link", "set", "eth0", "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)

"""What `deploy/` and `docs/deploy.md` say, held against the service and the tools they are for."""

import configparser
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from ingest import Settings
from tests.e2e.test_prefixes import KEPT, REDIRECT, STRIPPED
from tests.support.gated import permit
from tests.support.http2 import DEADLINE
from tests.support.proxy_servers import DEPLOY, ROOT, Child, Upstream, free_port
from tests.support.server import until
from tests.support.tools import need

pytestmark = pytest.mark.e2e

DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()
UNIT = DEPLOY / "ingest-stream.service"
DOCKERFILE = DEPLOY / "Dockerfile"
COMMAND = "/opt/ingest-stream/bin/ingest-stream"
PORT = "8000"


@pytest.mark.parametrize("file", sorted(DEPLOY.iterdir()), ids=lambda file: file.name)
def test_document_shows_the_file(file: Path) -> None:
    """The documented configuration is the tested file."""
    indented = re.sub("^(?=.)", "    ", file.read_text(), flags=re.MULTILINE)
    assert f"\n\n{indented}\n" in DOCUMENT


def test_document_names_the_changes_for_a_prefix() -> None:
    """What the tests change for a prefix is what the document says to change."""
    for changes in KEPT.values():
        for old, new in changes.items():
            assert f"`{old}` | `{new}`" in DOCUMENT
    for changes in STRIPPED.values():
        for new in changes.values():
            for line in new.splitlines():
                told = line.strip() in ("reverse_proxy", "option forwardfor")
                assert told or f"`{line.strip()}`" in DOCUMENT, line
    assert f"`{REDIRECT}`" in DOCUMENT


def test_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    """Systemd has nothing to say against the unit, and finds little that it is exposed to."""
    analyze = need("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(COMMAND, sys.executable))
    verified = subprocess.run([analyze, "verify", str(unit)], capture_output=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, b"")
    security = [analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", str(unit)]
    rated = subprocess.run(security, capture_output=True, check=False)
    assert rated.returncode == 0, rated.stdout.decode()[-300:]


def service_of(unit: Path) -> dict[str, list[str]]:
    """Read the values of each name in `[Service]`; some stand there more than once."""
    section = unit.read_text().partition("[Service]\n")[2].partition("\n[")[0]
    values: dict[str, list[str]] = {}
    for line in section.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            values.setdefault(name, []).append(value)
    return values


class Service(Child):
    """A command line, with a root and a catalogue in the folder, on the port of this child."""

    def start(self, command: str, settings: dict[str, str]) -> None:
        (self.folder / "root").mkdir()
        places = {"INGEST_ROOT": "root", "INGEST_DATABASE": "ingest.db"}
        given = {
            name: str(self.folder / places.get(name, value)) for name, value in settings.items()
        }
        words = shlex.split(command.replace(PORT, str(self.port)))
        run = [sys.executable, "-m", "app", *words[1:]]
        self.run(run, {**os.environ, "PYTHONPATH": str(ROOT), **given})


def test_unit_starts_the_service(tmp_path: Path) -> None:
    """Its command and settings are taken; the signal ends it as systemd counts a clean end."""
    values = service_of(UNIT)
    assert values["KillMode"] == ["mixed"]
    (command,) = values["ExecStart"]
    settings = dict(value.split("=", 1) for value in values["Environment"])
    service = Service(tmp_path, "service")
    service.start(command, settings)
    begun = time.monotonic()
    ended = service.stop()
    assert ended in (0, -signal.SIGTERM)
    assert time.monotonic() - begun < float(values["TimeoutStopSec"][0].removesuffix("s"))
    assert command.startswith(COMMAND)


def test_unit_does_not_restart_a_wrong_setting(tmp_path: Path) -> None:
    """A setting that cannot be used ends it with the status that the unit names."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "INGEST_HEARTBEAT": "0"}
    command = [sys.executable, "-m", "app"]
    ended = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, check=False)
    assert [str(ended.returncode)] == service_of(UNIT)["RestartPreventExitStatus"]


def instructions() -> list[tuple[str, str]]:
    """Read the Dockerfile: each instruction and what is behind it, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def test_image_has_every_package() -> None:
    """What is copied exists, and is all that is to be installed."""
    copied = [value.split()[:-1] for name, value in instructions() if name == "COPY"]
    sources = {source for each in copied for source in each}
    assert all((ROOT / source).exists() for source in sources)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = {
        name.removesuffix(".*") for name in setup["options.packages.find"]["include"].split()
    }
    modules = {f"{name}.py" for name in setup["options"]["py_modules"].split()}
    assert packages | modules | {"setup.cfg", "pyproject.toml"} <= sources
    extras = set(
        re.findall(r"^ARG EXTRAS=([a-z,]+)$", DOCKERFILE.read_text(), re.MULTILINE)[0].split(",")
    )
    assert extras <= set(setup["options.extras_require"])


def test_image_runs_the_service(tmp_path: Path) -> None:
    """Its command and settings are taken, and its health check tells a server from none."""
    given = dict(instructions())
    settings = dict(pair.split("=") for pair in given["ENV"].split())
    known = {f"INGEST_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(settings) <= known
    service = Service(tmp_path, "service")
    service.start(shlex.join(json.loads(given["CMD"])), settings)
    python, *check = json.loads(given["HEALTHCHECK"].partition("CMD ")[2])
    check = [word.replace(PORT, str(service.port)) for word in check]
    assert python == "python"
    try:
        assert subprocess.run([sys.executable, *check], check=False).returncode == 0
    finally:
        service.stop()
    gone = subprocess.run([sys.executable, *check], capture_output=True, check=False)
    assert gone.returncode == 1


def test_several_workers_are_refused(tmp_path: Path) -> None:
    """Uvicorn stops, and the log names the process that has the catalogue."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "INGEST_DATABASE": str(tmp_path / "i.db")}
    port = str(free_port())
    command = [sys.executable, "-m", "uvicorn", "app:app", "--workers", "2", "--port", port]
    ended = subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, timeout=DEADLINE, check=False
    )
    assert b"is in use by another process" in ended.stderr
    assert "`is in use by another process`" in DOCUMENT.replace("\n", " ")


def test_reload_goes_on_with_the_sessions(tmp_path: Path) -> None:
    """A change of the source ends the server and not the session."""
    source = tmp_path / "source" / "some.py"
    source.parent.mkdir()
    source.touch()

    def reloads() -> bool:
        source.touch()  # repeatedly: the first look at the file does not count as a change
        return "Reloading" in upstream.log

    upstream = Upstream(tmp_path / "service", "--reload", "--reload-dir", str(source.parent))
    upstream.start()
    try:
        (upstream.root / "edited").mkdir()
        (upstream.root / "edited" / "file.txt").touch()
        api = f"http://127.0.0.1:{upstream.port}/api/ingest"
        session = httpx.post(f"{api}/process", json={}).json()["session_id"]
        until(reloads)
        permit(upstream.root, "edited", 1)
        until(lambda: upstream.log.count("startup complete") == 2)
        status = f"{api}/status/{session}"
        until(lambda: httpx.get(status).json()["status"] == "completed")
    finally:
        upstream.stop()

"""What is built is whole: a wheel that runs from any folder, with the page in it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from ingest import __version__
from tests.support.server import DEADLINE, RUNNING, until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("cli", "cluster", "ingest", "sse", "web")
BUILD_SECONDS = 120


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source archive, and from it the wheel, in a copy that leaves no traces here."""
    copy = tmp_path_factory.mktemp("build") / "source"
    copy.mkdir()
    for name in ("app.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(copy / "dist"), str(copy)],
        capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deprecat" not in done.stdout + done.stderr, done.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel where nothing of ours is, with the requirements borrowed from here."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install",
         "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel)],
        check=True, timeout=BUILD_SECONDS,
    )  # fmt: skip
    return folder / "bin"


def test_wheel_holds_the_sources_and_no_more(wheel: Path) -> None:
    """Each module, the page, the API's description and the marks of typing: all, and only those."""
    kept = (".py", ".json", ".js", ".html", ".css", ".svg", ".sql", ".typed")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in kept or path.name == "py.typed"
    }
    wanted = wanted - {"web/package.json"} | {"app.py"}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == wanted
    assert {"web/page/index.html", "web/openapi.json", "web/py.typed"} <= names


def test_metadata_is_what_the_sources_say(wheel: Path) -> None:
    """Version, licence and the two requirements; all else is an extra."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Version"] == __version__
    assert metadata["License"] == "MIT"
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(each.partition(">")[0] for each in required) == ["orjson", "uvicorn"]


def test_wheel_runs_from_any_folder(installed: Path, tmp_path: Path) -> None:
    """Installed from the wheel, the command serves the page where no source is near."""
    log_file = tmp_path / "log"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [installed / "ingest-stream", "--port", "0"],
            cwd=tmp_path, env=environ, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: RUNNING.search(log_file.read_text().lower()) or process.poll() is not None)
        found = RUNNING.search(log_file.read_text().lower())
        assert found, log_file.read_text()
        for path in ("", "static/app.js", "static/net/api.js", "openapi.json", "healthz?ready"):
            address = f"http://127.0.0.1:{found[1]}/{path}"
            with urllib.request.urlopen(address, timeout=DEADLINE) as answer:
                assert answer.read()
    finally:
        process.terminate()
        process.wait(DEADLINE)
    assert "Traceback" not in log_file.read_text()


def test_installed_code_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    """What ran above was what had been installed, and not this checkout."""
    code = "import app, web; print(app.__file__, web.__file__)"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(
        [installed / "python", "-c", code],
        cwd=tmp_path, env=environ, check=True, capture_output=True, text=True, timeout=DEADLINE,
    ).stdout  # fmt: skip
    assert str(ROOT) not in told.replace(str(installed.parent), "")
    assert told.count("site-packages") == 2

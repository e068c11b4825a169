"""The deployment face: what is made at import, the flags, the words at a wrong one."""

import logging
import os
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import app as app_module
from cli import serve as serve_module
from ingest import Settings, __version__

SOURCES = Path(app_module.__file__).parent


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for the server: what it would have been given."""
    given: dict[str, Any] = {}

    def run(server: serve_module.Server) -> None:
        given.update(vars(server.config))
        server.started = True

    def create_app(settings: Settings) -> app_module.Application:
        given["settings"] = settings
        return app_module.create_app(settings)

    monkeypatch.setattr(serve_module.Server, "run", run)
    monkeypatch.setattr(serve_module, "create_app", create_app)
    monkeypatch.setattr(serve_module, "check_settings", lambda _: None)
    monkeypatch.setattr(serve_module, "check_address", lambda *_: None)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    for name in [name for name in os.environ if name.startswith("INGEST_")]:
        monkeypatch.delenv(name)
    return given


def test_import_is_inert(tmp_path: Path) -> None:
    """`import app` reads no setting, writes no file and starts no thread, whatever is set."""
    code = (
        "import threading, app; assert threading.active_count() == 1;"
        "assert isinstance(app.app, app.Application); import logging;"
        "assert not logging.getLogger().handlers"
    )
    environ = {**os.environ, "PYTHONPATH": str(SOURCES), "INGEST_WORKERS": "wrong"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path, env=environ
    )
    assert not list(tmp_path.iterdir())


def test_every_setting_is_a_flag(served: dict[str, Any]) -> None:
    """A flag bears the name of its setting, and is stronger than the environment."""
    given = {
        "root": "/", "database": "/x.db", "workers": "3", "processor": "a:b", "file_timeout": "7",
        "min_interval": "0", "heartbeat": "1.5", "delivery": "task",
        "retry": "0", "send_timeout": "2", "verify": "none", "max_pixels": "8",
        "max_stream_age": "0", "max_sessions": "4", "max_streams": "5", "retention": "6",
        "token": "t", "allowed_hosts": "a,b", "cors_origins": "https://a/",
        "polling_deprecated": "2027-01-31", "polling_sunset": "2027-06-30T00:00:00Z",
    }  # fmt: skip
    assert set(given) == {field.name for field in fields(Settings)}
    flags = [part for name, text in given.items() for part in (f"--{name.replace('_', '-')}", text)]
    assert app_module.main(flags) == 0
    assert served["settings"] == Settings(**given)  # type: ignore[arg-type]


def test_environment_is_the_default(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no flag says the environment does; an empty value says nothing."""
    monkeypatch.setenv("INGEST_WORKERS", "2")
    monkeypatch.setenv("INGEST_MAX_SESSIONS", "3")
    monkeypatch.setenv("INGEST_HEARTBEAT", "")
    app_module.main(["--max-sessions", "4"])
    settings = served["settings"]
    assert (settings.workers, settings.max_sessions, settings.heartbeat) == (2, 4, 15)


@pytest.mark.parametrize(("given", "prefix"), [("x/y/", "/x/y"), ("/", ""), ("/x", "/x")])
def test_prefix_is_written_as_asgi_has_it(served: dict[str, Any], given: str, prefix: str) -> None:
    """A slash in front and none behind, however it was typed: else no route would be found."""
    app_module.main(["--root-path", given])
    assert served["root_path"] == prefix


def test_server_is_told_what_is_its_own(served: dict[str, Any]) -> None:
    """Address, port, prefix and log level go to the server, which logs no request."""
    app_module.main(["--host", "::1", "--port", "0", "--root-path", "/x", "--log-level", "debug"])
    assert {name: served[name] for name in ("host", "port", "root_path", "log_level")} == {
        "host": "::1", "port": 0, "root_path": "/x", "log_level": "debug",
    }  # fmt: skip
    assert served["access_log"] is False


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--workers", "0"], "INGEST_WORKERS (--workers) is 0"),
        (["--workers", "x"], "whole number"),
        (["--heartbeat", "0"], "above 0"),
        (["--heartbeat", "nan"], "above 0"),
        (["--min-interval=-1"], "0 or more"),
        (["--retry", "1.5"], "milliseconds"),
        (["--processor", "json"], "module:function"),
        (["--polling-sunset", "tomorrow"], "ISO 8601"),
        (["--root", "a\0b"], "a path"),
    ],
)
def test_wrong_setting_stops_the_start_with_one_line(
    served: dict[str, Any], capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    """A value that does not parse is one line that names the setting and what it takes."""
    assert app_module.main(flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert not served


def test_wrong_variable_stops_the_start_with_one_line(
    served: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment is held to the same, and a secret is not repeated."""
    monkeypatch.setenv("INGEST_TOKEN", "s\u00e9cret")
    assert app_module.main([]) == 2
    error = capsys.readouterr().err
    assert "INGEST_TOKEN" in error
    assert "cret " not in error.replace("secret value", "")
    assert error.count("\n") == 1


@pytest.mark.parametrize("flags", [["--port", "65536"], ["--port", "x"], ["--nonsense"], ["x"]])
def test_wrong_flag_is_refused_in_one_line(
    served: dict[str, Any], capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    """An unknown flag, or a port out of range, is one line and exit status 2."""
    with pytest.raises(SystemExit) as stopped:
        app_module.main(flags)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("ingest-stream: ")
    assert error.count("\n") == 1
    assert "--help" in error
    assert not served


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        ([], False), (["--host", "localhost"], False), (["--host", "::1"], False),
        (["--host", "0.0.0.0"], True), (["--host", "files.example"], True),
        (["--host", "0.0.0.0", "--token", "t"], False),
    ],
)  # fmt: skip
def test_open_address_without_a_token_warns(
    served: dict[str, Any], capsys: pytest.CaptureFixture[str], flags: list[str], warned: bool
) -> None:
    """A server that other machines can reach without a token warns once."""
    app_module.main(flags)
    assert ("no token" in capsys.readouterr().err) is warned
    assert served


def test_help_explains_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of `serve` lists each setting's flag, and says what it means."""
    with pytest.raises(SystemExit):
        app_module.main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name, (value, meaning) in Settings.explained().items():
        assert f"--{name.replace('_', '-')} {value} {meaning}" in text


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` is one line."""
    with pytest.raises(SystemExit) as stopped:
        app_module.main(["--version"])
    assert (stopped.value.code, capsys.readouterr().out) == (0, f"ingest-stream {__version__}\n")


def test_unusable_address_root_or_processor_is_refused_before_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port in use, a missing root and a missing processor are one line each."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flags, words in (
            (["--port", port], f"cannot listen on 127.0.0.1:{port}"),
            (["--root", str(tmp_path / "none")], "no such directory"),
            (["--processor", "no.such:thing"], "cannot be loaded"),
        ):
            assert app_module.main(flags) == 2
            error = capsys.readouterr().err
            assert words in error
            assert error.count("\n") == 1

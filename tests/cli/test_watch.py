"""`ingest-stream watch`, as a whole."""

import json

import pytest

import app
from tests.support.scripted_server import answer, scripted, stream
from tests.support.snapshots import error, snapshot


def test_watch_shows_a_session_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """What is done goes to the output, what failed to the other; some failed: status 1."""
    last = snapshot("completed", done=9, errors=[error(1, "x.png")])
    with scripted(stream(snapshot(done=3), last)) as server:
        status = app.main(["watch", f"{server.address}/#s"])
    written = capsys.readouterr()
    assert status == 1
    assert written.out.splitlines()[-1] == "completed: 100 %, 9 done, 1 failed"
    assert written.err == "failed: x.png: bad\n"


def test_watch_fetches_what_no_snapshot_held(capsys: pytest.CaptureFixture[str]) -> None:
    """Of thirty files that failed at once each is named, though a snapshot holds ten."""
    errors = [error(n, f"{n}.png") for n in range(1, 31)]
    page = json.dumps({"errors": errors, "total": 30}).encode()
    with scripted(
        stream(snapshot("completed", total=30, errors=errors)), answer("200 OK", page)
    ) as server:
        app.main(["watch", f"{server.address}/#s"])
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == [
        f"{n}.png:" for n in range(1, 31)
    ]


def test_watch_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A program gets the very snapshots that the server sent."""
    given = [snapshot(done=3), snapshot("completed", done=10)]
    with scripted(stream(*given)) as server:
        assert app.main(["watch", f"{server.address}/#s", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == given


def test_token_comes_from_the_environment_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token need not stand on the command line, where every process list shows it."""
    monkeypatch.setenv("INGEST_TOKEN", "sesame")
    with scripted(answer("404 Not Found", b'{"detail": "no session"}')) as server:
        assert app.main(["watch", f"{server.address}/#s"]) == 2
    assert "Bearer sesame" in server.requests[0]
    assert capsys.readouterr().err == "ingest-stream: the server answers 404: no session\n"


def test_address_that_names_no_session_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is wanted."""
    assert app.main(["watch", "http://a.org/"]) == 2
    assert capsys.readouterr().err.count("\n") == 1

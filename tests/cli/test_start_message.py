"""What a server says once it listens."""

import shlex

import pytest

from cli.start_message import start_message


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("0.0.0.0", "http://127.0.0.1:80/"),
        ("::", "http://[::1]:80/"),
        ("files.example", "http://files.example:80/"),
    ],
)
def test_address_is_one_that_can_be_opened(host: str, base: str) -> None:
    """Not the one that stands for all of a machine's."""
    assert f"Open {base} " in start_message(host, 80, has_token=False)


@pytest.mark.parametrize("has_token", [False, True])
def test_line_is_whole_for_a_shell(has_token: bool) -> None:
    """It can be copied as it stands; a token comes from the environment, and is not shown."""
    text = start_message("127.0.0.1", 8000, has_token=has_token)
    words = shlex.split(text[text.index("curl") :].replace("\\\n", " "), posix=True)
    assert words[:2] == ["curl", "-N"]
    assert text.count("Bearer $INGEST_TOKEN") == (2 if has_token else 0)

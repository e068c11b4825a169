"""The message of a server that has started to listen: the address to open, a command to try."""

UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""Addresses that mean all interfaces of this machine, with one that a browser can open."""


def start_message(host: str, port: int, *, has_token: bool) -> str:
    """Return the message; its command can be pasted into a shell."""
    host = UNSPECIFIED.get(host, host)
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    token = '-H "Authorization: Bearer $INGEST_TOKEN" ' if has_token else ""
    return (
        f"\n  Open {base}/ and press Start, or in another terminal:\n\n"
        f"  curl -N {token}{base}$(curl -s {token}{base}/api/ingest/process \\\n"
        "    -H 'Content-Type: application/json' -d '{}' | grep -o '/api/ingest/stream/[^\"]*')\n\n"
    )

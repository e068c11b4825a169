"""What a server says once it listens: what to open, and a line to try."""

UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""Addresses that stand for all of this machine's, and the one to ask there."""


def invitation(host: str, port: int, *, has_token: bool) -> str:
    """Write it for the one who started the server; a shell takes the line as it is."""
    host = UNSPECIFIED.get(host, host)
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    token = '-H "Authorization: Bearer $INGEST_TOKEN" ' if has_token else ""
    return (
        f"\n  Open {base}/ and press Start, or in another terminal:\n\n"
        f"  curl -N {token}{base}$(curl -s {token}{base}/api/ingest/process \\\n"
        "    -H 'Content-Type: application/json' -d '{}' | grep -o '/api/ingest/stream/[^\"]*')\n\n"
    )

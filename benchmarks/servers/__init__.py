"""The contenders, each a server of its own: `python -m benchmarks.servers.NAME --help`."""

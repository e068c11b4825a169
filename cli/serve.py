"""`ingest-stream serve`: the service under uvicorn."""

import contextlib
import gc
import ipaddress
import socket
import sys
from typing import Any

import uvicorn

from cli.arguments import WORKER_SETTINGS
from cli.environment import environment_of, settings_of
from cli.logs import set_up_log
from cli.messages import warn
from cli.start_message import start_message
from cli.worker_child import WorkerChild
from ingest import SettingsError
from ingest.execution.select import check_settings
from sse.uvicorn_protocol import bounded, raise_file_limit
from web import create_app

SERVER_FLAGS = ("host", "port", "root_path", "log_level")

NOT_STARTED = 3
"""The exit status of uvicorn for an application that did not start; the log has the reason."""


class Server(uvicorn.Server):
    """A uvicorn server that prints the address to open once it listens."""

    def __init__(self, config: uvicorn.Config, *, prints_start: bool, has_token: bool) -> None:
        super().__init__(config)
        self._prints_start = prints_start
        self._has_token = has_token

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and print the address; with port 0 it is known only now."""
        await super().startup(sockets)
        # Objects made by the start live as long as the process. Without the freeze each full
        # garbage collection scanned them again and blocked the event loop for 10 to 20 ms.
        gc.collect()
        gc.freeze()
        if self.started and self._prints_start:
            host, port = self.config.host, self.servers[0].sockets[0].getsockname()[1]
            sys.stdout.write(start_message(host, port, has_token=self._has_token))
            sys.stdout.flush()


def serve(flags: dict[str, Any]) -> int:
    """
    Serve over HTTP until SIGINT or SIGTERM, and return the exit status.

    Raises:
        SettingsError: a setting cannot be used, or the address is not free.
    """
    server_options = {name: flags.pop(name) for name in SERVER_FLAGS}
    log_format = flags.pop("log_format")
    as_json = log_format == "json"
    settings = settings_of(flags)
    check_settings(settings)
    host = server_options["host"]
    check_address(host, server_options["port"])
    set_up_log(server_options["log_level"], as_json=as_json)
    has_token = settings.token is not None
    if not has_token and not is_loopback(host):
        warn(
            f"other machines can reach {host}, and no token is required; set INGEST_TOKEN (--token)"
        )
    raise_file_limit()
    application = create_app(settings)
    protocol: Any = bounded  # uvicorn calls it, and asks for a class only in its annotations
    config = uvicorn.Config(
        application,
        http=protocol,
        server_header=False,
        access_log=False,
        log_config=None,  # its own writes text, and blocks the event loop if nobody reads
        **server_options,
    )
    server = Server(config, prints_start=not as_json, has_token=has_token)
    log = ("--log-level", server_options["log_level"], "--log-format", log_format)
    with contextlib.ExitStack() as cleanup:
        if settings.clustered and settings.workers:
            child = WorkerChild(log, environment_of(flags, WORKER_SETTINGS))
            cleanup.callback(child.stop)
            child.start()
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after its shutdown
            server.run()
    return 0 if server.started else NOT_STARTED


def check_address(host: str, port: int) -> None:
    """
    Raise SettingsError if the server cannot listen on the address.

    uvicorn itself would notice only after the whole application has started.
    """
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}; choose another --host or --port"
        ) from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`, a name or an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""
The service behind real proxies, set up by the very files in `deploy/`.

Of those only plain values are changed: names, ports, paths, and times so short that a test can
outwait them.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.gated import permit
from tests.support.http2 import DEADLINE, trusting
from tests.support.tools import need

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

HEARTBEAT = 0.5
READ_TIMEOUT = "1s"
"""How long the proxies bear a silence; above the heartbeat, as `docs/deploy.md` asks."""

UPSTREAM = "127.0.0.1:8000"

PLAIN_NGINX = "server { listen 443 ssl http2; location / { proxy_pass http://127.0.0.1:8000; } }"
"""All defaults: buffering, HTTP/1.0 to the service, the upstream's name as `Host`."""


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Child:
    """A process in the foreground that listens on a port, and its log."""

    def __init__(self, folder: Path, name: str, *, secure: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._log = folder / f"{name}.log"
        self._secure = secure
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def run(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Start the command and wait until it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environ, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + DEADLINE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"{command[0]} does not start: {self.log}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        """End it, by force if need be, and give what it ended with."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(how)
        try:
            return process.wait(DEADLINE)
        finally:
            process.kill()
            process.wait()

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                if self._secure:  # Caddy listens before it has its certificate
                    trusting().wrap_socket(connection, server_hostname="localhost").close()
        except OSError:
            return False
        return True


class Upstream(Child):
    """The service on a port of its own; it can be ended and started again there."""

    def __init__(self, folder: Path, *flags: str, **settings: str) -> None:
        super().__init__(folder, "uvicorn")
        self.root = folder / "root"
        self.root.mkdir()
        self._flags = flags
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INGEST_")}
        self._environ = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "INGEST_ROOT": str(self.root),
            "INGEST_DATABASE": str(folder / "ingest.db"),
            "INGEST_PROCESSOR": "tests.support.gated:wait_for_permit",
            "INGEST_WORKERS": "1",
            "INGEST_FILE_TIMEOUT": "15",  # so that a test that failed holds up none after it
            "INGEST_HEARTBEAT": str(HEARTBEAT),
            **settings,
        }

    def start(self) -> None:
        """Start, and wait until it listens, which it does when it is ready."""
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port)]
        self.run([*command, *self._flags], self._environ)


@dataclass(frozen=True, slots=True)
class Site:
    """The service as browsers reach it."""

    upstream: Upstream
    front: Child
    prefix: str = ""

    @property
    def port(self) -> int:
        return self.front.port

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        """Make an HTTP/1.1 client, as scripts are."""
        base = f"{self.origin}{self.prefix}"
        return httpx.Client(base_url=base, verify=trusting(), timeout=DEADLINE, **options)

    def begin(self, folder: str, count: int, **headers: str) -> str:
        """Start a session of files, none of which is done before `go`, and give its id."""
        (self.upstream.root / folder).mkdir(exist_ok=True)
        for number in range(count):
            (self.upstream.root / folder / f"{number}.txt").touch()
        with self.client(headers=headers) as client:
            answer = client.post("/api/ingest/process", json={"directory": folder})
        assert answer.status_code == 202, answer.text
        identifier: str = answer.json()["session_id"]
        return identifier

    def go(self, folder: str, files: int = 1) -> None:
        """Permit more files of a session."""
        permit(self.upstream.root, folder, files)

    def streams(self) -> int:
        """Return the number of open streams of the service."""
        with self.client() as client:
            number: int = client.get("/healthz").json()["streams"]
            return number


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for `localhost`; give it and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    chain, key = folder / "cert.pem", folder / "cert.pem.key"
    if not chain.exists():
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(chain)]
        command = [need("openssl"), "req", "-x509", *kind, *names]
        subprocess.run(command, check=True, capture_output=True)
    return chain, key


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return the text with each old value, which is required, replaced by its new one."""
    for old, new in values.items():
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, upstream: int, text: str) -> Child:
    """Start nginx with `text` inside `http { }`, and everything compressed that it can."""
    child = Child(folder, "nginx", secure=True)
    chain, key = certificate(folder)
    main = f"""
        pid nginx.pid; error_log stderr; events {{}}
        http {{
            types {{ text/html html; }} gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any;
            access_log off; proxy_temp_path t; client_body_temp_path t; fastcgi_temp_path t;
            scgi_temp_path t; uwsgi_temp_path t; proxy_read_timeout {READ_TIMEOUT};
            ssl_certificate {chain}; ssl_certificate_key {key};
            include site.conf;
        }}"""
    (folder / "nginx.conf").write_text(main)
    values = {"listen 443": f"listen 127.0.0.1:{child.port}", UPSTREAM: f"127.0.0.1:{upstream}"}
    (folder / "site.conf").write_text(filled(text, values))
    child.run([need("nginx"), "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"])
    return child


def deployed_nginx(folder: Path, upstream: int, changes: Mapping[str, str]) -> Child:
    """Start nginx as `deploy/nginx.conf` says."""
    chain, key = certificate(folder)
    values = {
        "/etc/ssl/certs/ingest.pem": str(chain),
        "/etc/ssl/private/ingest.key": str(key),
        "/var/log/nginx/ingest.log": str(folder / "access.log"),
        "ingest.example.com": "localhost",
        "read_timeout 75s": f"read_timeout {READ_TIMEOUT}",
    }
    text = filled((DEPLOY / "nginx.conf").read_text(), changes)
    return nginx(folder, upstream, filled(text, values))


def caddy(folder: Path, upstream: int, changes: Mapping[str, str]) -> Child:
    """Start Caddy as `deploy/Caddyfile` says; it makes its own certificate."""
    child = Child(folder, "caddy", secure=True)
    values = {
        "ingest.example.com": f"localhost:{child.port}",
        UPSTREAM: f"127.0.0.1:{upstream}",
        "read_timeout 75s": f"read_timeout {READ_TIMEOUT}",
    }
    text = filled(filled((DEPLOY / "Caddyfile").read_text(), changes), values)
    # Global options, as they stand in front of the sites: nothing outside the folder is touched.
    alone = "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(alone + text)
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    child.run([need("caddy"), "run", "--config", "Caddyfile"], {**os.environ, **homes})
    return child


def haproxy(folder: Path, upstream: int, changes: Mapping[str, str]) -> Child:
    """Start HAProxy as `deploy/haproxy.cfg` says."""
    child = Child(folder, "haproxy", secure=True)
    certificate(folder)
    values = {
        "/etc/haproxy/ingest.pem": str(folder / "cert.pem"),
        "maxconn 25000": "maxconn 500",  # within the descriptors that a test may have
        ":443 ": f"127.0.0.1:{child.port} ",
        UPSTREAM: f"127.0.0.1:{upstream}",
        "timeout client 75s": f"timeout client {READ_TIMEOUT}",
        "timeout server 75s": f"timeout server {READ_TIMEOUT}",
    }
    text = filled(filled((DEPLOY / "haproxy.cfg").read_text(), changes), values)
    (folder / "haproxy.cfg").write_text(text)
    child.run([need("haproxy"), "-db", "-f", "haproxy.cfg"])
    return child

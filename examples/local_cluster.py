"""
A cluster on one machine, to try it: PostgreSQL, two replicas behind nginx, and two workers.

    python examples/local_cluster.py [ROOT] [PORT]

It needs PostgreSQL and nginx (Debian: `apt-get install postgresql nginx`) and the extra `cluster`.
All of it lives in a temporary folder, and ends with Ctrl-C.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

REPOSITORY = Path(__file__).resolve().parent.parent

START_SECONDS = 60.0

NGINX = """
daemon off; pid nginx.pid; error_log stderr warn; worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream replicas {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "sample-files").resolve()
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster-")))
            url = stack.enter_context(postgres(folder))
            replicas = [free_port() for _ in range(2)]
            for replica in replicas:
                serve = ["serve", "--workers", "0", "--port", str(replica), "--allowed-hosts", "*"]
                stack.enter_context(command(serve, root, url))
            for _ in range(2):
                stack.enter_context(command(["worker", "--workers", "1"], root, url))
            for replica in replicas:
                wait_until_ready(replica)
            stack.enter_context(nginx(folder, port, replicas))
            wait_until_ready(port)
            print(f"\n  Open http://127.0.0.1:{port}/ and press Start. The replicas are on ports "
                  f"{replicas[0]} and {replicas[1]}.\n  The database: {url}\n"
                  "  Ctrl-C ends all of it.\n", flush=True)  # fmt: skip
            signal.pause()
    except KeyboardInterrupt:
        return 0
    return 0


def interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server that listens on a socket in `folder`, and yield a database's URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path("/usr/bin")]
    as_user: tuple[str, ...] = ()
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as
        as_user = ("runuser", "-u", "postgres", "--")
        shutil.chown(folder, "postgres")

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(programs[-1] / program), *arguments],
            cwd="/", capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{program} failed: {done.stderr or done.stdout}")

    data, log = str(folder / "data"), str(folder / "postgres.log")
    run("initdb", "-D", data, "-U", "ingest", "-A", "trust", "-E", "UTF8", "--locale=C")
    options = f"-c listen_addresses='' -k {folder}"
    run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
    try:
        run("createdb", "-h", str(folder), "-U", "ingest", "ingest")
        yield f"postgresql://ingest@/ingest?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")


@contextlib.contextmanager
def command(arguments: Sequence[str], root: Path, url: str) -> Iterator[None]:
    """Run one `ingest-stream` command until the block ends."""
    environment = {**os.environ, "INGEST_ROOT": str(root), "INGEST_DATABASE": url}
    line = [sys.executable, "-m", "cli", *arguments, "--log-level", "warning"]
    with process(line, REPOSITORY, environment):
        yield


@contextlib.contextmanager
def nginx(folder: Path, port: int, replicas: Sequence[int]) -> Iterator[None]:
    """Run nginx in front of the replicas, without sticky sessions."""
    place = folder / "nginx"
    place.mkdir()
    servers = " ".join(f"server 127.0.0.1:{replica};" for replica in replicas)
    (place / "nginx.conf").write_text(NGINX.format(servers=servers, port=port))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with process([program, "-p", str(place), "-c", "nginx.conf"], place, os.environ):
        yield


@contextlib.contextmanager
def process(line: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a process in a session of its own, so that Ctrl-C reaches it in its turn."""
    started = subprocess.Popen(
        line, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_until_ready(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz?ready", timeout=5),
        ):
            return
        time.sleep(0.1)
    sys.exit(f"no answer on port {port} after {START_SECONDS:g} s")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())

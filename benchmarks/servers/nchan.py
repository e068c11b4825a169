"""The nginx module nchan (https://nchan.io) in one process, with a publisher beside it."""

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.servers.load import SNAPSHOT, Load, parse

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
"""Where Debian's package libnginx-mod-nchan puts it."""

CONFIGURATION = """
load_module {module};
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 12000; }}
http {{
    access_log off;
    client_body_temp_path {folder};
    nchan_message_buffer_length 1;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        keepalive_requests 1000000000;
        location = /stream {{
            nchan_subscriber eventsource;
            nchan_channel_id events;
            nchan_eventsource_ping_interval {heartbeat:.0f};
            nchan_subscriber_first_message newest;
        }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id events;
        }}
    }}
}}
"""


def main() -> None:
    """Become nginx, with a child that publishes; both end with their process group."""
    load = parse()
    folder = tempfile.mkdtemp(prefix="nchan-")
    path = Path(folder) / "nginx.conf"
    path.write_text(
        CONFIGURATION.format(
            module=MODULE, folder=folder, port=load.port, heartbeat=max(1.0, load.heartbeat)
        ),
        encoding="ascii",
    )
    subprocess.Popen([sys.executable, "-m", __spec__.name, folder, *sys.argv[1:]])
    # In one process it frees memory twice when it exits, and logs that.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    os.execvp("nginx", ["nginx", "-p", folder, "-c", str(path)])


def publish(load: Load, folder: str) -> None:
    """Publish as every contender does, each event once the one before was handed out."""
    connection = http.client.HTTPConnection("127.0.0.1", load.port)
    while _ask(connection, "GET") < load.streams:
        time.sleep(0.01)
    shutil.rmtree(folder)  # nginx has read all that is in it
    if load.rate < 0:
        return
    for event in _events(load.rate):
        _ask(connection, "POST", event)


def _events(rate: float) -> Iterator[str]:
    started, n = time.time(), 0
    while True:
        n += 1
        if rate:
            time.sleep(max(0.0, started + n / rate - time.time()))
        yield SNAPSHOT % (n, time.time() * 1000)


def _ask(connection: http.client.HTTPConnection, method: str, event: str | None = None) -> int:
    """Send a request to the channel; return the number of subscribers from the answer."""
    try:
        connection.request(method, "/publish", event, {"Accept": "text/plain"})
        answer = connection.getresponse().read().decode()
    except OSError:  # nginx is not up yet
        connection.close()
        return 0
    found = [line for line in answer.splitlines() if "active subscribers" in line]
    return int(found[0].rpartition(":")[2]) if found else 0


if __name__ == "__main__":
    if sys.argv[1].startswith("--"):
        main()
    else:
        publish(folder=sys.argv.pop(1), load=parse())

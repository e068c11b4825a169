"""Small proxies with the faults of real ones: they buffer, serve below a prefix, or cut."""

import http.client
import select
import socket
import socketserver
import threading
import time
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 65536
NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "date", "server"}


@contextmanager
def forwarding(port: int, *, prefix: str = "", buffers: bool = False) -> "Iterator[str]":
    """
    Pass requests below `prefix` on to `port`, without the prefix; give the proxy's address.

    With `buffers` an answer is passed on when it is whole, as a proxy does that knows nothing
    of streams: an open stream shows nothing, not even its headers.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            with closing(upstream), suppress(OSError, http.client.HTTPException):
                path = self.path.removeprefix(prefix)
                upstream.request(self.command, path, body or None, dict(self.headers))
                self.answer(upstream.getresponse())

        do_POST = do_HEAD = do_GET  # noqa: N815 - the names are http.server's

        def answer(self, response: http.client.HTTPResponse) -> None:
            whole = response.read() if buffers else None
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in NOT_PASSED_ON:
                    self.send_header(name, value)
            self.end_headers()
            if whole is not None:
                self.wfile.write(whole)
                return
            while piece := response.read1(CHUNK):
                self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            """Log nothing: the output belongs to the tests."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # a browser asks for all scripts of the page at once

    server = Server(("127.0.0.1", 0), Handler)
    with _serving(server) as address:
        yield f"{address}{prefix}/"


@contextmanager
def cutting(port: int, after: float) -> "Iterator[str]":
    """Forward bytes to `port` and abort each connection after `after` seconds."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            end = time.monotonic() + after
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as upstream:
                other = {self.request: upstream, upstream: self.request}
                while (left := end - time.monotonic()) > 0:
                    for ready in select.select(list(other), [], [], left)[0]:
                        piece = ready.recv(CHUNK)
                        if not piece:
                            return
                        other[ready].sendall(piece)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _serving(server) as address:
        yield f"{address}/"


@contextmanager
def _serving(server: socketserver.TCPServer) -> "Iterator[str]":
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.socket.close()
        thread.join()

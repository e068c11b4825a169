"""One HTTP/2 connection as a browser has it: many streams, each read and reset on its own."""

import socket
import ssl
import time
import zlib
from collections import defaultdict

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

DEADLINE = 20.0


def trusting() -> ssl.SSLContext:
    """Return a context that accepts a self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Http2:
    """
    Open streams with `get`, then `read` until what is waited for has come.

    `body`, `headers` and `ended` are by stream. Like a browser it takes what is compressed.
    """

    def __init__(self, port: int) -> None:
        context = trusting()
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self._socket.selected_alpn_protocol() == "h2"
        self._h2 = H2Connection(H2Configuration())
        self._authority = f"localhost:{port}"
        self._h2.initiate_connection()
        self._flush()
        self.headers: dict[int, dict[str, str]] = {}
        self.body: dict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self._gzip: dict[int, zlib._Decompress] = {}

    def close(self) -> None:
        """Leave all streams at once, as a browser does that is closed."""
        self._socket.close()

    def get(self, path: str) -> int:
        """Open a stream and give its number."""
        number: int = self._h2.get_next_available_stream_id()
        names = [(":method", "GET"), (":scheme", "https"), (":authority", self._authority)]
        names += [(":path", path), ("accept-encoding", "gzip"), ("accept", "text/event-stream")]
        self._h2.send_headers(number, names, end_stream=True)
        self._flush()
        return number

    def reset(self, number: int) -> None:
        """Leave one stream, as a browser does that closes its EventSource."""
        self._h2.reset_stream(number, error_code=8)
        self._flush()

    def read(self, seconds: float = DEADLINE) -> bool:
        """Receive what arrives within the time; return False if nothing does."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            return False
        assert data, "the server closed the connection"
        for event in self._h2.receive_data(data):
            self._note(event)
        self._flush()
        return True

    def read_until(self, wanted: bytes, *numbers: int) -> None:
        """Read until each of these streams has had `wanted`."""
        deadline = time.monotonic() + DEADLINE
        while missing := {number for number in numbers if wanted not in self.body[number]}:
            assert not self.ended.intersection(numbers), "a stream ended"
            assert self.read(deadline - time.monotonic()), (
                f"no {wanted!r} in {DEADLINE} s on streams {missing}, {self.headers[min(missing)]}"
            )

    def _note(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self.headers[event.stream_id] = {
                name.decode(): value.decode() for name, value in event.headers
            }
        elif isinstance(event, DataReceived):
            self.body[event.stream_id] += self._decoded(event)
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded | StreamReset):
            self.ended.add(event.stream_id)

    def _decoded(self, event: DataReceived) -> bytes:
        if self.headers[event.stream_id].get("content-encoding") != "gzip":
            return event.data
        if event.stream_id not in self._gzip:
            self._gzip[event.stream_id] = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return self._gzip[event.stream_id].decompress(event.data)

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

"""
A protocol class for uvicorn that bounds what a connection costs before a request is served.

uvicorn's own classes parse all that has arrived, start or queue every request in it, and keep a
header of any size for any time. `bounded` is passed to uvicorn as its `http` option and makes a
subclass of the class that uvicorn would take (httptools if installed, else h11).

A connection is in one of these states:

    header     waiting for a request or receiving one. At most MAX_HEADER_BYTES and MAX_HEADERS
               (then 431), for at most HEADER_TIMEOUT seconds; uvicorn's keep-alive timer ends an
               idle one after a response
    body       receiving a body. uvicorn pauses reading above its high-water mark
    response   the request is complete and its response is not. Further bytes are held back
               unparsed, and reading is paused, so a client that pipelines waits for its responses
    refused    an error was written. Input is discarded, and LINGER seconds later it is aborted

Guarantees: input is parsed in slices of SLICE bytes, so a connection has at most SLICE bytes of
pipelined requests begun, and holds at most one read of the transport beyond. Work is linear in
the bytes received. RESERVED_FILES descriptors are left to the service: a connection beyond that is
answered with 503.
"""

import asyncio
import importlib
import resource
from functools import lru_cache
from typing import Any

SLICE = 512
"""Bytes parsed at once; the shortest request has 18, so at most 28 are begun beyond the first."""

MAX_HEADER_BYTES = 65_536
"""The bound of a request's line and header, and of what else surrounds a body (RFC 6585: 431)."""

MAX_HEADERS = 256
"""Fields of one header; each costs far more than the four bytes that a client needs for it."""

HEADER_TIMEOUT = 10.0
"""Seconds from the first byte of a request, or from the connection's start, to a whole header."""

LINGER = 1.0
"""Seconds that a refused client has to read the answer: closing at once could discard it."""

RESERVED_FILES = 128
"""Descriptors kept for the catalogue, folders, files and workers; at most half of all."""

UPGRADE_FIELDS = frozenset({b"upgrade", b"http2-settings"})
"""Fields, and tokens of `Connection`, that offer another protocol (RFC 7540, 3.2)."""

TOO_LARGE = "431 Request Header Fields Too Large"
UNAVAILABLE = "503 Service Unavailable"


def bounded(config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> Any:
    """Return a protocol for one connection; uvicorn calls this as it calls its own classes."""
    return _protocol_class()(
        config=config, server_state=server_state, app_state=app_state, _loop=_loop
    )


@lru_cache(1)
def _protocol_class() -> Any:
    try:
        module: Any = importlib.import_module("uvicorn.protocols.http.httptools_impl")
    except ImportError:
        module = importlib.import_module("uvicorn.protocols.http.h11_impl")
        return type("BoundedH11", (H11Input, module.H11Protocol), {})
    namespace = {"httptools": module.httptools}
    return type("BoundedHttpTools", (HttpToolsInput, module.HttpToolsProtocol), namespace)


class BoundedInput(asyncio.Protocol):
    """What both subclasses have in common, in front of uvicorn's class in the order of bases."""

    transport: Any
    flow: Any
    cycle: Any
    loop: asyncio.AbstractEventLoop
    connections: set[Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._held = bytearray()
        self._header_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._is_refused = False

    def connection_made(self, transport: Any) -> None:
        """Start the header's deadline, or refuse the connection if descriptors run short."""
        super().connection_made(transport)
        resume = self.flow.resume_reading

        def resume_reading() -> None:
            # Held input comes before what the transport would read next.
            if self._held or self._is_paused:
                self.flow.read_paused = False
                self.loop.call_soon(self._parse_held)
            else:
                resume()

        self.flow.resume_reading = resume_reading
        if len(self.connections) > max_connections():
            self._refuse(UNAVAILABLE)
            self.transport.close()  # at once: the descriptor is needed
        else:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Discard what is held."""
        self._held.clear()
        self._stop_deadline()
        del self.flow.resume_reading  # ends a cycle of references
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse `data` up to the end of the request; hold back the rest."""
        if not self._is_refused:
            self._held += data
            self._parse_held()

    def shutdown(self) -> None:
        """Close an idle connection; take no further request from one in use."""
        self._held.clear()
        super().shutdown()  # type: ignore[misc]
        self._abort_if_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also if its client does not read."""
        super().timeout_keep_alive_handler()  # type: ignore[misc]
        self._abort_if_unread()

    def parse(self, data: bytes) -> None:
        """Pass one slice to uvicorn's parser."""
        super().data_received(data)

    def is_in_header(self) -> bool:
        """Return whether the parser waits for a header or is inside one."""
        raise NotImplementedError

    def _parse_held(self) -> None:
        held = self._held
        while held and not self._must_wait() and not self._is_closing():
            part = bytes(held[:SLICE])
            del held[:SLICE]
            self._header_bytes += len(part)
            self.parse(part)
            protocol = self.transport.get_protocol()
            if protocol is not self and held:  # upgraded to a WebSocket
                rest = bytes(held)
                held.clear()
                protocol.data_received(rest)
            self._check_header()
        if self._is_closing():
            held.clear()
        else:
            self._pause_or_resume()

    def _must_wait(self) -> bool:
        cycle = self.cycle
        is_answering = cycle is not None and not cycle.response_complete and not cycle.more_body
        return is_answering or self.flow.read_paused

    def _is_closing(self) -> bool:
        closing: bool = self.transport.is_closing()
        return self._is_refused or closing

    def _check_header(self) -> None:
        if self._is_closing() or self.transport.get_protocol() is not self:
            self._stop_deadline()
        elif self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(TOO_LARGE)
        elif self._must_wait() or not self.is_in_header():
            self._stop_deadline()
        elif self._header_timer is None:
            self._start_deadline()

    def _pause_or_resume(self) -> None:
        pause = bool(self._held)
        if pause:
            self.transport.pause_reading()
        elif self._is_paused and not self.flow.read_paused:
            self.transport.resume_reading()
        else:
            return
        self._is_paused = pause

    def _start_deadline(self) -> None:
        self._header_timer = self.loop.call_later(HEADER_TIMEOUT, self.transport.abort)

    def _stop_deadline(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _refuse(self, status: str) -> None:
        """Write `status` and abort a little later; abort at once if a response was begun."""
        self._stop_deadline()
        self._is_refused = True
        self._held.clear()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        self.transport.write(head.encode())
        self._header_timer = self.loop.call_later(LINGER, self.transport.abort)

    def _abort_if_unread(self) -> None:
        """Abort a closed connection whose client has not read: `close` alone waits for it."""
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(LINGER, self.transport.abort)


class H11Input(BoundedInput):
    """Bounds for uvicorn's class on h11, which bounds a header by itself but answers 400."""

    conn: Any

    def __init__(self, *, config: Any, **options: Any) -> None:
        if config.h11_max_incomplete_event_size is None:
            config.h11_max_incomplete_event_size = MAX_HEADER_BYTES + SLICE
        super().__init__(config=config, **options)

    def parse(self, data: bytes) -> None:
        """Pass one slice to h11, and note whether it ended a header."""
        super().parse(data)
        if not self.is_in_header():
            self._header_bytes = 0

    def is_in_header(self) -> bool:
        """Return whether the parser waits for a header or is inside one."""
        return repr(self.conn.their_state) == "IDLE"


class HttpToolsInput(BoundedInput):
    """
    Bounds for uvicorn's class on httptools.

    A request that offers another protocol than WebSocket (`Upgrade: h2c`) is parsed again without
    the offer, as a server may ignore it (RFC 9110, 7.8): httptools would skip the body.
    """

    httptools: Any
    parser: Any
    headers: list[tuple[bytes, bytes]]
    url: bytes

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._in_header = True
        self._declined = b""

    def is_in_header(self) -> bool:
        """Return whether the parser waits for a header or is inside one."""
        return self._in_header

    def parse(self, data: bytes) -> None:
        """Pass one slice to the parser; again what follows an upgrade that is declined."""
        try:
            self.parser.feed_data(data)
        except self.httptools.HttpParserUpgrade as upgrade:
            if self._declined:
                head, self._declined = self._declined, b""
                self.parser = self._new_parser()
                self.parse(head + data[upgrade.args[0] :])
            elif self._should_upgrade():  # type: ignore[attr-defined]
                self.handle_websocket_upgrade()  # type: ignore[attr-defined]
        except self.httptools.HttpParserError:
            if not self._is_refused:
                message = "Invalid HTTP request received."
                self.logger.warning(message)  # type: ignore[attr-defined]
                self.send_400_response(message)  # type: ignore[attr-defined]

    def on_message_begin(self) -> None:
        """Note that a header begins."""
        self._in_header = True
        super().on_message_begin()  # type: ignore[misc]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the field unless it is one too many, or belongs to a trailer."""
        if self._in_header:
            super().on_header(name, value)  # type: ignore[misc]
            if len(self.headers) > MAX_HEADERS:
                self._header_bytes = MAX_HEADER_BYTES + 1

    def on_headers_complete(self) -> None:
        """Start the request, unless it has to be parsed again without an upgrade."""
        if self._header_bytes > MAX_HEADER_BYTES:
            return
        if self.parser.should_upgrade() and not self._is_websocket():
            self._declined = self._head_without_upgrade()
            return
        self._in_header = False
        self._header_bytes = 0
        super().on_headers_complete()  # type: ignore[misc]

    def on_body(self, body: bytes) -> None:
        """Count from here what surrounds the body: sizes of chunks, and a trailer."""
        if not self._in_header:
            self._header_bytes = 0
            super().on_body(body)  # type: ignore[misc]

    def on_message_complete(self) -> None:
        """End the request; what follows is another header."""
        if not self._declined and not self._in_header:
            super().on_message_complete()  # type: ignore[misc]
            self._in_header = True
            self._header_bytes = 0

    def _new_parser(self) -> Any:
        parser = self.httptools.HttpRequestParser(self)
        if hasattr(parser, "set_dangerous_leniencies"):  # as uvicorn does
            parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _is_websocket(self) -> bool:
        offered = self._get_upgrade()  # type: ignore[attr-defined]
        has_class = self.ws_protocol_class is not None  # type: ignore[attr-defined]
        return offered is None or (offered == b"websocket" and has_class)

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        for name, value in self.headers:
            if name not in UPGRADE_FIELDS:
                kept = _without_upgrade(value) if name == b"connection" else value
                lines.append(name + b": " + kept)
        return b"\r\n".join([*lines, b"", b""])


def _without_upgrade(connection: bytes) -> bytes:
    tokens = [token.strip() for token in connection.split(b",")]
    return b", ".join(token for token in tokens if token.lower() not in UPGRADE_FIELDS)


def max_connections() -> int:
    """Return how many connections leave enough descriptors for the service itself."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - min(RESERVED_FILES, soft // 2)


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard

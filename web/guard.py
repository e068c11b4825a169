"""Access control: the Host header, the origin of the calling page, the token."""

import hashlib
import hmac
from urllib.parse import urlsplit

from ingest.settings import Settings
from sse.types import Headers
from web.errors import ForbiddenError, MisdirectedRequestError, UnauthorizedError
from web.request import Request
from web.response import Response

COOKIE = "ingest_token"
COOKIE_SECONDS = 30 * 24 * 3600

CORS_METHODS = b"GET, HEAD, POST"
CORS_REQUEST_HEADERS = b"authorization, content-type, idempotency-key, if-none-match, last-event-id"
CORS_RESPONSE_HEADERS = b"deprecation, etag, location, retry-after, sunset"


class Guard:
    """Checks each request before a route sees it."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = settings.allowed_hosts
        self._origins = frozenset(settings.cors_origins)
        self._token = settings.token
        # The cookie cannot be used as a bearer token, nor for another application.
        self._cookie = (
            hmac.new(settings.token.encode(), b"ingest-stream cookie", hashlib.sha256).hexdigest()
            if settings.token
            else ""
        )

    def check_host(self, request: Request) -> None:
        """
        Reject an unknown host name: a page elsewhere may make its own host name, which its
        browser trusts, point at this address (DNS rebinding).

        Raises:
            MisdirectedRequestError: the host is not allowed.
        """
        if "*" in self._hosts:
            return
        host = request.headers.get("host", "").lower()
        if host not in self._hosts and _without_port(host) not in self._hosts:
            raise MisdirectedRequestError(f"host not allowed: {host!r}; set INGEST_ALLOWED_HOSTS")

    def check_origin(self, request: Request) -> None:
        """
        Reject a request that changes something and comes from a page of another origin.

        `Sec-Fetch-Site` is the browser's own word, out of a page's reach; behind a proxy that
        puts another `Host` it is the one that is right.

        Raises:
            ForbiddenError: the page's origin is not allowed.
        """
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin is None:
            if site in ("cross-site", "same-site"):
                raise ForbiddenError(
                    "request from a page of another site; set INGEST_CORS_ORIGINS to allow it"
                )
            return
        if origin.lower() in self._origins or site == "same-origin":
            return
        own = ",".join(request.headers.get(name, "") for name in ("host", "x-forwarded-host"))
        if not _is_of(origin.lower(), own.lower().split(",")):
            raise ForbiddenError(f"origin not allowed: {origin!r}; set INGEST_CORS_ORIGINS")

    def check_token(self, request: Request) -> None:
        """
        Reject requests without a valid token or the cookie of a sign-in.

        Raises:
            UnauthorizedError: no token, or a wrong one.
        """
        if self._token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return
        if any(_same(cookie, self._cookie) for cookie in _cookies(request)):
            return
        raise UnauthorizedError(
            "a token is needed: Authorization: Bearer …, or sign in at the page",
            headers=[(b"www-authenticate", b'Bearer realm="ingest"')],
        )

    def is_token(self, given: str) -> bool:
        """Return whether `given` is the token, in constant time."""
        return self._token is not None and _same(given, self._token)

    def set_cookie(self, request: Request) -> tuple[bytes, bytes]:
        """Return the header that signs a browser in."""
        attributes = [
            f"{COOKIE}={self._cookie}",
            f"Path={request.url('/') if request.prefix else '/'}",
            f"Max-Age={COOKIE_SECONDS}",
            "HttpOnly",
            "SameSite=Strict",
        ]
        forwarded = request.headers.get("x-forwarded-proto", "")
        # Each proxy on the way adds its own: the first is what the browser spoke.
        if "https" in (request.scope.get("scheme"), forwarded.partition(",")[0].strip().lower()):
            attributes.append("Secure")
        return b"set-cookie", "; ".join(attributes).encode("latin-1")

    def preflight(self, request: Request) -> Response | None:
        """Return the response to a CORS preflight request, or None for other requests."""
        if (
            request.method != "OPTIONS"
            or "access-control-request-method" not in request.headers
            or not self._cors_origin(request)
        ):
            return None
        return Response(
            204,
            headers=[
                (b"access-control-allow-methods", CORS_METHODS),
                (b"access-control-allow-headers", CORS_REQUEST_HEADERS),
                (b"access-control-max-age", b"600"),
            ],
        )

    def headers(self, request: Request) -> Headers:
        """Return the CORS headers of every response to this request."""
        if not self._origins:
            return []
        headers: Headers = [(b"vary", b"origin")]
        if origin := self._cors_origin(request):
            headers += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", CORS_RESPONSE_HEADERS),
            ]
        return headers

    def _cors_origin(self, request: Request) -> str | None:
        origin = request.headers.get("origin")
        return origin if origin and origin.lower() in self._origins else None


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _cookies(request: Request) -> list[str]:
    # Read by hand, as `http.cookies` drops them all for an odd one of another application. Fields
    # of one name were joined by commas, and HTTP/2 allows cookies to be split.
    pairs = request.headers.get("cookie", "").replace(",", ";").split(";")
    named = [pair.strip().partition("=") for pair in pairs]
    return [value for name, _, value in named if name == COOKIE]


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _is_of(origin: str, hosts: list[str]) -> bool:
    """Return whether `origin` is one of `hosts`; some proxies add the default port."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return bool(parts.netloc) and parts.netloc.removesuffix(port) in {
        host.strip().removesuffix(port) for host in hosts
    }

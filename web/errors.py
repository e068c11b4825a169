"""What the service refuses, each with its HTTP status; one place turns them into answers."""

from collections.abc import Mapping

from sse.types import Headers


class HTTPError(Exception):
    """A request is refused: the text tells why and what to do; `fields` names what is wrong."""

    status = 500

    def __init__(
        self,
        detail: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(detail)
        self.fields = fields or {}
        self.headers = headers or []


class BadRequestError(HTTPError):
    """Not JSON."""

    status = 400


class UnauthorizedError(HTTPError):
    """No token, or a wrong one."""

    status = 401


class ForbiddenError(HTTPError):
    """A page of another origin asks."""

    status = 403


class RouteNotFoundError(HTTPError):
    """No such route."""

    status = 404


class MethodNotAllowedError(HTTPError):
    """The route knows other methods."""

    status = 405


class RequestTimeoutError(HTTPError):
    """The body did not come in time."""

    status = 408


class GoneError(HTTPError):
    """LongPoll has had its day."""

    status = 410


class ContentTooLargeError(HTTPError):
    """The body is longer than any that could be meant."""

    status = 413


class UnsupportedMediaTypeError(HTTPError):
    """The request's Content-Type is not JSON."""

    status = 415


class MisdirectedRequestError(HTTPError):
    """The request's `Host` is none of ours."""

    status = 421


class UnprocessableError(HTTPError):
    """JSON, but not what is wanted."""

    status = 422


class UnavailableError(HTTPError):
    """Not now."""

    status = 503


class ClientGoneError(Exception):
    """The client left before it had said what it wanted; there is nobody to answer."""

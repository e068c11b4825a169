"""Signing in at the page: a token is traded for a cookie."""

from urllib.parse import parse_qsl

from sse.types import Headers
from web.errors import UnauthorizedError
from web.guard import Guard
from web.request import Request
from web.response import NO_STORE, Response
from web.static import Static


async def sign_in(guard: Guard, static: Static, request: Request) -> Response | None:
    """
    Trade a token, in the form or in the address, for a cookie; or ask for one.

    Gives None where the page itself is what is asked for. No token stays in the address.
    """
    try:
        guard.check_token(request)
    except UnauthorizedError as error:
        given = request.query.get("token", "")
        if request.method == "POST":
            form = parse_qsl((await request.body()).decode("utf-8", "replace"))
            given = dict(form).get("token", "")
        if not guard.is_token(given):
            return static.sign_in([*error.headers, *_reload(request)])
        return _to_page([guard.set_cookie(request)])
    if request.method == "POST" or "token" in request.query:
        return _to_page([])
    return None


def _to_page(headers: Headers) -> Response:
    # Relative, as a proxy may serve this below a prefix that nobody told us.
    return Response(303, headers=[*headers, (b"location", b"./"), NO_STORE])


def _reload(request: Request) -> Headers:
    """
    Make a browser that comes from another site repeat its request from this one.

    It keeps a `SameSite=Strict` cookie to itself on a way that began elsewhere, a link in a mail
    and the redirect after it, so one who is signed in would be asked for the token again.
    """
    if request.headers.get("sec-fetch-site") == "cross-site" and "cookie" not in request.headers:
        return [(b"refresh", b"0")]
    return []

"""The page and its files, read once at the start and sent from memory."""

import base64
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sse.types import Headers
from web.errors import RouteNotFoundError
from web.request import Request
from web.response import Response

FOLDER = Path(__file__).parent / "page"
DESCRIPTION = Path(__file__).parent / "openapi.json"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src {style}; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """One file, ready to be sent."""

    body: bytes
    etag: str
    headers: tuple[tuple[bytes, bytes], ...]


class Static:
    """
    The files by name (`net/api.js`): a request is one dict look-up, and no URL reaches the disk.

    Browsers revalidate each file at every use (`no-cache`) by an ETag of its content, so a new
    version of the service is a new version of the page.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _file(path)
            for path in folder.rglob("*")
            if path.is_file()
        }
        self._description = _file(DESCRIPTION)

    def page(self, request: Request) -> Response:
        """Return the page."""
        return self.file(request, "index.html")

    def file(self, request: Request, name: str) -> Response:
        """
        Return the file with this name, like `net/api.js`.

        Raises:
            RouteNotFoundError: no file has this name.
        """
        file = self._files.get(name)
        if file is None:
            raise RouteNotFoundError("no such file")
        return _answer(request, file)

    def description(self, request: Request) -> Response:
        """Return the OpenAPI description."""
        return _answer(request, self._description)

    def sign_in(self, headers: Headers) -> Response:
        """Return the page with the form for the token."""
        file = self._files["signin.html"]
        kept = [header for header in file.headers if header[0] not in (b"etag", b"cache-control")]
        return Response(401, file.body, [*kept, (b"cache-control", b"no-store"), *headers])


def _answer(request: Request, file: File) -> Response:
    if request.has(file.etag):
        return Response(304, headers=list(file.headers))
    return Response(200, file.body, list(file.headers))


def _file(path: Path) -> File:
    body = path.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    headers = [
        (b"content-type", (kind or "application/octet-stream").encode()),
        (b"cache-control", b"no-cache"),
        (b"etag", etag.encode()),
    ]
    if path.suffix == ".html":
        headers.append((b"content-security-policy", _policy(body).encode()))
    return File(body, etag, tuple(headers))


def _policy(page: bytes) -> str:
    """Return the policy for a page: own style sheets, and inline styles by their hash."""
    styles = STYLE.findall(page)
    hashes = [base64.b64encode(hashlib.sha256(style).digest()).decode() for style in styles]
    return POLICY.format(style=" ".join(["'self'", *(f"'sha256-{value}'" for value in hashes)]))

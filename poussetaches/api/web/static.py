"""The files that do not change: read once, and kept by browsers for ever, since the
address of each has a piece of its hash in it."""

from __future__ import annotations

import gzip
from functools import lru_cache
from hashlib import sha384
from pathlib import Path
from typing import NamedTuple

from bottle import HTTPResponse

import poussetaches
from poussetaches.api.query import header
from poussetaches.errors import NotFound

FOLDER = Path(poussetaches.__file__).parent / "web" / "static"

#: Of whatever else lies there (licences), nothing is served.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class File(NamedTuple):
    """One of them."""

    content_type: str
    version: str
    body: bytes
    zipped: bytes


@lru_cache(maxsize=1)
def files() -> dict[str, File]:
    """Every file, by its path below the folder."""
    found: dict[str, File] = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in TYPES:
            body = path.read_bytes()
            found[path.relative_to(FOLDER).as_posix()] = File(
                TYPES[path.suffix],
                sha384(body).hexdigest()[:12],
                body,
                gzip.compress(body, mtime=0),
            )
    return found


def serve(name: str) -> HTTPResponse:
    """The file of that name. Raises NotFound."""
    file = files().get(name)
    if file is None:
        raise NotFound("There is no such file.")
    headers = {
        "Content-Type": file.content_type,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if "gzip" in header("ACCEPT_ENCODING"):
        return HTTPResponse(file.zipped, 200, {**headers, "Content-Encoding": "gzip"})
    return HTTPResponse(file.body, 200, headers)

"""Pages and pieces of them, from templates; and what all of them share."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from bottle import HTTPResponse, SimpleTemplate, request

import poussetaches
from poussetaches import when
from poussetaches.api.access import READ_ONLY
from poussetaches.api.direct import status_of
from poussetaches.api.web import wording
from poussetaches.api.web.done import done
from poussetaches.api.web.static import files
from poussetaches.errors import PousseTachesError, Unavailable
from poussetaches.plain import spelled

FOLDER = Path(poussetaches.__file__).parent / "web" / "templates"

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

#: Path and name of each page that there is a link to on all.
NAV = (
    ("/tasks", "Overview"),
    ("/ui/tasks", "Tasks"),
    ("/ui/dead/groups", "Dead letters"),
    ("/ui/schedules", "Schedules"),
    ("/ui/queues", "Queues"),
    ("/ui/push", "Push"),
)


# --- answers --------------------------------------------------------------------------


def page(
    name: str, *, title: str, here: str, status: int = 200, error: str = "", **told: Any
) -> HTTPResponse:
    """The page that the template of that name makes of what it is ``told``.

    ``title``: of the page; ``here``: the path in NAV that it belongs to; ``error``: a
    sentence on top of it. Say ``twin`` if the same is there as JSON: its address. Told
    besides is ``back``: where forms on the page lead back to.
    """
    query = request.query
    shared = {
        "back": _address() if request.method in ("GET", "HEAD") else here,
        "title": title,
        "here": here,
        "nav": NAV,
        "twin": None,
        "error": error,
        "message": done(query.get("did", ""), query.get("count", "")),
        "version": poussetaches.__version__,
    }
    return HTTPResponse(_rendered(name, shared | told), status, dict(HEADERS))


def fragment(name: str, **told: Any) -> HTTPResponse:
    """A piece of a page, to be put in its place."""
    return piece(_rendered(name, told))


def piece(body: bytes) -> HTTPResponse:
    """The same, made before."""
    return HTTPResponse(body, 200, dict(HEADERS))


def failing(error: PousseTachesError | None) -> dict[str, Any]:
    """What ``page`` is told where something could not be done that stands on it."""
    if error is None:
        return {}
    return {"error": wording.sentence(error.message), "status": status_of(error)}


def answering(view: Callable[..., HTTPResponse]) -> Callable[..., HTTPResponse]:
    """``view``, with a page for what it raises."""

    def answering(**arguments: str) -> HTTPResponse:
        try:
            return view(**arguments)
        except PousseTachesError as error:
            return error_page(error)

    return answering


def error_page(error: PousseTachesError) -> HTTPResponse:
    """The page for what could not be done, or not be found."""
    status = status_of(error)
    answer = page(
        "error",
        title="Not found" if status == 404 else "That did not work",
        here="",
        status=status,
        text=wording.sentence(error.message),
    )
    if isinstance(error, Unavailable):
        answer.set_header("Retry-After", str(error.retry_after))
    return answer


def see(path: str, did: str = "", count: int = 1, **query: str) -> HTTPResponse:
    """What answers a form: the page at ``path``, below the prefix and perhaps with a
    query, which then says what was ``did`` to how many (see done.py)."""
    path, _, given = path.partition("?")
    kept = [pair for pair in given.split("&") if _is_kept(pair)]
    asked = dict(query)
    if did:
        asked |= {"did": did, "count": str(count)}
    whole = "&".join([*kept, urlencode(asked)] if asked else kept)
    there = url(path) + (f"?{whole}" if whole else "")
    return HTTPResponse(b"", 303, {"Location": there, "Cache-Control": "no-store"})


def _address() -> str:
    """Of the page that is asked for, less what it says was done: below the prefix."""
    pairs = [one for one in request.query_string.split("&") if _is_kept(one)]
    return quote(request.path) + ("?" if pairs else "") + "&".join(pairs)


def _is_kept(pair: str) -> bool:
    return bool(pair) and not pair.startswith(("did=", "count="))


def _rendered(name: str, told: dict[str, Any]) -> bytes:
    read_only = READ_ONLY in request.environ
    text: str = _template(name).render(**_HELP, read_only=read_only, **told)
    return text.encode()


class _Template(SimpleTemplate):  # type: ignore[misc]
    """One that escapes our way. bottle makes those that it includes of its class alone,
    without its settings."""

    def prepare(self, **options: Any) -> None:
        super().prepare(**{**options, "escape_func": escaped})


@cache
def _template(name: str) -> _Template:
    return _Template(name=f"{name}.html", lookup=[str(FOLDER)])


# --- what templates call --------------------------------------------------------------


def url(path: str, **query: object) -> str:
    """The address of ``path``, which is one below the prefix, with what is in ``query``
    and not None or "". The ends of all links in pages are made here."""
    given = {key: str(value) for key, value in query.items() if value not in (None, "")}
    prefix = request.environ.get("SCRIPT_NAME", "")
    return f"{prefix}{path}" + (f"?{urlencode(given)}" if given else "")


def static(name: str) -> str:
    """The address of a file that does not change."""
    return url(f"/ui/static/{name}", v=files()[name].version)


def part(text: str) -> str:
    """``text`` as one part of a path, or as an id: whatever is in it."""
    return quote(text, safe="")


def escaped(text: str) -> str:
    """``text`` as text: no tags, and nothing that hides or turns round what follows."""
    if not text.isprintable():
        text = "".join(
            one if one.isprintable() or one in "\n\t" else spelled(one) for one in text
        )
    return html.escape(text)


def value(text: object) -> str:
    """``text`` as the value of a field that is sent back to us: as it is, but for tags.
    What people look at is ``escaped``."""
    return html.escape(str(text))


def moment(at: float, now: float) -> str:
    """When, seen from ``now``, as an element that has the whole of it; both posix."""
    try:
        there = datetime.fromtimestamp(at, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return "never"
    exact = there.isoformat("T", "seconds").replace("+00:00", "Z")
    told = there.strftime("%Y-%m-%d %H:%M:%S UTC")
    words = html.escape(when.relative(at, now))
    return f'<time datetime="{exact}" title="{told}">{words}</time>'


_HELP = {
    "url": url,
    "static": static,
    "part": part,
    "value": value,
    "moment": moment,
    "number": wording.number,
    "counted": wording.counted,
    "rate": wording.rate,
    "size": wording.size,
    "span": when.span,
    "sentence": wording.sentence,
}

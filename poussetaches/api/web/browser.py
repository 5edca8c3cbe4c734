"""What a browser says in a request: which form of an answer it wants, and what was
filled in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from poussetaches.api.pushes import body_of, media_type_of
from poussetaches.errors import InvalidInput

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
#: In a form, of which one may have a box for each task of a page.
MOST_FIELDS = 2000

PAGE = "text/html"
#: What is there instead, and what says that anything will do.
JSON = ("application/json", "application/x-ndjson")
ANYTHING = ("*/*", "text/*", "application/*")


def prefers_page(accept: str) -> bool:
    """Whether an Accept header asks for a page by name, and for no JSON: browsers do,
    and clients of applications do not."""
    weights = dict(_weights(accept))
    page = weights.get(PAGE, 0.0)
    json = max(weights.get(kind, 0.0) for kind in JSON)
    anything = max(weights.get(kind, 0.0) for kind in ANYTHING)
    return page > 0 == json and page >= anything


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    for one in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        yield kind, weight


class Form:
    """What was filled in. A box that is not checked is not there."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __contains__(self, name: str) -> bool:
        return any(one == name for one, _ in self._pairs)

    def get(self, name: str, usual: str = "") -> str:
        """The value under ``name``, the last if there are several."""
        return next((v for n, v in reversed(self._pairs) if n == name), usual)

    def all(self, name: str) -> list[str]:
        """Every value under ``name``."""
        return [value for one, value in self._pairs if one == name]

    def names(self) -> list[str]:
        """Everything that something stands under, once."""
        return list(dict.fromkeys(name for name, _ in self._pairs))


def read_form(environ: WSGIEnvironment) -> Form:
    """The form that the body of this request is. Raises InvalidInput."""
    body = body_of(environ)
    if body and media_type_of(environ) != FORM:
        raise InvalidInput(f"The body must be a form: {FORM}.")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except UnicodeDecodeError:
        raise InvalidInput("The form is not UTF-8.") from None
    except ValueError:
        raise InvalidInput(f"A form has at most {MOST_FIELDS} fields.") from None
    return Form(pairs)


def query_form(environ: WSGIEnvironment) -> Form:
    """What is asked in the address, as if it were filled in in a form."""
    query: str = environ.get("QUERY_STRING", "")
    return Form(parse_qsl(query, keep_blank_values=True))


def back_of(form: Form, usual: str) -> str:
    """Where the form stood (its field ``back``): a path of a page, below the prefix;
    ``usual`` if it says nothing that may be one."""
    given = form.get("back")
    path = given.partition("?")[0]
    ours = path == "/tasks" or path.startswith("/ui/")
    plain = given.isascii() and given.isprintable() and " " not in given
    return given if ours and plain and "\\" not in given else usual

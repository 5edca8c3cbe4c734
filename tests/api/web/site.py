"""The pages asked as a browser asks, without one; and what must hold of each."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlencode
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from poussetaches.api.access import READ_ONLY
from poussetaches.api.app import make_app
from poussetaches.api.health import Health

#: As Firefox and Chromium have it.
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FORM = "application/x-www-form-urlencoded"

#: What strangers call things.
HOSTILE = "<script>alert(1)</script>'\"`{{7*7}}% end\u202etxt\u2066\x00\x1b[2J&amp;"

#: Elements that have no end.
VOID = {"meta", "link", "input", "br", "hr", "img"}
#: Attributes that lead somewhere.
LINKS = {"href", "src", "action", "hx-get", "hx-post", "data-history"}


class Element(NamedTuple):
    """One, with the text right in it and below."""

    tag: str
    attributes: dict[str, str]
    words: list[str]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


class Page(HTMLParser):
    """What a page says. AssertionError if it is not well-formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, self._open[-1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1].tag == tag, (tag, self.getpos())
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.words.append(data)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of that kind that have these attributes (``_`` for ``-``)."""
        wanted = {n.rstrip("_").replace("_", "-"): v for n, v in attributes.items()}
        return [
            one
            for one in self.elements
            if one.tag == tag and wanted.items() <= one.attributes.items()
        ]

    def one(self, tag: str, **attributes: str) -> Element:
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def forms(self) -> list[Element]:
        """Those that change something."""
        return self.all("form", method="post")


class Answer(NamedTuple):
    status: int
    #: By names in small letters.
    headers: dict[str, str]
    body: bytes

    @property
    def page(self) -> Page:
        assert self.headers["content-type"] == "text/html; charset=utf-8"
        return Page(self.body.decode())


class Site:
    """The application, in front of a ``gateway`` that somebody else scripts."""

    def __init__(self, gateway: object, *, read_only: bool = False, prefix: str = ""):
        self._app = validator(make_app(cast(Any, gateway), Health(10.0, 0.0)))
        self._read_only = read_only
        self.prefix = prefix

    def get(self, address: str, accept: str = BROWSER, **headers: str) -> Answer:
        path, _, query = address.partition("?")
        return self._ask("GET", path, query, b"", HTTP_ACCEPT=accept, **headers)

    def post(self, path: str, **fields: Any) -> Answer:
        body = urlencode(fields, doseq=True).encode()
        return self._ask("POST", path, "", body, CONTENT_TYPE=FORM)

    def _ask(
        self, method: str, path: str, query: str, body: bytes, **headers: str
    ) -> Answer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": self.prefix,
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            **headers,
        }
        if self._read_only:
            environ[READ_ONLY] = True
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        started: list[Any] = []

        def start_response(status: str, headers: list[Any], exc: Any = None) -> Any:
            started[:] = [status, headers]
            return lambda data: None

        chunks = self._app(environ, start_response)
        try:
            content = b"".join(chunks)
        finally:
            chunks.close()  # type: ignore[attr-defined]
        status, told = started
        named = {name.lower(): value for name, value in told}
        return Answer(int(status.split()[0]), named, content)


def check(page: Page, prefix: str = "") -> None:
    """What holds of every page: see the names."""
    _nothing_is_inline(page)
    _links_stay_here(page, prefix)
    _ids_are_unique_and_there(page)
    _strangers_are_text(page)
    if page.html.startswith("<!doctype html>"):
        assert len(page.all("h1")) == 1
        assert len(page.all("main")) == 1
        assert page.one("html").attributes["lang"] == "en"
        assert page.one("title").text.endswith(" - poussetaches")


def _nothing_is_inline(page: Page) -> None:
    for element in page.elements:
        assert element.tag not in {"style", "base", "object", "embed", "iframe"}
        if element.tag == "script":
            assert element.attributes["src"] and not element.text
        for name, value in element.attributes.items():
            assert name != "style" and not name.startswith("on"), element
            assert not name.startswith("hx-on"), element
            assert not value.lower().lstrip().startswith("javascript:"), element


def _links_stay_here(page: Page, prefix: str) -> None:
    for element in page.elements:
        for name in LINKS & element.attributes.keys():
            link = element.attributes[name]
            if not link.startswith("#"):
                assert link.startswith(f"{prefix}/"), (element, link)
                assert not link.startswith("//"), (element, link)


def _ids_are_unique_and_there(page: Page) -> None:
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids)), ids
    assert not [id for id in ids if not id or any(c.isspace() for c in id)]
    for element in page.elements:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            for id in element.attributes.get(name, "").split():
                assert id in ids, (element, id)
        if element.tag in {"input", "select", "textarea"}:
            known = element.attributes
            hidden = known.get("type") == "hidden"
            labels = [one.attributes.get("for") for one in page.all("label")]
            assert hidden or "aria-label" in known or known.get("id") in labels, known


def _strangers_are_text(page: Page) -> None:
    assert "<script>alert" not in page.html
    for element in page.elements:
        seen = {*element.words, *element.attributes.values()}
        if element.tag in {"input", "button", "option"}:
            # What is sent back to us, it may be, as it is.
            seen.discard(element.attributes.get("value", ""))
        for character in "".join(seen):
            assert character.isprintable() or character in "\n\t", element.tag

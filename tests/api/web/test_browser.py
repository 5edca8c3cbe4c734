"""What a browser says: which form of an answer it wants, and forms."""

from __future__ import annotations

import io
from typing import Any

import pytest

from poussetaches.api.web.browser import Form, back_of, prefers_page, read_form
from poussetaches.errors import InvalidInput


@pytest.mark.parametrize(
    "accept",
    [
        # Firefox, Chromium, Safari, and the least.
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
        "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        "text/html, */*",
        "TEXT/HTML",
        "text/html;level=1;q=0.5",
    ],
)
def test_a_browser_has_a_page(accept: str) -> None:
    assert prefers_page(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "application/json",
        # axios, jQuery, .NET
        "application/json, text/plain, */*",
        "application/json, text/javascript, */*; q=0.01",
        "text/html, application/json",
        "text/html, application/x-ndjson;q=0.9",
        "text/html;q=0",
        "text/html;q=0.1, */*",
        "text/html;q=x",
        ";,;q=,,",
    ],
)
def test_all_others_have_json(accept: str) -> None:
    assert not prefers_page(accept)


def form(body: bytes, kind: str = "application/x-www-form-urlencoded") -> Form:
    environ: dict[str, Any] = {
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    return read_form(environ)


def test_a_form_has_what_was_filled_in() -> None:
    filled = form(b"id=a&id=b&text=%C3%A9+%26&empty=")
    assert filled.all("id") == ["a", "b"]
    assert (filled.get("id"), filled.get("text")) == ("b", "é &")
    assert (filled.get("empty", "x"), filled.get("none", "x")) == ("", "x")
    assert "empty" in filled and "none" not in filled
    assert filled.names() == ["id", "text", "empty"]
    assert form(b"", "").names() == []


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"{}", "application/json", "must be a form"),
        (b"a=%FF", "application/x-www-form-urlencoded", "UTF-8"),
        (b"a=\xff", "application/x-www-form-urlencoded", "UTF-8"),
        (b"a&" * 3000, "application/x-www-form-urlencoded", "at most 2000 fields"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, kind: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        form(body, kind)


@pytest.mark.parametrize("back", ["/tasks", "/tasks?x=1", "/ui/tasks?state=dead&x=%2F"])
def test_one_comes_back_to_where_the_form_stood(back: str) -> None:
    assert back_of(Form([("back", back)]), "/ui/queues") == back


@pytest.mark.parametrize(
    "back",
    [
        "",
        "http://evil.example/",
        "//evil.example/ui/",
        "/\\evil.example",
        "/ui/\\x",
        "/ui/\r\nSet-Cookie: x",
        "/ui/ x",
        "/ui/é",
        "/stats",
        "/uix",
        "ui/tasks",
    ],
)
def test_and_nowhere_else(back: str) -> None:
    assert back_of(Form([("back", back)]), "/ui/queues") == "/ui/queues"

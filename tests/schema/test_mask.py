"""Secrets that a task was given: what is shown of them, and what comes back."""

from __future__ import annotations

import pytest

from poussetaches.errors import InvalidInput
from poussetaches.model.headers import shown_headers
from poussetaches.schema.mask import meant_headers, meant_url, shown_url


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "X-ApiKey",
        "Api-Key-Id",
        "X-Access-Key",
        "X-Keys",
        "Key",
        "X-Auth-User",
        "X-CSRF-Token",
        "X-Client-Secret",
        "X-Passwd",
        "DB-Password",
        "X-Hub-Signature-256",
        "X-Credentials",
        "Cf-Access-Jwt-Assertion",
        "X-Session-Id",
        "X-Bearer",
        "X-Shopify-Hmac-Sha256",
    ],
)
def test_the_value_of_a_secret_header_is_masked(name: str) -> None:
    assert shown_headers(((name, "s3cret"),)) == {name: "***"}


@pytest.mark.parametrize(
    "name",
    [
        "Idempotency-Key",
        "X-Idempotency-Key",
        "Content-Type",
        "X-Keyword",
        "X-Keyboard-Layout",
        "traceparent",
        "X-Request-Id",
        "Accept",
    ],
)
def test_the_value_of_another_is_shown(name: str) -> None:
    assert shown_headers(((name, "plain"),)) == {name: "plain"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a/b?c=d@e", "http://a/b?c=d@e"),
        ("http://u:p@a:1/b?c", "http://***@a:1/b?c"),
        ("https://u@a", "https://***@a"),
        ("http://u:p@q@a/x@y", "http://***@a/x@y"),
    ],
)
def test_what_stands_before_a_host_is_masked(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_url_that_comes_back_as_it_was_shown_is_the_same() -> None:
    assert meant_url("http://***@a/b", "http://u:p@a/b") == "http://u:p@a/b"
    assert meant_url("http://a/c", "http://u:p@a/b") == "http://a/c"
    assert meant_url("http://v:q@a/b", "http://u:p@a/b") == "http://v:q@a/b"


@pytest.mark.parametrize("before", ["http://u:p@a/b", "http://b/b", "http://a/other"])
def test_a_masked_url_that_is_another_is_refused(before: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        meant_url("http://***@evil/b", before, "roll_back")
    assert refused.value.field == "roll_back"
    assert "u:p" not in refused.value.message


def test_a_header_that_comes_back_masked_is_what_it_was() -> None:
    before = (("Authorization", "s3cret"), ("X-A", "1"))
    given = (("authorization", "***"), ("X-A", "2"), ("X-B", "***"))
    assert meant_headers(given, before) == (
        ("authorization", "s3cret"),
        ("X-A", "2"),
        ("X-B", "***"),
    )


def test_a_masked_header_that_was_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Cookie"):
        meant_headers((("Cookie", "***"),), (("Authorization", "s3cret"),))

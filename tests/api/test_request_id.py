"""The id of a request: whose it is, and where it is seen."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from bottle import Bottle

from poussetaches.api.request_id import current_request_id, given_id, request_id
from tests.api.corpus import SECOND, get, post
from tests.api.wire import Recorder, serving


@pytest.mark.parametrize("given", ["a", "Az0._-", "x" * 64])
def test_that_of_the_caller_is_kept(given: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": given}
    assert given_id(environ) == request_id(environ) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "a,b", "\xe9", "<b>"])
def test_another_is_made_for_one_that_cannot_be_kept(given: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": given}
    made = request_id(environ)
    assert given_id(environ) == ""
    assert len(made) == 16
    assert request_id(environ) == made


def test_outside_of_a_request_there_is_none() -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(current_request_id).result() == ""


def test_that_of_bottles_request_is_the_current_one() -> None:
    seen = []
    app = Bottle()
    app.route("/", callback=lambda: seen.append(current_request_id()))
    with serving(app) as site, site.client() as client:
        client.ask(get(b"GET / HTTP/1.1", b"X-Request-Id: mine"))
        named = client.ask(get(b"GET /nowhere HTTP/1.1"))
    assert seen == ["mine"]
    assert len(named.headers["x-request-id"]) == 16


def test_an_answer_names_its_request_if_the_caller_did() -> None:
    with serving(Recorder()) as site, site.client() as client:
        assert "x-request-id" not in client.ask(SECOND).headers
        named = client.ask(get(b"GET / HTTP/1.1", b"X-Request-Id: mine.1"))
        assert named.headers["x-request-id"] == "mine.1"
        unnamed = client.ask(get(b"GET / HTTP/1.1", b"X-Request-Id: no such id"))
        assert "x-request-id" not in unnamed.headers


def test_a_refusal_names_its_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="poussetaches.api.connection")
    with serving(Recorder()) as site:
        with site.client() as client:
            long = post(b"X-Request-Id: mine", b"Content-Length: 1000001")
            assert client.ask(long).headers["x-request-id"] == "mine"
        with site.client() as client:
            made = client.ask(b"nonsense\r\n\r\n").headers["x-request-id"]
            assert len(made) == 16
    seen = [getattr(record, "fields", {}).get("request") for record in caplog.records]
    assert seen == ["mine", made]

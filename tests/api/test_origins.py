"""The origins over HTTP: what is asked of the supervisor, and what people see of it."""

from __future__ import annotations

import pytest

from poussetaches.errors import NotFound
from tests.api.test_queues import Channel, ask

VIEW = ("http://127.0.0.1:8000", "held", 1e9, 1e9 + 4, 1, None, 0, 12, "answered 503")
SHOWN = {
    "origin": "http://127.0.0.1:8000",
    "state": "held",
    "since": 1e9,
    "next_probe": 1e9 + 4,
    "limit": 1,
    "cap": None,
    "in_flight": 0,
    "waiting": 12,
    "reason": "answered 503",
}


def test_origins_are_shown_with_how_many_there_are() -> None:
    channel = Channel({"origins": [VIEW], "total": 7, "held": 1})
    status, told = ask(channel, "GET", "/origins")
    assert (status, told) == (200, {"origins": [SHOWN], "total": 7, "held": 1})


@pytest.mark.parametrize(
    ("body", "origin"),
    [
        (b"", None),
        (b"{}", None),
        (b'{"origin": null}', None),
        (b'{"origin": "http://A.example/task?x=1"}', "http://a.example:80"),
        (b'{"origin": "https://u:p@[::1]/"}', "https://[::1]:443"),
    ],
)
def test_any_url_of_an_origin_names_it_and_none_all_of_them(
    body: bytes, origin: str | None
) -> None:
    channel = Channel(3)
    assert ask(channel, "POST", "/origins/lift", body) == (200, {"lifted": 3})
    assert channel.asked == [("origins_lift", {"origin": origin})]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"[]", None, "The body must be a JSON object."),
        (b'{"origin": 1e400}', None, "The body cannot be read: Number out of range"),
        (b"{", None, "The body is not valid JSON: "),
        (b'{"url": "http://a/"}', "url", "url: there is no such field"),
        (b'{"origin": 8000}', "origin", "origin: must be text."),
        (b'{"origin": "a"}', "origin", "origin: must be a full URL"),
        (b'{"origin": "ftp://a"}', "origin", "origin: has the scheme ftp"),
    ],
)
def test_what_is_no_origin_is_refused_before_the_supervisor_is_asked(
    body: bytes, field: str | None, message: str
) -> None:
    channel = Channel()
    status, told = ask(channel, "POST", "/origins/lift", body)
    assert (status, told["error"]["field"]) == (400, field)
    assert told["error"]["message"].startswith(message)
    assert channel.asked == []


def test_one_for_which_nothing_waits_is_not_found() -> None:
    channel = Channel(NotFound("nothing waits for http://a:80"))
    assert ask(channel, "POST", "/origins/lift", b'{"origin": "http://a"}')[0] == 404

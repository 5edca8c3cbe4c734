"""The filter by text: where it looks, where it does not, and what a look costs."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.channel.messages import metadata_of, seal, url_of
from poussetaches.errors import ChannelError
from poussetaches.model.filter import Filter
from poussetaches.model.listing import SLICE_BYTES, count, tasks
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import How, Report, Spec, Special, Task, Terms
from tests.support.dead_letters import die

URL = "http://anna:hunter2@a.example/mail/Welcome"
SPEC = Spec(
    URL,
    b"in the payload",
    200,
    How(metadata='{"tenant":"Acme"}', headers=(("X-Api-Key", "s3cret"),)),
)
TERMS = Terms(key="order-17", special=Special(group="Customer 4"))


def fits(text: str, spec: Spec = SPEC, **fields: Any) -> bool:
    fields = {"terms": TERMS, "error": "smtp: no MAILBOX für Ä".encode()} | fields
    task = Task("a" * 32, seal(spec), "", 0.0, 0.0, 0, **fields)
    filter = Filter(text=text.encode().lower())
    return filter.test(url_of, metadata_of)(task)


@pytest.mark.parametrize(
    "text",
    ["a.example", "/mail/welcome", "ORDER-17", "customer 4", '"acme"', "no mailbox"],
)
def test_it_looks_into_what_people_know_a_task_by(text: str) -> None:
    assert fits(text)
    assert not fits(text + "!")


def test_letters_beyond_ascii_are_what_they_are() -> None:
    assert fits("für Ä")
    assert not fits("für ä")


@pytest.mark.parametrize("text", ["in the payload", "s3cret", "api-key", "aaaa", "200"])
def test_it_does_not_look_elsewhere(text: str) -> None:
    assert not fits(text)


@pytest.mark.parametrize("text", ["hunter2", "anna", "anna:hunter2@a.example"])
def test_it_is_no_way_to_guess_a_password(text: str) -> None:
    assert not fits(text)
    assert fits("//***@a.example")


@pytest.mark.parametrize("user", ["anna", "anna:h", "anna:hunter2@a.example"])
def test_nor_is_how_a_url_begins(user: str) -> None:
    task = Task("a" * 32, seal(SPEC), "", 0.0, 0.0, 0)
    begins = Filter(url=f"http://{user}".encode()).test(url_of, metadata_of)
    assert not begins(task)
    assert Filter(url=b"http://***@a.ex").test(url_of, metadata_of)(task)


def test_what_is_not_there_has_no_text() -> None:
    assert not fits("none", Spec(URL), terms=Terms(), error=None)


@pytest.mark.parametrize("length", [None, 0, 5, 255, 256, 70_000])
@pytest.mark.parametrize("expected", [200, "2xx", (201, "4xx"), 599])
def test_metadata_is_found_in_whatever_was_sealed(
    length: int | None, expected: Any
) -> None:
    payload = None if length is None else b"x" * length
    for url in (URL, URL + "é" * 40, URL + "x" * 300):
        plain = Spec(url, payload, expected)
        assert metadata_of(seal(plain)) == b""
        assert metadata_of(seal(plain._replace(how=How()))) == b""
        carrying = plain._replace(how=How(metadata='["é"]'))
        assert metadata_of(seal(carrying)) == '["é"]'.encode()


def test_metadata_is_found_in_what_tells_of_another_task() -> None:
    report = Report("dead", "b" * 32, seal(SPEC), "default", 1, 500, b"no", 0.0)
    assert metadata_of(seal(Spec(URL, None, 200, How(report=report)))) == b""


def test_a_spec_of_an_older_version_has_no_metadata() -> None:
    sealed = seal(Spec(URL, b"payload", 201))
    for fields, length in ((3, 1), (2, 3), (1, 3 + 2 + 7)):
        older = bytes([0x90 + fields]) + sealed[1:-length]
        assert metadata_of(older) == b"", fields


def test_what_is_no_spec_is_refused() -> None:
    with pytest.raises(ChannelError, match="not a sealed spec"):
        metadata_of(seal(Spec(URL, b"x", 200, How()))[:-3])


def test_a_search_through_long_errors_is_cut_in_slices() -> None:
    queue = TaskQueue()
    error = "x" * (SLICE_BYTES // 4)
    for n in range(20):
        die(queue, f"t{n}", error)
    filter = Filter(text=b"nowhere")
    test = filter.test(url_of, metadata_of)
    some = tasks(queue, ("dead",), limit=9, after=None, filter=filter, fits=test)
    assert some.tasks == [] and some.cursor is not None
    looks, after = 0, None
    while looks == 0 or after is not None:
        told = count(queue, ("dead",), after=after, filter=filter, fits=test)
        looks, after = looks + 1, told.cursor
    assert looks == 20 / 4

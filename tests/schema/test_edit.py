"""Some fields of a push, in the place of those that a task was pushed with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import NO_ANSWER, How, Report, Spec, Terms
from poussetaches.schema import (
    Edit,
    PushBody,
    TaskView,
    parse_edit,
    parse_push,
    read_message,
    task_json,
)
from poussetaches.schema.edit import OF_A_SCHEDULE, TIMES
from tests.support.pushes import NOW, URL, bodies, texts, view_of

RULES = Rules("UTC")
QUEUES = {"mail": QueueSettings(base_url="http://mail.example/")}


def task(**body: Any) -> TaskView:
    return view_of(parse_push(json.dumps({"url": URL, **body}).encode(), RULES))


def edit(view: TaskView, **fields: Any) -> Edit:
    return parse_edit(json.dumps(fields).encode(), view, RULES, None, QUEUES)


def is_the_same(view: TaskView) -> bool:
    asked = edit(view)
    request = asked.request
    return not asked.is_timed and (view.id, view.spec, view.terms) == (
        request.id,
        request.spec,
        request.terms,
    )


@given(bodies())
def test_who_says_nothing_changes_nothing(body: dict[str, Any]) -> None:
    if "schedule" not in body:
        assert is_the_same(task(**body))


@given(
    payload=st.none() | texts,
    metadata=st.none() | st.dictionaries(texts, texts),
    eta=st.none() | st.integers(NOW, NOW + 1000),
)
def test_nor_where_it_came_as_a_message(
    payload: str | None, metadata: Any, eta: int | None
) -> None:
    message = {"url": URL, "payload": payload, "metadata": metadata, "eta": eta}
    assert is_the_same(view_of(read_message(message, None)))


@given(bodies(), bodies())
def test_what_is_given_is_as_if_it_had_been_pushed(
    body: dict[str, Any], fields: dict[str, Any]
) -> None:
    if "schedule" in body or "schedule" in fields:
        return
    loads = {"payload", "json"}
    kept = dict(body)
    if not loads.isdisjoint(fields):
        kept = {name: one for name, one in body.items() if name not in loads}
    if {"eta", "expires"} & {*fields} and {"eta", "expires"} & {*kept}:
        # Those of two pushes together may make no sense.
        kept.pop("expires", None)
        fields.pop("expires", None)
    whole = task(**{**kept, **fields})
    asked = edit(
        task(**body | {"expires": None} if "expires" not in kept else body), **fields
    )
    assert asked.request.spec == whole.spec
    assert asked.request.terms == whole.terms
    assert asked.is_timed == (not TIMES.isdisjoint(fields))


def test_a_time_takes_the_place_of_another() -> None:
    view = task(eta=NOW + 60.0)
    asked = edit(view, countdown=5)
    assert (asked.is_timed, asked.request.delay) == (True, 5.0)
    assert asked.request.terms == task().terms
    assert edit(view, eta=None).request.terms == task().terms
    assert edit(view, max_retries=3).request.terms.special == view.terms.special


def test_one_load_takes_the_place_of_the_other() -> None:
    as_json = task(json={"a": 1})
    assert edit(as_json, payload="bG9s").request.spec == Spec(URL, b"lol")
    as_bytes = task(payload="bG9s")
    asked = edit(as_bytes, json=[1]).request.spec
    assert asked == Spec(URL, b"[1]", how=How(is_json=True))
    assert edit(as_bytes, payload=None).request.spec == Spec(URL)
    assert edit(as_json, json=None).request.spec == Spec(URL)


def test_secret_headers_are_kept_though_nobody_sees_them() -> None:
    headers = {"Authorization": "Bearer abc"}
    url, back = "http://u:p@h/x", "http://v:q@h/back"
    body = {"headers": headers, "url": url, "roll_back": back}
    view = view_of(parse_push(json.dumps(body).encode(), RULES))
    assert is_the_same(view)
    # Who sends back what was shown does not mean the mask.
    shown = task_json(view)
    given = {name: shown[name] for name in ("url", "headers", "roll_back")}
    assert "***" in str(given["url"])
    asked = edit(view, **given, max_retries=1).request
    assert asked.spec == view.spec
    assert asked.terms.special == view.terms.special
    with pytest.raises(InvalidInput, match=r"^url: \*\*\* stands for"):
        edit(view, url="http://***@other/")
    with pytest.raises(InvalidInput, match=r"^headers: Cookie: "):
        edit(view, headers={"Cookie": "***"})


def test_null_takes_a_field_back_to_its_default() -> None:
    given = {"expected": 204, "key": "k", "queue": "mail", "group": "g", "timeout": 3}
    view = task(**given)
    asked = edit(view, **dict.fromkeys(given)).request
    assert (asked.spec, asked.terms) == (task().spec, task().terms)


def test_it_moves_to_another_queue_with_a_path_of_it() -> None:
    asked = edit(task(), queue="mail", url="welcome").request
    assert asked.spec.url == "http://mail.example/welcome"
    assert asked.terms == Terms(None, "", "http://mail.example:80", "mail")
    assert edit(task(), queue="mail").request.spec.url == URL


def test_a_callback_still_tells_what_it_told() -> None:
    report = Report("dead", "5f" * 16, b"spec", "default", 3, NO_ANSWER, b"no", 5.0)
    view = task()._replace(spec=Spec(URL, how=How(report=report)))
    assert is_the_same(view)
    moved = edit(view, url="http://h/", method="PUT").request.spec
    assert moved == Spec("http://h/", how=How("PUT", report=report))
    assert edit(view, payload="bG9s").request.spec == Spec(URL, b"lol")


@pytest.mark.parametrize("field", OF_A_SCHEDULE)
def test_a_task_becomes_no_schedule(field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: only a schedule has it") as no:
        edit(task(), **{field: "@daily"})
    assert no.value.field == field


def test_what_a_schedule_was_told_to_run_is_edited_as_a_task() -> None:
    view = task(schedule="@daily", name="n", timezone="UTC")._replace(schedule="")
    assert edit(view, max_retries=3).request.terms.max_retries == 3


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "The body must be a JSON object."),
        (b"{", "The body is not valid JSON"),
        (b'{"colour": 1}', "colour: is not a field of a push"),
        (b'{"url": 7}', "url: expected text, got a whole number"),
        (b'{"url": null}', "url: expected text, got null"),
        (b'{"URL": "ftp://h/"}', "The url"),
        (b'{"method": "GET"}', "payload: a GET carries none"),
    ],
)
def test_bad_edits_are_refused_as_pushes_are(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse_edit(body, task(payload="bG9s"), RULES)


def test_every_field_of_a_push_can_be_edited_or_is_refused() -> None:
    """Whoever adds a field to the push adds it to what ``_fields`` says of a task."""
    whole = {
        "payload": "bG9s",
        "expected": 204,
        "max_retries": 3,
        "key": "k",
        "queue": "mail",
        "eta": NOW + 5.0,
        "expires": NOW + 50.0,
        "backoff": [1.0],
        "timeout": 4.0,
        "roll_back": "http://h/back",
        "on_success": "http://h/done",
        "metadata": {"a": 1},
        "method": "PUT",
        "headers": {"X-A": "b"},
        "format": "raw",
        "keep_result": True,
        "group": "g",
    }
    others = {"url", "json", *TIMES, *OF_A_SCHEDULE}
    assert {*PushBody.__struct_fields__} == {*whole} | others
    assert is_the_same(task(**whole))
    assert is_the_same(task(json=[1.5], format="envelope"))

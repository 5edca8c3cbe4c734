"""The form of a push: what is filled in is what is pushed, and the other way round."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from poussetaches.api.web.browser import Form
from poussetaches.api.web.push_form import GROUPS, filled, push_body
from poussetaches.schema import PushBody, push_json
from tests.api.web.supervised import Supervised

URL = "http://h/task"

#: As it is filled in, and as it is pushed.
EVERYTHING: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {}),
    ({"kind": "json", "payload": ' {"a": [1, null]} '}, {"json": {"a": [1, None]}}),
    (
        {"kind": "text", "payload": " a\r\nb\u00e9"},
        {"payload": b64encode(" a\nb\u00e9".encode()).decode()},
    ),
    ({"kind": "base64", "payload": "AP8=\r\n"}, {"payload": "AP8="}),
    ({"kind": "json", "payload": " \n"}, {}),
    ({"queue": "mail"}, {"queue": "mail"}),
    ({"countdown": "90"}, {"countdown": 90}),
    ({"countdown": "1.5"}, {"countdown": 1.5}),
    ({"eta": "1800000000"}, {"eta": 1800000000}),
    ({"eta": "2027-01-15 08:00"}, {"eta": 1800000000}),
    ({"eta": "2027-01-15 09:00+01:00"}, {"eta": 1800000000}),
    ({"expires": "2027-01-15T08:00:00Z"}, {"expires": 1800000000}),
    ({"expires": "2027-01-15 08:00 UTC"}, {"expires": 1800000000}),
    ({"expected": "204"}, {"expected": 204}),
    ({"expected": "2xx, 404"}, {"expected": ["2xx", 404]}),
    ({"max_retries": "-1"}, {"max_retries": -1}),
    ({"backoff": "1, 10,60"}, {"backoff": [1.0, 10.0, 60.0]}),
    ({"backoff": '{"min": 1, "max": 9}'}, {"backoff": {"min": 1, "max": 9}}),
    ({"timeout": "2.5"}, {"timeout": 2.5}),
    ({"on_success": "http://h/s"}, {"on_success": "http://h/s"}),
    ({"roll_back": "http://h/r"}, {"roll_back": "http://h/r"}),
    ({"keep_result": "yes"}, {"keep_result": True}),
    ({"key": "k 1"}, {"key": "k 1"}),
    ({"group": "g"}, {"group": "g"}),
    ({"method": "PUT"}, {"method": "PUT"}),
    ({"format": "raw"}, {"format": "raw"}),
    ({"headers": "X-A: 1\r\nX-B:  b:c \n\n"}, {"headers": {"X-A": "1", "X-B": "b:c"}}),
    ({"metadata": '{"trace": 1}'}, {"metadata": {"trace": 1}}),
    (
        {"schedule": "@daily", "name": "n", "timezone": "Europe/Paris"},
        {"schedule": "@daily", "name": "n", "timezone": "Europe/Paris"},
    ),
    (
        {"schedule": "@daily", "missed": "all", "overlap": "queue"},
        {"schedule": "@daily", "missed": "all", "overlap": "queue"},
    ),
]


@pytest.mark.parametrize(("texts", "fields"), EVERYTHING)
def test_what_is_filled_in_is_what_is_pushed(
    texts: dict[str, str], fields: dict[str, Any]
) -> None:
    body = push_body(Form([("url", URL), *texts.items()]))
    assert json.loads(body) == {"url": URL, **fields}


@pytest.mark.parametrize(("texts", "fields"), EVERYTHING)
def test_a_push_is_filled_in_as_it_was(
    service: Supervised, texts: dict[str, str], fields: dict[str, Any]
) -> None:
    service.gateway.set_queue("mail", {})
    id = service.pushed(**{"url": URL, **fields})
    if "schedule" in fields:
        one = service.gateway.schedule(id)
        said = push_json(one.spec, one.terms, one.rule)
    else:
        task = service.gateway.task(id)
        said = push_json(task.spec, task.terms)
    again = json.loads(push_body(filled(said)))
    wanted = {"url": URL, **fields}
    wanted.pop("countdown", None)
    assert again == wanted


def test_every_field_of_a_push_can_be_filled_in() -> None:
    names = {one.name for group in GROUPS for one in group.fields}
    # Of a delay there is one way to say it here.
    assert names - {"kind"} == {*PushBody.__struct_fields__} - {"json", "delay"}


def test_json_is_passed_on_as_it_was_given() -> None:
    numbers = "[0.1000000000000000055511151231257827, 123456789012345678901234567890]"
    form = Form([("url", URL), ("kind", "json"), ("payload", numbers)])
    assert numbers.encode() in push_body(form)

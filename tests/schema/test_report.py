"""What the callbacks of a task are told about it."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from poussetaches.channel.messages import seal
from poussetaches.model.task import NO_ANSWER, How, Report, Spec
from poussetaches.schema import report_json

URL = "http://127.0.0.1:5000/task"
REPORT = Report(
    event="dead",
    id="a" * 32,
    spec=seal(Spec(URL, b"lol")),
    queue="mail",
    attempts=11,
    status=503,
    error=b"try later",
    at=1_700_000_000.25,
)


def test_a_report_says_what_has_become_of_which_task() -> None:
    assert json.loads(report_json(REPORT)) == {
        "event": "dead",
        "task": {
            "id": "a" * 32,
            "url": URL,
            "payload": "bG9s",
            "queue": "mail",
            "attempts": 11,
            "metadata": None,
        },
        "error": {"status": 503, "body": "try later"},
        "at": 1_700_000_000.25,
    }


def test_json_and_metadata_are_in_it_as_they_were_given() -> None:
    """A number that no float can hold is still the same one."""
    how = How(is_json=True, metadata='{"by":"caf\\u00e9"}')
    spec = seal(Spec(URL, b'{"n":123456789012345678901234567890}', 200, how))
    told = report_json(REPORT._replace(spec=spec))
    assert b'"json":{"n":123456789012345678901234567890}' in told
    task = json.loads(told)["task"]
    assert task["metadata"] == {"by": "caf\xe9"}
    assert base64.b64decode(task["payload"]) == b'{"n":123456789012345678901234567890}'


def test_who_ended_without_an_answer_or_an_attempt_says_so() -> None:
    none = REPORT._replace(event="expired", attempts=0, status=0, error=None)
    assert json.loads(report_json(none))["error"] is None
    silent = REPORT._replace(status=NO_ANSWER, error=b"no connection")
    assert json.loads(report_json(silent))["error"] == {
        "status": -1,
        "body": "no connection",
    }


def test_a_success_has_no_error_whatever_was_before_it() -> None:
    done = REPORT._replace(event="succeeded", status=200)
    assert json.loads(report_json(done))["error"] is None


@given(st.binary(max_size=100))
def test_any_answer_can_be_told(error: bytes) -> None:
    told = json.loads(report_json(REPORT._replace(error=error)))
    assert isinstance(told["error"]["body"], str)

"""``task show``: a task as people read it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from poussetaches.cli.story import LONGEST, story

NOW = 1_000_000.0

ATTEMPT = {
    "number": 1,
    "due": NOW - 61,
    "started": NOW - 60,
    "duration": 0.25,
    "outcome": "failed",
    "status": 503,
    "error": "status",
    "response": "try \x1b[31mlater",
    "worker": "worker-1",
    "request": "af12",
}


def task(**given: Any) -> dict[str, Any]:
    return {
        "id": "f" * 32,
        "url": "http://127.0.0.1:5000/a",
        "payload": None,
        "expected": 200,
        "schedule": "",
        "next_scheduled_run": 0,
        "next_run": int((NOW + 180) * 1e9),
        "tries": 0,
        "last_run": 0,
        "last_error_body": None,
        "last_error_status_code": 0,
        "queue": "default",
        "state": "waiting",
        **given,
    }


def told(**given: Any) -> dict[str, str]:
    """The facts before the attempts, by name; a line that goes on has no name."""
    found: dict[str, str] = {}
    name = ""
    for line in story(task(**given), NOW):
        if not line:
            break
        word, _, text = line.partition("  ")
        name = word or name
        found[name] = f"{found[name]}\n{text.strip()}" if not word else text.strip()
    return found


def test_what_was_not_asked_for_is_not_told() -> None:
    assert set(told()) == {"task", "state", "target", "queue"}
    assert told()["state"].endswith("(in 3 min); 0 attempts")
    assert told(method="PUT")["target"] == "PUT http://127.0.0.1:5000/a"


def test_whatever_was_asked_for_is() -> None:
    found = told(group="user 42", headers={"X-One": "é"}, key="k", expected=[200, 404])
    assert found["group"] == "user 42"
    assert found["headers"] == '{"X-One": "é"}'
    assert found["expected"] == "[200, 404]"


def test_a_payload_is_shown_as_text_if_it_is_some() -> None:
    assert told(payload=b64encode(b'{"a": 1}').decode())["payload"] == '{"a": 1}'
    two = told(payload=b64encode(b"a:\n  b").decode())
    assert two["payload"] == "a:\nb"
    binary = told(payload=b64encode(b"\xff\x00").decode())["payload"]
    assert binary == "2 bytes that are no text (--json has them)"
    assert told(payload="")["payload"] == "empty"
    assert told(payload="YQ==", json={"ü": 1})["json"] == '{"ü": 1}'


def test_a_long_payload_is_cut_and_said_to_be() -> None:
    long = b64encode(b"a" * (LONGEST + 1)).decode()
    last = told(payload=long)["payload"].splitlines()[-1]
    assert last == f"... {LONGEST + 1} characters (--json has them all)"


def test_every_attempt_is_a_row() -> None:
    again = {**ATTEMPT, "number": 2, "outcome": "in flight", "status": None}
    again |= {"duration": None, "error": None, "response": None}
    lines = [*story(task(state="leased", attempts=[ATTEMPT, again]), NOW)]
    head, first, second = lines[lines.index("") + 1 :]
    assert head.split()[:5] == ["#", "STARTED", "TOOK", "OUTCOME", "STATUS"]
    assert "250 ms  failed     " in first
    assert first.split()[-3:] == ["af12", "try", "\\x1b[31mlater"]
    assert second.split()[-4:] == ["in", "flight", "worker-1", "af12"]


def test_attempts_that_are_not_kept_are_counted() -> None:
    lines = [*story(task(attempts=[ATTEMPT], attempts_dropped=7), NOW)]
    assert lines[-1] == "7 more after the first one are not kept."


def test_why_a_number_comes_twice_is_said() -> None:
    asked_later = {**ATTEMPT, "outcome": "deferred"}
    lines = [*story(task(attempts=[asked_later, ATTEMPT]), NOW)]
    assert lines[-1] == "What is deferred does not count, and its number comes again."
    assert "deferred" not in "".join(story(task(attempts=[ATTEMPT]), NOW))


def test_the_last_error_is_told_if_the_attempts_are_not() -> None:
    error = {"last_error_body": b64encode(b"no").decode()}
    assert told(last_error_status_code=500, **error)["error 500"] == "no"
    assert told(last_error_status_code=-1, **error)["error"] == "no"

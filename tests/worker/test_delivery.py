"""One attempt: what is sent, and how each ending is reported."""

from __future__ import annotations

import base64
import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import poussetaches
from poussetaches.channel.messages import Ended, Lease, seal
from poussetaches.errors import InvalidInput
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.request_head import encode_headers
from poussetaches.model.rules import Rules
from poussetaches.model.target import Target
from poussetaches.model.task import NO_ANSWER, Spec
from poussetaches.worker.delivery import LONGEST_REASON, Delivery
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.guard import TargetRefused
from poussetaches.worker.request import RequestMaker, envelope
from poussetaches.worker.signing import Signer
from poussetaches.worker.transport import Answer, TransportError

URL = "http://127.0.0.1:5000/task?x=1"
#: Bytes that are kept of a failure.
MAX_RESPONSE = 50


class Transport:
    """Gives the answer, or raises the error, it was made with."""

    def __init__(self, result: Answer | Exception) -> None:
        self.result = result
        self.requests: list[dict[str, Any]] = []

    def request(
        self,
        target: Target,
        method: str,
        headers: Any,
        body: bytes,
        *,
        timeout: float,
        fixed: bytes,
    ) -> Answer:
        lines = (fixed + encode_headers(headers)).decode("latin-1").splitlines()
        self.requests.append(
            {
                "target": target,
                "method": method,
                "headers": dict(line.split(": ", 1) for line in lines),
                "body": body,
                "timeout": timeout,
            }
        )
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def attempt(
    result: Answer | Exception,
    spec: Spec | None = None,
    attempt: int = 1,
    queues: dict[str, QueueSettings] | None = None,
    signer: Signer | None = None,
    **lease: Any,
) -> tuple[Ended, Transport]:
    transport = Transport(result)
    delivery = Delivery(
        transport,  # type: ignore[arg-type]
        RequestMaker("s3cret"),
        FollowUps(Rules("UTC"), max_payload=1000),
        signer,
        max_response=MAX_RESPONSE,
    )
    if queues:
        delivery.learn(queues)
    sealed = seal(spec or Spec(URL, b"lol", 200))
    return delivery.attempt(Lease(7, "a" * 32, attempt, sealed, **lease)), transport


def answer(status: int, body: bytes = b"") -> Answer:
    return Answer(status, (), body, False)


def test_the_request_is_the_ancestors_and_tells_more() -> None:
    _, transport = attempt(answer(200), attempt=3)
    [request] = transport.requests
    assert request["method"] == "POST"
    assert request["target"].path == "/task?x=1"
    assert request["timeout"] == 600.0
    assert request["headers"] == {
        "User-Agent": f"poussetaches/{poussetaches.__version__}",
        "Content-Type": "application/json",
        "Poussetaches-Auth-Key": "s3cret",
        "Poussetaches-Queue": "default",
        "Poussetaches-Task-Id": "a" * 32,
        "Poussetaches-Attempt": "3",
    }


@given(st.none() | st.binary(max_size=200), st.integers(1, 100))
def test_the_envelope_is_json_in_the_ancestors_order(
    payload: bytes | None, number: int
) -> None:
    read = json.loads(envelope(payload, number, "00ff00ff00ff"))
    assert list(read) == ["payload", "tries", "req_id"]
    if payload is None:
        assert read["payload"] is None
    else:
        assert base64.b64decode(read["payload"], validate=True) == payload
    assert (read["tries"], read["req_id"]) == (number, "00ff00ff00ff")


def test_every_attempt_has_its_own_request_id() -> None:
    ids = {
        json.loads(attempt(answer(200))[1].requests[0]["body"])["req_id"]
        for _ in range(20)
    }
    assert len(ids) == 20
    assert all(len(id) == 12 and int(id, 16) >= 0 for id in ids)


@pytest.mark.parametrize(
    ("expected", "status", "ok"),
    [(200, 200, True), (200, 201, False), (204, 204, True), (200, 302, False)],
)
def test_only_the_expected_status_is_success(
    expected: int, status: int, ok: bool
) -> None:
    ended, _ = attempt(answer(status, b"text"), Spec(URL, None, expected))
    assert (ended.lease, ended.ok, ended.status) == (7, ok, status)
    assert ended.error == (b"" if ok else b"text")
    assert ended.duration >= 0


def test_a_transport_error_is_no_answer_with_its_words() -> None:
    ended, _ = attempt(TransportError("connect", "connection refused"))
    assert (ended.ok, ended.status) == (False, NO_ANSWER)
    assert ended.error == b"connection refused"


def test_a_target_that_is_not_one_any_more_is_a_failure_for_good() -> None:
    ended, transport = attempt(answer(200), Spec("gopher://old", None, 200))
    assert (ended.ok, ended.status, ended.final) == (False, NO_ANSWER, True)
    assert b"gopher" in ended.error
    assert transport.requests == []


def test_a_target_that_is_refused_is_a_failure_for_good() -> None:
    ended, _ = attempt(TargetRefused("h may not be pushed to: it is a secret"))
    assert (ended.ok, ended.status, ended.final) == (False, NO_ANSWER, True)
    assert ended.error == b"h may not be pushed to: it is a secret"


@pytest.mark.parametrize(
    "kind", ["dns", "connect", "unread", "tls", "timeout", "reset", "response"]
)
def test_what_may_pass_is_not_for_good(kind: str) -> None:
    ended, _ = attempt(TransportError(kind, "this time"))
    assert (ended.final, ended.retry_after) == (False, 0.0)
    assert ended.unreached == (kind == "connect")
    assert ended.unread == (kind == "unread")


@pytest.mark.parametrize("status", [429, 503, 302, 204])
def test_a_failure_may_ask_for_a_longer_wait(status: int) -> None:
    busy = Answer(status, ((b"Retry-After", b"120"),), b"busy", False)
    ended, _ = attempt(busy)
    assert (ended.ok, ended.status, ended.error) == (False, status, b"busy")
    assert (ended.final, ended.retry_after) == (False, 120.0)


def test_a_date_to_come_back_at_counts_from_now() -> None:
    date = formatdate(time.time() + 3600, usegmt=True).encode()
    ended, _ = attempt(Answer(503, ((b"Retry-After", date),), b"", False))
    assert 3598 < ended.retry_after <= 3600


def test_a_success_asks_for_no_wait() -> None:
    ended, _ = attempt(Answer(200, ((b"Retry-After", b"120"),), b"", False))
    assert (ended.ok, ended.retry_after) == (True, 0.0)


def test_a_bug_of_ours_fails_the_attempt_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended, _ = attempt(RuntimeError("oops"))
    assert (ended.ok, ended.status, ended.final) == (False, NO_ANSWER, False)
    assert b"oops" in ended.error
    assert "attempt failed by a bug" in caplog.text


def test_the_words_of_an_error_are_bounded() -> None:
    ended, _ = attempt(InvalidInput("x" * 10_000))
    assert len(ended.error) == LONGEST_REASON

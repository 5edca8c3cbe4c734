"""Signatures, as the published library of Standard Webhooks checks them."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from poussetaches.channel.messages import Lease, seal
from poussetaches.model.rules import Rules
from poussetaches.model.task import How, Spec
from poussetaches.worker.delivery import Delivery
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.request import RequestMaker
from poussetaches.worker.signing import Signer
from poussetaches.worker.transport import Transport
from tests.support.target import Request, ScriptedTarget, answering

OLD, NEW = bytes(range(24)), bytes(range(64))


def whsec(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def test_the_example_of_the_specification() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert Signer([secret]).sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
    ) == ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")


def delivered(spec: Spec, secrets: list[bytes], **lease: Any) -> Request:
    """What arrives at a target."""
    transport = Transport(max_response=100)
    delivery = Delivery(
        transport,
        RequestMaker("k"),
        FollowUps(Rules("UTC"), max_payload=0),
        Signer(secrets) if secrets else None,
        max_response=100,
    )
    with ScriptedTarget(answering()) as target:
        sealed = seal(spec._replace(url=target.url()))
        assert delivery.attempt(Lease(1, "a" * 32, 1, sealed, **lease)).ok
        transport.close()
    [request] = target.requests
    return request


@pytest.mark.parametrize(
    "spec",
    [
        Spec("", b"lol"),
        Spec("", "Zoë".encode(), 200, How(raw=True)),
        Spec("", None, 200, How(method="GET")),
        Spec("", b"x" * 200_000, 200, How(method="PUT", metadata='{"a":1}')),
    ],
    ids=["plain", "raw", "no body", "large"],
)
def test_the_published_library_accepts_what_arrives(spec: Spec) -> None:
    began = int(time.time())
    request = delivered(spec, [NEW])
    Webhook(whsec(NEW)).verify(request.body, request.headers, json_parse=False)
    assert request.headers["webhook-id"] == "a" * 32
    assert began <= int(request.headers["webhook-timestamp"]) <= time.time()
    # Beside the ancestor's.
    assert request.headers["poussetaches-auth-key"] == "k"


def test_with_two_secrets_either_will_do() -> None:
    request = delivered(Spec("", b"lol"), [OLD, NEW])
    for secret in (OLD, NEW):
        Webhook(whsec(secret)).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(bytes(32))).verify(request.body, request.headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "body"])
def test_what_was_changed_on_the_way_is_refused(name: str) -> None:
    request = delivered(Spec("", b"lol"), [NEW])
    headers, body = dict(request.headers), request.body
    if name == "body":
        body += b" "
    elif name == "webhook-id":
        headers[name] = "b" * 32
    else:
        headers[name] = str(int(headers[name]) + 1)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(whsec(NEW)).verify(body, headers)


def test_runs_of_a_schedule_have_ids_of_their_own_and_their_attempts_share_them() -> (
    None
):
    signer = Signer([NEW])
    ids = [
        signer.headers(Lease(1, "a" * 40, attempt, b"", slot=slot), b"", 5.9)[0][1]
        for slot, attempt in ((1614265330.0, 1), (1614265330.0, 2), (1614265331.5, 1))
    ]
    run, other = "a" * 40 + "_1614265330", "a" * 40 + "_1614265331"
    assert ids == [run, run, other]


def test_the_timestamp_is_of_this_attempt_and_whole() -> None:
    headers = dict(Signer([NEW]).headers(Lease(1, "a" * 32, 1, b""), b"", 1234.99))
    assert headers["webhook-timestamp"] == "1234"


def test_without_a_secret_nothing_is_signed() -> None:
    request = delivered(Spec("", b"lol"), [])
    assert not [name for name in request.headers if name.startswith("webhook-")]


@given(st.binary(min_size=24, max_size=64), st.text(max_size=100), st.integers(0, 9))
def test_any_secret_and_any_text(secret: bytes, body: str, ago: int) -> None:
    data = body.encode("utf-8", "replace")
    now = time.time() - ago
    headers = dict(Signer([secret]).headers(Lease(1, "a" * 32, 1, b""), data, now))
    Webhook(whsec(secret)).verify(data, headers, json_parse=False)

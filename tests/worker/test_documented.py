"""docs/applications.md: what it shows is what there is, and its examples work."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from poussetaches.channel.messages import Lease, seal, unseal
from poussetaches.model.request_head import encode_headers
from poussetaches.model.rules import Rules
from poussetaches.model.task import How, Report, Spec
from poussetaches.schema import report_json
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.request import RequestMaker
from poussetaches.worker.signing import Signer
from poussetaches.worker.transport import Answer

MANUAL = Path(__file__).parents[2] / "docs" / "applications.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", MANUAL.read_text(), re.M | re.S)

ID = "5f0c6e1c3f7f4d1e8f7a1b1c2d3e4f50"
SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def block(language: str, *words: str) -> str:
    """The one block of that language with these words in it."""
    found = [
        text
        for name, text in BLOCKS
        if name == language and all(word in text for word in words)
    ]
    [text] = found
    assert isinstance(text, str)
    return text


def program(*words: str) -> dict[str, Any]:
    """What the one example in Python with these words in it defines."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(block("python", *words), names)
    return names


def signed(body: bytes, now: float) -> dict[str, str]:
    return dict(Signer([SECRET, bytes(24)]).headers(Lease(1, ID, 1, b""), body, now))


def test_the_request_is_the_one_that_is_shown() -> None:
    spec = Spec("http://127.0.0.1:5000/task/welcome", b'{"user": 42}')
    request = RequestMaker("<auth_key>").make(
        Lease(1, ID, 1, b""), spec, "9f86d081884c"
    )
    head, _, body = block("", "POST /task/welcome").partition("\n\n")
    lines = request.fixed + encode_headers(request.headers)
    version = re.compile("(?<=poussetaches/).*")
    shown = [version.sub("x", line) for line in head.splitlines()[3:]]
    assert [version.sub("x", line) for line in lines.decode().splitlines()] == shown
    assert request.body.decode() == body.strip()


def test_every_header_of_ours_is_in_the_table() -> None:
    how = How(raw=True, metadata="1")
    lease = Lease(1, ID, 1, b"", slot=5.0)
    raw = RequestMaker("k").make(lease, Spec("http://a/", b"x", 200, how), "00")
    names = {
        name for name, _ in (*raw.headers, *Signer([SECRET]).headers(lease, b"", 5))
    }
    table = MANUAL.read_text().partition("| header |")[2].partition("\n\n")[0]
    first_column = "".join(re.findall(r"^\|(.*?)\|", table, re.M))
    assert set(re.findall("`(.*?)`", first_column)) == names


def test_the_follow_ups_that_are_shown_are_read() -> None:
    body = block("", "HTTP/1.1 200 OK").partition("\n\n")[2].encode()
    follow_ups = FollowUps(Rules("UTC"), max_payload=100)
    first, second = follow_ups.read(Answer(200, (), body, False))
    assert unseal(first.spec).payload == b'{"image":7}'
    assert second.delay == 60.0


def test_the_chain_in_flask_comes_to_its_end() -> None:
    names = program("Flask")
    client = names["app"].test_client()
    follow_ups = FollowUps(Rules("UTC"), max_payload=100)
    payload, steps = b'{"start": 0, "end": 250}', 0
    while True:
        encoded = base64.b64encode(payload).decode()
        answer = client.post("/task/import", json={"payload": encoded})
        steps += 1
        assert answer.status_code == 200
        if answer.content_type != names["TASKS"]:
            break
        [task] = follow_ups.read(Answer(200, (), answer.data, False))
        spec = unseal(task.spec)
        assert spec.url == "http://localhost/task/import"
        assert spec.payload is not None
        payload = spec.payload
    assert steps == 3
    assert answer.data == b""


@pytest.mark.parametrize("body", [b'{"payload":null}', "Zoë".encode()])
def test_both_ways_to_check_a_signature(body: bytes) -> None:
    verify, is_genuine = program("Webhook")["verify"], program("hmac")["is_genuine"]
    headers = signed(body, time.time())
    verify(body, headers)
    assert is_genuine(body, headers)
    for changed, told in ((body + b" ", headers), (body, signed(body, 1614265330))):
        with pytest.raises(WebhookVerificationError):
            verify(changed, told)
        assert not is_genuine(changed, told)


def test_nothing_but_python_takes_any_bytes() -> None:
    body = bytes(range(256))
    assert program("hmac")["is_genuine"](body, signed(body, time.time()))


def test_a_callback_is_told_what_is_shown() -> None:
    shown = json.loads(block("json", '"event"'))
    how = How(is_json=True, metadata='{"trace":"af12"}')
    spec = Spec(shown["task"]["url"], b'{"user": 42}', 200, how)
    report = Report("dead", ID, seal(spec), "mail", 11, 503, b"busy", shown["at"])
    assert json.loads(report_json(report)) == shown
    assert list(json.loads(report_json(report))["task"]) == list(shown["task"])

"""What is sent, by what the push and its queue asked for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import poussetaches
from poussetaches.channel.messages import Lease, seal
from poussetaches.errors import InvalidInput
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.request_head import encode_headers
from poussetaches.model.task import How, Report, Spec
from poussetaches.worker.request import RequestMaker

URL = "http://127.0.0.1:5000/"
ID = "a" * 32
Pairs = tuple[tuple[str, str], ...]


def made(
    spec: Spec,
    queue: Pairs | None = None,
    maker: RequestMaker | None = None,
    **lease: Any,
) -> tuple[str, dict[str, str], bytes]:
    """Method, headers and body."""
    maker = maker or RequestMaker("k")
    if queue is not None:
        maker.learn({"mail": QueueSettings(headers=queue)})
        lease["queue"] = "mail"
    request = maker.make(Lease(1, ID, 3, b"", **lease), spec, "0123456789ab")
    lines = (request.fixed + encode_headers(request.headers)).decode("latin-1")
    pairs = [
        (name, v) for name, _, v in (a.partition(": ") for a in lines.split("\r\n"))
    ][:-1]
    names = [name.lower() for name, _ in pairs]
    assert len(names) == len(set(names)), "a header stands twice"
    return request.method, dict(pairs), request.body


def special(payload: bytes | None = b"{}", **how: Any) -> Spec:
    return Spec(URL, payload, 200, How(**how))


USUAL = {
    "User-Agent": f"poussetaches/{poussetaches.__version__}",
    "Content-Type": "application/json",
    "Poussetaches-Auth-Key": "k",
    "Poussetaches-Queue": "default",
    "Poussetaches-Task-Id": ID,
    "Poussetaches-Attempt": "3",
}


def test_a_plain_task_and_one_that_asks_for_what_is_usual_get_the_same() -> None:
    """The one is put together from what is kept for its queue, the other is not."""
    plain, usual = made(Spec(URL, b"x")), made(special(b"x"))
    assert plain == usual == ("POST", USUAL, plain[2])
    assert json.loads(plain[2]) == {
        "payload": "eA==",
        "tries": 3,
        "req_id": "0123456789ab",
    }


def test_the_metadata_stands_in_the_envelope_as_json() -> None:
    _, headers, body = made(special(b"x", metadata='{"user":[1,"\\u00e9"]}'))
    assert list(json.loads(body)) == ["payload", "tries", "req_id", "metadata"]
    assert json.loads(body)["metadata"] == {"user": [1, "\u00e9"]}
    assert headers == USUAL


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_raw_is_the_payload_and_the_rest_stands_in_headers(method: str) -> None:
    spec = special(b"\x00\xff", raw=True, metadata='{"a":1}', method=method)
    assert made(spec) == (
        method,
        USUAL
        | {
            "Content-Type": "application/octet-stream",
            "Poussetaches-Request-Id": "0123456789ab",
            "Poussetaches-Metadata": '{"a":1}',
        },
        b"\x00\xff",
    )


def test_raw_json_says_that_it_is_json() -> None:
    _, headers, body = made(special(b'{"a":1}', raw=True, is_json=True))
    assert (headers["Content-Type"], body) == ("application/json", b'{"a":1}')
    assert "Poussetaches-Metadata" not in headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("raw", [True, False])
def test_a_method_without_a_body_has_none_and_no_type_of_it(
    method: str, raw: bool
) -> None:
    got, headers, body = made(special(None, method=method, raw=raw))
    assert (got, body) == (method, b"")
    assert "Content-Type" not in headers
    assert headers["Poussetaches-Request-Id"] == "0123456789ab"


def test_headers_of_the_task_win_over_the_queues_and_those_over_ours() -> None:
    queue = (("X-A", "queue"), ("X-B", "queue"), ("user-agent", "queue/1"))
    spec = special(headers=(("x-b", "task"), ("CONTENT-TYPE", "text/x"), ("X-C", "é")))
    _, headers, _ = made(spec, queue)
    ours = {k: v for k, v in USUAL.items() if k not in ("User-Agent", "Content-Type")}
    assert headers == ours | {
        "user-agent": "queue/1",
        "CONTENT-TYPE": "text/x",
        "X-A": "queue",
        "x-b": "task",
        "X-C": "é",
        "Poussetaches-Queue": "mail",
    }


def test_a_plain_task_has_the_headers_of_its_queue() -> None:
    _, headers, _ = made(Spec(URL), (("Content-Type", "text/x"), ("X-A", "1")))
    changed = {"Content-Type": "text/x", "X-A": "1", "Poussetaches-Queue": "mail"}
    assert headers == USUAL | changed


def test_nobody_else_speaks_for_the_service() -> None:
    forged = (
        ("poussetaches-auth-key", "forged"),
        ("Poussetaches-Attempt", "1"),
        ("Webhook-Signature", "v1,forged"),
    )
    for spec in (Spec(URL), special(headers=forged)):
        _, headers, _ = made(spec, forged)
        assert headers == USUAL | {"Poussetaches-Queue": "mail"}


def test_what_a_queue_is_told_counts_from_the_next_attempt_on() -> None:
    maker = RequestMaker("k")
    for value in ("1", "2"):
        for spec in (Spec(URL), special()):
            _, headers, _ = made(spec, (("X-A", value),), maker)
            assert headers["X-A"] == value
    maker.learn({})
    for spec in (Spec(URL), special()):
        assert "X-A" not in made(spec, maker=maker, queue=None)[1]


def test_headers_of_a_queue_that_cannot_be_sent_are_refused() -> None:
    for spec in (Spec(URL), special()):
        with pytest.raises(InvalidInput, match="line break"):
            made(spec, (("X-A", "a\r\nX-B: b"),))
        with pytest.raises(InvalidInput, match="Content-Length"):
            made(spec, (("Content-Length", "5"),))


def test_a_task_whose_id_could_be_a_header_is_refused() -> None:
    """Ids are ours, but a data directory may have been written by anybody."""
    lease = Lease(1, "a" * 20 + "\r\nX-Forged: 1", 1, b"")
    request = RequestMaker("k").make(lease, Spec(URL), "00")
    with pytest.raises(InvalidInput):
        encode_headers(request.headers)


def test_a_run_of_a_schedule_says_for_when_it_was_meant() -> None:
    for spec in (Spec(URL), special()):
        _, headers, _ = made(spec, slot=1614265330.75)
        assert headers == USUAL | {"Poussetaches-Scheduled-For": "1614265330"}


def report(**changes: Any) -> Report:
    spec = seal(Spec(URL, b"lol", 200, How(metadata='{"user":1}')))
    told = Report("dead", "b" * 32, spec, "mail", 11, 503, b"busy", 1614265330.0)
    return told._replace(**changes)


@pytest.mark.parametrize("raw", [True, False])
def test_a_callback_delivers_its_report(raw: bool) -> None:
    how = How(report=report(), raw=raw, is_json=True)
    _, headers, body = made(Spec(URL, None, "2xx", how))
    document = body if raw else base64.b64decode(json.loads(body)["payload"])
    told = json.loads(document)
    assert headers["Content-Type"] == "application/json"
    assert (told["event"], told["at"]) == ("dead", 1614265330.0)
    assert told["error"] == {"status": 503, "body": "busy"}
    task = told["task"]
    assert (task["id"], task["url"], task["attempts"]) == ("b" * 32, URL, 11)
    assert base64.b64decode(task["payload"]) == b"lol"
    assert task["metadata"] == {"user": 1}


def test_what_is_for_the_target_alone_is_known_in_every_form() -> None:
    maker = RequestMaker("the auth key")
    maker.learn({"mail": QueueSettings(headers=(("X-Token", "of-the-queue"),))})
    how = How(headers=(("Authorization", "Bearer of-the-task"), ("X-A", "plain-one")))
    spec = Spec("http://user:pass%20word@a/", how=how)
    basic = base64.b64encode(b"user:pass word").decode()
    assert set(maker.secrets("mail", spec)) >= {
        *(b"the auth key", b"of-the-queue", b"Bearer of-the-task", b"of-the-task"),
        *(f"Basic {basic}".encode(), basic.encode(), b"user:pass word"),
    }
    assert b"plain-one" not in set(maker.secrets("mail", spec))
    lengths = [len(one) for one in maker.secrets("mail", spec)]
    assert lengths == sorted(lengths, reverse=True)


def test_what_is_too_short_to_be_told_from_other_text_is_no_secret() -> None:
    how = How(headers=(("X-Key", "short"),))
    spec = Spec("http://a:b@a/", how=how)
    found = set(RequestMaker("").secrets("default", spec))
    assert found == {b"Basic YTpi"}

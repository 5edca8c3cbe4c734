"""What a real answer of a target comes to."""

from __future__ import annotations

import errno
import json
import logging
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from poussetaches.channel.messages import Ended, Lease, seal, unseal
from poussetaches.model.allowlist import AllowList
from poussetaches.model.rules import Rules
from poussetaches.model.task import NO_ANSWER, Expected, How, Spec
from poussetaches.worker.connections import Connection
from poussetaches.worker.delivery import LONGEST_SHOWN, Delivery
from poussetaches.worker.dialer import Address
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.guard import Guard
from poussetaches.worker.request import RequestMaker
from poussetaches.worker.transport import Transport
from tests.support.target import Peer, Script, ScriptedTarget, answering
from tests.worker.exchanges import deaf_address

#: Bytes of a failure, and of follow-up tasks.
MAX_RESPONSE, MAX_TASKS = 100, 200_000

TASKS = "application/vnd.poussetaches.tasks+json"
PUSH = {"url": "http://next.example/"}


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(max_response=MAX_RESPONSE, max_tasks=MAX_TASKS)
    yield transport
    transport.close()


def attempt(
    transport: Transport,
    url: str,
    *,
    expected: Expected = 200,
    how: How | None = None,
    timeout: float = 20.0,
) -> Ended:
    delivery = Delivery(
        transport,
        RequestMaker(""),
        FollowUps(Rules("UTC"), max_payload=MAX_TASKS),
        None,
        max_response=MAX_RESPONSE,
    )
    sealed = seal(Spec(url, b"lol", expected, how))
    return delivery.attempt(Lease(7, "a" * 32, 1, sealed, timeout))


def answered(
    transport: Transport,
    status: int = 200,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    **kw: Any,
) -> Ended:
    script = answering(status, body, (headers or {}).items())
    with ScriptedTarget(script) as target:
        ended = attempt(transport, target.url(), **kw)
    ended.duration = 0.0
    assert re.fullmatch("[0-9a-f]{12}", ended.request)
    ended.request = ""
    return ended


# --- what was expected --------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "status", "ok"),
    [("2xx", 204, True), ((200, "4xx"), 410, True), ((200, 201), 202, False)],
)
def test_any_status_that_is_expected_is_success(
    transport: Transport, expected: Expected, status: int, ok: bool
) -> None:
    assert answered(transport, status, expected=expected).ok is ok


def test_a_method_without_a_body_arrives_as_such(transport: Transport) -> None:
    with ScriptedTarget(answering()) as target:
        assert attempt(transport, target.url("/x?y=1"), how=How("GET")).ok
    [request] = target.requests
    assert (request.method, request.path, request.body) == ("GET", "/x?y=1", b"")
    assert "content-length" not in request.headers
    assert request.headers["poussetaches-attempt"] == "1"


def test_the_lease_says_how_long_it_may_take(transport: Transport) -> None:
    with ScriptedTarget(Peer.wait_over) as target:
        ended = attempt(transport, target.url(), timeout=0.05)
    assert (ended.status, ended.unreached) == (NO_ANSWER, False)
    assert ended.kind == "timeout"
    assert ended.error.endswith(b"within 0.05 s")


# --- outcomes -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 503])
def test_dead_is_the_end_whatever_the_status(transport: Transport, status: int) -> None:
    ended = answered(transport, status, b"gone", {"poussetaches-outcome": "dead"})
    assert ended == Ended(7, False, status, b"gone", final=True, kind="dead")


def test_dead_without_a_word_gets_one(transport: Transport) -> None:
    ended = answered(transport, headers={"Poussetaches-Outcome": "dead"})
    assert ended.error == b"the target asked for no further attempt"


@pytest.mark.parametrize("status", [200, 503])
def test_a_snooze_is_no_success_and_no_end(transport: Transport, status: int) -> None:
    asked = {"Poussetaches-Outcome": "snooze; after=1.5", "Retry-After": "60"}
    ended = answered(transport, status, b"later", asked)
    assert ended == Ended(7, False, status, b"later", snooze=1.5, kind="snooze")


@pytest.mark.parametrize(("status", "ok"), [(200, True), (500, False)])
def test_an_outcome_that_there_is_not_is_logged_and_ignored(
    transport: Transport, caplog: pytest.LogCaptureFixture, status: int, ok: bool
) -> None:
    value = "succeeded " + "x" * 500
    ended = answered(transport, status, b"", {"Poussetaches-Outcome": value})
    assert ended == Ended(7, ok, status, b"", kind="" if ok else "status")
    [record] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert record.fields == {"task": "a" * 32, "outcome": value[:LONGEST_SHOWN]}  # type: ignore[attr-defined]


# --- results ------------------------------------------------------------------------


def test_the_result_of_a_task_that_wants_it_is_kept_to_a_limit(
    transport: Transport,
) -> None:
    keep = How(keep_result=True)
    assert answered(transport, 200, b"42", how=keep).result == b"42"
    assert answered(transport, 200, b"", how=keep).result == b""
    long = answered(transport, 200, bytes(MAX_RESPONSE + 1), how=keep)
    assert (long.ok, long.result) == (True, bytes(MAX_RESPONSE))
    assert answered(transport, 500, b"no", how=keep).result is None
    assert answered(transport, 200, b"42").result is None


def test_tasks_in_a_result_are_followed_and_kept(transport: Transport) -> None:
    body = json.dumps([PUSH] * 100).encode()
    how = How(keep_result=True)
    ended = answered(transport, 200, body, {"Content-Type": TASKS}, how=how)
    assert (ended.result, len(ended.follow_ups)) == (body[:MAX_RESPONSE], 100)


# --- the kinds of failure -----------------------------------------------------------


def close_without_an_answer(peer: Peer) -> None:
    peer.read_request()


def reset(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    peer.reset()


def unread(peer: Peer) -> None:
    peer.sock.recv(1, socket.MSG_PEEK)


def silent(peer: Peer) -> None:
    peer.read_request()
    peer.wait_over()


def gibberish(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"SSH-2.0-OpenSSH_9.6\r\n")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answering(503), "status"),
        (answering(302, b"", [("Location", "/elsewhere")]), "status"),
        (reset, "reset"),
        (close_without_an_answer, "reset"),
        (unread, "unread"),
        (silent, "timeout"),
        (gibberish, "response"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_a_target_did_is_named(
    transport: Transport, script: Script, kind: str
) -> None:
    with ScriptedTarget(script) as target:
        patience = 0.3 if kind == "timeout" else 20.0
        ended = attempt(transport, target.url(), timeout=patience)
    assert (ended.ok, ended.kind) == (False, kind)


def test_a_certificate_that_nobody_trusts_is_named(transport: Transport) -> None:
    with ScriptedTarget(answering(200), tls=True) as target:
        ended = attempt(transport, target.url())
    assert (ended.kind, ended.status) == ("tls", NO_ANSWER)
    assert b"certificate" in ended.error


def mail_server(peer: Peer) -> None:
    peer.send(b"220 mail.example ESMTP\r\n")
    peer.wait_closed()


def test_a_target_that_speaks_no_tls_is_named(transport: Transport) -> None:
    with ScriptedTarget(mail_server) as target:
        url = target.url().replace("http:", "https:")
        ended = attempt(transport, url, timeout=5.0)
    assert ended.kind == "tls"


@pytest.mark.parametrize("url", ["gopher://old/", "http://h:1/\n", "http://[::1/"])
def test_a_url_that_cannot_be_used_is_refused(transport: Transport, url: str) -> None:
    ended = attempt(transport, url)
    assert (ended.kind, ended.final) == ("refused", True)


def test_a_target_that_is_not_allowed_is_refused() -> None:
    guard = Guard(AllowList.parse("10.0.0.0/8"), ("127.0.0.1", 7991))
    transport = Transport(max_response=100, resolve=guard)
    ended = attempt(transport, f"http://127.0.0.1:{refused_port()}/")
    transport.close()
    assert (ended.kind, ended.final, ended.unreached) == ("refused", True, False)


# --- follow-ups ---------------------------------------------------------------------


def test_a_success_brings_its_follow_up_tasks(transport: Transport) -> None:
    body = json.dumps([PUSH, PUSH]).encode()
    ended = answered(transport, 200, body, {"Content-Type": f"{TASKS}; charset=utf-8"})
    assert (ended.ok, ended.error) == (True, b"")
    urls = [unseal(one.spec).url for one in ended.follow_ups]
    assert urls == [PUSH["url"]] * 2


def test_no_tasks_are_as_good_as_some(transport: Transport) -> None:
    ended = answered(transport, 200, b"[]", {"Content-Type": TASKS})
    assert ended == Ended(7, True, 200, b"", follow_ups=[])


def test_the_same_body_of_another_type_is_just_an_answer(transport: Transport) -> None:
    body = json.dumps([PUSH]).encode()
    ended = answered(transport, 200, body, {"Content-Type": "application/json"})
    assert ended == Ended(7, True, 200, b"")


@pytest.mark.parametrize(
    ("status", "outcome"), [(500, ""), (200, "dead"), (200, "snooze; after=5")]
)
def test_only_a_success_has_follow_ups(
    transport: Transport, status: int, outcome: str
) -> None:
    headers = {"Content-Type": TASKS}
    if outcome:
        headers["Poussetaches-Outcome"] = outcome
    body = json.dumps([PUSH] * 100).encode()
    ended = answered(transport, status, body, headers)
    assert not ended.ok
    assert not ended.follow_ups
    # Read as a whole, and yet not kept as one.
    assert ended.error == body[:MAX_RESPONSE]


def test_tasks_that_cannot_be_read_are_no_success(transport: Transport) -> None:
    body = json.dumps([PUSH, {"url": "gopher://a/"}]).encode()
    ended = answered(transport, 200, body, {"Content-Type": TASKS})
    assert (ended.ok, ended.status, ended.final) == (False, 200, False)
    assert not ended.follow_ups
    assert ended.kind == "follow_ups"
    assert ended.error.startswith(
        b"the answer's tasks: Element 1: The url has the scheme"
    )


def test_tasks_to_a_question_for_headers_are_not_looked_for(
    transport: Transport,
) -> None:
    ended = answered(transport, 200, b"", {"Content-Type": TASKS}, how=How("HEAD"))
    assert ended == Ended(7, True, 200, b"")


def chunked(body: bytes, *, size: int, cut: bool = False) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: " + TASKS.encode() + b"\r\n\r\n"
        )
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if not cut:
            peer.send(b"0\r\n\r\n")

    return script


@pytest.mark.parametrize("size", [1, 4000, 1_000_000])
def test_tasks_may_be_longer_than_what_is_kept_of_other_answers(size: int) -> None:
    """The last case is one byte a chunk: six on the wire for each that is wanted."""
    transport = Transport(max_response=MAX_RESPONSE, max_tasks=MAX_TASKS)
    many = [{**PUSH, "payload": "A" * 4000}] * (3 if size == 1 else 40)
    with ScriptedTarget(chunked(json.dumps(many).encode(), size=size)) as target:
        ended = attempt(transport, target.url())
    transport.close()
    assert (ended.ok, len(ended.follow_ups)) == (True, len(many))


def test_tasks_are_cut_at_a_limit_of_their_own(transport: Transport) -> None:
    many = json.dumps([{**PUSH, "payload": "A" * 4000}] * 60).encode()
    ended = answered(transport, 200, many, {"Content-Type": TASKS})
    assert not ended.ok
    assert ended.error == b"the answer's tasks: They are longer than 200000 bytes."


def test_tasks_that_break_off_are_no_success(transport: Transport) -> None:
    script = chunked(json.dumps([PUSH]).encode(), size=10, cut=True)
    with ScriptedTarget(script) as target:
        ended = attempt(transport, target.url())
    assert (ended.ok, ended.status) == (False, NO_ANSWER)
    assert not ended.follow_ups


# --- who took no connection ---------------------------------------------------------


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_refused_connection_is_nobody_reached(transport: Transport) -> None:
    ended = attempt(transport, f"http://127.0.0.1:{refused_port()}/")
    assert (ended.ok, ended.status, ended.unreached) == (False, NO_ANSWER, True)
    assert ended.kind == "connect"


@pytest.mark.parametrize("timeout", [0.05, 20.0])
def test_a_connection_that_is_not_taken_is_nobody_reached(timeout: float) -> None:
    """Whether the attempt has no time left, or connecting has none."""
    with deaf_address() as deaf:
        transport = Transport(
            max_response=100, connect_timeout=0.1, resolve=lambda host, port: [deaf]
        )
        ended = attempt(transport, "http://deaf.example/", timeout=timeout)
        transport.close()
    assert (ended.unreached, ended.kind) == (True, "connect")
    assert ended.error.startswith(b"no connection to 127.0.0.1:")


def test_a_name_that_is_not_found_says_nothing_about_the_target() -> None:
    def nowhere(host: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    transport = Transport(max_response=100, resolve=nowhere)
    ended = attempt(transport, "http://nowhere.example/")
    transport.close()
    assert (ended.status, ended.unreached) == (NO_ANSWER, False)
    assert ended.kind == "dns"


@pytest.mark.parametrize("script", [close_without_an_answer, answering(503)])
def test_who_took_the_request_was_reached(transport: Transport, script: Script) -> None:
    with ScriptedTarget(script) as target:
        ended = attempt(transport, target.url())
    assert (ended.ok, ended.unreached) == (False, False)


@pytest.mark.parametrize(
    ("script", "status", "unreached"),
    [(lambda peer: None, NO_ANSWER, True), (lambda peer: peer.answer(503), 503, False)],
    ids=["closed", "answered unasked"],
)
def test_a_connection_that_broke_before_the_first_byte_was_none(
    transport: Transport,
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
    status: int,
    unreached: bool,
) -> None:
    """A process that ends takes those with it that it has not accepted yet. But an
    overloaded one may say so to whoever connects."""

    def broken(connection: Connection, data: bytes) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(Connection, "send", broken)
    with ScriptedTarget(script) as target:
        ended = attempt(transport, target.url())
    assert (ended.ok, ended.status, ended.unreached) == (False, status, unreached)

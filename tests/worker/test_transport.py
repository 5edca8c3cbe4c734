"""What is sent, and what comes back; also when the answer comes before the request is
complete."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pytest

from poussetaches.errors import InvalidInput
from poussetaches.worker.transport import Transport
from tests.support.target import (
    CERTIFICATE,
    Peer,
    ScriptedTarget,
    answering,
    sending,
)
from tests.worker.exchanges import (
    MAX_RESPONSE,
    OK,
    failure,
    push,
)


def test_a_request_arrives_as_it_was_asked_for(transport: Transport) -> None:
    with ScriptedTarget(
        answering(201, b"done", [("X-A", "1"), ("x-a", "2")])
    ) as target:
        answer = push(
            transport, target, b'{"a": 1}', headers=[("Content-Type", "text/x")]
        )
    assert answer.status == 201
    assert answer.body == b"done"
    assert not answer.truncated
    assert answer.header("X-A") == "1, 2"
    assert answer.header("Content-Length") == "4"
    assert answer.header("Retry-After") is None
    (request,) = target.requests
    assert request.method == "POST"
    assert request.path == "/task"
    assert request.body == b'{"a": 1}'
    assert request.headers == {
        "host": f"127.0.0.1:{target.port}",
        "content-length": "8",
        "content-type": "text/x",
    }


def test_head_and_small_body_leave_in_one_segment(transport: Transport) -> None:
    seen = []

    def script(peer: Peer) -> None:
        seen.append(peer.sock.recv(262144))
        peer.send(OK)

    with ScriptedTarget(script) as target:
        push(transport, target, b"x" * 500)
    assert seen[0].endswith(b"\r\n\r\n" + b"x" * 500)


@pytest.mark.parametrize("size", [0, 65535, 65536, 65537, 5_000_000])
def test_a_body_of_any_size_arrives_whole(transport: Transport, size: int) -> None:
    body = os.urandom(size)
    with ScriptedTarget(answering()) as target:
        for _ in range(2):
            assert push(transport, target, body).status == 200
    assert [request.body == body for request in target.requests] == [True, True]
    assert len(target.peers) == 1


def test_what_cannot_be_sent_is_refused_before_anything_is(
    transport: Transport,
) -> None:
    with ScriptedTarget(answering()) as target:
        with pytest.raises(InvalidInput):
            push(transport, target, headers=[("X-A", "1\r\nX-B: 2")])
        with pytest.raises(InvalidInput):
            push(transport, target, method="CONNECT")
    assert target.peers == []


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
            b"abc",
        ),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)
def test_each_framing_of_a_body_is_understood(
    transport: Transport, sent: bytes, body: bytes
) -> None:
    with ScriptedTarget(sending(b"HTTP/1.1 200 OK\r\n" + sent)) as target:
        assert push(transport, target).body == body
        assert push(transport, target).body == body
    assert len(target.peers) == 1


def test_trailers_are_no_headers(transport: Transport) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with ScriptedTarget(sending(chunked + b"0\r\nRetry-After: 9\r\n\r\n")) as target:
        assert push(transport, target).header("Retry-After") is None


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
def test_a_body_without_a_length_ends_with_the_connection(
    transport: Transport, head: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head + b"part one, ")
        peer.pause(0.02)
        peer.send(b"part two")

    with ScriptedTarget(script) as target:
        for _ in range(2):
            assert push(transport, target).body == b"part one, part two"
    assert len(target.peers) == 2


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("POST", 204, None), ("POST", 304, 5), ("HEAD", 200, 5), ("HEAD", 404, None)],
)
def test_an_answer_without_a_body_needs_no_end(
    transport: Transport, method: str, status: int, length: int | None
) -> None:
    head = f"HTTP/1.1 {status} X\r\n"
    if length is not None:
        head += f"Content-Length: {length}\r\n"
    with ScriptedTarget(sending(head.encode() + b"\r\n")) as target:
        for _ in range(2):
            answer = push(transport, target, b"", method=method, timeout=2.0)
            assert (answer.status, answer.body) == (status, b"")


def test_interim_answers_are_skipped(transport: Transport) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nRetry-After: 7\r\n\r\n"
    )
    with ScriptedTarget(sending(interim * 5 + OK)) as target:
        answer = push(transport, target)
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == ((b"Content-Length", b"2"),)


def test_nothing_is_inflated_nor_asked_to_be_compressed(transport: Transport) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000, 9)
    assert len(bomb) < MAX_RESPONSE
    script = answering(200, bomb, [("Content-Encoding", "gzip")])
    with ScriptedTarget(script) as target:
        assert push(transport, target).body == bomb
    assert "accept-encoding" not in target.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(transport: Transport, status: int) -> None:
    with ScriptedTarget(answering()) as elsewhere:
        location = [("Location", elsewhere.url("/stolen"))]
        with ScriptedTarget(answering(status, b"", location)) as target:
            answer = push(transport, target, headers=[("X-Key", "secret")])
        assert answer.status == status
        assert len(target.requests) == 1
        assert answer.header("location") == elsewhere.url("/stolen")
    assert elsewhere.peers == []


def test_the_environment_is_not_read(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    netrc.chmod(0o600)
    with (
        ScriptedTarget(answering()) as proxy,
        ScriptedTarget(answering()) as target,
        ScriptedTarget(answering(), tls=True) as secure,
    ):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
            monkeypatch.setenv(name.lower(), proxy.url())
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        # Would have us trust a certificate that nobody vouches for.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(CERTIFICATE))
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".netrc").write_bytes(netrc.read_bytes())
        assert push(transport, target).status == 200
        assert failure(transport, secure).kind == "tls"
    assert proxy.peers == []
    assert secure.requests == []
    assert "authorization" not in target.requests[0].headers


def test_an_early_answer_counts_though_the_target_closes(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(413, b"too large", [("Connection", "close")])

    body = bytes(20_000_000)
    with ScriptedTarget(script) as target:
        for _ in range(50):
            answer = push(transport, target, body)
            assert (answer.status, answer.body) == (413, b"too large")
        assert len(target.peers) == 50


def test_an_early_answer_ends_a_request_that_is_not_read(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(401)
        peer.wait_over()

    with ScriptedTarget(script, receive_buffer=4096) as target:
        for _ in range(2):
            assert push(transport, target, bytes(20_000_000)).status == 401
        assert len(target.peers) == 2


def test_a_target_that_talks_before_it_listens_does_not_lock_both() -> None:
    size = 20_000_000
    transport = Transport(max_response=size)

    def script(peer: Peer) -> None:
        head = peer.read_head()
        assert head
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        peer.send(bytes(size))
        peer.wait_closed()

    with ScriptedTarget(script) as target:
        answer = push(transport, target, bytes(size))
        assert (answer.status, len(answer.body)) == (200, size)
    transport.close()


def test_a_target_that_only_shuts_its_side_is_given_up(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.sock.shutdown(socket.SHUT_WR)
        peer.wait_over()

    with ScriptedTarget(script, receive_buffer=4096) as target:
        error = failure(transport, target, bytes(20_000_000))
    assert error.kind == "unread"

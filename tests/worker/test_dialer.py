"""Getting there: names, addresses, descriptors, TLS."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import suppress
from functools import partial

import gevent
import pytest
from gevent.ssl import PROTOCOL_TLS_CLIENT, SSLContext

from poussetaches.worker.dialer import Address
from poussetaches.worker.transport import Transport, TransportError
from tests.support.target import (
    CERTIFICATE,
    Peer,
    Script,
    ScriptedTarget,
    answering,
)
from tests.worker.exchanges import (
    MAX_RESPONSE,
    deaf_address,
    failure,
    is_closed,
    open_files,
    push,
    wait_for_files,
    wait_until,
)


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_refused_connection_names_the_address(transport: Transport) -> None:
    port = refused_port()
    error = failure(transport, f"http://127.0.0.1:{port}/")
    assert error.kind == "connect"
    assert error.message == f"connection refused by 127.0.0.1:{port}"


def test_each_address_of_a_host_is_tried_in_turn() -> None:
    def resolver(host: str, port: int) -> list[Address]:
        return [
            (socket.AF_INET6, ("::1", port, 0, 0)),
            (socket.AF_INET, ("127.0.0.2", port)),
            (socket.AF_INET, ("127.0.0.1", port)),
        ]

    transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
    before = open_files()
    with ScriptedTarget(answering()) as target:
        assert push(transport, target.url(host="many.example")).status == 200
    port = refused_port()
    error = failure(transport, f"http://many.example:{port}/")
    assert error.kind == "connect"
    assert error.message.endswith(
        f"; connection refused by 127.0.0.2:{port}"
        f"; connection refused by 127.0.0.1:{port}"
    )
    transport.close()
    wait_for_files(before)


def test_a_dead_address_leaves_time_for_the_next() -> None:
    with deaf_address() as deaf, ScriptedTarget(answering()) as target:

        def resolver(host: str, port: int) -> list[Address]:
            return [deaf, (socket.AF_INET, ("127.0.0.1", port))]

        transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
        url = target.url(host="half.example")
        assert push(transport, url, timeout=0.5).status == 200
        url = f"http://half.example:{refused_port()}/"
        error = failure(transport, url, timeout=0.2)
        transport.close()
    assert error.kind == "connect"
    assert f"no connection to 127.0.0.1:{deaf[1][1]} within 0.1 s; " in error.message


def test_localhost_is_found_whatever_it_listens_on(transport: Transport) -> None:
    with ScriptedTarget(answering()) as target:
        assert push(transport, target.url(host="localhost")).status == 200
    assert target.requests[0].headers["host"] == f"localhost:{target.port}"


def test_ipv6_addresses_work(transport: Transport) -> None:
    try:
        target = ScriptedTarget(answering(), host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with target:
        assert push(transport, target).status == 200
    assert target.requests[0].headers["host"] == f"[::1]:{target.port}"


def test_a_name_that_does_not_resolve_is_a_dns_error() -> None:
    def resolver(host: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
    for _ in range(2):
        error = failure(transport, "http://nowhere.example/")
        assert error.kind == "dns"
        assert error.message == (
            "the host nowhere.example cannot be resolved: Name or service not known"
        )


def test_a_resolver_may_forbid_where_to_connect() -> None:
    def guard(host: str, port: int) -> list[Address]:
        raise TransportError("connect", f"{host} is not among the allowed networks")

    transport = Transport(max_response=MAX_RESPONSE, resolve=guard)
    with ScriptedTarget(answering()) as target:
        error = failure(transport, target)
    assert error.message == "127.0.0.1 is not among the allowed networks"
    assert target.peers == []


def test_descriptors_above_1023_work_and_are_kept(transport: Transport) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("the limit of open files cannot be raised")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    ballast = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        with ScriptedTarget(answering()) as target:
            for _ in range(3):
                assert push(transport, target, bytes(3_000_000)).status == 200
            assert target.peers[0].sock.fileno() > 1023
            assert len(target.peers) == 1
    finally:
        for descriptor in ballast:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_running_out_of_descriptors_fails_the_request_only(
    transport: Transport,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ScriptedTarget(answering()) as target:
        # Lets gevent close what it has put off.
        gevent.sleep(0.01)
        ballast = [os.open("/dev/null", os.O_RDONLY)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (ballast[0] + 8, hard))
        try:
            with suppress(OSError):
                while True:
                    ballast.append(os.open("/dev/null", os.O_RDONLY))
            error = failure(transport, target)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in ballast:
                os.close(descriptor)
        assert error.kind == "connect"
        assert error.message.endswith("Too many open files")
        assert push(transport, target).status == 200


def trusting() -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    return context


def test_https_verifies_sends_and_is_kept() -> None:
    transport = Transport(max_response=MAX_RESPONSE, ssl_context=trusting())
    body = os.urandom(3_000_000)
    with ScriptedTarget(answering(200, b"ok"), tls=True) as target:
        for host in ("localhost", "127.0.0.1"):
            for _ in range(3):
                assert push(transport, target.url(host=host), body).body == b"ok"
        assert len(target.peers) == 2
    assert {request.body == body for request in target.requests} == {True}
    transport.close()


def test_an_https_connection_the_target_closed_costs_no_attempt() -> None:
    transport = Transport(max_response=MAX_RESPONSE, ssl_context=trusting())

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()

    with ScriptedTarget(script, tls=True) as target:
        for number in range(20):
            assert push(transport, target).status == 200
            wait_until(partial(is_closed, target, number))
        assert len(target.requests) == 20
    transport.close()


def test_an_https_target_may_talk_before_it_listens() -> None:
    size = 20_000_000
    transport = Transport(max_response=size, ssl_context=trusting())

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        peer.send(bytes(size))
        peer.wait_closed()

    with ScriptedTarget(script, tls=True) as target:
        assert len(push(transport, target, bytes(size)).body) == size
    transport.close()


def test_a_certificate_nobody_vouches_for_is_refused(transport: Transport) -> None:
    before = open_files()
    with ScriptedTarget(answering(), tls=True) as target:
        error = failure(transport, target, headers=[("X-Key", "secret")])
    assert error.kind == "tls"
    assert "self-signed certificate" in error.message
    assert target.requests == []
    wait_for_files(before)


def test_a_certificate_of_somebody_else_is_refused() -> None:
    def resolver(host: str, port: int) -> list[Address]:
        return [(socket.AF_INET, ("127.0.0.1", port))]

    transport = Transport(
        max_response=MAX_RESPONSE, resolve=resolver, ssl_context=trusting()
    )
    with ScriptedTarget(answering(), tls=True) as target:
        error = failure(transport, target.url(host="other.example"))
    assert error.kind == "tls"
    assert "other.example" in error.message
    assert target.requests == []


@pytest.mark.parametrize(
    "script",
    [
        lambda peer: peer.send(b"HTTP/1.1 400 Bad\r\n\r\n"),
        lambda peer: None,
        lambda peer: peer.reset() if peer.sock.recv(1) else None,
    ],
    ids=["plain http", "closes", "resets"],
)
def test_a_target_that_does_not_speak_tls_is_a_tls_error(
    transport: Transport, script: Script
) -> None:
    with ScriptedTarget(script) as target:
        url = target.url().replace("http:", "https:")
        error = failure(transport, url)
    assert error.kind == "tls"
    assert error.message.startswith("no secure connection to 127.0.0.1:")

"""Where a worker may connect to, whatever a name resolves to and however an address is
spelled."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import gevent
import pytest
from gevent.ssl import PROTOCOL_TLS_CLIENT, SSLContext

from poussetaches.model.allowlist import METADATA, AllowList
from poussetaches.worker.dialer import Address, resolve
from poussetaches.worker.guard import Guard, TargetRefused
from poussetaches.worker.transport import Transport, TransportError
from tests.support.anywhere import listening_anywhere
from tests.support.spellings import LOOPBACKS
from tests.support.target import CERTIFICATE, ScriptedTarget, answering
from tests.worker.exchanges import MAX_RESPONSE, failure, push

#: Where the service of these tests would listen.
OWN = ("127.0.0.1", 1)


def guarded(
    allowed: str,
    *,
    own: tuple[str, int] = OWN,
    answers: Sequence[Sequence[Address] | Exception] | None = None,
) -> Transport:
    """A transport that may reach ``allowed``; with ``answers``, those of its resolver,
    one after the other."""
    names = iter(answers or ())

    def fake(host: str, port: int) -> Sequence[Address]:
        answer = next(names)
        if isinstance(answer, Exception):
            raise answer
        return answer

    guard = Guard(
        AllowList.parse(allowed), own, resolve=resolve if answers is None else fake
    )
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    return Transport(max_response=MAX_RESPONSE, resolve=guard, ssl_context=context)


def at(address: str, port: int) -> Address:
    if ":" in address:
        return socket.AF_INET6, (address, port, 0, 0)
    return socket.AF_INET, (address, port)


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    with listening_anywhere() as sock:
        yield sock


def nobody_came(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("host", LOOPBACKS)
def test_this_machine_is_refused_in_every_spelling(
    host: str, listener: socket.socket
) -> None:
    transport = guarded("10.0.0.0/8, fd00::/8, app.example, *.example.org")
    url = f"http://{host}:{listener.getsockname()[1]}/task"
    error = failure(transport, url)
    assert isinstance(error, TargetRefused)
    assert error.kind == "refused"
    assert " may not be pushed to: " in error.message
    assert error.message.endswith(" is not in allowed_targets")
    assert "127." in error.message or "::1" in error.message
    assert nobody_came(listener)


@pytest.mark.parametrize(
    "host", [one for one in LOOPBACKS if ":" not in one and "local" not in one.lower()]
)
def test_every_spelling_of_an_allowed_address_is_allowed(host: str) -> None:
    transport = guarded("127.0.0.0/8")
    with ScriptedTarget(answering(), host="0.0.0.0") as target:
        assert push(transport, target.url(host=host)).status == 200
    transport.close()


@pytest.mark.parametrize(
    "allowed", ["", "169.254.0.0/16", "0.0.0.0/0, ::/0, h.example"]
)
@pytest.mark.parametrize(
    "address",
    [
        *sorted(map(str, METADATA)),
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
    ],
)
def test_the_metadata_of_a_cloud_is_refused_whatever_is_allowed(
    allowed: str, address: str
) -> None:
    transport = guarded(allowed, answers=[[at(address, 80)]])
    error = failure(transport, "http://h.example/")
    assert error.kind == "refused"
    assert error.message.startswith(f"h.example may not be pushed to: {address} ")
    assert error.message.endswith(" has the metadata of a cloud")


def test_a_metadata_address_is_refused_without_a_resolver() -> None:
    error = failure(guarded(""), "http://0xa9fea9fe/latest/meta-data/")
    assert error.message == (
        "0xa9fea9fe may not be pushed to: 169.254.169.254 has the metadata of a cloud"
    )


@pytest.mark.parametrize("allowed", ["", "127.0.0.0/8, ::1, localhost"])
@pytest.mark.parametrize(
    ("bound", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.1"),
        ("127.0.0.1", "0"),
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
        ("::1", "[::1]"),
        ("::1", "[::]"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "127.5.5.5"),
        ("0.0.0.0", "[::ffff:127.0.0.1]"),
        ("::", "127.0.0.1"),
        ("::", "[::1]"),
        # IPv4 in IPv6 writing is where the service may listen, too.
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:0.0.0.0", "127.5.5.5"),
        ("64:ff9b::7f00:1", "127.1"),
    ],
)
def test_the_service_does_not_push_to_itself(
    allowed: str, bound: str, host: str, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    transport = guarded(allowed, own=(bound, port))
    error = failure(transport, f"http://{host}:{port}/")
    assert error.kind == "refused"
    assert error.message.endswith(f"port {port} is this service itself")
    assert nobody_came(listener)


def test_a_service_on_every_address_is_found_at_those_of_the_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address = probe.getsockname()[0]
    guard = Guard(AllowList(), ("0.0.0.0", 7991), resolve=lambda h, p: [at(h, p)])
    with pytest.raises(TargetRefused, match="is this service itself"):
        guard(address, 7991)
    assert guard(address, 7992) == [at(address, 7992)]
    assert guard("203.0.113.9", 7991) == [at("203.0.113.9", 7991)]


def test_a_neighbour_at_the_same_port_or_on_the_same_machine_is_not_the_service() -> (
    None
):
    with ScriptedTarget(answering()) as target:
        for own in (("127.0.0.1", target.port + 1), ("127.0.0.2", target.port)):
            transport = guarded("", own=own)
            assert push(transport, target).status == 200
            transport.close()


def test_a_second_answer_of_the_resolver_leads_nowhere_else() -> None:
    """A name that is a target's, and at the next look somebody's behind the fence."""
    closing = answering(200, b"", [("Connection", "close")])
    with (
        ScriptedTarget(closing) as target,
        ScriptedTarget(answering(), host="127.0.0.2") as inside,
    ):
        allowed, forbidden = (
            [at("127.0.0.1", target.port)],
            [at("127.0.0.2", inside.port)],
        )
        transport = guarded("127.0.0.1", answers=[allowed, forbidden, allowed])
        url = target.url(host="rebound.example")
        assert push(transport, url).status == 200
        assert failure(transport, url).message == (
            "rebound.example may not be pushed to: 127.0.0.2 is not in allowed_targets"
        )
        assert push(transport, url).status == 200
    assert len(target.requests) == 2
    assert inside.peers == []


def test_one_look_at_the_resolver_is_all_there_is() -> None:
    with ScriptedTarget(answering()) as target:
        answers: list[Sequence[Address] | Exception] = [
            [at("127.0.0.1", target.port)],
            AssertionError("it was asked again"),
        ]
        transport = guarded("127.0.0.1", answers=answers)
        for _ in range(3):
            assert push(transport, target.url(host="once.example")).status == 200
        assert len(target.peers) == 1
        transport.close()


def test_a_kept_connection_is_for_the_host_that_was_checked_only() -> None:
    """Two names at one address, of which one may be anywhere: the other is looked at
    for itself, though there is a connection to where it leads."""
    with ScriptedTarget(answering()) as target:
        answers = [[at("127.0.0.1", target.port)]] * 3
        transport = guarded("named.example", answers=answers)
        for _ in range(2):
            assert push(transport, target.url(host="named.example")).status == 200
        error = failure(transport, target.url(host="other.example"))
        assert error.kind == "refused"
        assert push(transport, target.url(host="named.example")).status == 200
        assert len(target.peers) == 1
        transport.close()
    assert len(target.requests) == 3


def test_a_service_on_one_link_is_found_without_the_name_of_the_link() -> None:
    here = ("fe80::1%eth0", 7991)
    guard = Guard(AllowList(), here, resolve=lambda h, p: [at("fe80::1%eth0", p)])
    with pytest.raises(TargetRefused, match="is this service itself"):
        guard("link.example", 7991)


@pytest.mark.parametrize("first", [True, False])
def test_of_mixed_answers_only_the_allowed_ones_are_tried(
    first: bool, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    mixed = [at("127.0.0.1", port), at("127.0.0.2", 1), at("::1", port)]
    transport = guarded("127.0.0.2", answers=[mixed if first else mixed[::-1]])
    error = failure(transport, f"http://mixed.example:{port}/")
    assert error.kind == "connect"
    assert error.message == "connection refused by 127.0.0.2:1"
    assert nobody_came(listener)


def test_when_none_of_many_answers_is_allowed_some_are_named() -> None:
    many = [at(f"127.0.0.{n}", 80) for n in range(1, 200)]
    error = failure(guarded("10.0.0.0/8", answers=[many]), "http://many.example/")
    assert error.message == (
        "many.example may not be pushed to: 127.0.0.1 is not in allowed_targets; "
        "127.0.0.2 is not in allowed_targets; 127.0.0.3 is not in allowed_targets"
    )


@pytest.mark.parametrize("allowed", ["named.example", "*.example"])
def test_a_named_host_may_be_anywhere(allowed: str) -> None:
    with ScriptedTarget(answering()) as target:
        transport = guarded(allowed, answers=[[at("127.0.0.1", target.port)]])
        assert push(transport, target.url(host="named.example")).status == 200
        transport.close()
    assert target.requests[0].headers["host"] == f"named.example:{target.port}"


def test_the_name_of_a_host_is_kept_for_its_certificate() -> None:
    with ScriptedTarget(answering(), tls=True) as target:
        answers = [[at("127.0.0.1", target.port)]] * 2
        transport = guarded("127.0.0.0/8", answers=answers)
        assert push(transport, target.url(host="localhost")).status == 200
        error = failure(transport, target.url(host="other.example"))
        transport.close()
    assert error.kind == "tls"


@pytest.mark.parametrize(
    "address",
    [
        # The first eight count as global for Python, at least before 3.13.
        "192.88.99.1",
        "224.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "5f00::1",
        # And this one as not private.
        "100.64.0.1",
        "10.0.0.1",
        "203.0.113.9",
        "2001:db8::1",
    ],
)
def test_what_an_address_is_for_does_not_matter_but_whether_it_is_in_the_list(
    address: str,
) -> None:
    """No library's opinion about which addresses are private decides anything."""
    transport = guarded("192.168.0.0/16, fd00::/8", answers=[[at(address, 80)]])
    error = failure(transport, "http://h.example/")
    assert error.kind == "refused"
    assert error.message.endswith(" is not in allowed_targets")


def test_a_name_that_does_not_resolve_is_no_refusal() -> None:
    nowhere = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = failure(guarded("10.0.0.0/8", answers=[nowhere]), "http://nowhere.example/")
    assert error.kind == "dns"


def test_many_that_wait_for_one_lookup_are_all_refused() -> None:
    def slow(host: str, port: int) -> Sequence[Address]:
        gevent.sleep(0.02)
        return [at("127.0.0.1", port)]

    guard = Guard(AllowList.parse("10.0.0.0/8"), OWN, resolve=slow)
    transport = Transport(max_response=MAX_RESPONSE, resolve=guard)
    doomed = [gevent.spawn(failure, transport, "http://h.example/") for _ in range(5)]
    errors: list[TransportError] = [one.get() for one in doomed]
    assert [type(error) for error in errors] == [TargetRefused] * 5

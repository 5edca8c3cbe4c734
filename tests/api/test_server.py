"""The HTTP server over real sockets: whatever a client does, others are served."""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import socket
import statistics
import struct
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from wsgiref.validate import validator

import gevent
import pytest
from bottle import Bottle, request
from gevent.event import Event

from poussetaches.api.connection import Connection
from poussetaches.api.request import Limits
from tests.api.corpus import (
    GOOD,
    PROBES,
    SECOND,
    Good,
    Probe,
    chunked,
    get,
    post,
)
from tests.api.wire import Client, Recorder, Site, eventually, open_files, serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = get(b"GET /first HTTP/1.1")
#: Times short enough to be waited for.
SHORT = Limits(
    max_body=1000000, header_timeout=0.2, body_timeout=0.3, idle_timeout=0.25
)
#: How much later than promised something may happen on a busy machine, seconds.
SLACK = 1.0
MEGABYTE = b"a" * 1000000


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def site(recorder: Recorder) -> Iterator[Site]:
    with serving(recorder) as site:
        yield site


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.client() as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_to_complain_about(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Whatever clients do is no news: no log line, no traceback of gevent's."""
    yield
    assert [r for r in caplog.records if r.levelno > logging.DEBUG] == []
    assert capfd.readouterr().err == ""


# What is served, what is refused


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_a_good_request_is_served(client: Client, good: Good) -> None:
    client.send(good.request)
    if good.keep_alive:
        client.send(get(b"GET / HTTP/1.1", b"Connection: close"))
    replies = client.read_all()
    assert [reply.status for reply in replies] == [200] * (1 + good.keep_alive)
    assert replies[0].body.endswith(good.body)
    says_close = replies[0].headers.get("connection") == "close"
    assert says_close is not good.keep_alive


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_bad_request_is_refused_and_nothing_after_it_runs(
    client: Client, recorder: Recorder, probe: Probe
) -> None:
    client.send(probe.request + SECOND)
    (reply,) = client.read_all()
    assert reply.status == probe.status
    assert reply.headers["connection"] == "close"
    assert reply.headers["content-type"] == "application/json"
    error = json.loads(reply.body)["error"]
    assert error["code"] in {"invalid", "too_large"}
    assert error["message"].endswith(".")
    assert error["field"] is None
    assert recorder.calls == []


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    client.send(b"".join(get(b"GET /%d HTTP/1.1" % n) for n in range(100)))
    for n in range(100):
        assert client.read().body == b"GET /%d " % n


def test_requests_before_a_bad_one_are_answered(client: Client) -> None:
    client.send(PLAIN + PLAIN + b"BREW / HTTP/1.1\r\n\r\n" + SECOND)
    assert [reply.status for reply in client.read_all()] == [200, 200, 400]


def test_what_comes_after_a_close_is_not_run(
    client: Client, recorder: Recorder
) -> None:
    client.send(get(b"GET /first HTTP/1.1", b"Connection: close") + SECOND)
    (reply,) = client.read_all()
    assert reply.headers["connection"] == "close"
    assert recorder.calls == ["/first"]


def test_http_1_0_is_told_that_its_connection_lives(client: Client) -> None:
    old = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert client.ask(old).headers["connection"] == "keep-alive"
    assert client.ask(old).status == 200
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    (reply,) = client.read_all()
    assert reply.headers["connection"] == "close"


def test_a_request_may_come_byte_by_byte(client: Client) -> None:
    for byte in chunked(b"3\r\nabc\r\n0\r\n\r\n"):
        client.send(bytes([byte]))
        gevent.sleep(0)
    assert client.read().body == b"POST /first abc"


def test_the_answer_to_head_has_no_body(client: Client) -> None:
    client.send(get(b"HEAD /first HTTP/1.1"))
    assert client.read(head_only=True).headers["content-length"] == "12"
    assert client.ask(PLAIN).body == b"GET /first "


def test_a_client_that_has_shut_down_its_side_is_answered(client: Client) -> None:
    client.send(PLAIN)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.read().status == 200
    assert client.is_closed()


def test_a_unix_socket_is_served(tmp_path: Path, recorder: Recorder) -> None:
    with (
        serving(recorder, path=str(tmp_path / "http")) as site,
        site.client() as client,
    ):
        assert client.ask(PLAIN).status == 200
        assert client.ask(PLAIN).status == 200


# Real applications


def strict(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An application after the letter of PEP 3333, for wsgiref's validator."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    length = ("Content-Length", str(len(body)))
    start_response("200 OK", [("Content-Type", "text/plain"), length])
    return [body]


@pytest.mark.parametrize(
    "name",
    ["nothing", "a body", "chunks", "an escaped target", "an upgrade with a body"],
)
def test_the_environ_is_valid_wsgi(name: str) -> None:
    with serving(validator(strict)) as site, site.client() as client:
        assert client.ask(GOOD[name].request).body == GOOD[name].body


def test_bottle_reads_json_that_came_in_chunks() -> None:
    app = Bottle()
    app.route("/first", method="POST", callback=lambda: {"got": request.json})
    json_chunks = post(
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
        body=b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
    )
    with serving(app) as site, site.client() as client:
        assert json.loads(client.ask(json_chunks).body) == {"got": {"a": 1}}
        assert json.loads(client.ask(json_chunks).body) == {"got": {"a": 1}}


# Large things


def test_a_large_body_arrives_whole(client: Client) -> None:
    client.send(post(b"Content-Length: 1000000", body=MEGABYTE))
    assert client.read().body == b"POST /first " + MEGABYTE


def large(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An application whose answer does not fit into the buffers of a socket."""
    start_response("200 OK", [])
    return [MEGABYTE] * 20


def test_a_large_answer_arrives_whole() -> None:
    with serving(large) as site, site.client() as client:
        client.send(PLAIN + PLAIN)
        assert client.read().body == MEGABYTE * 20
        assert client.read().body == MEGABYTE * 20


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 20000000", b"Transfer-Encoding: chunked"]
)
def test_who_is_still_sending_too_much_gets_the_answer(
    client: Client, recorder: Recorder, framing: bytes
) -> None:
    """A close with unread bytes is a reset, which would destroy the answer."""
    client.send(post(framing))
    for _ in range(20):
        client.send(
            b"f4240\r\n%b\r\n" % MEGABYTE if b"chunked" in framing else MEGABYTE
        )
    (reply,) = client.read_all()
    assert reply.status == 413
    assert json.loads(reply.body)["error"]["code"] == "too_large"
    assert recorder.calls == []


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 3", b"Transfer-Encoding: chunked"]
)
def test_a_client_may_expect_to_be_told_to_continue(
    client: Client, recorder: Recorder, framing: bytes
) -> None:
    client.send(post(framing, b"Expect: 100-continue"))
    assert client.read() == (100, {}, b"")
    assert recorder.calls == []
    client.send(b"3\r\nabc\r\n0\r\n\r\n" if b"chunked" in framing else b"abc")
    assert client.read().body == b"POST /first abc"


def test_who_expects_too_much_is_refused_before_the_body(client: Client) -> None:
    client.send(post(b"Content-Length: 1000001", b"Expect: 100-continue"))
    (reply,) = client.read_all()
    assert reply.status == 413


# Deadlines


def taken(since: float) -> float:
    return time.monotonic() - since


@pytest.mark.parametrize(
    ("start", "byte", "timeout"),
    [
        (b"GET / HTTP/1.1\r\nX: ", b"a", SHORT.header_timeout),
        (b"", b"\n", SHORT.header_timeout),
        (post(b"Content-Length: 1000000"), b"a", SHORT.body_timeout),
        (chunked(b"f4240\r\n"), b"a", SHORT.body_timeout),
        # As long for the second request as for the first.
        (PLAIN + b"GET / HTTP/1.1\r\nX: ", b"a", SHORT.header_timeout),
    ],
    ids=["head", "blank lines", "body", "chunks", "second head"],
)
@pytest.mark.parametrize("drips", [False, True], ids=["still", "dripping"])
def test_a_slow_request_is_cut_off(
    recorder: Recorder, start: bytes, byte: bytes, timeout: float, drips: bool
) -> None:
    """The time is for all of it: a byte now and then buys no more."""
    with serving(recorder, SHORT) as site, site.client() as client:
        began = time.monotonic()
        client.send(start + byte)
        dripping = gevent.spawn(client.drip, byte, 0.01) if drips else None
        reply = client.read_all()[-1]
        if dripping is not None:
            dripping.kill()
        assert reply.status == 408
        assert reply.headers["connection"] == "close"
        assert json.loads(reply.body)["error"]["code"] == "too_slow"
        assert timeout <= taken(began) + 0.01
        assert taken(began) < timeout + SLACK
        assert recorder.calls == ["/first"] * start.count(PLAIN)


def test_each_request_has_its_own_time(recorder: Recorder) -> None:
    head = b"GET /first HTTP/1.1\r\nHost: a\r\nX: "
    with serving(recorder, SHORT) as site, site.client() as client:
        client.send(head)
        for _ in range(3):
            # A slow client; the end of one comes with the beginning of the next.
            gevent.sleep(SHORT.header_timeout * 0.7)
            client.send(b"a\r\n\r\n" + head)
            assert client.read().status == 200
        assert client.read().status == 408


def test_a_connection_without_a_word_is_closed_without_a_word(
    recorder: Recorder,
) -> None:
    limits = Limits(max_body=1, header_timeout=0.2)
    with serving(recorder, limits) as site, site.client() as client:
        began = time.monotonic()
        assert client.is_closed()
        assert 0.19 < taken(began) < 0.2 + SLACK


def test_an_idle_connection_is_closed_without_a_word(recorder: Recorder) -> None:
    with serving(recorder, SHORT) as site, site.client() as client:
        began = time.monotonic()
        while taken(began) < 0.3:
            client.ask(PLAIN)
        began = time.monotonic()
        assert client.is_closed()
        assert 0.24 < taken(began) < 0.25 + SLACK


def test_each_idle_connection_is_closed_in_its_time(recorder: Recorder) -> None:
    durations: list[float] = []

    def visit(running: Site, start: float) -> None:
        gevent.sleep(start)
        with running.client() as client:
            client.ask(PLAIN)
            began = time.monotonic()
            assert client.is_closed()
            durations.append(taken(began))

    with serving(recorder, SHORT) as running:
        visits = [gevent.spawn(visit, running, n * 0.02) for n in range(20)]
        gevent.joinall(visits, raise_error=True)
    assert len(durations) == 20
    assert min(durations) > 0.24
    assert max(durations) < 0.25 + SLACK


def test_an_answer_must_be_taken_in_time() -> None:
    with serving(large, SHORT) as site:
        before = open_files()
        with site.client() as client:
            client.send(PLAIN)
            eventually(lambda: open_files() >= before + 2)
            # The client is still there, and reads nothing.
            eventually(lambda: open_files() <= before + 1)


def test_hundreds_of_slow_clients_slow_nobody_down(recorder: Recorder) -> None:
    limits = Limits(max_body=1000, header_timeout=1.0, body_timeout=1.0)
    with serving(recorder, limits) as site, site.client() as client:
        slow = [site.client() for _ in range(300)]
        for n, one in enumerate(slow):
            one.send(b"POST / HTT" if n % 2 else post(b"Content-Length: 9"))
        latencies = []
        for _ in range(100):
            began = time.monotonic()
            client.ask(PLAIN)
            latencies.append(taken(began))
        # Most of them: a busy machine may delay some.
        assert sorted(latencies)[50] < 0.05
        for one in slow:
            assert one.read().status == 408
            one.close()


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [([post(b"Content-Length: 3"), b"abc"], 1), ([PLAIN + PLAIN + PLAIN], 3)],
    ids=["body apart", "pipeline"],
)
def test_keep_alive_is_fast(client: Client, pieces: list[bytes], answers: int) -> None:
    """Small packets one after the other cost 40 ms, for want of TCP_NODELAY."""
    # As Python's own client has it.
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    latencies = []
    for _ in range(100):
        began = time.monotonic()
        for piece in pieces:
            client.send(piece)
        for _ in range(answers):
            client.read()
        latencies.append(taken(began))
    assert statistics.median(latencies) < 0.02


def test_pipelines_take_turns_between_which_sockets_are_looked_at() -> None:
    """However many there are: a new connection needs several such looks."""
    turns = 0
    told: list[int] = []

    def turn() -> None:
        nonlocal turns
        turns += 1

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        told.append(turns)
        start_response("200 OK", [])
        return []

    watcher = gevent.get_hub().loop.prepare()
    watcher.start(turn)
    try:
        with serving(app) as site, ExitStack() as stack:
            clients = [stack.enter_context(site.client()) for _ in range(10)]
            for client in clients:
                client.send(SECOND * 20)
            for client in clients:
                for _ in range(20):
                    client.read()
    finally:
        watcher.stop()
        watcher.close()
    assert len(told) == 200
    # All begin in one turn, as anybody's first request does; then there is one a turn.
    assert max(Counter(told[10:]).values()) <= 3


def test_who_has_left_before_it_was_let_in_keeps_nobody_waiting(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Connection] = []
    run = Connection.run

    def noted(connection: Connection) -> None:
        begun.append(connection)
        run(connection)

    monkeypatch.setattr(Connection, "run", noted)
    with serving(recorder) as site:
        assert isinstance(site.address, tuple)
        # The server gets no turn before all of them are there.
        for number in range(200):
            gone = socket.create_connection(site.address)
            if number % 2:
                linger = struct.pack("ii", 1, 0)
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            gone.close()
        with site.client() as client:
            assert client.ask(SECOND).status == 200
        assert len(begun) == 1
        assert site.server.refused == 0


def test_a_pipeline_lets_others_have_a_turn(site: Site, recorder: Recorder) -> None:
    with site.client() as greedy, site.client() as modest:
        greedy.send(get(b"GET /greedy HTTP/1.1") * 1000)
        assert modest.ask(PLAIN).status == 200
        assert recorder.calls.count("/greedy") < 1000
        for _ in range(1000):
            greedy.read()


# Clients that leave


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST / HT",
        b"\r\n",
        post(b"Content-Length: 5", body=b"ab"),
        post(b"Content-Length: 5", b"Expect: 100-continue"),
        chunked(b"5\r\nab"),
        PLAIN,
        PLAIN * 50,
        b"BREW / HTTP/1.1\r\n\r\n",
        post(b"Content-Length: 9999999", body=b"ab"),
    ],
)
@pytest.mark.parametrize("reset", [False, True], ids=["closing", "resetting"])
def test_a_client_may_leave_anywhere(site: Site, sent: bytes, reset: bool) -> None:
    before = open_files()
    for _ in range(3):
        with site.client() as client:
            if reset:
                # No time to linger: close() sends a reset.
                client.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            client.send(sent)
            if sent:
                eventually(lambda: open_files() >= before + 1)
    eventually(lambda: open_files() <= before)


def test_a_client_may_leave_while_the_application_works() -> None:
    release = Event()

    def app(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        release.wait()
        start_response("200 OK", [])
        return [MEGABYTE]

    with serving(app) as site:
        before = open_files()
        with site.client() as client:
            client.send(PLAIN)
            eventually(lambda: open_files() >= before + 2)
        release.set()
        eventually(lambda: open_files() <= before)


def greenlets() -> int:
    gc.collect()
    return sum(isinstance(o, gevent.Greenlet) and not o.dead for o in gc.get_objects())


def test_no_greenlet_is_left_of_a_connection_or_a_server(recorder: Recorder) -> None:
    before = greenlets()
    with serving(recorder) as site:
        for _ in range(5):
            with site.client() as client:
                client.ask(PLAIN)
        # One accepts, one closes what is idle for too long.
        eventually(lambda: greenlets() == before + 2)
    assert greenlets() == before


# Too many at once


def test_a_connection_past_the_limit_takes_the_place_of_the_longest_idle_one(
    recorder: Recorder,
) -> None:
    limits = Limits(max_body=1, max_connections=2)
    with serving(recorder, limits) as site:
        first, second = site.client(), site.client()
        first.ask(PLAIN)
        second.ask(PLAIN)
        # Now the second is the one that has been idle for longer.
        first.ask(PLAIN)
        with site.client() as third:
            assert third.ask(PLAIN).status == 200
            assert second.is_closed()
            assert first.ask(PLAIN).status == 200
        first.close()
        second.close()


def test_many_silent_connections_keep_nobody_out(recorder: Recorder) -> None:
    limits = Limits(max_body=1, max_connections=5)
    with serving(recorder, limits) as site:
        silent = [site.client() for _ in range(50)]
        with site.client() as client:
            assert client.ask(PLAIN).status == 200
            gauges = site.server.gauges()
            assert gauges["connections"] <= 6
        for one in silent:
            one.close()
        eventually(lambda: site.server.gauges()["connections"] == 0)


def test_a_connection_past_the_limit_is_told_so_if_all_others_are_busy() -> None:
    app = Slow()
    limits = Limits(max_body=1, max_connections=2)
    with serving(app, limits) as site:
        busy = [site.client() for _ in range(2)]
        for one in busy:
            one.send(PLAIN)
        eventually(lambda: app.called == 2)
        before = open_files()
        for _ in range(20):
            with site.client() as client:
                (reply,) = client.read_all()
                assert reply.status == 503
                assert reply.headers["connection"] == "close"
                assert int(reply.headers["retry-after"]) >= 1
                assert json.loads(reply.body)["error"]["code"] == "unavailable"
        assert open_files() == before
        assert site.server.gauges() == {"connections": 2, "refused": 20, "held": 0}
        app.release.set()
        for one in busy:
            assert one.read().status == 200
            one.close()
        eventually(lambda: site.server.gauges()["connections"] == 0)
        with site.client() as client:
            assert client.ask(PLAIN).status == 200


@contextmanager
def descriptors_used_up() -> Iterator[None]:
    """No further one can be had, by this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    newest = os.open("/dev/null", os.O_RDONLY)
    os.close(newest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (newest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("idle", [True, False], ids=["idle", "busy"])
def test_without_descriptors_idle_connections_leave_and_nothing_spins(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, idle: bool
) -> None:
    """As when somebody else has used up those of the whole system."""
    with serving(recorder) as site, site.client() as client, socket.socket() as late:
        client.send(PLAIN if idle else PLAIN + b"GET / HT")
        assert client.read().status == 200
        with descriptors_used_up():
            late.connect(site.address)
            late.sendall(SECOND)
            used = time.process_time()
            if idle:
                eventually(lambda: "/second" in recorder.calls)
            else:
                gevent.sleep(0.5)
                assert "/second" not in recorder.calls
            assert time.process_time() - used < 0.1
        eventually(lambda: "/second" in recorder.calls)
    (record,) = [r for r in caplog.records if r.levelno > logging.DEBUG]
    assert record.getMessage() == "no connection can be taken: Too many open files"
    caplog.clear()


# Too much at once

#: Room for three large bodies, and for some small ones beside them.
TIGHT = Limits(max_body=100_000, max_held=400_000)
LARGE = b"a" * 100_000


def test_bodies_that_do_not_fit_in_memory_together_are_refused(
    recorder: Recorder,
) -> None:
    """Each of them would be allowed alone. Small requests are served meanwhile."""
    with serving(recorder, TIGHT) as site:
        clients = [site.client() for _ in range(10)]
        for client in clients:
            client.send(post(b"Content-Length: 100000", body=LARGE[:-1]))
        eventually(lambda: site.server.gauges()["held"] == 299_997)
        with site.client() as modest:
            small = post(b"Content-Length: 1000", body=b"b" * 1000)
            assert modest.ask(small).status == 200
            assert site.server.gauges()["held"] == 299_997
        replies = []
        for client in clients:
            with suppress(OSError):
                client.send(b"a")
            replies.append(client.read())
            client.close()
        assert sorted(reply.status for reply in replies) == [200] * 3 + [503] * 7
        for reply in replies:
            if reply.status == 503:
                assert reply.headers["connection"] == "close"
                assert int(reply.headers["retry-after"]) >= 1
                assert json.loads(reply.body)["error"]["code"] == "unavailable"
        eventually(lambda: site.server.gauges()["held"] == 0)
        assert recorder.calls == ["/first"] * 4


def test_a_body_that_will_not_fit_is_refused_before_it_is_sent(
    recorder: Recorder,
) -> None:
    with serving(recorder, TIGHT) as site:
        clients = [site.client() for _ in range(3)]
        for client in clients:
            client.send(post(b"Content-Length: 100000", body=LARGE[:-1]))
        eventually(lambda: site.server.gauges()["held"] == 299_997)
        with site.client() as late:
            late.send(post(b"Content-Length: 90000", b"Expect: 100-continue"))
            (reply,) = late.read_all()
            assert reply.status == 503
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    "request_",
    [
        post(b"Content-Length: 100000", body=LARGE),
        post(b"Content-Length: 100000", body=LARGE[:-1]),
        chunked(b"1\r\na\r\n" * 10_000),
        chunked(b"1\r\na\r\n" * 10_000 + b"x"),
        post(b"Content-Length: 10", body=b"a" * 10) * 20,
        b"POST / HTTP/1.1\r\nX: " + b"a" * 5000,
        post(b"Content-Length: 5", body=b"abc"),
    ],
    ids=["whole", "half", "chunks", "broken", "pipeline", "head", "short"],
)
@pytest.mark.parametrize("leaves", [False, True], ids=["staying", "leaving"])
def test_the_room_of_a_request_is_free_again_however_it_ends(
    request_: bytes, leaves: bool
) -> None:
    with serving(validator(strict), TIGHT_AND_SHORT) as site:
        for _ in range(5):
            client = site.client()
            client.send(request_)
            if leaves:
                client.close()
            else:
                eventually(lambda: site.server.gauges()["connections"] == 1)
                client.read_all()
                client.close()
            eventually(lambda: site.server.gauges()["connections"] == 0)
            assert site.server.gauges()["held"] == 0


TIGHT_AND_SHORT = replace(TIGHT, header_timeout=0.1, body_timeout=0.1, idle_timeout=0.1)


def test_the_room_of_a_request_is_free_again_when_the_application_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(failing, TIGHT) as site, site.client() as client:
        assert client.ask(post(b"Content-Length: 90000", body=LARGE[10_000:])).status
        eventually(lambda: site.server.gauges()["held"] == 0)
    caplog.clear()


def test_an_idle_connection_keeps_nothing_of_its_last_request() -> None:
    app = Bottle()
    inputs: list[weakref.ref[object]] = []

    def take() -> str:
        inputs.append(weakref.ref(request.environ["wsgi.input"]))
        return "taken"

    app.route("/first", method="POST", callback=take)
    with serving(app) as site, site.client() as client:
        client.ask(post(b"Content-Length: 100000", body=LARGE))
        eventually(lambda: len(site.server.idle) == 1)
        assert [input() for input in inputs] == [None]


def test_who_reads_slowly_is_cut_off_when_there_is_no_room_for_more() -> None:
    """The answers that wait for them are in memory, too."""
    limits = Limits(max_body=1000, max_held=50_000_000)
    with serving(large, limits) as site:
        slow = [site.client() for _ in range(8)]
        for client in slow:
            client.send(PLAIN)
        # The last of them was begun while there was still a little room.
        eventually(lambda: site.server.gauges()["held"] >= 50_000_000)
        eventually(lambda: site.server.gauges()["connections"] < 8)
        assert site.server.gauges()["held"] < 70_000_000
        for client in slow:
            client.close()
        eventually(lambda: site.server.gauges()["held"] == 0)


# Applications that fail


def failing(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    raise LookupError("lost")


def splitting(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("X", "a\r\nSet-Cookie: b=c")])
    return []


def overdue(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    with gevent.Timeout(0.01):
        gevent.sleep(10)
    return []


@pytest.mark.parametrize(
    ("app", "reason"),
    [(failing, "LookupError: lost"), (splitting, "BadAnswer"), (overdue, "Timeout")],
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_an_application_that_fails_is_logged_and_answered_for(
    app: WSGIApplication, reason: str, method: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(app) as site, site.client() as client:
        client.send(get(b"%b /a%%0Ab HTTP/1.1" % method) + SECOND)
        reply = client.read(head_only=method == b"HEAD")
        assert client.is_closed()
    assert reply.status == 500
    assert reply.headers["connection"] == "close"
    assert "set-cookie" not in reply.headers
    if method == b"GET":
        told = json.loads(reply.body)["error"]
        assert told["code"] == "error"
        assert "lost" not in told["message"]
    (record,) = [r for r in caplog.records if r.levelno > logging.DEBUG]
    assert record.getMessage() == f"{method.decode()} '/a\\nb' failed"
    assert reason in caplog.text
    caplog.clear()


def test_a_failure_is_one_requests_own(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == "/bad":
            raise LookupError
        start_response("200 OK", [])
        return []

    with serving(app) as site, site.client() as other:
        assert other.ask(PLAIN).status == 200
        with site.client() as client:
            assert client.ask(get(b"GET /bad HTTP/1.1")).status == 500
        assert other.ask(PLAIN).status == 200
    caplog.clear()


# Stopping


class Slow:
    """An application that answers when it is let."""

    def __init__(self) -> None:
        self.called = 0
        self.release = Event()

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> list[bytes]:
        self.called += 1
        self.release.wait()
        start_response("200 OK", [])
        return [b"done"]


def test_a_stop_closes_idle_connections_at_once(recorder: Recorder) -> None:
    with serving(recorder) as site, site.client() as used, site.client() as fresh:
        used.ask(PLAIN)
        eventually(lambda: len(site.server.idle) == 2)
        began = time.monotonic()
        site.server.stop(5)
        assert taken(began) < 1
        assert used.is_closed()
        assert fresh.is_closed()


def test_a_stop_refuses_new_connections(recorder: Recorder) -> None:
    with serving(recorder) as site:
        site.server.stop(1)
        with pytest.raises(ConnectionRefusedError):
            site.client()


def test_a_stop_lets_the_application_finish() -> None:
    app = Slow()
    with serving(app) as site, site.client() as client:
        client.send(PLAIN)
        eventually(lambda: app.called == 1)
        stopping = gevent.spawn(site.server.stop, 5)
        eventually(lambda: site.server.stopping)
        app.release.set()
        (reply,) = client.read_all()
        assert (reply.body, reply.headers["connection"]) == (b"done", "close")
        client.close()
        stopping.join(1)
        assert stopping.ready()


def test_a_stop_ends_a_connection_after_an_answer_that_was_on_its_way() -> None:
    """It could not say that it was the last one."""
    with serving(large) as site, site.client() as client:
        eventually(lambda: len(site.server.idle) == 1)
        client.send(PLAIN)
        eventually(lambda: not site.server.idle)
        stopping = gevent.spawn(site.server.stop, 5)
        eventually(lambda: site.server.stopping)
        began = time.monotonic()
        assert "connection" not in client.read().headers
        assert client.is_closed()
        stopping.join()
        assert taken(began) < SLACK


def test_a_stop_answers_all_of_a_pipeline() -> None:
    app = Slow()
    with serving(app) as site, site.client() as client:
        client.send(PLAIN * 3 + b"GET / HT")
        eventually(lambda: app.called == 1)
        stopping = gevent.spawn(site.server.stop, 5)
        eventually(lambda: site.server.stopping)
        app.release.set()
        for _ in range(3):
            assert "connection" not in client.read().headers
        client.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        (reply,) = client.read_all()
        assert reply.headers["connection"] == "close"
        client.close()
        stopping.join()


@pytest.mark.parametrize("begun", [b"POST /fir", post(b"Content-Length: 3")[:-1]])
def test_a_stop_waits_for_a_request_that_was_begun(
    recorder: Recorder, begun: bytes
) -> None:
    whole = post(b"Content-Length: 3", body=b"abc")
    with serving(recorder) as site, site.client() as client:
        eventually(lambda: len(site.server.idle) == 1)
        client.send(begun)
        eventually(lambda: not site.server.idle)
        stopping = gevent.spawn(site.server.stop, 5)
        eventually(lambda: site.server.stopping)
        client.send(whole[len(begun) :])
        (reply,) = client.read_all()
        assert reply.body == b"POST /first abc"
        assert reply.headers["connection"] == "close"
        client.close()
        stopping.join()


def test_a_stop_serves_what_has_arrived_unread(recorder: Recorder) -> None:
    """No client is told by a reset that its request may or may not have been done."""
    with serving(recorder) as site, site.client() as client:
        client.ask(PLAIN)
        eventually(lambda: len(site.server.idle) == 1)
        client.send(SECOND)
        site.server.stop(5)
        assert recorder.calls == ["/first", "/second"]
        (reply,) = client.read_all()
        assert reply.headers["connection"] == "close"


def test_a_stop_cuts_off_what_takes_too_long() -> None:
    app = Slow()
    with serving(app) as site, site.client() as client, site.client() as slow:
        eventually(lambda: len(site.server.idle) == 2)
        client.send(PLAIN)
        slow.send(b"GET / HT")
        eventually(lambda: app.called == 1 and not site.server.idle)
        began = time.monotonic()
        site.server.stop(0.2)
        assert 0.19 < taken(began) < 0.2 + SLACK
        assert client.is_closed()
        assert slow.is_closed()

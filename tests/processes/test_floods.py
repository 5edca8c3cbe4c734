"""Much too much at once: memory stays bounded, and honest clients are served."""

from __future__ import annotations

import json
import logging
import random
import signal
import socket
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.connection import Connection, ask
from tests.support.processes import usage
from tests.support.scale import times
from tests.support.service import Service, wait_until

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

MEGABYTE = 1024 * 1024
PUSH = b'{"url":"http://127.0.0.1:9/"}'
SETTINGS = {"workers": 1, "start_paused": True, "heartbeat_timeout": "2s"}
#: What all large requests together may take, with the default of ``max_body``.
BUDGET = 64 * MEGABYTE


def head(length: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % length


def gauges(service: Service) -> dict[str, int]:
    stats: Any = ask(service.port, "GET", "/stats").json
    (api,) = (child for child in stats["children"] if child["name"] == "api-1")
    found: dict[str, int] = api["gauges"]
    return found


@contextmanager
def flood(service: Service, count: int) -> Iterator[list[socket.socket]]:
    """So many connections, each sending a large body in small pieces; after half a
    minute the slow ones would be cut off."""
    over = threading.Event()
    senders: list[socket.socket] = []

    def send() -> None:
        piece = bytes(50_000)
        while not over.wait(0.05):
            for one in senders:
                # It has no room, or has been refused.
                with suppress(OSError):
                    one.send(piece)

    for _ in range(count):
        sender = socket.create_connection(("127.0.0.1", service.port), 10)
        sender.sendall(head(8_000_000))
        sender.setblocking(False)
        senders.append(sender)
    flooding = threading.Thread(target=send)
    flooding.start()
    try:
        yield senders
    finally:
        over.set()
        flooding.join()
        for one in senders:
            one.close()


def status_of(sock: socket.socket) -> int:
    """Of the answer that has arrived; 0 if none has."""
    try:
        return int(sock.recv(100).split(b" ")[1])
    except OSError:
        return 0


def test_two_hundred_large_bodies_at_once_leave_room_for_small_ones(
    tmp_path: Path,
) -> None:
    """Each of them would be allowed. Again and again: nothing of it stays in memory."""
    with Service(tmp_path, settings=SETTINGS) as service:
        (api,) = service.children("api")
        before = usage(api).memory
        peaks, answers, took = [], Counter[int](), []
        for _ in range(times(2, 20)):
            with flood(service, 200) as senders:
                ends = time.monotonic() + 1
                peak = 0
                while time.monotonic() < ends:
                    began = time.monotonic()
                    assert ask(service.port, "POST", "/", PUSH).status == 201
                    took.append(time.monotonic() - began)
                    peak = max(peak, usage(api).memory)
                peaks.append(peak - before)
                answers.update(map(status_of, senders))
            wait_until(lambda: gauges(service)["held"] == 0)
        log.info(
            "grew by %s MB; %d honest pushes in the meantime, the slowest took %.0f ms;"
            " answers to the flood %s",
            [peak // MEGABYTE for peak in peaks],
            len(took),
            max(took) * 1000,
            answers,
        )
        assert max(peaks) < BUDGET + 60 * MEGABYTE
        assert peaks[-1] < peaks[0] + 30 * MEGABYTE
        assert max(took) < 2
        assert answers[503] > 100
        assert service.children("api") == [api]
        assert "Traceback" not in service.log


def test_large_pushes_that_wait_for_the_supervisor_are_bounded(tmp_path: Path) -> None:
    """Each is in memory several times: as it came, as it is kept, as it is sent."""
    payload = b64encode(random.Random(1).randbytes(4 * MEGABYTE))
    push = b'{"url":"http://127.0.0.1:9/","payload":"%b"}' % payload
    with Service(tmp_path, settings=SETTINGS) as service:
        (api,) = service.children("api")
        before = usage(api).memory
        statuses: list[int] = []

        def send() -> None:
            with Connection(service.port, timeout=30) as connection:
                with suppress(ConnectionError):
                    connection.send(head(len(push)) + push)
                statuses.append(connection.answer().status)

        service.kill(signal.SIGSTOP)
        try:
            sending = [threading.Thread(target=send) for _ in range(40)]
            for one in sending:
                one.start()
            # The others are refused at once.
            wait_until(lambda: len(statuses) >= 30)
            peak = usage(api).memory
        finally:
            service.kill(signal.SIGCONT)
        for one in sending:
            one.join()
        log.info("grew by %d MB; %s", (peak - before) // MEGABYTE, Counter(statuses))
        assert peak - before < 4 * BUDGET
        assert set(statuses) == {201, 503}
        accepted = statuses.count(201)
        assert 5 <= accepted <= 10
        status = ask(service.port, "GET", "/").json
        assert status["accepted"] == accepted


def test_a_payload_beyond_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    settings = SETTINGS | {"max_payload": "10K"}
    with Service(tmp_path, settings=settings) as service:
        for size, status in ((10 * 1024, 201), (10 * 1024 + 1, 413)):
            push = {
                "url": "http://127.0.0.1:9/",
                "payload": b64encode(bytes(size)).decode(),
            }
            answer = ask(service.port, "POST", "/", json.dumps(push).encode())
            assert answer.status == status
        assert answer.error["code"] == "too_large"
        assert answer.error["field"] == "payload"

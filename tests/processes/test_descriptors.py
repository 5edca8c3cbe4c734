"""Too few descriptors for all who come, and a port that outlives who serves it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.connection import Answer, Connection, ask
from tests.support.processes import usage
from tests.support.service import Service, wait_until

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

#: Descriptors that each process of the service may have.
FEW = 64
PUSH = b'{"url":"http://127.0.0.1:9/"}'
HEAD = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"
#: A request that was begun: its connection is not idle.
BEGUN = b"POST / HTTP/1.1\r\nHost: t\r\nX-Slow"
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """It raises its soft limit to the hard one; so that is the one to set."""
    launcher = ("sh", "-c", f'ulimit -n {FEW} && exec "$@"', "sh")
    settings = {"workers": 1, "start_paused": True, "heartbeat_timeout": "1s"}
    with Service(tmp_path, settings=settings, launcher=launcher) as service:
        wait_until(lambda: service.get("/health").status_code == 200)
        yield service
        assert "Traceback" not in service.log


def connected(service: Service, count: int, stack: ExitStack) -> list[Connection]:
    return [stack.enter_context(Connection(service.port)) for _ in range(count)]


def cpu(pid: int) -> float:
    """Seconds of processor time so far."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
    return (int(user) + int(system)) / TICKS


def share_of_cpu(pid: int, seconds: float = 1.0) -> float:
    before = cpu(pid)
    threading.Event().wait(seconds)
    return (cpu(pid) - before) / seconds


def gauge(service: Service, name: str) -> int:
    stats = ask(service.port, "GET", "/stats").json
    (api,) = (child for child in stats["children"] if child["name"] == "api-1")
    found: int = api["gauges"].get(name, 0)
    return found


def test_silent_clients_make_way_for_others(service: Service) -> None:
    (api,) = service.children("api")
    with ExitStack() as stack:
        kept = stack.enter_context(Connection(service.port))
        assert kept.ask("GET", "/health").status == 200
        silent = connected(service, 3 * FEW, stack)
        began = time.monotonic()
        assert ask(service.port, "POST", "/", PUSH).status == 201
        took = time.monotonic() - began
        share = share_of_cpu(api)
        log.info("served after %.3f s, %.1f %% of a core", took, share * 100)
        assert took < 2
        assert share < 0.1
        assert usage(api).descriptors <= FEW
        # Those that came first were the first to go, a used one like the others.
        for one in (kept, *silent[:FEW]):
            assert one.sock.recv(1) == b""
        # The last ones are still welcome.
        assert silent[-1].ask("POST", "/", PUSH).status == 201
    assert service.children("api") == [api]
    wait_until(lambda: gauge(service, "connections") <= 2)


def test_busy_clients_have_others_refused_until_they_leave(service: Service) -> None:
    (api,) = service.children("api")
    with ExitStack() as stack:
        busy = connected(service, 3 * FEW, stack)
        for one in busy:
            one.send(BEGUN)
        answers = [refusal(service) for _ in range(10)]
        assert {answer.status for answer in answers} == {503}
        assert int(answers[0].header("Retry-After")) >= 1
        assert answers[0].header("Connection") == "close"
        assert answers[0].json["error"]["code"] == "unavailable"
        share = share_of_cpu(api)
        log.info("%.1f %% of a core while it is full", share * 100)
        assert share < 0.1
        assert usage(api).descriptors <= FEW
    left = time.monotonic()
    wait_until(lambda: pushed(service))
    assert time.monotonic() - left < 2
    assert service.children("api") == [api]
    wait_until(lambda: gauge(service, "refused") >= 10)


def refusal(service: Service) -> Answer:
    """What one is told who only comes."""
    with Connection(service.port) as connection:
        return connection.answer()


def pushed(service: Service) -> bool:
    try:
        return ask(service.port, "POST", "/", PUSH).status == 201
    except OSError:
        return False


def test_the_port_outlives_the_process_that_serves_it(tmp_path: Path) -> None:
    """Who connects while there is none is served by the next one. Who was being served
    sees the connection end, and its push is there wholly or not at all."""
    settings = {"workers": 1, "start_paused": True}
    with Service(tmp_path, settings=settings) as service:
        wait_until(lambda: " INFO ready " in service.log)
        (api,) = service.children("api")
        accepted = [ask(service.port, "POST", "/", PUSH).task]
        with ExitStack() as stack:
            (cut,) = connected(service, 1, stack)
            assert cut.ask("GET", "/").status == 200
            cut.send(HEAD % 1000 + PUSH)
            # Or it would be replaced at once.
            service.kill(signal.SIGSTOP)
            try:
                os.kill(api, signal.SIGKILL)
                wait_until(lambda: not service.children("api"))
                early = connected(service, 20, stack)
                for one in early:
                    one.send(HEAD % len(PUSH) + PUSH)
                with pytest.raises(OSError):
                    cut.answer()
            finally:
                service.kill(signal.SIGCONT)
            accepted += [one.answer().task for one in early]
        assert service.children("api") != [api]
        listed = ask(service.port, "GET", "/waiting").json["tasks"]
        assert sorted(task["id"] for task in listed) == sorted(accepted)

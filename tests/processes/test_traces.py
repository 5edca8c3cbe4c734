"""What links a request to what comes of it: its id in the log, its trace on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OWN = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
TRACE = {"traceparent": PARENT, "tracestate": STATE}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("service")
    with Service(folder, settings={"workers": 1, "log_level": "debug"}) as service:
        yield service
        assert "Traceback" not in service.log


def traces(receiver: Receiver, count: int) -> list[tuple[str | None, str | None]]:
    """Of so many deliveries."""
    found = [one.headers for one in receiver.wait_for(count)]
    return [(one.get("traceparent"), one.get("tracestate")) for one in found]


#: By path: what is asked there for a URL.
PUSHES: dict[str, Callable[[str], dict[str, Any]]] = {
    "/": lambda url: {"json": {"url": url}},
    "/batch": lambda url: {"json": [{"url": url}]},
    "/tasks/push/": lambda url: {"data": {"url": url}},
}


@pytest.mark.parametrize("path", PUSHES)
def test_the_trace_of_a_push_is_sent_along_with_each_delivery(
    service: Service, receiver: Receiver, path: str
) -> None:
    url = receiver.url("/?status=500,200")
    pushed = service.request("POST", path, headers=TRACE, **PUSHES[path](url))
    assert pushed.status_code == 201, pushed.text
    assert traces(receiver, 2) == [(PARENT, STATE)] * 2


def test_a_trace_that_is_none_and_that_of_a_schedule_are_left_out(
    service: Service, receiver: Receiver
) -> None:
    once: dict[str, Any] = {"url": receiver.url()}
    service.post("/", once, headers={"traceparent": PARENT.upper()})
    service.post("/", once | {"headers": {"traceparent": OWN}}, headers=TRACE)
    service.post("/", once | {"schedule": "@every 1s"}, headers=TRACE)
    found = traces(receiver, 3)
    service.request("DELETE", "/cron")
    assert found.count((OWN, None)) == 1
    assert found.count((None, None)) == len(found) - 1


def test_what_a_request_changed_is_logged_with_its_id(service: Service) -> None:
    later = {"url": "http://127.0.0.1:9/", "countdown": 3600}
    named = {"X-Request-Id": "mine-1"}
    pushed = service.post("/", later, headers=named)
    task = pushed.headers["Poussetaches-Task-Id"]
    assert pushed.headers["X-Request-Id"] == "mine-1"
    assert f"DEBUG POST '/' status=201 request=mine-1 task={task}" in said(service)
    gone = service.request("DELETE", f"/task/{task}", headers={"X-Request-Id": "r.2"})
    assert gone.headers["X-Request-Id"] == "r.2"
    assert f"INFO cancelled task={task} request=r.2" in said(service)


def test_a_change_by_a_request_without_an_id_has_one_all_the_same(
    service: Service,
) -> None:
    answer = service.post("/pause")
    assert "X-Request-Id" not in answer.headers
    service.post("/resume")
    (line,) = [one for one in said(service) if one.startswith("INFO paused")]
    assert re.fullmatch(r"INFO paused request=[0-9a-f]{16}", line)


def test_an_error_names_its_request(service: Service) -> None:
    refused = service.request("DELETE", "/task/nobody")
    id = refused.headers["X-Request-Id"]
    expected = f"DEBUG DELETE '/task/nobody' status=404 request={id}"
    wait_until(lambda: expected in said(service))


def said(service: Service) -> list[str]:
    """The lines of the log, without when and by whom."""
    return [line.partition("] ")[2] for line in service.log.splitlines()]

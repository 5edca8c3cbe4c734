"""What may be pushed to, by the setting ``allowed_targets``."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.anywhere import listening_anywhere
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.spellings import LOOPBACKS

pytestmark = pytest.mark.process


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening_anywhere() as sock:
        yield sock


def push(service: Service, url: str, **given: object) -> str:
    """The id of the task."""
    answer = service.post("/", {"url": url} | given)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Poussetaches-Task-Id"])


def dead(service: Service) -> dict[str, dict[str, Any]]:
    """Dead letters by id."""
    tasks = service.get("/dead?limit=1000").json()["tasks"]
    return {task["id"]: task for task in tasks}


def reason(task: dict[str, Any]) -> str:
    return base64.b64decode(task["last_error_body"]).decode()


def chosen_port(service: Service) -> int:
    """The one that the second start chose; 0 while it has not."""
    said = re.findall(r"listening on http://127.0.0.1:(\d+)", service.log)
    return int(said[1]) if len(said) == 2 else 0


def test_what_is_not_allowed_is_dead_at_once_and_nobody_hears_of_it(
    tmp_path: Path, listener: socket.socket, receiver: Receiver
) -> None:
    allowed = "10.0.0.0/8, fd00::/8, 127.0.0.3, app.example, *.example.org"
    port = listener.getsockname()[1]
    settings = {"allowed_targets": allowed, "hold_limit": 0}
    with Service(tmp_path, settings=settings) as service:
        pushed = {
            push(service, f"http://{host}:{port}/task", max_retries=-1): host
            for host in LOOPBACKS
        }
        push(service, f"http://127.0.0.2:{port}/", schedule="@every 1s", max_retries=0)
        wait_until(lambda: pushed.keys() <= dead(service).keys())
        for id, task in dead(service).items():
            text = reason(task)
            assert " may not be pushed to: " in text, pushed.get(id)
            assert text.endswith(" is not in allowed_targets")
            assert (task["tries"], task["last_error_status_code"]) == (1, -1)
        # A schedule lives on.
        assert wait_until(
            lambda: [one for one in dead(service).values() if one["schedule"]]
        )
        assert service.get("/cron").json()["total"] == 1
        # Here, nobody listens; but it was allowed to look.
        looked = push(service, f"http://127.0.0.3:{receiver.port}/", max_retries=0)
        wait_until(lambda: looked in dead(service))
        assert reason(dead(service)[looked]) == (
            f"connection refused by 127.0.0.3:{receiver.port}"
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert receiver.arrivals() == []
        # With another setting they are as good as any; all but the service itself, also
        # where it did not choose its port.
        service.stop()
        service.settings |= {"allowed_targets": "localhost", "bind": "127.0.0.1:0"}
        service.launch()
        service.port = wait_until(lambda: chosen_port(service))
        service.wait_until_it_answers()
        push(service, f"http://localhost:{receiver.port}/welcome")
        [arrival] = receiver.wait_for(1)
        assert arrival.headers["Host"] == f"localhost:{receiver.port}"
        itself = push(service, f"http://localhost:{service.port}/pause")
        wait_until(lambda: itself in dead(service))
        said = reason(dead(service)[itself])
        assert said.endswith(f"port {service.port} is this service itself")
        assert not service.get("/").json()["paused"]


def test_a_list_that_cannot_be_meant_stops_the_start_with_one_line(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, settings={"allowed_targets": "10.0.0.0/8, 10.0.0.0/99"})
    with service.launched():
        assert service.wait(20) == 1
    [line] = service.log.splitlines()
    assert line == (
        'poussetaches: allowed_targets: "10.0.0.0/8, 10.0.0.0/99" (from'
        ' --allowed-targets) has "10.0.0.0/99", which is no network, such as 10.0.0.0/8'
        " or fd00::/8"
    )

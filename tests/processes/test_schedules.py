"""Schedules on the real service: what docs/schedules.md says can be done, is done."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from poussetaches.cli.main import cli
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

PAGE = Path(__file__).parents[2] / "docs" / "schedules.md"
#: Where the page has the service.
DOCUMENTED = "http://127.0.0.1:7991"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        yield running


def run(service: Service, *arguments: str) -> str:
    """What a command prints that must succeed."""
    environment = {"POUSSETACHES_URL": service.url}
    result = CliRunner().invoke(cli, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def curl(service: Service, url: str, *options: str) -> None:
    assert url.startswith(DOCUMENTED)
    path = url.removeprefix(DOCUMENTED)
    if options:
        flag, body = options
        assert flag == "-d"
        answer = service.request("POST", path, data=body)
    else:
        answer = service.get(path)
    assert answer.ok, answer.text


def test_the_commands_of_the_page_do_what_it_says(service: Service) -> None:
    """Whoever types them in that order sees them work."""
    commands = re.findall(r"^    ((?:curl|poussetaches) .*)$", PAGE.read_text(), re.M)
    assert len(commands) == 12
    for command in commands:
        program, *arguments = shlex.split(command)
        if program == "curl":
            curl(service, *arguments)
        else:
            run(service, *arguments)
    assert service.get("/schedules").json()["total"] == 0


def push(service: Service, **fields: Any) -> str:
    answer = service.post("/", fields)
    assert answer.status_code == 201, answer.text
    return answer.headers["Poussetaches-Task-Id"]


def schedule(service: Service, name: str = "beat") -> dict[str, Any]:
    answer = service.get(f"/schedule/{name}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_schedule_outlives_a_crash_with_its_pause_and_its_last_run(
    service: Service, receiver: Receiver
) -> None:
    """Changed, run, paused; and after kill -9 it is all as it was."""
    push(service, url=receiver.url("/run"), schedule="@daily", name="beat")
    push(service, url=receiver.url("/run"), schedule="@every 1s", name="beat")
    assert service.get("/schedules").json()["total"] == 1
    wait_until(lambda: schedule(service)["last"], 10, "no run ended")
    assert service.post("/schedule/beat/pause").json()["next"] is None
    before = schedule(service)
    assert before["last"]["outcome"] == "succeeded"
    assert before["last"]["status"] == 200
    service.kill()
    service.wait()
    service.restart()
    assert schedule(service) == before
    assert service.get("/cron").json()["total"] == 0
    ended = before["last"]["at"]
    service.post("/schedule/beat/resume")
    wait_until(lambda: schedule(service)["last"]["at"] > ended, 10, "no run came")


def test_a_run_by_hand_is_a_task_of_its_own(
    service: Service, receiver: Receiver
) -> None:
    url = receiver.url("/run")
    push(service, url=url, schedule="@yearly", name="beat", payload="aGk=")
    coming = schedule(service)["next"]
    answer = service.post("/schedule/beat/run")
    assert answer.status_code == 201
    id = answer.json()["id"]
    assert answer.headers["Poussetaches-Task-Id"] == id

    def ended() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = service.get("/success").json()["tasks"]
        return listed

    (task,) = wait_until(ended, 10, "it did not run")
    assert (task["id"], task["schedule"], task["payload"]) == (id, "", "aGk=")
    assert (schedule(service)["next"], schedule(service)["last"]) == (coming, None)


def test_names_may_be_anything_and_ids_do_as_well(service: Service) -> None:
    name = "rapport/été ?&#%"
    id = push(service, url="http://127.0.0.1:1/", schedule="@yearly", name=name)
    assert f"{name}  @yearly" in run(service, "schedule", "ls")
    assert run(service, "schedule", "next", name, "--count", "2").count("01-01") == 2
    run(service, "schedule", "pause", name)
    assert "paused" in run(service, "schedule", "ls")
    run(service, "schedule", "resume", id)
    assert schedule(service, id)["paused"] is False
    run(service, "schedule", "drop", id)
    assert service.get(f"/schedule/{id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "field"),
    [
        ("GET", "/schedule/nobody", 404, None),
        ("GET", "/schedule/nobody/next", 404, None),
        ("POST", "/schedule/nobody/run", 404, None),
        ("DELETE", "/schedule/nobody", 404, None),
        ("GET", "/schedule/beat/next?count=0", 400, "count"),
        ("GET", "/schedule/beat/next?count=1001", 400, "count"),
        ("GET", "/schedules?limit=none", 400, "limit"),
        ("GET", "/schedules?cursor=%00", 400, "cursor"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    shared: Service, method: str, path: str, status: int, field: str | None
) -> None:
    answer = shared.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["field"] == field
    assert error["message"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running:
        push(running, url="http://127.0.0.1:1/", schedule="@yearly", name="beat")
        yield running


def test_pages_have_every_schedule_once(shared: Service) -> None:
    names = [f"page {n}" for n in range(5)]
    for name in names:
        push(shared, url="http://127.0.0.1:1/", schedule="@yearly", name=name)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = shared.get("/schedules", params=query).json()
        found += [one["name"] for one in page["schedules"]]
        assert page["total"] == 6
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert found == ["beat", *names]

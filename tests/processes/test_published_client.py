"""An application written for the published client works on this service.

The same Flask application runs twice: with ``poussetaches`` 0.2.0 from PyPI, unchanged,
in an environment of its own, and with the client of this package put in its place.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.processes.published_client.driver import Application
from tests.processes.published_client.environment import (
    CHECKOUT,
    python_with_published_client,
)
from tests.support.service import Service, wait_until

# The first test may have to make the environment, over the network.
pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

AUTH_KEY = "1234-the-key-5678"


class Pair(NamedTuple):
    """An application and the service it pushes to."""

    application: Application
    service: Service
    #: Where the application's client must have come from.
    client: Path


@pytest.fixture(scope="module", params=["published", "ours"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    environment = os.environ | {"POUSSETACHES_AUTH_KEY": AUTH_KEY}
    if request.param == "published":
        python = python_with_published_client()
        client = next(python.parents[1].glob("lib/*/site-packages/poussetaches.py"))
        environment.pop("PYTHONPATH", None)
    else:
        python = Path(sys.executable)
        client = CHECKOUT / "poussetaches" / "client" / "client.py"
        environment["PYTHONPATH"] = str(CHECKOUT)
    folder = tmp_path_factory.mktemp(request.param)
    with (
        Service(folder, environment={"POUSSETACHES_AUTH_KEY": AUTH_KEY}) as service,
        Application(python, service.url, folder, environment) as application,
    ):
        yield Pair(application, service, client)


@pytest.fixture
def application(pair: Pair) -> Application:
    return pair.application


def test_the_application_has_the_client_it_is_meant_to_have(pair: Pair) -> None:
    assert pair.application.client == pair.client


@pytest.mark.parametrize(
    "payload",
    ["a bare string", {"to": "Zoë 🦉", "n": [1, None, True]}, [], 17, None],
    ids=["string", "object", "list", "number", "null"],
)
def test_a_push_is_handled_once_and_then_listed_as_success(
    application: Application, payload: Any
) -> None:
    pushed_at = time.time()
    task_id = application.push(payload, "/task/mail")
    assert re.fullmatch("[0-9a-f]{32}", task_id)
    (delivery,) = application.wait_for(payload)
    assert (delivery["path"], delivery["tries"]) == ("/task/mail", 1)
    assert re.fullmatch("[0-9a-f]{12}", delivery["req_id"])
    listed = application.wait_for_listed("success", task_id)
    assert listed.pop("next_run") == pytest.approx(pushed_at, abs=5)
    assert listed == {
        "payload": payload,
        "expected": 200,
        "schedule": "",
        "task_id": task_id,
        "tries": 1,
        "url": f"{application.address}/task/mail",
        "last_error_status_code": 0,
        "last_error_body": None,
    }
    assert application.listed("waiting", task_id) is None
    assert len(application.received(payload)) == 1


def test_another_status_can_be_the_expected_one(application: Application) -> None:
    task_id = application.push("created", "/task/created", expected=201)
    listed = application.wait_for_listed("success", task_id)
    assert (listed["expected"], listed["tries"]) == (201, 1)


def test_a_delay_is_in_minutes_and_the_task_waits_for_it(
    application: Application,
) -> None:
    pushed_at = time.time()
    task_id = application.push("later", "/task/mail", delay=3)
    listed = application.wait_for_listed("waiting", task_id)
    assert listed["next_run"] == pytest.approx(pushed_at + 3 * 60, abs=5)
    # Pushed after it, and handled, while it still waits.
    application.push("sooner", "/task/mail")
    application.wait_for("sooner")
    assert application.received("later") == []
    still = application.listed("waiting", task_id)
    assert still is not None
    assert (still["tries"], still["next_run"]) == (0, listed["next_run"])


def test_a_negative_delay_is_due_at_once(application: Application) -> None:
    pushed_at = time.time()
    task_id = application.push("overdue", "/task/mail", delay=-2)
    application.wait_for("overdue")
    listed = application.wait_for_listed("success", task_id)
    assert listed["next_run"] == pytest.approx(pushed_at - 2 * 60, abs=5)


def test_a_task_that_fails_is_tried_again_until_it_succeeds(
    application: Application,
) -> None:
    task_id = application.push("flaky", "/task/flaky")
    first, second = application.wait_for("flaky", deliveries=2)
    assert (first["tries"], second["tries"]) == (1, 2)
    assert first["req_id"] != second["req_id"]
    # The first wait is a second, give or take 30 %.
    assert 0.6 < second["at"] - first["at"] < 5
    listed = application.wait_for_listed("success", task_id)
    assert listed["tries"] == 2
    # What went wrong before stays to be seen.
    assert listed["last_error_status_code"] == 500
    assert listed["last_error_body"] == "Traceback: der Nächste, bitte"


def test_a_dead_task_is_listed_with_what_it_died_of(pair: Pair) -> None:
    application, service = pair.application, pair.service
    # The client has no word for a single attempt, and eleven take days.
    push = {
        "url": f"{application.address}/task/hopeless",
        "payload": base64.b64encode(b'{"for": "nothing"}').decode(),
        "max_retries": 0,
    }
    task_id = service.post("/", push).headers["Poussetaches-Task-ID"]
    listed = application.wait_for_listed("dead", task_id)
    assert listed["payload"] == {"for": "nothing"}
    assert (listed["tries"], listed["last_error_status_code"]) == (1, 500)
    # Neither bytes that are no text nor a cut inside a letter break the list.
    assert "Übel! Übel!" in listed["last_error_body"]
    assert application.listed("waiting", task_id) is None


def test_a_schedule_runs_again_and_again_and_is_stored_once(
    application: Application,
) -> None:
    pushed_at = time.time()
    schedule = {"schedule": "@every 1s"}
    task_id = application.push("tick", "/task/mail", **schedule)
    assert re.fullmatch("[0-9a-f]{40}", task_id)
    assert application.push("tick", "/task/mail", **schedule) == task_id
    listed = application.wait_for_listed("cron", task_id)
    assert (listed["schedule"], listed["payload"]) == ("@every 1s", "tick")
    assert application.listed("waiting", task_id) is not None
    # At the earliest, the first run is at the next full second and each other one a
    # second after it: two pushes are one schedule.
    for number, delivery in enumerate(application.wait_for("tick", deliveries=3)):
        assert delivery["at"] > int(pushed_at) + 1 + number - 0.05
    assert application.wait_for_listed("success", task_id)["schedule"] == "@every 1s"
    later = application.wait_for_listed("cron", task_id)
    assert later["next_run"] > listed["next_run"]


def test_nothing_is_delivered_between_pause_and_resume(pair: Pair) -> None:
    application, service = pair.application, pair.service
    application.tell("POST", "/pause")
    assert service.get("/").json()["paused"] is True
    task_id = application.push("while paused", "/task/mail")
    pushed = time.monotonic()
    # Long enough for a delivery, had there been one.
    wait_until(lambda: time.monotonic() > pushed + 0.5)
    assert application.received("while paused") == []
    assert application.wait_for_listed("waiting", task_id)["tries"] == 0
    application.tell("POST", "/resume")
    assert service.get("/").json()["paused"] is False
    application.wait_for("while paused")
    application.wait_for_listed("success", task_id)


@pytest.mark.parametrize("headers", [{}, {"Poussetaches-Auth-Key": "guessed"}])
def test_a_delivery_without_the_key_is_refused(
    application: Application, headers: dict[str, str]
) -> None:
    forged = json.dumps({"payload": "ImZvcmdlZCI=", "tries": 1, "req_id": "0" * 12})
    answer = application.ask("POST", "/task/mail", data=forged, headers=headers)
    assert answer.status_code == 500
    assert application.received("forged") == []

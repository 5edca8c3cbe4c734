"""docs/steering.md: what it shows is what there is, of the real program."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from poussetaches.model.named_queue import SHARES
from tests.support.receiver import Receiver
from tests.support.service import Service, free_port, wait_until

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "steering.md").read_text()
#: Its sections by their headings.
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", MANUAL, re.MULTILINE))
COMMAND = re.compile(r"^    (curl .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"hold_limit": 0}
    with Service(tmp_path_factory.mktemp("service"), settings=settings) as running:
        wait_until(lambda: running.get("/").json()["workers"])
        made = running.request("PUT", "/queue/mail", json={"paused": False})
        assert made.ok, made.text
        yield running


def push(service: Service, url: str, **given: object) -> str:
    """The id of the task."""
    answer = service.post("/", {"url": url} | given)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Poussetaches-Task-Id"])


def state_of(service: Service, id: str) -> str:
    return str(service.get(f"/task/{id}").json().get("state"))


def dead(service: Service) -> str:
    """The id of a task that is."""
    url = f"http://127.0.0.1:{free_port()}/"
    id = push(service, url, max_retries=0)
    wait_until(lambda: state_of(service, id) == "dead")
    return id


def run_example(service: Service, heading: str, id: str) -> requests.Response:
    """The one command of that section, about the task of that ``id``."""
    [command] = COMMAND.findall(SECTIONS[heading])
    reader = argparse.ArgumentParser()
    reader.add_argument("-X", default="GET")
    reader.add_argument("-d")
    reader.add_argument("url")
    given = reader.parse_args(shlex.split(command)[1:])
    path = given.url.removeprefix("http://127.0.0.1:7991").replace("$ID", id)
    return service.request(given.X, path, data=given.d)


def test_why_it_waits_is_answered_as_shown(
    service: Service, receiver: Receiver
) -> None:
    heading = "Why is it not running?"
    [text] = re.findall(r"^```json\n(.*?)^```$", SECTIONS[heading], re.M | re.S)
    shown = json.loads(text)
    service.post("/queue/mail/pause")
    ids = [push(service, receiver.url(), queue="mail") for _ in range(3)]
    answer = run_example(service, heading, ids[-1])
    assert answer.status_code == 200
    told = answer.json()
    assert told["id"] == ids[-1]
    assert told["origin"] == receiver.url("")
    same = shown | {"id": told["id"], "origin": told["origin"]}
    assert told == same
    service.post("/queue/mail/resume")
    wait_until(lambda: state_of(service, ids[-1]) == "succeeded")
    assert run_example(service, heading, ids[-1]).json()["reasons"][0]["code"] == (
        "ended"
    )


def test_every_code_is_in_the_table() -> None:
    source = (ROOT / "poussetaches" / "model" / "why.py").read_text()
    codes = {*re.findall(r'Reason\(\s*"(\w+)"', source), "origin_held", "origin_slowed"}
    section = SECTIONS["Why is it not running?"]
    assert {*re.findall(r"^\| `(\w+)` \|", section, re.M)} == codes


def test_it_is_run_past_everything(service: Service, receiver: Receiver) -> None:
    service.post("/queue/mail/pause")
    id = push(service, receiver.url("/run"), queue="mail", countdown=3600)
    answer = run_example(service, "Run it now", id)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["tries"]) == ("leased", 1)
    wait_until(lambda: state_of(service, id) == "succeeded")
    assert [one.task for one in receiver.arrivals(id)] == [id]
    service.post("/queue/mail/resume")
    again = run_example(service, "Run it now", id)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_it_is_changed(service: Service, receiver: Receiver) -> None:
    id = push(service, receiver.url(), payload="bG9s", countdown=3600, max_retries=3)
    nothing = service.request("PUT", f"/task/{id}", json={})
    assert nothing.json() == service.get(f"/task/{id}").json()
    answer = run_example(service, "Change it", id)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["queue"], shown["max_retries"]) == ("mail", 3)
    [arrival] = receiver.wait_for(1, task=id)
    assert arrival.envelope["payload"] == "bG9s"
    wait_until(lambda: state_of(service, id) == "succeeded")
    assert run_example(service, "Change it", id).status_code == 409
    refused = service.request("PUT", f"/task/{id}", json={"name": "nightly"})
    assert refused.status_code == 409


def test_what_cannot_be_changed_is_named(service: Service, receiver: Receiver) -> None:
    id = push(service, receiver.url(), countdown=3600)
    for field, value in {"name": "n", "colour": 1, "queue": "nowhere"}.items():
        refused = service.request("PUT", f"/task/{id}", json={field: value})
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, field)


def test_a_dead_one_comes_back(service: Service, receiver: Receiver) -> None:
    id = dead(service)
    before = service.get("/").json()
    answer = run_example(service, "A dead one back", id)
    assert (answer.status_code, answer.json()["id"]) == (200, id)
    wait_until(lambda: state_of(service, id) == "dead")
    shown = service.get(f"/task/{id}").json()
    assert [one["number"] for one in shown["attempts"]] == [1, 1]
    after = service.get("/").json()
    assert (after["accepted"], after["dead"]) == (before["accepted"], before["dead"])
    assert service.get("/stats").json()["accounting_difference"] == 0


def test_it_is_done_without(service: Service, receiver: Receiver) -> None:
    heading = "Do without it"
    for id, state in {
        push(service, receiver.url(), countdown=3600): "cancelled",
        dead(service): "dead",
    }.items():
        answer = run_example(service, heading, id)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert service.get(f"/task/{id}").status_code == 404
    id = push(service, receiver.url())
    wait_until(lambda: state_of(service, id) == "succeeded")
    assert run_example(service, heading, id).status_code == 409


def test_what_was_steered_is_so_after_a_crash(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"hold_limit": 0, "start_paused": True}
    with Service(tmp_path, settings=settings) as service:
        service.post("/resume")
        id = dead(service)
        gone = dead(service)
        service.post("/pause")
        moved = push(service, receiver.url("/?delay=600"), countdown=3600)
        body = {"max_retries": 7, "metadata": {"by": "hand"}}
        assert service.request("PUT", f"/task/{moved}", json=body).ok
        assert service.post(f"/task/{moved}/run").ok
        assert service.post(f"/task/{id}/retry").ok
        assert service.request("DELETE", f"/task/{gone}").ok
        receiver.wait_for(1, task=moved)
        service.kill()
        service.restart()
        shown = service.get(f"/task/{moved}").json()
        assert (shown["max_retries"], shown["metadata"]) == (7, {"by": "hand"})
        assert shown["tries"] == 1
        assert state_of(service, id) == "waiting"
        assert service.get(f"/task/{gone}").status_code == 404
        assert service.get("/stats").json()["accounting_difference"] == 0


def test_no_slot_is_free(tmp_path: Path, receiver: Receiver) -> None:
    settings = {"workers": 1, "concurrency": 1}
    with Service(tmp_path, settings=settings) as service:
        wait_until(lambda: service.get("/").json()["workers"])
        url = receiver.url("/?delay=600")
        ids = [push(service, url, countdown=3600) for _ in range(SHARES + 1)]
        for id in ids[:-1]:
            # Past its share of the slots, too.
            assert service.post(f"/task/{id}/run").ok
        answer = service.post(f"/task/{ids[-1]}/run")
        assert (answer.status_code, answer.json()["error"]["code"]) == (
            503,
            "unavailable",
        )
        assert int(answer.headers["Retry-After"]) >= 1
        assert service.post(f"/task/{ids[0]}/run").status_code == 409
        receiver.wait_for(SHARES)
        receiver.release()

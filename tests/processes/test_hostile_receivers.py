"""Targets that do everything a target should not, all of them at once: each attempt
ends in time, what is honest is delivered meanwhile, and the worker is none the worse.
"""

from __future__ import annotations

import base64
import logging
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.hostile import Hostile
from tests.support.processes import usage
from tests.support.receiver import Receiver
from tests.support.scale import times
from tests.support.service import Service, wait_until

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.process, pytest.mark.timeout(times(120, 1200))]

#: Seconds for one attempt, and how much later it may have ended.
TIMEOUT = 1.0
LATE = 0.5
#: Attempts at once.
SLOTS = 64
#: How often all hostile targets are pushed to together.
ROUNDS = times(2, 100)
#: Bytes by which the memory of the worker may grow over all rounds.
GROWTH = 5 * 1024 * 1024

#: What a target does, and how the attempt ends: its status, and a part of the reason.
SUCCEEDED = (200, "")
ENDS: dict[str, tuple[int, str]] = {
    "/deaf": (-1, "no complete answer from 127.0.0.1:{port} within 1 s"),
    "/silent": (-1, "no complete answer from 127.0.0.1:{port} within 1 s"),
    "/drip-head": (-1, "no complete answer from 127.0.0.1:{port} within 1 s"),
    "/drip-body": (-1, "no complete answer from 127.0.0.1:{port} within 1 s"),
    "/drip-interim": (-1, "no complete answer from 127.0.0.1:{port} within 1 s"),
    "/gigabyte": SUCCEEDED,
    "/endless-body": (500, "\0" * 1000),
    "/endless-chunks": (500, "\0" * 1000),
    # As it came: nothing was inflated.
    "/bomb": (500, "\x1f"),
    "/headers": (-1, "did not answer in proper HTTP: more than 200 headers"),
    "/long-header": (-1, "in proper HTTP: more than 65536 bytes of headers"),
    "/interim-100": (-1, "in proper HTTP: more than 10 interim answers"),
    "/interim-102": (-1, "in proper HTTP: more than 10 interim answers"),
    "/interim-103": (-1, "in proper HTTP: more than 10 interim answers"),
    "/close-after": SUCCEEDED,
    "/close-in-the-middle": (-1, "connection after status 200 but before the end of"),
    "/close-at-once": (-1, "closed the connection without an answer"),
    "/reset": (-1, "the connection to 127.0.0.1:{port} broke before its answer was"),
    "/garbage": (-1, "did not answer in proper HTTP"),
    "/mail": (-1, "did not answer in proper HTTP"),
    "/redirect-301": (301, ""),
    "/redirect-302": (302, ""),
    "/redirect-303": (303, ""),
    "/redirect-307": (307, ""),
    "/redirect-308": (308, ""),
}
#: What does not fit into the buffers between a worker and a target that is deaf.
LARGE = base64.b64encode(bytes(1_000_000)).decode()


def push(service: Service, url: str, **given: object) -> str:
    """The id of the task."""
    answer = service.post("/", {"url": url} | given)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Poussetaches-Task-Id"])


def listed(service: Service, which: str) -> dict[str, dict[str, Any]]:
    """The tasks of a list, all of its pages, by id."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = service.get(
            f"/{which}?limit=200&cursor={cursor}".removesuffix("&cursor=")
        )
        found |= {task["id"]: task for task in page.json()["tasks"]}
        cursor = page.json()["cursor"]
    return found


class House(NamedTuple):
    """Everything that takes part."""

    service: Service
    hostile: Hostile
    receiver: Receiver

    @property
    def worker(self) -> int:
        """Its pid."""
        [pid] = self.service.children("worker")
        return pid

    def hostilities(self) -> dict[str, str]:
        """Push to each hostile target once; path by id."""
        return {
            push(
                self.service,
                self.hostile.url(path),
                max_retries=0,
                payload=LARGE if path == "/deaf" else None,
            ): path
            for path in ENDS
        }

    def honest(self, count: int) -> float:
        """Push so many to the honest target; the longest time one of them took."""
        self.receiver.take()
        pushed = {}
        for _ in range(count):
            began = time.monotonic()
            pushed[push(self.service, self.receiver.url("/honest"))] = began
        return max(one.at - pushed[one.task] for one in self.receiver.wait_for(count))

    def wait_until_idle(self) -> None:
        wait_until(lambda: self.service.get("/").json()["in_flight"] == 0)


def test_hostile_targets_harm_nobody_but_their_own_tasks(
    tmp_path: Path, receiver: Receiver
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    netrc.chmod(0o600)
    settings = {
        # Each hostile target fails for itself here, though all have one origin.
        "hold_limit": 0,
        "workers": 1,
        "concurrency": SLOTS,
        "timeout": f"{TIMEOUT}s",
        "max_response": 1500,
    }
    with Hostile() as hostile:
        nowhere = f"http://127.0.0.1:{hostile.nowhere}"
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        environment = {
            **dict.fromkeys(proxies, nowhere),
            **{name.lower(): nowhere for name in proxies},
            "NO_PROXY": "elsewhere.example",
            "NETRC": str(netrc),
            "HOME": str(tmp_path),
            "REQUESTS_CA_BUNDLE": "/nonexistent",
            "CURL_CA_BUNDLE": "/nonexistent",
        }
        with Service(tmp_path, settings=settings, environment=environment) as service:
            house = House(service, hostile, receiver)
            asked = ask_for_time(house)
            retried = retry(house)
            forbidden = push_to_the_forbidden(house)
            # What libraries load once, and the first of every buffer.
            one_round(house)
            house.wait_until_idle()
            before = usage(house.worker)
            for _ in range(ROUNDS):
                one_round(house)
            house.wait_until_idle()
            # Of a connection that is kept, the honest target has the other end.
            wait_until(
                lambda: usage(house.worker).descriptors <= before.descriptors + 2, 15
            )
            after = usage(house.worker)
            log.info("memory grew by %d K", (after.memory - before.memory) // 1024)
            assert after.memory - before.memory < GROWTH
            check_what_was_asked(house, asked)
            check_retries(house, retried)
            check_refusals(house, forbidden)
            check_slots(house)
            assert hostile.visitors() == 0
            heads = "".join(one.head for one in hostile.arrivals())
            assert "authorization" not in heads.lower()
            assert "Traceback" not in service.log


def one_round(house: House) -> None:
    """All hostile targets at once, honest ones among them."""
    service, hostile = house.service, house.hostile
    pushed = house.hostilities()
    slowest = house.honest(20)
    wait_until(
        lambda: not pushed.keys() & listed(service, "waiting").keys(),
        message=lambda: str([pushed[id] for id in listed(service, "waiting")]),
    )
    log.info("the slowest honest task took %.3f s", slowest)
    assert slowest < TIMEOUT / 2
    ended = listed(service, "dead") | listed(service, "success")
    arrived = {one.task: one for one in hostile.arrivals()}
    for id, path in pushed.items():
        task = ended[id]
        status, reason = ENDS[path]
        if status == 200:
            assert task["last_error_body"] is None, path
        else:
            error = base64.b64decode(task["last_error_body"] or "").decode("latin-1")
            assert task["last_error_status_code"] == status, (path, error)
            assert reason.format(port=hostile.port) in error, path
        assert task["tries"] == 1
        took = task["last_run"] / 1e9 - arrived[id].at
        assert took < TIMEOUT + LATE, f"{path} took {took:.3f} s"
    attempts = [one.attempt for one in hostile.arrivals() if one.task in pushed]
    assert attempts == [1] * len(pushed)


# --- what else is pushed meanwhile ----------------------------------------------------


def ask_for_time(house: House) -> dict[str, tuple[float, float]]:
    """Push to targets that are busy; by id the seconds they want to be left alone."""
    service, hostile = house.service, house.hostile
    return {
        push(service, hostile.url("/busy-seconds")): (3.0, 3.0 + TIMEOUT),
        # A date has no fractions of a second.
        push(service, hostile.url("/busy-date")): (3.0, 4.0 + TIMEOUT),
    }


def check_what_was_asked(house: House, asked: dict[str, tuple[float, float]]) -> None:
    for id, (least, most) in asked.items():

        def came_again(id: str = id) -> bool:
            return len(house.hostile.arrivals(id)) == 2

        wait_until(came_again)
        first, second = house.hostile.arrivals(id)
        assert least <= second.at - first.at < most
        assert (first.attempt, second.attempt) == (1, 2)


def retry(house: House) -> list[str]:
    """Tasks whose attempt breaks off, and that have one more."""
    return [
        push(house.service, house.hostile.url(path), max_retries=1)
        for path in ("/close-at-once", "/close-in-the-middle", "/reset", "/garbage")
    ]


def check_retries(house: House, retried: list[str]) -> None:
    """Nothing but the service sends a task again."""
    wait_until(lambda: listed(house.service, "dead").keys() >= {*retried})
    for id in retried:
        assert [one.attempt for one in house.hostile.arrivals(id)] == [1, 2]


def push_to_the_forbidden(house: House) -> dict[str, str]:
    """Targets that are refused whatever the settings are; by id what is said."""
    port = house.service.port
    own = f"port {port} is this service itself"
    metadata = "169.254.169.254 has the metadata of a cloud"
    return {
        push(house.service, url, max_retries=-1): reason
        for url, reason in {
            f"http://127.0.0.1:{port}/": own,
            f"http://localhost:{port}/": own,
            f"http://[::ffff:7f00:1]:{port}/": own,
            f"http://0:{port}/pause": own,
            "http://169.254.169.254/latest/meta-data/": metadata,
            "http://0xa9fea9fe/latest/meta-data/": metadata,
        }.items()
    }


def check_refusals(house: House, forbidden: dict[str, str]) -> None:
    dead = listed(house.service, "dead")
    for id, reason in forbidden.items():
        error = base64.b64decode(dead[id]["last_error_body"]).decode()
        assert error.endswith(reason)
        assert (dead[id]["tries"], dead[id]["last_error_status_code"]) == (1, -1)


def check_slots(house: House) -> None:
    """As many attempts at once as ever."""
    service = house.service

    def in_flight() -> int:
        children = service.get("/stats").json()["children"]
        return int(sum(child["in_flight"] for child in children))

    wait_until(lambda: in_flight() == 0)
    house.receiver.take()
    service.post("/pause")
    for _ in range(SLOTS):
        push(service, house.receiver.url("/slow?delay=0.9"))
    service.post("/resume")
    house.receiver.wait_for(SLOTS)
    assert in_flight() == SLOTS
    house.receiver.release()
    wait_until(lambda: in_flight() == 0)

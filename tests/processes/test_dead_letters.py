"""Dead letters of several causes: looked at, tried one by one, released, deleted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service, wait_until
from tests.support.target import Peer, ScriptedTarget

pytestmark = pytest.mark.process

#: Of each cause.
MAILS, REPORTS = 300, 40


class Application:
    """Fails as told. ``faults``: status and body by path; what is not there works."""

    def __init__(self) -> None:
        self.faults: dict[str, tuple[int, str]] = {}
        self.worked: list[str] = []

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            path = request.path.partition("?")[0]
            number = request.path.partition("=")[2]
            if path in self.faults:
                status, words = self.faults[path]
                peer.answer(status, words.format(number).encode(), [])
            else:
                self.worked.append(request.headers["poussetaches-task-id"])
                peer.answer(200, b"", [])


def ask(service: Service, method: str, path: str, body: Any = None) -> Any:
    answer = service.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def push(service: Service, urls: list[str]) -> None:
    pushes = [{"url": url, "max_retries": 0} for url in urls]
    assert service.post("/batch", pushes).status_code == 201


def test_a_clean_up_with_a_canary(tmp_path: Path) -> None:
    application = Application()
    application.faults = {
        "/mail": (500, "smtplib.Refused: no mailbox for user {}"),
        "/report": (422, '{{"error": "report {} has no owner"}}'),
    }
    settings = {"workers": 2, "concurrency": 16}
    with (
        ScriptedTarget(application) as target,
        Service(tmp_path, settings=settings) as service,
    ):
        push(service, [target.url(f"/mail?n={n}") for n in range(MAILS)])
        push(service, [target.url(f"/report?n={n}") for n in range(REPORTS)])
        wait_until(lambda: service.get("/").json()["dead"] == MAILS + REPORTS, 60)

        # What is it? Two things.
        page = ask(service, "GET", "/dead/groups")
        assert (page["total"], page["causes"]) == (MAILS + REPORTS, 2)
        mails, reports = page["groups"]
        assert (mails["count"], mails["status"], mails["path"], mails["error"]) == (
            MAILS,
            500,
            "/mail",
            "smtplib.Refused: no mailbox for user <n>",
        )
        assert (reports["count"], reports["error"]) == (
            REPORTS,
            "report <n> has no owner",
        )
        assert mails["first"] <= mails["last"]
        sample = ask(service, "GET", f"/task/{mails['sample']}")
        assert sample["url"].startswith(target.url("/mail"))

        # Nothing is repaired: the canary dies again, and everybody else stays.
        mail = {"cause": mails["cause"]}
        canary = ask(service, "POST", "/dead/retry", mail | {"limit": 1})
        assert (canary["retried"], canary["skipped"]) == (1, 0)
        wait_until(lambda: service.get("/").json()["waiting"] == 0)
        wait_until(lambda: service.get("/").json()["dead"] == MAILS + REPORTS)
        assert not application.worked

        # It is repaired: the canary lives, and all are released.
        del application.faults["/mail"]
        ask(service, "POST", "/dead/retry", mail | {"limit": 1})
        wait_until(lambda: len(application.worked) == 1)
        rest = ask(service, "POST", "/dead/retry", mail)
        assert (rest["retried"], rest["skipped"], rest["cursor"]) == (
            MAILS - 1,
            0,
            None,
        )
        wait_until(lambda: service.get("/").json()["succeeded"] == MAILS, 60)
        assert len(set(application.worked)) == len(application.worked) == MAILS

        # The others are of no use to anybody: kept as lines, then forgotten.
        lines = service.request(
            "GET",
            f"/dead?cause={reports['cause']}&limit=1000",
            headers={"Accept": "application/x-ndjson"},
        )
        assert "Poussetaches-Cursor" not in lines.headers
        kept = [json.loads(line) for line in lines.text.splitlines()]
        assert len({task["id"] for task in kept}) == REPORTS
        assert ask(service, "DELETE", "/dead?status=422") == {
            "deleted": REPORTS,
            "cursor": None,
        }
        assert ask(service, "GET", "/dead/groups")["groups"] == []
        numbers = service.get("/").json()
        assert (numbers["dead"], numbers["succeeded"]) == (REPORTS, MAILS)

        # It stays so.
        service.restart()
        assert service.get("/").json()["waiting"] == 0
        assert service.get("/dead").json()["total"] == 0


def test_what_dies_again_during_a_release_is_released_once(tmp_path: Path) -> None:
    application = Application()
    application.faults = {"/task": (500, "no {}")}
    with ScriptedTarget(application) as target, Service(tmp_path) as service:
        push(service, [target.url(f"/task?n={n}") for n in range(500)])
        wait_until(lambda: service.get("/").json()["dead"] == 500, 60)
        begun = len(target.requests)
        told = ask(service, "POST", "/dead/retry", {"all": True})
        assert (told["retried"], told["skipped"]) == (500, 0)
        wait_until(lambda: service.get("/").json()["dead"] == 500, 60)
        assert len(target.requests) == begun + 500


def test_a_list_is_filtered_and_counted(tmp_path: Path) -> None:
    """Over all pages, some of which may be empty, as many as are counted."""
    with Service(tmp_path, settings={"start_paused": "yes"}) as service:
        urls = [f"http://127.0.0.1:{9 + n % 3}/{n % 5}/x" for n in range(3000)]
        pushes = [{"url": url, "countdown": 60 + n % 7} for n, url in enumerate(urls)]
        assert service.post("/batch", pushes).status_code == 201
        for query, expected in (
            ("origin=http://127.0.0.1:9", 1000),
            ("url=http://127.0.0.1:10/3", 200),
            ("queue=default", 3000),
            ("status=5xx", 0),
            ("state=dead", 0),
        ):
            assert ask(service, "GET", f"/tasks/count?{query}") == {"total": expected}
            seen: list[str] = []
            cursor = ""
            while cursor is not None:
                page = ask(service, "GET", f"/tasks?limit=300&{query}{cursor}")
                seen += [task["id"] for task in page["tasks"]]
                cursor = page["cursor"] and f"&cursor={page['cursor']}"
            assert len(seen) == len(set(seen)) == expected

"""The surface of jordic/taskpusher, of the real program, as its document has it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process


def add(service: Service, url: str) -> str:
    answer = service.post("/add", data={"url": url})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Poussetaches-Task-Id"] == answer.text
    return answer.text


def job(service: Service, uid: str) -> dict[str, Any]:
    shown: dict[str, Any] = service.get(f"/job/{uid}").json()
    return shown


def jobs(service: Service, which: str, last_uid: str = "") -> list[dict[str, Any]]:
    query = {"last_uid": last_uid} if last_uid else {}
    answer = service.get(f"/jobs/{which}", params=query)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()
    return listed


def ended(service: Service, uid: str) -> dict[str, Any]:
    def it() -> dict[str, Any] | None:
        shown = job(service, uid)
        return shown if shown["Status"] > 1 else None

    return wait_until(it)


def test_a_job_is_got_once_and_its_result_is_kept(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path) as service:
        good = add(service, receiver.url("/good?body=forty-two"))
        answer = service.post(
            "/add",
            {"type": "x", "cmd": receiver.url("/bad?status=500,200"), "extra": ""},
            headers={"Accept": "application/json"},
        )
        bad = answer.json()["uid"]
        done = ended(service, good)
        assert (done["Status"], done["Response"]) == (2, "forty-two")
        failed = ended(service, bad)
        assert (failed["Status"], failed["state"], failed["tries"]) == (3, "dead", 1)
        assert [one["ID"] for one in jobs(service, "completed")] == [good]
        assert jobs(service, "errors") == [failed]
        assert jobs(service, "completed")[0]["Response"] == "forty-two"
        arrivals = receiver.arrivals()
        assert sorted(one.path.partition("?")[0] for one in arrivals) == [
            "/bad",
            "/good",
        ]
        assert {one.head.split()[0] for one in arrivals} == {"GET"}
        service.kill()
        service.wait()
        service.start()
        assert job(service, good) == done


def test_what_is_under_way_and_what_waits_is_listed(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"workers": 1, "concurrency": 1, "drain_timeout": "0.1s"}
    with Service(tmp_path, settings=settings) as service:
        first = add(service, receiver.url("/?delay=600"))
        wait_until(lambda: jobs(service, "running"))
        second = add(service, receiver.url())
        for name in ("running", "runing"):
            (shown,) = jobs(service, name)
            assert (shown["ID"], shown["Status"], shown["Response"]) == (first, 1, "")
        (shown,) = jobs(service, "waiting")
        assert (shown["ID"], shown["Status"]) == (second, 0)


def test_pages_go_on_behind_the_last_one_also_if_it_has_moved_on(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings={"workers": 1, "retain_succeeded": 150}) as service:
        service.post("/pause")
        uids = [add(service, receiver.url()) for _ in range(250)]
        first = jobs(service, "waiting")
        assert [one["ID"] for one in first] == uids[:100]
        service.request("DELETE", f"/task/{uids[100]}")
        second = jobs(service, "waiting", uids[99])
        assert [one["ID"] for one in second] == uids[101:201]
        third = jobs(service, "waiting", uids[200])
        assert [one["ID"] for one in third] == uids[201:]
        assert jobs(service, "waiting", uids[-1]) == []
        service.post("/resume")
        wait_until(lambda: service.get("/").json()["succeeded"] == 249)
        assert jobs(service, "waiting", uids[200]) == []
        done = jobs(service, "completed", uids[200])
        assert [one["ID"] for one in done] == uids[201:]
        # It is not remembered any more, and nobody knows where it stood.
        gone = service.get("/jobs/completed", params={"last_uid": uids[0]})
        assert gone.status_code == 404
        assert gone.json()["error"]["field"] == "last_uid"


def test_errors_are_said_in_words(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        for answer, status, field in (
            (service.post("/add", data={"uri": "http://a/"}), 400, "url"),
            (service.post("/add", {"cmd": "gopher://a/"}), 400, "cmd"),
            (service.post("/add", data=b"\xff"), 400, None),
            (service.get("/job/unknown"), 404, None),
            (service.get("/jobs/others"), 404, None),
            (service.get("/add"), 405, None),
        ):
            error = answer.json()["error"]
            assert (answer.status_code, error["field"]) == (status, field), error
            assert error["message"]


def test_a_stop_ends_what_is_under_way_and_keeps_what_is_added_meanwhile(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path) as service:
        under_way = add(service, receiver.url("/slow?delay=600&body=late"))
        receiver.wait_for(1)
        service.kill(signal.SIGTERM)
        wait_until(lambda: "stopping" in service.log)
        meanwhile = add(service, receiver.url("/next"))
        assert job(service, meanwhile)["Status"] == 0
        receiver.release()
        assert service.wait() == 0
        assert len(receiver.arrivals()) == 1
        with pytest.raises(requests.ConnectionError):
            service.get("/")
        service.start()
        assert ended(service, under_way)["Response"] == "late"
        assert ended(service, meanwhile)["Status"] == 2
        assert [one.attempt for one in receiver.arrivals()] == [1, 1]

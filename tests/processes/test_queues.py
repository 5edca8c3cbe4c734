"""Queues of the real program: from the file, by hand, over restarts and SIGHUP."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from poussetaches.cli.main import cli
from poussetaches.errors import PousseTachesError
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

TOMORROW = 86_400


def run(service: Service, *arguments: str) -> str:
    """What a command that must succeed says."""
    environment = {"POUSSETACHES_URL": service.url}
    result = CliRunner().invoke(
        cli, arguments, env=environment, catch_exceptions=False, standalone_mode=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "p.ini"
    path.write_text(text)
    return path


def settings(service: Service) -> dict[str, Any]:
    """Those of each queue, by name."""
    queues = service.get("/queues").json()["queues"]
    return {queue["name"]: queue["settings"] for queue in queues}


def reload(service: Service, path: Path, text: str, said: str) -> None:
    """Write the file anew, send SIGHUP, wait until the log says so."""
    before = len(service.log)
    path.write_text(text)
    service.kill(signal.SIGHUP)
    wait_until(lambda: said in service.log[before:], 10, lambda: service.log[before:])


def test_what_was_said_of_queues_outlives_a_crash(tmp_path: Path) -> None:
    path = configured(tmp_path, "[queue:mail]\nrate = 20/m\n")
    with Service(tmp_path, settings={"workers": 1, "config": path}) as service:
        run(service, "queue", "set", "bulk", "concurrency=4", "header.X-Api-Key=s3cret")
        run(service, "queue", "set", "mail", "burst=5", "timeout=30s")
        run(service, "queue", "pause", "default")
        run(service, "queue", "set", "gone")
        run(service, "queue", "drop", "gone")
        before = settings(service)
        assert before == {
            "bulk": {"concurrency": 4, "headers": {"X-Api-Key": "***"}},
            "default": {"paused": True},
            "mail": {"rate": "20/m", "burst": 5, "timeout": 30.0},
        }
        for signum in (signal.SIGKILL, signal.SIGTERM):
            service.kill(signum)
            service.wait()
            service.start()
            assert settings(service) == before
        assert service.get("/queue/mail").json()["configured"] == {"rate": "20/m"}
        listed = run(service, "queue", "ls")
        assert "header.X-Api-Key=***" in listed and "s3cret" not in listed


def test_a_hangup_adds_changes_and_removes_queues(tmp_path: Path) -> None:
    path = configured(tmp_path, "[queue:mail]\nrate = 20/m\n[queue:old]\n")
    with Service(tmp_path, settings={"workers": 1, "config": path}) as service:
        assert service.get("/queue/old").status_code == 200
        text = "[poussetaches]\nsync_interval = 2s\n[queue:mail]\nrate = 5/s\n"
        text += "[queue:new]\n"
        reload(service, path, text, "configuration taken")
        assert settings(service) == {"default": {}, "mail": {"rate": "5/s"}, "new": {}}
        assert "need a restart have changed settings=sync_interval" in service.log
        reload(
            service, path, "[queue:mail]\nrate = fast\n", "was not taken: queue mail"
        )
        assert settings(service)["mail"] == {"rate": "5/s"}
        path.unlink()
        service.kill(signal.SIGHUP)
        wait_until(lambda: "cannot be read: No such file" in service.log)
        assert settings(service)["mail"] == {"rate": "5/s"}
        # Nobody was ended by it.
        assert len(service.children()) == 2


def test_a_queue_that_is_removed_keeps_its_limits_until_it_is_empty(
    tmp_path: Path, receiver: Receiver
) -> None:
    path = configured(tmp_path, "[queue:mail]\nrate = 1/s\n")
    with Service(tmp_path, settings={"workers": 1, "config": path}) as service:
        push = {"url": receiver.url(), "queue": "mail"}
        service.post("/pause")
        for _ in range(2):
            assert service.post("/", push).status_code == 201
        reload(service, path, "", "stays as it is until its tasks have ended")
        assert settings(service)["mail"] == {"rate": "1/s"}
        service.post("/resume")
        first, second = receiver.wait_for(2)
        assert second.at - first.at > 0.9
        wait_until(lambda: service.get("/queue/mail").status_code == 404)
        assert service.post("/", push).status_code == 400


def test_a_purge_cancels_what_waits_and_an_unknown_queue_is_refused_by_name(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        refused = service.post("/", {"url": receiver.url(), "queue": "mail"})
        assert refused.status_code == 400
        assert refused.json()["error"]["field"] == "queue"
        run(service, "queue", "set", "mail", "base_url=" + receiver.url("/app/"))
        later = {"url": "late", "queue": "mail", "countdown": TOMORROW}
        batch = [later] * 2500
        assert service.post("/batch", batch).status_code == 201
        hourly = {"url": "hourly", "queue": "mail", "schedule": "@hourly"}
        assert service.post("/", hourly).status_code == 201
        with pytest.raises(PousseTachesError, match="2501 tasks wait in mail"):
            run(service, "queue", "drop", "mail")
        assert (
            run(service, "queue", "purge", "mail", "--yes") == "2500 tasks cancelled\n"
        )
        assert service.get("/").json()["cancelled"] == 2500
        [run_of_schedule] = service.get("/waiting").json()["tasks"]
        assert run_of_schedule["url"] == receiver.url("/app/hourly")


def test_a_paused_queue_delivers_nothing_and_holds_up_nobody(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        run(service, "queue", "set", "mail", "paused=yes")
        service.post("/", {"url": receiver.url("/mail"), "queue": "mail"})
        service.post("/", {"url": receiver.url("/other")})
        assert [one.path for one in receiver.wait_for(1)] == ["/other"]
        assert service.get("/queue/mail").json()["waiting"] == 1
        run(service, "queue", "resume", "mail")
        assert [one.path for one in receiver.wait_for(2)] == ["/other", "/mail"]


def test_a_push_may_make_its_queue_where_that_is_allowed(tmp_path: Path) -> None:
    config = {"workers": 1, "auto_create_queues": True}
    with Service(tmp_path, settings=config) as service:
        push = {"url": "http://127.0.0.1:9/", "queue": "new", "countdown": TOMORROW}
        assert service.post("/", push).status_code == 201
        assert settings(service) == {"default": {}, "new": {}}

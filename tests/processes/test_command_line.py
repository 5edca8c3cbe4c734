"""The command line, against the real service and without one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poussetaches.cli.main import cli, main
from poussetaches.errors import PousseTachesError
from tests.support.service import Service, free_port, wait_until
from tests.support.target import Peer, ScriptedTarget
from tests.support.terminal import Terminal

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # What nobody listens to is dead soon, and not waited for.
    settings = {"hold_limit": 0}
    with Service(tmp_path_factory.mktemp("service"), settings=settings) as running:
        yield running


def run(service: Service, *arguments: str, input: bytes | None = None) -> Result:
    """A command that must succeed."""
    environment = {"POUSSETACHES_URL": service.url}
    result = CliRunner().invoke(
        cli, arguments, input=input, env=environment, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result


def test_a_push_prints_the_id_and_the_task_can_be_seen(service: Service) -> None:
    target = f"http://127.0.0.1:{free_port()}/nobody"
    id = run(service, "push", target, "payload", "--countdown", "3600").output.strip()
    assert f"{id}  waiting" in run(service, "task", "ls").output
    listed = [
        json.loads(line)
        for line in run(service, "task", "ls", "--json").output.splitlines()
    ]
    [task] = [task for task in listed if task["id"] == id]
    assert (task["url"], task["payload"]) == (target, "cGF5bG9hZA==")


def test_a_push_may_ask_for_everything(service: Service) -> None:
    eta = int(time.time()) + 3600
    options = {
        "json": '{"a": [1, null]}',
        "expected": "200, 4xx",
        "eta": str(eta),
        "expires": str(eta + 60),
        "max-retries": "3",
        "backoff": "1, 2.5",
        "timeout": "30",
        "roll-back": "http://127.0.0.1:1/back",
        "on-success": "http://127.0.0.1:1/done",
        "metadata": '"m"',
        "method": "PUT",
        "header": "X-One: 1: one",
        "format": "raw",
        "key": "everything",
        "group": "g",
    }
    words = [word for name, text in options.items() for word in (f"--{name}", text)]
    command = ("push", "http://127.0.0.1:1/", *words, "--header", "Cookie: secret")
    id = run(service, *command).output.strip()
    shown = json.loads(run(service, "task", "show", "--json", id).output)
    asked = {
        "json": {"a": [1, None]},
        "expected": [200, "4xx"],
        "eta": eta,
        "expires": eta + 60,
        "max_retries": 3,
        "backoff": [1, 2.5],
        "timeout": 30,
        "roll_back": "http://127.0.0.1:1/back",
        "on_success": "http://127.0.0.1:1/done",
        "metadata": "m",
        "method": "PUT",
        "headers": {"X-One": "1: one", "Cookie": "***"},
        "format": "raw",
        "key": "everything",
        "group": "g",
    }
    assert {name: shown[name] for name in asked} == asked
    run(service, "task", "cancel", id)
    assert service.get(f"/task/{id}").status_code == 404


def test_a_schedule_may_ask_for_everything(service: Service) -> None:
    command = ("push", "http://127.0.0.1:1/", "--schedule", "@yearly", "--name", "all")
    rule = '{"min": 1, "doublings": 3}'
    words = ("--timezone", "UTC", "--missed", "none", "--overlap", "queue")
    id = run(service, *command, *words, "--backoff", rule).output.strip()
    shown = json.loads(run(service, "task", "show", "--json", id).output)
    assert shown["backoff"] == {"min": 1, "doublings": 3}
    told = {"name": "all", "timezone": "UTC", "missed": "none", "overlap": "queue"}
    assert {name: shown[name] for name in told} == told
    assert service.request("DELETE", "/cron").status_code == 200


@pytest.mark.parametrize(
    ("option", "text", "field"),
    [
        ("--json", "{", "json"),
        ("--json", "NaN", "json"),
        ("--metadata", "[" * 100_000, "metadata"),
        ("--backoff", "1,soon", "backoff"),
        ("--backoff", "inf", "backoff"),
        ("--backoff", "{1}", "backoff"),
        ("--header", "no colon", "header"),
        ("--eta", "nan", "eta"),
        ("--expected", "2yy", "expected"),
        ("--expected", "9" * 5000, "expected"),
        ("--queue", "nowhere", "queue"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    service: Service, option: str, text: str, field: str
) -> None:
    command = ["push", "--url", service.url, "http://127.0.0.1:1/", option, text]
    with pytest.raises(PousseTachesError, match=f"^{field}: "):
        CliRunner().invoke(cli, command, catch_exceptions=False)


def test_a_task_that_is_not_there_cannot_be_shown(service: Service) -> None:
    for verb in ("show", "cancel", "run", "retry", "why"):
        command = ["task", verb, "--url", service.url, "nobody", "no-one"]
        ended = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert (ended.exit_code, ended.stdout) == (4, "")
        for id in ("nobody", "no-one"):
            assert f"poussetaches: There is no task {id}" in ended.stderr


def test_a_task_is_steered_by_its_id(service: Service) -> None:
    run(service, "queue", "set", "still", "paused=yes")
    id = run(service, "push", f"{service.url}/", "--queue", "still").output.strip()
    told = run(service, "task", "why", id).output.splitlines()
    assert told[0] == "Queue still is paused."
    both = run(service, "task", "why", id, id).output.splitlines()
    assert both == [f"{id}: {line}" for line in [*told, *told]]
    assert "\n\ntask " in run(service, "task", "show", id, id).output
    run(service, "task", "edit", id, "countdown=3600", "max_retries=0", 'json={"a": 1}')
    shown = run(service, "task", "show", id).output
    assert re.search(
        r"^state +waiting, due .* \(in \d+ min\); 0 attempts$", shown, re.M
    )
    assert re.search(r'^json +{"a": 1}$', shown, re.M)
    # Nothing is delivered to the service itself: it is dead at once.
    run(service, "task", "run", id)
    wait_until(lambda: service.get(f"/task/{id}").json()["state"] == "dead")
    assert re.search(r"^1 .* failed ", run(service, "task", "show", id).output, re.M)
    run(service, "task", "retry", id)
    assert service.get(f"/task/{id}").json()["state"] == "waiting"
    why = json.loads(run(service, "task", "why", "--json", id).output)
    assert why["reasons"][0]["code"] == "queue_paused"
    run(service, "task", "edit", id, "max_retries=")
    assert "max_retries" not in service.get(f"/task/{id}").json()
    run(service, "task", "cancel", id)
    assert service.get(f"/task/{id}").status_code == 404


def test_lists_are_filtered(service: Service) -> None:
    for queue in ("some", "others"):
        run(service, "queue", "set", queue, "paused=yes")
        for path in ("a", "b"):
            target = f"http://127.0.0.1:1/filtered/{path}"
            run(service, "push", target, "--queue", queue)
    prefix = ("--target", "http://127.0.0.1:1/filtered/")
    listed = run(service, "task", "ls", *prefix, "--json").output.splitlines()
    assert len(listed) == 4
    both = ("--target", "http://127.0.0.1:1/filtered/b", "--queue", "some")
    [task] = run(service, "task", "ls", *both, "--json").output.splitlines()
    assert json.loads(task)["url"].endswith("/b")


def test_what_is_there_may_not_allow_it_and_the_status_says_so(
    service: Service,
) -> None:
    run(service, "queue", "set", "full", "paused=yes")
    run(service, "push", "http://127.0.0.1:1/", "--queue", "full")
    assert status_of(service.url, "queue", "drop", "full") == 5
    assert status_of(service.url, "queue", "set", "full", "rate=fast") == 1
    assert status_of(service.url, "queue", "set", "full", "fast") == 1
    assert status_of(service.url, "queue", "sell", "full") == 2
    assert status_of(service.url, "schedule", "run", "nobody") == 4


def test_without_the_key_nothing_is_allowed_and_the_status_says_so(
    tmp_path: Path,
) -> None:
    environment = {
        "POUSSETACHES_API_KEYS": "k" * 32,
        "POUSSETACHES_READ_KEYS": "r" * 32,
    }
    with Service(tmp_path, environment=environment).launched() as service:
        wait_until(lambda: "listening on" in service.log, 30)
        assert status_of(service.url, "task", "ls") == 6
        key = {"POUSSETACHES_API_KEY": "r" * 32}
        assert status_of(service.url, "task", "ls", **key) == 0
        assert status_of(service.url, "pause", **key) == 6
        key = {"POUSSETACHES_API_KEY": "k" * 32}
        assert status_of(service.url, "pause", **key) == 0


def status_of(url: str, *arguments: str, **environment: str) -> int:
    """The exit status of a command, as a shell sees it."""
    return subprocess.run(
        [sys.executable, "-m", "poussetaches", *arguments],
        env={**os.environ, "POUSSETACHES_URL": url, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


def test_a_payload_may_come_from_standard_input(service: Service) -> None:
    command = ("push", "http://127.0.0.1:1/", "-", "--delay", "60")
    id = run(service, *command, input=b"\x00\xff").output.strip()
    tasks = service.get("/waiting").json()["tasks"]
    assert [task["payload"] for task in tasks if task["id"] == id] == ["AP8="]


def test_a_schedule_is_listed_with_its_rule(service: Service) -> None:
    command = ("push", "http://127.0.0.1:1/", "--schedule", "@yearly")
    id = run(service, *command).output.strip()
    assert len(id) == 40
    rows = run(service, "schedule", "ls").output.splitlines()
    [row] = [row for row in rows if row.startswith(id)]
    assert "  @yearly  " in row
    rows = run(service, "task", "ls").output.splitlines()
    [row] = [row for row in rows if row.startswith(id)]
    assert "  @yearly  " in row


def test_a_row_says_what_a_task_may_wait_for(service: Service) -> None:
    """Its queue and the one before it in its group are the usual reasons."""
    run(service, "queue", "set", "quiet", "paused=yes")
    command = ("push", "http://127.0.0.1:1/", "--queue", "quiet", "--group", "user 42")
    id = run(service, *command).output.strip()
    rows = run(service, "task", "ls").output.splitlines()
    [row] = [row for row in rows if row.startswith(id)]
    assert re.search(r"  quiet +user 42 +(@yearly)? +http://127.0.0.1:1/$", row)


def test_a_schedule_is_shown_on_the_clock_of_its_zone(service: Service) -> None:
    """Beside a rule of Tokyo, a time of this machine is read wrongly."""
    zone = ("--timezone", "Asia/Tokyo", "--name", "tea")
    run(service, "push", "http://127.0.0.1:1/", "--schedule", "5 15 * * *", *zone)
    rows = run(service, "schedule", "ls").output.splitlines()
    [row] = [row for row in rows if row.startswith("tea ")]
    assert " 15:05:00+09:00" in row
    assert "  5 15 * * * Asia/Tokyo  " in run(service, "task", "ls").output


def test_a_dead_letter_says_why(service: Service) -> None:
    target = f"http://127.0.0.1:{free_port()}/nobody"
    command = ("push", target, "--max-retries", "0")
    id = run(service, *command).output.strip()
    wait_until(lambda: service.get("/").json()["dead"] > 0, 10, "it never died")
    rows = run(service, "dead", "ls").output.splitlines()
    [row] = [row for row in rows if row.startswith(id)]
    assert "connection refused" in row


def test_lists_show_as_much_as_asked_for(service: Service) -> None:
    for _ in range(3):
        run(service, "push", "http://127.0.0.1:1/", "--delay", "5")
    listed = run(service, "task", "ls", "--limit", "2")
    assert len(listed.stdout.splitlines()) == 1 + 2
    assert listed.stderr == "There are more: --limit shows them.\n"
    assert run(service, "task", "ls", "--state", "succeeded").stdout == ""


def test_status_pause_and_resume(service: Service) -> None:
    run(service, "pause")
    assert re.search(r"^paused +yes$", run(service, "status").output, re.MULTILINE)
    run(service, "resume")
    shown = run(service, "status").output
    assert re.search(r"^paused +no$", shown, re.MULTILINE)
    assert re.search(r"^workers +1$", shown, re.MULTILINE)
    assert re.search(r"^uptime +[0-9.]+ (s|min)$", shown, re.MULTILINE)
    assert re.search(r"^held origins +0$", shown, re.MULTILINE)
    stats = json.loads(run(service, "status", "--json").output)
    assert {child["name"] for child in stats["children"]} == {
        "api-1",
        "worker-1",
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("push", "ftp://a/"), "ftp"),
        (("push", "http://a/", "--schedule", "* * *"), "schedule"),
        (("push", "http://a/", "--expected", "42"), "expected"),
        (("push", "http://a/", "--countdown", "nan"), "countdown"),
    ],
)
def test_what_the_service_refuses_is_said(
    service: Service, arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(PousseTachesError, match=reason):
        CliRunner().invoke(
            cli,
            [*arguments, "--url", service.url],
            catch_exceptions=False,
            standalone_mode=False,
        )


def test_no_service_is_one_line_and_status_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(sys, "argv", ["poussetaches", "status", "--url", url])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    line = f"poussetaches: the service at {url} cannot be reached: Connection refused\n"
    assert capsys.readouterr() == ("", line)


def test_ctrl_c_ends_a_command_that_waits_and_the_status_says_so() -> None:
    def never(peer: Peer) -> None:
        peer.read_request()
        peer.wait_over()

    with ScriptedTarget(never) as target:
        environment = {"POUSSETACHES_URL": target.url("").rstrip("/")}
        with Terminal("status", environment=environment) as terminal:
            wait_until(lambda: target.requests)
            terminal.type("\x03")
            assert terminal.end() == 130
            assert terminal.output.endswith("Aborted!\r\n")


def test_on_a_terminal_a_table_is_as_wide_as_that_and_coloured(
    service: Service,
) -> None:
    path = "a-long-way-to-go/" * 10
    run(service, "queue", "set", "wide", "paused=yes")
    run(service, "push", f"http://127.0.0.1:1/{path}", "--queue", "wide")
    command = ("task", "ls", "--queue", "wide")
    for colours, environment in ((True, {}), (False, {"NO_COLOR": "1"})):
        environment = {"POUSSETACHES_URL": service.url, **environment}
        with Terminal(*command, environment=environment, columns=90) as terminal:
            terminal.wait_for("…")
            assert terminal.end() == 0
        assert ("\x1b[1m" in terminal.output) == colours
        _, row, _ = re.sub(r"\x1b\[\d*m", "", terminal.output).split("\r\n")
        assert len(row) == 90
    assert path in run(service, *command).output


def test_check_config_says_what_is_and_where_from(tmp_path: Path) -> None:
    path = tmp_path / "poussetaches.ini"
    path.write_text("[poussetaches]\nworkers = 3\nauth_key = s3cret\n")
    result = CliRunner().invoke(
        cli, ["check-config", "--config", str(path), "--concurrency", "5"]
    )
    assert result.exit_code == 0
    shown = {line.split()[0]: line for line in result.output.splitlines()}
    assert f"= 3  ({path}:2 [poussetaches])" in shown["workers"]
    assert "= 5  (--concurrency)" in shown["concurrency"]
    assert "(default)" in shown["timeout"]
    assert "s3cret" not in result.output


def test_a_wrong_setting_is_one_line_and_status_1() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "poussetaches", "serve", "--workers", "many"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    reason = 'workers: "many" (from --workers) is not a whole number'
    assert ended.stderr == f"poussetaches: {reason}\n"

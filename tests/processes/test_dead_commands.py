"""``dead``: what is done with many dead letters at once, on the command line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poussetaches.cli.main import cli, main
from tests.support.service import Service, wait_until
from tests.support.terminal import Terminal

pytestmark = pytest.mark.process

#: More than go in one slice, and enough to show progress for.
MANY = 2_500


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    settings = {"durability": "off", "workers": 1}
    with Service(tmp_path, settings=settings) as running:
        yield running


def bury(service: Service, number: int, path: str = "a", queue: str = "bulk") -> None:
    """Have so many tasks die: nothing is delivered to the service itself."""
    service.request("PUT", f"/queue/{queue}", json={})
    before = service.get("/").json()["dead"]
    task = {"url": f"{service.url}/{path}", "queue": queue}
    assert service.request("POST", "/batch", json=[task] * number).ok
    wait_until(lambda: service.get("/").json()["dead"] == before + number, 60)


def dead(service: Service, *arguments: str, input: str = "") -> Result:
    environment = {"POUSSETACHES_URL": service.url}
    return CliRunner().invoke(cli, ["dead", *arguments], input=input, env=environment)


def kept(service: Service) -> int:
    number: int = service.get("/stats").json()["kept"]["dead"]
    return number


def test_all_of_many_are_retried_once_each_with_progress(service: Service) -> None:
    bury(service, MANY)
    environment = {"POUSSETACHES_URL": service.url}
    with Terminal("dead", "retry", "--all", environment=environment) as terminal:
        terminal.wait_for(f"Retry {MANY} dead letters (1 cause)? [y/N]: ")
        terminal.type("y\n")
        terminal.wait_for("retried  [")
        terminal.wait_for(f"{MANY} retried")
        assert terminal.end() == 0
    # All of them died again, and none was taken twice.
    wait_until(lambda: service.get("/").json()["dead"] == MANY, 60)
    stats = service.get("/stats").json()
    assert sum(stats["queues"]["bulk"]["attempts"].values()) == 2 * MANY


def test_a_selection_is_deleted_and_the_others_stay(service: Service) -> None:
    bury(service, 1_100, "a")
    bury(service, 3, "b", "mail")
    assert dead(service, "delete", "--queue", "bulk", input="n\n").exit_code == 1
    assert kept(service) == 1_103
    deleted = dead(service, "delete", "--queue", "bulk", "--yes", "--json")
    assert json.loads(deleted.stdout) == {"deleted": 1_100, "skipped": 0}
    listed = dead(service, "ls", "--json").stdout.splitlines()
    assert {json.loads(line)["queue"] for line in listed} == {"mail"}
    exported = dead(service, "export").stdout.splitlines()
    assert len(exported) == len(listed) == 3


def test_nobody_who_is_asked_and_says_nothing_has_agreed(service: Service) -> None:
    bury(service, 1)
    ended = dead(service, "delete", "--all")
    assert (ended.exit_code, kept(service)) == (1, 1)


def test_ids_need_no_agreement_and_one_that_is_none_is_counted(
    service: Service,
) -> None:
    bury(service, 2)
    first, second = (task["id"] for task in service.get("/dead").json()["tasks"])
    ended = dead(service, "delete", first, "nobody", first)
    assert (ended.exit_code, ended.stdout) == (1, "1 deleted, 1 could not be\n")
    assert dead(service, "delete", second).exit_code == 0
    assert dead(service, "groups").stdout == "0 dead letters, 0 causes\n"


@pytest.mark.parametrize(
    "words", [[], ["--all", "--queue", "a"], ["x", "--all"], ["x", "--status", "500"]]
)
@pytest.mark.parametrize("verb", ["retry", "delete"])
def test_one_kind_of_selection_has_to_be_made(verb: str, words: list[str]) -> None:
    ended = CliRunner().invoke(cli, ["dead", verb, *words])
    assert ended.exit_code == 2
    said = "only one of these at once: " if words else "say which: "
    assert f"Error: {said}" in ended.stderr


def test_a_file_that_cannot_be_written_is_one_line(
    service: Service,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "nowhere" / "file"
    words = ["dead", "export", "--url", service.url, "-o", str(path)]
    monkeypatch.setattr(sys, "argv", ["poussetaches", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = f"poussetaches: {path}.tmp: No such file or directory\n"
    assert capsys.readouterr() == ("", said)


def test_groups_are_counted_by_cause_and_can_be_named_by_it(service: Service) -> None:
    bury(service, 4, "a")
    bury(service, 2, "b")
    largest, other, summary = dead(service, "groups").stdout.splitlines()[1:]
    assert summary == "6 dead letters, 2 causes"
    cause, count, *_ = other.split()
    assert (largest.split()[1], count) == ("4", "2")
    assert re.fullmatch("[0-9a-f]{16}", cause)
    listed = dead(service, "ls", "--cause", cause).stdout.splitlines()[1:]
    assert [f"{service.url}/b" in row for row in listed] == [True, True]
    canary = dead(service, "retry", "--cause", cause, "--limit", "1", input="y\n")
    asked = "Retry 1 dead letter of 2 (1 cause)? [y/N]: "
    assert canary.stdout.startswith(asked), canary.stdout
    assert canary.stdout.endswith("1 retried\n")

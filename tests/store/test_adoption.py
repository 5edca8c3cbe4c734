"""The tasks of the first ancestor, taken over."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from poussetaches.channel.messages import unseal
from poussetaches.errors import StoreError
from poussetaches.model.decisions import push
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.schedule import schedule_id
from poussetaches.model.task import Spec, State, Submission
from poussetaches.store.addition import add
from poussetaches.store.adoption import Survey, file_count, quarantine, survey
from tests.support.ancestor_directory import AncestorDirectory
from tests.support.queues import NOW, POLICY

URL = "http://127.0.0.1:1/task"
#: What we do not know is passed over, but not at any price.
DEEP = b'{"id": "x", "url": "", "novelty": ' + b"[" * 100_000
ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def old(tmp_path: Path) -> AncestorDirectory:
    return AncestorDirectory(tmp_path / "poussetaches_data")


def surveyed(old: AncestorDirectory, retain: int = 1000) -> Survey:
    before = old.content()
    steps: list[int] = []
    found = survey(
        str(old.path),
        Rules("UTC"),
        retain_succeeded=retain,
        now=NOW,
        step=steps.append,
    )
    assert old.content() == before
    assert sum(steps) == file_count(str(old.path))
    return found


def adopted(old: AncestorDirectory) -> TaskQueue:
    found = surveyed(old)
    assert found.refused == []
    queue, _ = add(TaskQueue(), found.addition, NOW, POLICY)
    assert queue.difference() == 0
    return queue


def refusal(old: AncestorDirectory) -> str:
    found = surveyed(old)
    assert (found.addition.tasks, found.addition.schedules) == ([], [])
    (refused,) = found.refused
    return refused.reason


def test_a_waiting_task_goes_on_where_it_was(old: AncestorDirectory) -> None:
    old.put(
        "waiting",
        ID,
        url=f"{URL}?a=1&b=2",
        payload=b"\x00\xff",
        expected=204,
        next_run=NOW + 256.123456789,
        tries=5,
        last_run=NOW - 1.5,
        last_error_body="bm8=",
        last_error_status_code=500,
    )
    queue = adopted(old)
    task = queue.tasks[ID]
    assert unseal(task.spec) == Spec(f"{URL}?a=1&b=2", b"\x00\xff", 204)
    assert (task.state, task.attempts, task.schedule) == (State.WAITING, 5, "")
    assert task.eta == pytest.approx(NOW + 256.123456789, abs=1e-6)
    assert task.last_run_at == NOW - 1.5
    assert (task.error_status, task.error) == (500, b"no")


def test_what_is_due_first_is_delivered_first(old: AncestorDirectory) -> None:
    for number, eta in enumerate([3.0, 1.0, 2.0, 1.0]):
        old.put("waiting", f"{number}", next_run=eta)
    queue = adopted(old)
    first = queue.turns.first()
    assert first is not None
    assert first.id == "1"
    assert [task.id for task in queue.tasks.values()] == ["1", "3", "2", "0"]
    assert surveyed(old).due == 4


def test_what_has_ended_is_kept_in_its_list(old: AncestorDirectory) -> None:
    old.put("success", "b", last_run=NOW - 1, tries=1)
    old.put("success", "a", last_run=NOW - 2, url="nonsense", expected=0)
    old.put("dead", "c", payload=None, tries=11, last_error_status_code=-1)
    queue = adopted(old)
    assert list(queue.succeeded) == ["a", "b"]
    assert queue.dead["c"].attempts == 11
    assert unseal(queue.dead["c"].spec).payload is None
    assert unseal(queue.succeeded["a"].spec) == Spec("nonsense", b'"x"', 200)
    counts = queue.counts
    assert (counts.accepted, counts.succeeded, counts.dead) == (3, 2, 1)


def test_of_those_that_succeeded_the_last_are_kept(old: AncestorDirectory) -> None:
    for number in range(5):
        old.put("success", f"{number}", last_run=NOW - number)
    found = surveyed(old, retain=2)
    assert [task.id for task in found.addition.tasks] == ["1", "0"]
    assert found.left_out == 3
    assert surveyed(old, retain=0).left_out == 5


@pytest.mark.parametrize("text", ["@every 12h", "@daily", "0 30 2 * * MON"])
def test_a_schedule_goes_on_with_its_next_run(
    old: AncestorDirectory, text: str
) -> None:
    id = old.schedule(text, slot=NOW + 600, tries=2, last_run=NOW - 5)
    old.put("success", id, schedule=text, last_run=NOW - 900)
    queue = adopted(old)
    assert surveyed(old).notes == {}
    assert queue.schedules[id].text == text
    task = queue.tasks[id]
    assert (task.schedule, task.slot, task.eta) == (text, NOW + 600, NOW + 600)
    assert (task.attempts, task.spec) == (2, queue.schedules[id].spec)
    assert queue.succeeded[id].schedule == text
    # What the application pushes at its next start is the same schedule.
    assert id == schedule_id(URL, b'"x"', text)
    again = Submission(id, b"", schedule=text)
    assert push(queue, again, NOW, POLICY) == []


@pytest.mark.parametrize(
    ("there", "here", "meaning"),
    [
        ("*/5 * * * *", "*/5 * * * * *", "would run next at"),
        ("0 30 2 * *", "0 30 2 * * *", "are refused (schedule: hour '30'"),
        ("0 0 2 * *", "0 0 2 * * *", "would run next at"),
    ],
)
def test_five_fields_go_on_as_they_ran_and_are_told(
    old: AncestorDirectory, there: str, here: str, meaning: str
) -> None:
    id = old.schedule(there, slot=NOW + 5)
    old.put("success", id, schedule=there)
    queue = adopted(old)
    assert queue.schedules[id].text == queue.tasks[id].schedule == here
    assert queue.succeeded[id].schedule == here
    assert queue.tasks[id].slot == NOW + 5
    # Five fields, pushed again, have the id that it had; nothing changes.
    again = Submission(schedule_id(URL, b'"x"', there), b"", schedule=there)
    assert push(queue, again, NOW, POLICY) == []
    ((sentence, ids),) = surveyed(old).notes.items()
    assert ids == [id]
    for part in (f'"{there}" had the second first', f'as "{here}"', meaning, "DELETE"):
        assert part in sentence


def test_a_schedule_without_a_slot_has_that_of_its_run(old: AncestorDirectory) -> None:
    id = old.schedule("@daily", slot=NOW + 5, next_scheduled_run=0)
    assert adopted(old).tasks[id].slot == NOW + 5


def test_an_ended_run_of_a_rule_that_we_cannot_read_is_just_a_task(
    old: AncestorDirectory,
) -> None:
    old.put("dead", ID, schedule="*/90 * * * * *", slot=NOW)
    task = adopted(old).dead[ID]
    assert (task.schedule, task.slot) == ("", 0.0)


def test_a_task_that_has_ended_waits_no_more(old: AncestorDirectory) -> None:
    """The ancestor died between writing the one file and removing the other."""
    old.put("waiting", ID)
    old.put("dead", ID)
    found = surveyed(old)
    assert [task.state for task in found.addition.tasks] == [State.DEAD]
    assert found.notes == {"had ended already, so these are not waiting any more": [ID]}


@pytest.mark.parametrize(
    ("given", "expected", "note"),
    [
        ({"expected": 0}, 200, "expected 0 there"),
        ({"expected": 302}, 302, "expect a redirect"),
    ],
)
def test_a_status_that_means_something_else_is_told(
    old: AncestorDirectory, given: dict[str, Any], expected: int, note: str
) -> None:
    old.put("waiting", ID, **given)
    assert unseal(adopted(old).tasks[ID].spec).expected == expected
    ((sentence, ids),) = surveyed(old).notes.items()
    assert note in sentence
    assert ids == [ID]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"url": "localhost:5000/task"}, "must be a full URL"),
        ({"url": "http://h/a b"}, "has a space"),
        ({"expected": 99}, "expected: 99 is no status"),
        ({"expected": 5000}, "$.expected"),
        ({"schedule": "*/90 * * * * *"}, "schedule: second '*/90'"),
        ({"tries": -1}, "$.tries"),
        ({"payload": 7}, "$.payload"),
        ({"last_error_body": "?"}, "$.last_error_body"),
        ({"id": "another"}, "named otherwise than the task in it, another"),
        ({"id": "../../x"}, "$.id"),
    ],
)
def test_what_cannot_be_delivered_is_refused(
    old: AncestorDirectory, given: dict[str, Any], reason: str
) -> None:
    text = json.dumps({"id": ID, "url": URL} | given)
    (old.path / "waiting" / ID).write_text(text)
    assert reason in refusal(old)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\0" * 100, b"\xff\xfe", b"[" * 100_000, DEEP],
)
@pytest.mark.parametrize("which", ["waiting", "success", "dead"])
def test_a_damaged_file_costs_no_other(
    old: AncestorDirectory, which: str, content: bytes
) -> None:
    old.put("waiting", "good")
    old.put(which, ID).write_bytes(content)
    found = surveyed(old)
    assert [task.id for task in found.addition.tasks] == ["good"]
    assert [(one.which, one.name) for one in found.refused] == [(which, ID)]


def test_a_file_cut_anywhere_is_refused(old: AncestorDirectory) -> None:
    path = old.put("waiting", ID)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "not whole JSON" in refusal(old)


def test_more_than_we_know_is_not_minded(old: AncestorDirectory) -> None:
    old.put("waiting", ID, novelty={"a": 1})
    assert list(adopted(old).tasks) == [ID]


def test_what_is_no_file_is_refused(old: AncestorDirectory) -> None:
    (old.path / "waiting" / "folder").mkdir()
    (old.path / "waiting" / "gone").symlink_to("nowhere")
    found = surveyed(old)
    assert [one.reason for one in found.refused] == [
        "cannot be read: Is a directory",
        "cannot be read: No such file or directory",
    ]


def test_what_is_refused_is_copied(old: AncestorDirectory, tmp_path: Path) -> None:
    (old.path / "waiting" / "folder").mkdir()
    (old.path / "waiting" / "empty").touch()
    (old.path / "dead" / "half").write_bytes(b"{")
    home = tmp_path / "quarantine"
    for _ in range(2):
        quarantine(str(old.path), surveyed(old).refused, str(home))
        copies = {one for one in home.rglob("*") if one.is_file()}
        assert copies == {home / "waiting" / "empty", home / "dead" / "half"}
    assert (home / "dead" / "half").read_bytes() == b"{"
    assert stat.S_IMODE((home / "dead" / "half").stat().st_mode) == 0o600
    assert stat.S_IMODE(os.stat(home / "dead").st_mode) == 0o700


def test_nothing_is_made_where_nothing_is_refused(
    old: AncestorDirectory, tmp_path: Path
) -> None:
    quarantine(str(old.path), surveyed(old).refused, str(tmp_path / "quarantine"))
    assert not (tmp_path / "quarantine").exists()


def test_a_directory_may_lack_a_list(old: AncestorDirectory) -> None:
    old.put("waiting", ID)
    (old.path / "dead").rmdir()
    assert list(adopted(old).tasks) == [ID]


@pytest.mark.parametrize("path", [".", "nowhere"])
def test_another_directory_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError, match="has none of waiting, success, dead"):
        file_count(str(tmp_path / path))

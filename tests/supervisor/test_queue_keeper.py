"""The queues, kept: on disk before anybody is told, and told to every child."""

from __future__ import annotations

import dataclasses
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.channel.messages import (
    Call,
    Configure,
    Message,
    Queues,
    Reply,
    encode,
)
from poussetaches.config import Config
from poussetaches.errors import ConfigError, StoreFull
from poussetaches.model.limiter import Rate
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import Submission, Terms
from poussetaches.supervisor import serve
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.queue_keeper import PURGED_AT_ONCE
from tests.supervisor.test_handlers import House

MAIL = QueueSettings(rate=Rate(20.0, "m"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def call(house: House, child: Child, verb: str, **arguments: Any) -> list[Message]:
    assert house.say(child, encode([Call(1, verb, arguments)]))
    return house.answers(child)


def push(house: House, id: str, queue: str = "mail") -> None:
    terms = Terms(queue=queue)
    house.keeper.push(Submission(id * 32, b"spec", terms=terms))


# --- what children hear ---------------------------------------------------------------


def test_every_child_hears_of_a_change_and_who_asked_before_the_answer(
    house: House,
) -> None:
    api, worker = house.add("api"), house.add("worker")
    told, reply = call(house, api, "queue_set", name="mail", changes={"burst": 2})
    assert told == Queues({"default": {}, "mail": {"burst": 2}})
    assert isinstance(reply, Reply) and reply.error is None
    assert house.answers(worker) == [told]
    assert call(house, api, "queue_set", name="mail", changes={"burst": 2})[1:] == []
    assert house.answers(worker) == []
    told, _ = call(house, api, "queue_drop", name="mail")
    assert told == Queues({"default": {}})


def test_a_new_child_hears_of_the_queues_right_after_its_settings(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.supervisor._queues.set("mail", {"burst": 2})
    child = house.add("worker")
    house.answers(child)
    with monkeypatch.context() as starting:
        starting.setattr(house.supervisor._children, "fill", lambda now: [child])
        house.supervisor._selector.unregister(child.peer)
        house.supervisor._fill(0.0)
    first, second = house.answers(child)
    assert isinstance(first, Configure)
    assert second == Queues({"default": {}, "mail": {"burst": 2}})


# --- the verbs ------------------------------------------------------------------------


def test_a_queue_is_seen_with_both_layers_and_what_is_late(house: House) -> None:
    queues = house.supervisor._queues
    queues.configure({"mail": MAIL})
    queues.set("mail", {"burst": 2})
    push(house, "a")
    api = house.add("api")
    house.answers(api)
    [reply] = call(house, api, "queue", name="mail")
    assert isinstance(reply, Reply)
    assert reply.value["configured"] == {"rate": [20.0, "m"]}
    assert reply.value["changed"] == {"burst": 2}
    assert (reply.value["waiting"], reply.value["in_flight"]) == (1, 0)
    assert reply.value["oldest_due"]["id"] == "a" * 32
    [reply] = call(house, api, "queues")
    assert isinstance(reply, Reply)
    assert [view["name"] for view in reply.value] == ["default", "mail"]


@pytest.mark.parametrize(
    ("verb", "arguments", "code"),
    [
        ("queue", {"name": "mial"}, "not_found"),
        ("queue_purge", {"name": "mial"}, "not_found"),
        ("queue_drop", {"name": "default"}, "conflict"),
        ("queue_set", {"name": "a b", "changes": {}}, "invalid"),
        ("queue_set", {"name": "a", "changes": {"burst": 0}}, "invalid"),
    ],
)
def test_what_is_refused_has_changed_nothing(
    house: House, verb: str, arguments: dict[str, Any], code: str
) -> None:
    [reply] = call(house, house.add("api"), verb, **arguments)
    assert isinstance(reply, Reply) and reply.error is not None
    assert reply.error[0] == code
    assert list(house.keeper.queue.turns.queues) == ["default"]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("queue", {"name": 1}),
        ("queue_set", {"name": "a" * 10_000, "changes": {}}),
        ("queue_set", {"name": "a", "changes": [1]}),
        ("queue_set", {"name": "a", "changes": {str(n): 1 for n in range(200)}}),
    ],
)
def test_what_no_api_would_say_is_the_end_of_that_child(
    house: House, verb: str, arguments: dict[str, Any]
) -> None:
    assert not house.say(house.add("api"), encode([Call(1, verb, arguments)]))


def test_a_purge_goes_bit_by_bit(house: House) -> None:
    queues = house.supervisor._queues
    queues.set("mail", {})
    terms = Terms(queue="mail")
    for first in range(0, PURGED_AT_ONCE + 7, 1000):
        numbers = range(first, min(first + 1000, PURGED_AT_ONCE + 7))
        house.keeper.push(
            *(Submission(f"{n:032x}", b"spec", terms=terms) for n in numbers)
        )
    assert queues.purge("mail") == PURGED_AT_ONCE
    assert queues.purge("mail") == 7
    assert queues.purge("mail") == 0
    assert house.keeper.queue.counts.cancelled == PURGED_AT_ONCE + 7


# --- the configuration ----------------------------------------------------------------


def test_a_queue_without_a_section_is_dropped_once_its_tasks_have_ended(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    queues = house.supervisor._queues
    queues.configure({"mail": MAIL})
    push(house, "a")
    queues.configure({})
    assert "stays as it is until its tasks have ended" in caplog.text
    queues.drop_abandoned()
    assert "mail" in house.keeper.queue.turns.queues
    queues.purge("mail")
    queues.drop_abandoned()
    assert "mail" not in house.keeper.queue.turns.queues


def test_one_that_was_changed_by_hand_meanwhile_stays(house: House) -> None:
    queues = house.supervisor._queues
    queues.configure({"mail": MAIL})
    push(house, "a")
    queues.configure({})
    queues.set("mail", {"burst": 2})
    queues.purge("mail")
    queues.drop_abandoned()
    assert queues.view("mail")["settings"] == {"rate": MAIL.rate, "burst": 2}
    queues.drop("mail")


def test_a_full_disk_does_not_hurry_what_can_wait(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = house.supervisor._queues
    queues.configure({"mail": MAIL})
    push(house, "a")
    queues.configure({})
    queues.purge("mail")

    def refuse(*given: Any, **more: Any) -> None:
        raise StoreFull("full")

    with monkeypatch.context() as full:
        full.setattr(house.store, "append", refuse)
        queues.drop_abandoned()
    assert "mail" in house.keeper.queue.turns.queues
    queues.drop_abandoned()
    assert "mail" not in house.keeper.queue.turns.queues


def test_a_start_on_a_full_disk_goes_on_with_the_queues_as_they_were(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Deliveries may make the room."""

    def refuse(*given: Any, **more: Any) -> None:
        raise StoreFull("full")

    queues = house.supervisor._queues
    with monkeypatch.context() as full:
        full.setattr(house.store, "append", refuse)
        serve._configure(queues, Config(queues={"mail": MAIL}))
    assert "SIGHUP has them taken when there is room" in caplog.text
    assert list(house.keeper.queue.turns.queues) == ["default"]


class Loader:
    """Reads whatever configuration a test says."""

    def __init__(self, config: Config) -> None:
        self.config: Config | ConfigError = config

    def __call__(self) -> Config:
        if isinstance(self.config, ConfigError):
            raise self.config
        return self.config


def reload(house: House, config: Config | ConfigError) -> list[Message]:
    """What an api hears when the supervisor gets SIGHUP."""
    api = house.add("api", len(house.living) + 1)
    supervisor: Any = house.supervisor
    supervisor._reload._load = Loader(config)  # type: ignore[arg-type]
    supervisor._signals = ArrivedSignals(signal.SIGHUP)
    supervisor._heed_signals()
    return house.answers(api)


class ArrivedSignals:
    def __init__(self, *numbers: int) -> None:
        self._numbers = {*numbers}

    def arrived(self) -> set[int]:
        return self._numbers


def test_a_hangup_has_the_queues_taken(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = dataclasses.replace(house.supervisor._config, queues={"mail": MAIL})
    assert reload(house, config) == [
        Queues({"default": {}, "mail": {"rate": [20.0, "m"]}})
    ]
    assert "configuration taken" in caplog.text
    assert "need a restart" not in caplog.text
    # A child that is started from now on is configured so, too.
    assert house.supervisor._config.queues == {"mail": MAIL}
    assert reload(house, config) == []


def test_a_bad_configuration_changes_nothing_and_the_log_says_why(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    assert reload(house, ConfigError("workers: is not a whole number")) == []
    [record] = caplog.records
    assert record.getMessage() == (
        "the configuration was not taken: workers: is not a whole number"
    )


def test_other_settings_that_have_changed_are_named(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    config = dataclasses.replace(house.supervisor._config, workers=9, timeout=3.0)
    reload(house, config)
    [record] = [r for r in caplog.records if "need a restart" in r.getMessage()]
    assert record.__dict__["fields"] == {"settings": "workers, timeout"}
    assert house.supervisor._config.workers == Config().workers

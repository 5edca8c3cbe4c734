"""What a target asks for with its answer, whatever it sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.worker.steering import NOTHING, Steering, steering

THIRTY_DAYS = 30 * 86_400.0


def asked(*values: str | bytes) -> Steering:
    return steering(
        [
            (b"Poussetaches-Outcome", v if isinstance(v, bytes) else v.encode())
            for v in values
        ]
    )


@pytest.mark.parametrize("value", ["dead", "Dead", "DEAD", " dead "])
def test_dead(value: str) -> None:
    assert asked(value) == Steering(dead=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("snooze; after=30", 30.0),
        ("snooze;after=30", 30.0),
        ("SNOOZE ;\tAfter=30", 30.0),
        ("snooze; after=1.5", 1.5),
        ("snooze; after=0", 1.0),
        ("snooze; after=0.001", 1.0),
        ("snooze; after=000000000060", 60.0),
        ("snooze; after=2592000", THIRTY_DAYS),
        ("snooze; after=2592001", THIRTY_DAYS),
        ("snooze; after=9999999999", THIRTY_DAYS),
        ("snooze; after=" + "9" * 5000, THIRTY_DAYS),
        ("snooze; after=2." + "9" * 5000, 2.999999999),
    ],
)
def test_snooze_for_a_second_to_thirty_days(value: str, seconds: float) -> None:
    assert asked(value) == Steering(snooze=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "alive",
        "dead; really",
        "dead dead",
        "snooze",
        "snooze;",
        "snooze; after",
        "snooze; after=",
        "snooze; after = 30",
        "snooze; after=soon",
        "snooze; after=-30",
        "snooze; after=+30",
        "snooze; after=1e3",
        "snooze; after=0x10",
        "snooze; after=inf",
        "snooze; after=nan",
        "snooze; after=30s",
        "snooze; after=.5",
        "snooze; after=5.",
        "snooze; after=1_000",
        "snooze; after=\u0663",
        "snooze; after=30; after=40",
        "snooze, after=30",
        "after=30",
    ],
)
def test_anything_else_means_nothing_and_is_told_so(value: str) -> None:
    found = asked(value)
    assert found.unclear
    assert found == Steering(unclear=found.unclear)


def test_two_outcomes_are_none() -> None:
    assert asked("dead", "snooze; after=5").unclear == "dead, snooze; after=5"
    assert asked("dead", "dead").unclear == "dead, dead"


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=60))))
def test_headers_of_any_kind_are_read(headers: list[tuple[bytes, bytes]]) -> None:
    steering(headers)


@given(st.binary(max_size=60))
def test_a_value_of_any_kind_is_within_the_bounds(value: bytes) -> None:
    found = asked(value)
    assert found.dead + (found.snooze is not None) + bool(found.unclear) == 1
    assert found.snooze is None or 1.0 <= found.snooze <= THIRTY_DAYS


@pytest.mark.parametrize(
    ("value", "is_tasks"),
    [
        ("application/vnd.poussetaches.tasks+json", True),
        ("Application/VND.Poussetaches.Tasks+JSON ; charset=utf-8", True),
        ("application/vnd.poussetaches.tasks+json;v=2", True),
        ("application/json; note=application/vnd.poussetaches.tasks+json", False),
        ("application/vnd.poussetaches.tasks+json2", False),
        ("text/html; charset=utf-8", False),
        ("", False),
    ],
)
def test_follow_up_tasks_have_a_media_type_of_their_own(
    value: str, is_tasks: bool
) -> None:
    for name in (b"Content-Type", b"content-type", b"CONTENT-TYPE"):
        found = steering([(b"Date", b"x"), (name, value.encode())])
        assert found == Steering(tasks=is_tasks)
        assert (found is NOTHING) is not is_tasks
    assert steering([(b"Content-Tipe", value.encode())]) is NOTHING


def test_an_outcome_and_tasks_are_both_seen() -> None:
    headers = [
        (b"content-type", b"application/vnd.poussetaches.tasks+json"),
        (b"poussetaches-outcome", b"dead"),
    ]
    assert steering(headers) == Steering(dead=True, tasks=True)

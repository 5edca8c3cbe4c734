"""The fields of a queue: what each may be, and what a layer of them becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.backoff import Growth
from poussetaches.model.limiter import UNITS, Rate
from poussetaches.model.queue_fields import (
    FIELDS,
    GROWTH_FIELDS,
    LONGEST,
    change,
    check_field,
    check_name,
    read_rate,
    shown,
)
from poussetaches.model.queue_settings import QueueSettings


def refusal(name: str, value: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        check_field(name, value)
    assert caught.value.field == name
    return caught.value.message


@given(
    # In millionths, as many as the text may say.
    attempts=st.integers(1, 10**15 - 1).map(lambda n: n / 10**6),
    unit=st.sampled_from(sorted(UNITS)),
)
def test_a_rate_is_read_as_it_was_shown(attempts: float, unit: str) -> None:
    rate = Rate(attempts, unit)
    if rate.interval > LONGEST:
        with pytest.raises(ValueError, match="less than one attempt in 30 days"):
            read_rate(str(rate))
    else:
        assert read_rate(str(rate)) == rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10.0, "s")),
        ("21.5/m", Rate(21.5, "m")),
        ("5 / h", Rate(5.0, "h")),
        ("1/d", Rate(1.0, "d")),
    ],
)
def test_rates_as_people_write_them(text: str, rate: Rate) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "10/", "/s", "10/w", "-1/s", "1e3/s", "1/S", "\u0661/s", "1/s/s"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    assert "is not a rate, such as" in refusal("rate", text)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rate", "0/s", "lets nothing begin, ever"),
        ("rate", 10, "rate: 10 is not a rate"),
        ("concurrency", 0, "concurrency: 0 is not from 1 to 100000"),
        ("concurrency", True, "concurrency: true is not a whole number"),
        ("concurrency", 1.5, "is not a whole number"),
        ("burst", 0, "is not from 1 to"),
        ("retry_limit", -2, "is not from -1 to"),
        ("min_backoff_seconds", -1, "is not from 0 to 2.592e+06 seconds"),
        ("min_backoff_seconds", float("nan"), "is not from 0 to"),
        ("max_backoff_seconds", "5m", 'max_backoff_seconds: "5m" is not a number of'),
        ("max_doublings", -2, "is not from -1 to 1000"),
        ("timeout", 0, "is not from 0.01 to"),
        ("base_url", "/a", "base_url: it must be a full URL"),
        ("base_url", 1, "base_url: it is not text"),
        ("paused", 1, "paused: 1 is neither true nor false"),
        ("headers", ["a"], "headers: it is not an object of names and texts"),
        ("headers", {"X": 1}, "headers: it is not an object of names and texts"),
        ("headers", {"Host": "a"}, "headers: it cannot be sent: The header Host can"),
        ("headers", {"X": "a\nb"}, "headers: it cannot be sent: A header has a value"),
        (
            "headers",
            {"X": "1", "x": "2"},
            "headers: it cannot be sent: x is there twice",
        ),
        ("headers", {"webhook-id": "1"}, "webhook-id is for the service itself to set"),
        ("headers", {f"X-{n}": "" for n in range(51)}, "51 are more than 50"),
        ("headers", {"X": "a" * 8200}, "8201 characters in all are more than 8192"),
        ("concurency", 1, "is not a setting of a queue, did you mean concurrency?"),
        ("retries", 1, "retries: is not a setting of a queue"),
    ],
)
def test_refused_with_the_field_and_the_reason(name: str, value: Any, why: str) -> None:
    message = refusal(name, value)
    assert message.startswith(f"{name}: ")
    assert why in message


@pytest.mark.parametrize("secret", ["ftp://u:s3cret@a/", "s3cret:x@a"])
def test_a_refusal_does_not_show_what_may_be_a_secret(secret: str) -> None:
    assert "s3cret" not in refusal("base_url", secret)
    assert "s3cret" not in refusal("headers", {"X-Key": "s3cret\n"})


@pytest.mark.parametrize("name", ["a", "mail.v2:eu_1-x", "9", "A" * 100])
def test_names_of_queues(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "A" * 101, "a\n"])
def test_what_is_no_name_of_a_queue_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is no name of a queue"):
        check_name(name)


def test_a_change_replaces_what_it_names_and_null_takes_it_back() -> None:
    below = {"concurrency": 4, "rate": [1.0, "s"]}
    layer = change({}, below, {"concurrency": 2, "paused": True})
    assert layer == {"concurrency": 2, "paused": True}
    assert change(layer, below, {"concurrency": None}) == {"paused": True}
    assert change(layer, below, {"concurrency": "unlimited"})["concurrency"] is None


def test_one_part_of_a_backoff_changes_and_the_others_stay_as_the_file_has_them() -> (
    None
):
    below = {"backoff": [10.0, 300.0, 3]}
    layer = change({}, below, {"min_backoff_seconds": 5})
    assert layer == {"backoff": [5.0, 300.0, 3]}
    layer = change(layer, below, {"max_backoff_seconds": -1, "max_doublings": -1})
    assert layer == {"backoff": [5.0, None, None]}
    layer = change(layer, below, {"max_backoff_seconds": None})
    assert layer == {"backoff": [5.0, 300.0, None]}
    assert change(layer, below, dict.fromkeys(GROWTH_FIELDS)) == {}


def test_zero_said_is_not_nothing_said() -> None:
    """Taskqueue's default is a rule as well, and not the waits of the service."""
    layer = change({}, {}, {"min_backoff_seconds": 0})
    assert QueueSettings.from_wire(layer).backoff == Growth(0.0)
    assert change(layer, {}, {"min_backoff_seconds": None}) == {}


def test_an_unknown_field_is_refused_also_where_it_is_taken_back() -> None:
    with pytest.raises(InvalidInput, match="burst"):
        change({}, {}, {"bursts": None})


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "concurrency": st.integers(1, 100_000) | st.just("unlimited"),
    "rate": st.builds(
        lambda n, unit: str(Rate(n / 10**6, unit)),
        st.integers(10**5, 10**12),
        st.sampled_from(sorted(UNITS)),
    ),
    "burst": st.integers(1, 10**6),
    "retry_limit": st.integers(-1, 10**6),
    "min_backoff_seconds": st.floats(0, LONGEST),
    "max_backoff_seconds": st.floats(0, LONGEST) | st.just(-1),
    "max_doublings": st.integers(-1, 1000),
    "timeout": st.floats(0.01, LONGEST),
    "base_url": st.sampled_from(["", "http://a:1/b"]),
    "paused": st.booleans(),
    "headers": st.dictionaries(
        st.text("XYZ-", min_size=1, max_size=9), st.text("abc ", max_size=9), max_size=9
    ),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_what_is_shown_can_be_said_again(given: dict[str, Any]) -> None:
    assert set(VALUES) == set(FIELDS)
    layer = change({}, {}, given)
    told = shown(layer)
    assert set(given) <= set(told) <= {*given, *GROWTH_FIELDS}
    assert change({}, {}, told) == layer
    settings = QueueSettings.from_wire(layer)
    assert QueueSettings.from_wire(settings.to_wire()) == settings
    assert change({}, layer, dict.fromkeys(given)) == {}


def test_secrets_are_masked_where_people_look() -> None:
    said = {"headers": {"Authorization": "s3cret", "X-Api-Key": "s3cret", "X-A": "7"}}
    layer = change({}, {}, said | {"base_url": "http://me:s3cret@a/b"})
    assert shown(layer) == {
        "headers": {"Authorization": "***", "X-Api-Key": "***", "X-A": "7"},
        "base_url": "http://***@a/b",
    }

"""The trace of a push: what of it is passed on."""

from __future__ import annotations

import pytest

from poussetaches.model.headers import MOST_HEADERS, Headers
from poussetaches.model.task import How, Spec, Terms
from poussetaches.schema import PushRequest, read_trace, with_trace

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE: Headers = (("traceparent", PARENT), ("tracestate", "a=1"))


def asked(headers: Headers = (), schedule: str = "") -> PushRequest:
    spec = Spec("http://a/", b"x", 200, How(headers=headers) if headers else None)
    return PushRequest("1", spec, 0.0, schedule, Terms())


@pytest.mark.parametrize(
    "parent",
    [
        PARENT,
        PARENT[:-2] + "ff",
        "01" + PARENT[2:],
        "01" + PARENT[2:] + "-",
        "fe" + PARENT[2:] + "-what-comes",
    ],
)
def test_a_valid_parent_is_passed_on_as_it_came(parent: str) -> None:
    assert read_trace(parent, "") == (("traceparent", parent),)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT.upper(),
        PARENT + " ",
        PARENT + "\n",
        PARENT + "-",
        PARENT + "-more",
        PARENT[:-1],
        PARENT + "," + PARENT,
        "ff" + PARENT[2:],
        "0x" + PARENT[2:],
        "01" + PARENT[2:] + "more",
        "01" + PARENT[2:] + "-" + "x" * 201,
        "01" + PARENT[2:] + "-\xe9",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        PARENT.replace("-", "_"),
    ],
)
def test_a_malformed_parent_is_no_trace(parent: str) -> None:
    assert read_trace(parent, "a=1") == ()


@pytest.mark.parametrize(
    "state",
    [
        "a=1",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "a=1, b=2 ,\tc=3",
        "a=1,,b=2",
        "0tenant@system=x y",
        "a*/_-=~!",
        ",".join(f"k{n}=v" for n in range(32)),
    ],
)
def test_a_valid_state_is_passed_on_as_it_came(state: str) -> None:
    assert read_trace(PARENT, state) == (
        ("traceparent", PARENT),
        ("tracestate", state),
    )


@pytest.mark.parametrize(
    "state",
    [
        "",
        ",",
        "a",
        "a=",
        "=1",
        "A=1",
        "a=1=2",
        "a=\xe9",
        "a=\x01",
        "a=1,a=2",
        "0a=1",
        "a=1;b=2,=",
        ",".join(f"k{n}=v" for n in range(33)),
        "a=" + "x" * 511,
    ],
)
def test_a_malformed_state_is_left_out_and_the_parent_passed_on(state: str) -> None:
    assert read_trace(PARENT, state) == (("traceparent", PARENT),)


def test_a_task_gets_the_trace_beside_its_own_headers() -> None:
    traced = with_trace(asked((("X-A", "1"),)), TRACE)
    assert traced.spec.how == How(headers=(("X-A", "1"), *TRACE))
    traced = with_trace(asked(), TRACE)
    assert traced.spec == Spec("http://a/", b"x", 200, How(headers=TRACE))


def test_without_a_trace_nothing_changes() -> None:
    plain = asked()
    assert with_trace(plain, ()) is plain


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACESTATE"])
def test_the_trace_of_the_task_itself_wins(name: str) -> None:
    own = asked(((name, "mine"),))
    assert with_trace(own, TRACE) is own


def test_a_schedule_gets_none() -> None:
    scheduled = asked(schedule="@every 1m")
    assert with_trace(scheduled, TRACE) is scheduled


@pytest.mark.parametrize(
    "headers",
    [
        tuple((f"X-{n}", "1") for n in range(MOST_HEADERS - 1)),
        (("X-A", "x" * 8150),),
    ],
    ids=["many", "long"],
)
def test_headers_stay_within_their_limits(headers: Headers) -> None:
    full = asked(headers)
    assert with_trace(full, TRACE) is full

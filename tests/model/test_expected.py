"""Which statuses mean success."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.expected import is_expected
from poussetaches.model.task import Expected


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [
        (200, [200], [199, 201, 204, 302, 500, -1]),
        ("2xx", [200, 204, 299], [199, 300, 500, -1]),
        ("3xx", [300, 304, 399], [200, 400]),
        ((200, 204), [200, 204], [201, 299]),
        (("2xx", 404), [200, 299, 404], [403, 405, 500]),
        (("2xx", "4xx"), [204, 410], [302, 503]),
    ],
)
def test_a_status_a_class_or_several_of_either(
    expected: Expected, good: list[int], bad: list[int]
) -> None:
    assert all(is_expected(status, expected) for status in good)
    assert not any(is_expected(status, expected) for status in bad)


@given(st.integers(200, 599), st.integers(200, 599))
def test_a_status_is_of_one_class_only(status: int, other: int) -> None:
    name = f"{other // 100}xx"
    assert is_expected(status, name) == (status // 100 == other // 100)
    assert is_expected(status, (name, status))

"""The budget: large requests leave room for small ones."""

from __future__ import annotations

import pytest

from poussetaches.api.budget import SMALL, Budget

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("held", "size", "fits"),
    [
        (0, 3 * MILLION, True),
        (0, 3 * MILLION + 1, False),
        (3 * MILLION - SMALL - 1, SMALL + 1, True),
        (3 * MILLION - SMALL, SMALL + 1, False),
        (3 * MILLION, SMALL, True),
        (4 * MILLION - SMALL, SMALL, True),
        (4 * MILLION - SMALL, SMALL + 1, False),
        (4 * MILLION, 1, False),
        (4 * MILLION, 0, True),
    ],
)
def test_large_ones_may_have_three_quarters_and_small_ones_all(
    held: int, size: int, fits: bool
) -> None:
    budget = Budget(4 * MILLION)
    budget.held = held
    assert budget.has_room(size) is fits
    # What one holds already is not counted twice.
    budget.held += 1000
    assert budget.has_room(size, held=1000) is fits


def test_it_is_spent_when_all_is_held() -> None:
    budget = Budget(1000)
    assert not budget.is_spent()
    budget.held = 1000
    assert budget.is_spent()

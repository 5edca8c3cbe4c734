"""How often a test repeats itself: as often as there is time for, or far more on
request.

``POUSSETACHES_TESTS=long make test`` takes the better part of an hour.
"""

from __future__ import annotations

import os

LONG = os.environ.get("POUSSETACHES_TESTS") == "long"


def times(short: int, long: int) -> int:
    """``short``, or ``long`` if the tests were asked to take their time."""
    return long if LONG else short

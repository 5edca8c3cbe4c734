"""What is shown of why a task is not running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class WhyView(NamedTuple):
    """As the supervisor says it; times in seconds of the wall clock."""

    id: str
    state: str
    queue: str
    #: "": not known.
    origin: str
    #: Of each its code, its sentence, when it ends (None: nobody knows) and its numbers
    #: by name. What binds first stands first; there is at least one.
    reasons: Sequence[tuple[str, str, float | None, Mapping[str, Any]]]
    #: When its next attempt is expected to begin; None: nobody knows.
    expected: float | None
    #: Seconds until then.
    expected_in: float | None


def why_json(told: WhyView) -> dict[str, Any]:
    """Why a task is not running, for the public."""
    reasons = [
        {"code": code, "sentence": sentence, **numbers, "until": until}
        for code, sentence, until, numbers in told.reasons
    ]
    return {
        "id": told.id,
        "state": told.state,
        "queue": told.queue,
        "origin": told.origin or None,
        "sentence": reasons[0]["sentence"],
        "reasons": reasons,
        "expected_start": told.expected,
        "expected_in": told.expected_in,
    }

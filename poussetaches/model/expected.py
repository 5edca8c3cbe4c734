"""Which statuses mean success to a task."""

from __future__ import annotations

from poussetaches.model.task import Expected


def is_expected(status: int, expected: Expected) -> bool:
    """Whether ``status`` is the one that is ``expected``, of its class ("2xx"), or
    either of one of several."""
    if isinstance(expected, int):
        return status == expected
    if isinstance(expected, str):
        return expected == f"{status // 100}xx"
    return any(is_expected(status, one) for one in expected)

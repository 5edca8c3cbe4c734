"""A service as its overview is told of it, and a gateway that tells so."""

from __future__ import annotations

from typing import Any

from poussetaches.errors import PousseTachesError
from poussetaches.schema import OriginView

RATES = {"accepted": 2.5, "attempts": 2.0, "succeeded": 1.0, "failed": 0.25}
WINDOWS = {"1m": RATES, "5m": RATES}


def queue(**changes: Any) -> dict[str, Any]:
    told = {
        "waiting": 0,
        "in_flight": 0,
        "paused": False,
        "oldest_due": None,
        "ended": {"succeeded": 5, "dead": 3, "expired": 0, "cancelled": 0},
        "rates": WINDOWS,
    }
    return told | changes


def child(name: str, **changes: Any) -> dict[str, Any]:
    role = name.partition("-")[0]
    told = {
        "name": name,
        "role": role,
        "pid": 10,
        "ready": True,
        "uptime": 7200.0,
        "memory": 40_000_000,
        "cpu": 36.0,
        "slots": 128 if role == "worker" else 0,
        "in_flight": 0,
        "succeeded": 7,
        "failed": 1,
    }
    return told | changes


def stats(**changes: Any) -> dict[str, Any]:
    """Of a service that is well."""
    told = {
        "paused": False,
        "version": "1.0.0",
        "uptime": 7200.0,
        "waiting": 12,
        "in_flight": 1,
        "succeeded": 1234567,
        "dead": 3,
        "expired": 0,
        "cancelled": 0,
        "accepted": 20,
        "held_origins": 0,
        "oldest_due": None,
        "started_at": 1e9,
        "complaints": [],
        "obstacles": [],
        "accounting_difference": 0,
        "schedules": 0,
        "memory": 4096,
        "refused": {"queue_full": 0, "store_full": 0},
        "rates": WINDOWS,
        "other_queues": None,
        "store": {
            "generation": 2,
            "journal_bytes": 1234567,
            "syncs": {"count": 10, "sum": 0.05, "buckets": []},
            "last_dump_seconds": 0.1,
            "dump_bytes": 5000,
            "dumped_at": 1e9,
            "dumps": {"written": 1, "failed": 0},
        },
        "supervisor": {"pid": 9, "memory": 30_000_000, "cpu": 3.0},
        "restarts_by_role": {"api": 0, "worker": 0},
        "children": [child("api-1"), child("worker-1"), child("worker-2")],
        "queues": {"default": queue(waiting=12, in_flight=1)},
    }
    assert changes.keys() <= told.keys()
    return told | changes


def origin(name: str = "http://a.example:80", **changes: Any) -> OriginView:
    told = OriginView(name, "held", 1e9, 1e9 + 4, 1, None, 0, 12, "answered 503")
    return told._replace(**changes)


class Gateway:
    """Remembers what was done."""

    def __init__(self, *origins: OriginView, **changes: Any) -> None:
        self.told = stats(**changes)
        self._origins = list(origins)
        self.error: PousseTachesError | None = None
        self.did: list[Any] = []

    def stats(self) -> dict[str, Any]:
        return self.told

    def origins(self, *, in_trouble: bool = False) -> tuple[list[OriginView], int, int]:
        assert in_trouble, "there may be thousands"
        return self._origins, len(self._origins), 0

    def pause(self) -> None:
        self._do("pause")

    def resume(self) -> None:
        self._do("resume")

    def lift(self, origin: str | None) -> int:
        self._do("lift", origin)
        return 3

    def page(self, *lists: Any, **asked: Any) -> tuple[list[Any], int, None]:
        return [], 0, None

    def _do(self, *what: Any) -> None:
        if self.error is not None:
            raise self.error
        self.did.append(what)

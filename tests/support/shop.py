"""A shop whose day there is something to see of: what the pages are tried with, and
what is on their pictures.

    with Shop() as shop, Service(folder) as service:
        shop.open(service)
"""

from __future__ import annotations

import math
from typing import Any

from tests.support.service import Service, free_port, wait_until
from tests.support.target import Peer, ScriptedTarget

QUEUES: dict[str, dict[str, Any]] = {
    "mail": {"rate": "40/s", "burst": 20, "max_backoff_seconds": 300},
    "thumbnails": {"concurrency": 8, "timeout": 30},
    "reports": {"concurrency": 2},
    "search": {"concurrency": 8},
    "warehouse": {},
    "newsletter": {"rate": "10/m"},
}

#: What the application answers, by path; all else is done.
ANSWERS = {
    "/mail/welcome": (422, b'{"error": "mailbox full: ada@example.org"}'),
    "/crm/contact": (401, b'{"error": "token expired"}'),
    "/payments/capture": (
        500,
        b"Traceback (most recent call last):\n"
        b'  File "/srv/shop/payments.py", line 88, in capture\n'
        b"    charge = gateway.capture(order.charge_id)\n"
        b"GatewayTimeout: no answer from the bank within 5 s\n",
    ),
}
#: Seconds that an answer takes, by path.
SPANS = {"/mail/confirmation": 0.02, "/thumbnails": 0.08, "/search/index": 0.15}
#: Does what it is asked when it is asked again. A 503 would say: all of me is away.
FLAKY = "/search/index"
#: Takes as long as there is a shop.
LONG = "/reports/yearly"

_ATTEMPT = "poussetaches-attempt"

SCHEDULES: list[dict[str, Any]] = [
    {"name": "nightly-report", "schedule": "30 2 * * *", "queue": "reports"},
    {"name": "send-digests", "schedule": "0 7 * * 1-5", "queue": "newsletter"},
    {"name": "clean-carts", "schedule": "*/15 * * * *", "queue": "default"},
]


class Shop:
    """Its application, and another that has been away for a while."""

    def __init__(self) -> None:
        self._application = ScriptedTarget(self._answer)
        #: Where the warehouse would listen.
        self._away = free_port()

    def __enter__(self) -> Shop:
        self._application.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._application.__exit__(*exc_info)

    @property
    def warehouse(self) -> str:
        return f"http://localhost:{self._away}"

    def url(self, path: str) -> str:
        return self._application.url(path, host="localhost")

    def open(self, service: Service) -> None:
        """Have something of everything there is; returns when it is settled."""
        for name, settings in QUEUES.items():
            assert service.request("PUT", f"/queue/{name}", json=settings).ok
        assert service.post("/queue/newsletter/pause").ok
        for schedule in SCHEDULES:
            told = {"url": self.url(f"/{schedule['name']}"), "timezone": "Europe/Paris"}
            assert service.post("/", schedule | told).ok
        dead, long, done = self._troubles(), self._long(), self.orders(40)
        self.push(service, [*dead, *self._held(), *long, *self._waiting(), *done])

        def is_settled() -> bool:
            stats = service.get("/stats").json()
            origins = service.get("/origins").json()["origins"]
            return (
                (stats["dead"], stats["succeeded"]) == (len(dead), len(done))
                and stats["in_flight"] >= len(long)
                and any(one["state"] == "held" for one in origins)
            )

        wait_until(is_settled, 20.0, lambda: service.get("/stats").text)

    def push(self, service: Service, tasks: list[dict[str, Any]]) -> None:
        answer = service.post("/batch", tasks)
        assert answer.status_code == 201, answer.text

    def orders(self, count: int) -> list[dict[str, Any]]:
        """Tasks of so many orders that go well."""
        return [
            {"url": self.url(path), "queue": queue, "json": {"order": 48_000 + number}}
            for number in range(count)
            for path, queue in (
                ("/mail/confirmation", "mail"),
                ("/thumbnails", "thumbnails"),
                ("/invoices", "default"),
            )
        ]

    def go_on(self, service: Service, second: float) -> None:
        """What a busy second of the day brings."""
        self.push(service, self.orders(12 + int(8 * math.sin(second / 25))))
        index = {"url": self.url(FLAKY), "queue": "search", "backoff": [1, 2]}
        self.push(service, [index] * (3 if second % 90 < 60 else 14))
        if second % 20 < 1:
            self.push(service, self._troubles()[:2])

    def _troubles(self) -> list[dict[str, Any]]:
        """What ends as dead."""
        return [
            {
                "url": self.url(path),
                "queue": queue,
                "max_retries": retries,
                "backoff": [0.05],
                "json": {"order": 47_120 + number},
                "headers": {"Authorization": "Bearer of-the-shop"},
                "metadata": {"tenant": "north"},
            }
            for path, queue, count, retries in (
                ("/mail/welcome", "mail", 9, 0),
                ("/crm/contact", "default", 4, 0),
                ("/payments/capture", "default", 2, 2),
            )
            for number in range(count)
        ]

    def _held(self) -> list[dict[str, Any]]:
        """What goes to the application that is away."""
        return [
            {
                "url": f"{self.warehouse}/parcels",
                "queue": "warehouse",
                "json": {"parcel": f"{number:06}"},
            }
            for number in range(31_007, 31_034)
        ]

    def _long(self) -> list[dict[str, Any]]:
        """What is in flight for as long as there is a shop."""
        return [{"url": self.url(LONG), "queue": "reports"}] * 2

    def _waiting(self) -> list[dict[str, Any]]:
        """What is not due yet, or of a paused queue, or of a full one."""
        return [
            *[{"url": self.url(LONG), "queue": "reports"}] * 3,
            *[{"url": self.url("/newsletter"), "queue": "newsletter"}] * 25,
            *[
                {"url": self.url("/mail/reminder"), "queue": "mail", "delay": minutes}
                for minutes in range(30, 1470, 120)
            ],
        ]

    def _answer(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.path == LONG:
                peer.wait_over()
            peer.pause(SPANS.get(request.path, 0.0))
            if request.path == FLAKY and request.headers[_ATTEMPT] == "1":
                peer.answer(500, b'{"error": "the index is locked"}')
            else:
                peer.answer(*ANSWERS.get(request.path, (200, b'{"ok": true}')))

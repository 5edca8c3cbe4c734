"""Lists of a million waiting tasks, while others are pushed and delivered at full rate:
how long a page takes, and what it takes from the deliveries."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing

from bench import programs
from bench.figure import Figure, Found, at_most, ratio_at_least
from bench.figures import middle, percentiles, progress
from bench.million import NEVER, TARGET, TASKS, queue
from bench.nginx import Nginx, nginx
from bench.programs import Service
from bench.settings import Settings
from bench.wrk import push_body, wrk

#: How long is pushed for each of them, seconds.
SECONDS = 4
#: Between the end of a page and the next question, seconds.
PAUSE = 0.02

#: What is asked for: first what the supervisor answers at once, the baseline. None of
#: the million has failed: all are looked at in vain.
NUMBERS = "numbers"
ASKED = {
    NUMBERS: ("GET /", "/"),
    "first": ("first page of 100", "/tasks?limit=100"),
    "searched": ("page of a search in vain", "/tasks?limit=100&status=503"),
    "counted": ("count of a URL prefix", f"/tasks/count?url={TARGET}"),
}


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if the service does not do what it is asked."""
    flags = settings.flags("--dump-interval", NEVER)
    with (
        queue() as directory,
        nginx() as receiver,
        programs.service(flags, directory) as service,
    ):
        body = push_body(receiver.target)
        rates: dict[str, list[float]] = {name: [] for name in ("", *ASKED)}
        taken: dict[str, list[float]] = {name: [] for name in ASKED}
        for number in range(1, settings.rounds + 1):
            for name in rates:
                progress(f"{name or 'nothing'} asked for, round {number}")
                path = ASKED[name][1] if name else None
                rate, times = _load(settings, service, receiver, body, path)
                rates[name].append(rate)
                if name:
                    taken[name] += times
        total = service.get(f"/tasks/count?url={TARGET}")["total"]
        if total != TASKS:
            raise RuntimeError(f"{total} of {TASKS} tasks were found")
    usual = percentiles(sorted(taken[NUMBERS]))
    for name, (title, _) in ASKED.items():
        shares = percentiles(sorted(taken[name]))
        for share in ("p50", "p99"):
            aim = at_most(20) if name != "counted" and share == "p50" else None
            yield Figure(
                f"searching.{name}.{share}",
                f"{title}, {share}",
                shares[share],
                "ms",
                None if name == NUMBERS else usual[share],
                "" if name == NUMBERS else "GET /",
                aim,
            )
        yield Figure(
            f"searching.{name}.rate",
            "  tasks delivered meanwhile",
            middle(rates[name]),
            "/s",
            middle(rates[""]),
            "nothing asked for",
            ratio_at_least(0.5),
        )


def _load(
    settings: Settings,
    service: Service,
    receiver: Nginx,
    body: str,
    path: str | None,
) -> tuple[float, list[float]]:
    """Tasks delivered in a second while they are pushed as fast as it goes, and how
    long the answers for ``path`` took meanwhile, seconds."""
    taken: list[float] = []
    is_over = threading.Event()
    asker = threading.Thread(target=_ask, args=(service.port, path, taken, is_over))
    arrived, began = receiver.arrived(), time.monotonic()
    if path is not None:
        asker.start()
    wrk(service.port, body, seconds=SECONDS, connections=settings.connections)
    rate = (receiver.arrived() - arrived) / (time.monotonic() - began)
    is_over.set()
    if path is not None:
        asker.join()
    return rate, taken


def _ask(port: int, path: str, taken: list[float], is_over: threading.Event) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        while not is_over.wait(PAUSE):
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            json.loads(answer.read())
            if answer.status == 200:
                taken.append(time.perf_counter() - began)

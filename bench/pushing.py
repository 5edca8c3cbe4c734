"""Pushing alone, with nothing delivered: one by one, and in batches."""

from __future__ import annotations

from collections.abc import Iterator

from bench import programs
from bench.end_to_end import NULL
from bench.figure import Figure, Found, Note, at_least, ratio_at_least
from bench.figures import middle, progress
from bench.programs import Service
from bench.settings import Settings
from bench.wrk import Load, push_body, wrk

#: How long is pushed in each round, to each, seconds.
SECONDS = 2
#: Tasks in a batch, and connections that push them.
BATCH, BATCH_CONNECTIONS = 1000, 2
#: Nothing listens there; nothing is delivered either.
TARGET = "http://127.0.0.1:9/task"


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if a push is refused."""
    nulls, rates, pushes = [], [], 0
    body = push_body(TARGET)
    flags = settings.flags("--start-paused", "yes")
    with (
        programs.program("bench.null_application") as null,
        programs.service(flags) as service,
    ):
        used = service.usage()
        for number in range(1, settings.rounds + 1):
            progress(f"single pushes, round {number} of {settings.rounds}")
            load = wrk(
                null.port, body, seconds=SECONDS, connections=settings.connections
            )
            nulls.append(load.answers / load.seconds)
            accepted, load = _accepted(service, body, connections=settings.connections)
            rates.append(accepted / load.seconds)
            pushes += accepted
        cost = {
            name: (after - used[name]) / pushes * 1e6
            for name, after in service.usage().items()
        }
    yield Figure(
        "pushing.rate",
        "single pushes accepted",
        middle(rates),
        "/s",
        middle(nulls),
        NULL,
        ratio_at_least(1.3),
    )
    yield Figure("pushing.cpu", "processor time per push", sum(cost.values()), "us")
    for name in ("supervisor", "api-1"):
        yield Figure(f"pushing.cpu.{name}", f"  {name}", cost[name], "us")
    yield from _batches(settings, body, middle(rates))


def _batches(settings: Settings, one: str, single: float) -> Iterator[Found]:
    forms = {
        "JSON array": (f"[{','.join([one] * BATCH)}]", "application/json"),
        "NDJSON": ("\n".join([one] * BATCH) + "\n", "application/x-ndjson"),
    }
    for form, (body, content_type) in forms.items():
        progress(f"batches, {form}")
        # A service of its own: what the one before pushed is still in its queue.
        flags = settings.flags("--start-paused", "yes")
        with programs.service(flags) as service:
            if not service.offers("/batch"):
                yield Note("Batches: this version has no POST /batch.")
                return
            used = service.usage()
            accepted, load = _accepted(
                service,
                body,
                connections=BATCH_CONNECTIONS,
                path="/batch",
                content_type=content_type,
            )
            cost = sum(service.usage().values()) - sum(used.values())
        key = form.split()[0].lower()
        yield Figure(
            f"pushing.batch.{key}",
            f"tasks in batches of {BATCH:,}, {form}",
            accepted / load.seconds,
            "/s",
            single,
            "single pushes",
            at_least(50_000),
        )
        micros = cost / accepted * 1e6
        yield Figure(f"pushing.batch.{key}.cpu", "  processor time", micros, "us")


def _accepted(
    service: Service,
    body: str,
    *,
    connections: int,
    path: str = "/",
    content_type: str = "application/json",
) -> tuple[int, Load]:
    """How many tasks more the service has after ``SECONDS`` of that."""
    before: int = service.stats()["accepted"]
    load = wrk(
        service.port,
        body,
        seconds=SECONDS,
        connections=connections,
        path=path,
        content_type=content_type,
    )
    return service.stats()["accepted"] - before, load

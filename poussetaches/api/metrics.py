"""The numbers of ``/stats`` as Prometheus reads them. Runs in the api.

Imported with the first scrape: where nobody asks, nobody pays. What each metric says
stands in ``docs/monitoring/README.md``, too. A label has few values, whatever is
pushed: never a task, never a URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from poussetaches.api.families import (
    Paced,
    Point,
    Rows,
    counters,
    gauge,
    gauges,
    histograms,
)

#: The label of all queues, or origins, that have no numbers of their own: no queue and
#: no origin can be called so.
OTHERS = "(others)"


def render(stats: Mapping[str, Any], accept: str) -> tuple[str, bytes]:
    """Content type and body of the answer to who accepts ``accept``."""
    encode, content_type = _encoder(accept)
    registry = CollectorRegistry()
    registry.register(Numbers(stats))
    return content_type, encode(registry)


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        return choose_encoder(accept)
    except Exception:
        # It takes it for granted that what is accepted is well said.
        return choose_encoder("")


class Numbers(Collector):
    """``stats``: what ``GET /stats`` answers."""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        self._stats = stats
        self._queues: dict[str, Any] = dict(stats["queues"])
        if stats["other_queues"] is not None:
            self._queues[OTHERS] = stats["other_queues"]

    def describe(self) -> list[Metric]:
        """What a registry asks, and uses for names that two collectors might share."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric; other greenlets have their turns in between."""
        for metric in self._all():
            metric.samples = Paced(metric.samples)
            yield metric

    def _all(self) -> Iterator[Metric]:
        yield from self._service()
        yield from self._tasks()
        yield from self._attempts()
        yield from self._origins()
        yield from self._store()
        yield from self._processes()

    def _service(self) -> Iterator[Metric]:
        stats = self._stats
        yield InfoMetricFamily(
            "poussetaches_build", "The version.", {"version": stats["version"]}
        )
        yield gauge(
            "start_time_seconds", "When the service started.", stats["started_at"]
        )
        yield gauge(
            "healthy", "1: due work moves (see /health).", not stats["complaints"]
        )
        yield gauge("ready", "1: pushes may come (see /ready).", not stats["obstacles"])
        yield gauge("paused", "1: no attempt is begun.", stats["paused"])
        yield gauge(
            "accounting_difference",
            "Accepted tasks less those that wait, are in flight or have ended: 0.",
            stats["accounting_difference"],
        )
        yield gauge("workers_ready", "Workers that take tasks.", stats["workers"])
        yield gauge("schedules", "Schedules.", stats["schedules"])
        yield gauge("keys", "Keys of pushes that are known.", stats["keys"])
        yield gauge(
            "memory_estimate_bytes", "What tasks and keys take.", stats["memory"]
        )
        yield gauges(
            "tasks_kept",
            "Tasks that have ended and are kept.",
            ["outcome"],
            (((name,), count) for name, count in stats["kept"].items()),
        )
        yield counters(
            "pushes_refused",
            "Pushes that were refused after they were found valid.",
            ["reason"],
            (((name,), count) for name, count in stats["refused"].items()),
        )

    def _tasks(self) -> Iterator[Metric]:
        queues = self._queues
        yield gauges(
            "tasks",
            "Live tasks.",
            ["queue", "state"],
            (
                ((name, state), queue[state])
                for name, queue in queues.items()
                for state in ("waiting", "in_flight")
            ),
        )
        oldest = self._stats["oldest_due"]
        yield gauge(
            "oldest_due_seconds",
            "For how long the oldest due task has waited; 0: none is due.",
            0.0 if oldest is None else oldest["seconds"],
        )
        own = self._stats["queues"]
        yield gauges(
            "queue_oldest_due_seconds",
            "For how long the oldest due task of a queue has waited; 0: none is due.",
            ["queue"],
            (((name,), queue["oldest_due"] or 0.0) for name, queue in own.items()),
        )
        yield gauges(
            "queue_paused",
            "1: no attempt of that queue is begun.",
            ["queue"],
            (((name,), queue["paused"]) for name, queue in own.items()),
        )
        yield counters(
            "tasks_accepted",
            "Tasks that were accepted.",
            ["queue"],
            (((name,), queue["accepted"]) for name, queue in queues.items()),
        )
        yield counters(
            "tasks_revived",
            "Dead letters that were told to try again.",
            ["queue"],
            (((name,), queue["revived"]) for name, queue in queues.items()),
        )
        yield counters(
            "tasks_ended",
            "Tasks that have ended, by how.",
            ["queue", "outcome"],
            _by(queues, "ended"),
        )

    def _attempts(self) -> Iterator[Metric]:
        queues = self._queues
        yield counters(
            "attempts",
            "Attempts that have ended, by the class of the status.",
            ["queue", "status"],
            _by(queues, "statuses"),
        )
        yield counters(
            "attempt_outcomes",
            "Attempts that have ended, by what they brought.",
            ["queue", "outcome"],
            _by(queues, "attempts"),
        )
        yield counters(
            "outcomes_late",
            "Outcomes that came when their attempt counted as over.",
            [],
            [((), self._stats["attempts"]["late"])],
        )
        for name, key, text in (
            ("attempt_duration", "attempt_seconds", "How long attempts took."),
            (
                "first_attempt_lateness",
                "lateness_seconds",
                "From when a task was due to its first attempt.",
            ),
            (
                "end_to_end",
                "end_to_end_seconds",
                "From when a task was due to its success.",
            ),
        ):
            rows = (((queue,), told[key]) for queue, told in queues.items())
            yield histograms(f"{name}_seconds", text, ["queue"], rows)

    def _origins(self) -> Iterator[Metric]:
        origins = self._stats["origins"]
        told = {**origins, OTHERS: self._stats["other_origins"]}
        yield counters(
            "origin_attempts",
            "Attempts that have ended, by scheme, host and port of their target.",
            ["origin", "outcome"],
            (
                ((name, outcome), one[outcome])
                for name, one in told.items()
                for outcome in ("succeeded", "failed")
            ),
        )
        yield gauges(
            "origin_held",
            "1: the target is away, and what is for it waits.",
            ["origin"],
            (((name,), one["held"]) for name, one in origins.items()),
        )
        yield gauge(
            "origins_held", "Targets that are away.", self._stats["held_origins"]
        )

    def _store(self) -> Iterator[Metric]:
        store = self._stats["store"]
        yield gauge("journal_bytes", "The journal.", store["journal_bytes"])
        yield histograms(
            "sync_duration_seconds",
            "How long the disk took to make the journal durable.",
            [],
            [((), store["syncs"])],
        )
        yield counters(
            "dumps",
            "Dumps, by whether they were written.",
            ["outcome"],
            (((outcome,), count) for outcome, count in store["dumps"].items()),
        )
        for name, key, text in (
            ("duration_seconds", "last_dump_seconds", "How long the last dump took."),
            ("bytes", "dump_bytes", "The size of the last dump."),
            ("timestamp_seconds", "dumped_at", "When the last dump was finished."),
        ):
            value = store[key]
            rows: Rows = [] if value is None else [((), value)]
            yield gauges(f"last_dump_{name}", text, [], rows)

    def _processes(self) -> Iterator[Metric]:
        stats = self._stats
        supervisor, children = stats["supervisor"], stats["children"]
        yield histograms(
            "tick_duration_seconds",
            "How long the supervisor took for what came together.",
            [],
            [((), supervisor["ticks"])],
        )
        everyone = [("supervisor", supervisor)]
        everyone += [(child["name"], child) for child in children]
        yield gauges(
            "process_resident_memory_bytes",
            "Resident memory.",
            ["process"],
            (((name,), one["memory"]) for name, one in everyone),
        )
        yield counters(
            "process_cpu_seconds",
            "Processor time.",
            ["process"],
            (((name,), one["cpu"]) for name, one in everyone),
        )
        yield counters(
            "process_restarts",
            "Processes that took the place of one that ended.",
            ["role"],
            (((role,), count) for role, count in stats["restarts_by_role"].items()),
        )
        workers = {one["name"]: one for one in children if one["role"] == "worker"}
        apis = {one["name"]: one["gauges"] for one in children if one["role"] == "api"}
        for name, text, key in (
            ("worker_slots", "Attempts that a worker makes at once.", "slots"),
            ("worker_slots_in_use", "Attempts that a worker is at.", "in_flight"),
        ):
            yield gauges(name, text, ["process"], _of(workers, key))
        yield gauges(
            "channel_unsent_bytes",
            "What a process has yet to take from the supervisor.",
            ["process"],
            (((one["name"],), one["unsent"]) for one in children),
        )
        for name, text, key in (
            ("api_connections", "Connections that are open.", "connections"),
            ("api_held_bytes", "Requests and answers in memory.", "held"),
        ):
            yield gauges(name, text, ["process"], _of(apis, key))
        yield counters(
            "api_connections_refused",
            "Connections that were turned away because there were too many.",
            ["process"],
            _of(apis, "refused"),
        )


def _by(queues: Mapping[str, Any], key: str) -> Iterator[Point]:
    for name, queue in queues.items():
        for what, count in queue[key].items():
            yield (name, what), count


def _of(told: Mapping[str, Mapping[str, Any]], key: str) -> Iterator[Point]:
    """Of a child that has not said it yet: nothing."""
    for name, one in told.items():
        if key in one:
            yield (name,), one[key]

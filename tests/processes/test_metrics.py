"""What /metrics says of a real service: exact, monotonic, documented, and what the
dashboard and the alerts ask for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.support import monitoring
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

#: By name, without the prefix of all, and labels.
Numbers = dict[str, float]


def scrape(service: Service) -> list[Metric]:
    answer = service.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return list(text_string_to_metric_families(answer.text))


def numbers(metrics: Iterable[Metric]) -> Numbers:
    """As people write them, the labels in order."""
    found = {}
    for sample in [sample for metric in metrics for sample in metric.samples]:
        labels = ",".join(
            f"{name}={sample.labels[name]}" for name in sorted(sample.labels)
        )
        name = sample.name.removeprefix("poussetaches_")
        found[f"{name}{{{labels}}}" if labels else name] = sample.value
    return found


def wait_for(service: Service, expected: Numbers) -> Numbers:
    """All of them, when those that are ``expected`` are there."""
    last: Numbers = {}

    def as_expected() -> bool:
        last.clear()
        last.update(numbers(scrape(service)))
        return last == {**last, **expected}

    wait_until(
        as_expected,
        message=lambda: str({name: last.get(name) for name in expected}),
    )
    return last


def test_the_numbers_are_exact(tmp_path: Path, receiver: Receiver) -> None:
    settings = {"workers": 1, "max_tasks": 5, "dump_interval": "1s"}
    with Service(tmp_path, settings=settings) as service:
        service.request("PUT", "/queue/mail", json={})
        began, target = time.time(), receiver.url("")
        for _ in range(3):
            service.post("/", {"url": receiver.url()})
        once = {"max_retries": 0, "queue": "mail"}
        service.post("/", {"url": receiver.url("/?status=404"), **once})
        wait_for(service, {"tasks_ended_total{outcome=dead,queue=mail}": 1})
        service.post("/", {"url": receiver.url("/?status=500,200"), "backoff": [0.01]})
        wait_for(service, {"tasks_ended_total{outcome=succeeded,queue=default}": 4})
        later = service.post("/", {"url": receiver.url(), "countdown": 3600})
        service.request("DELETE", f"/task/{later.headers['Poussetaches-Task-Id']}")
        for n in range(5):
            service.post("/", {"url": receiver.url(), "countdown": 3600 + n})
        assert service.post("/", {"url": receiver.url()}).status_code == 503
        assert service.post("/", {"url": "nonsense"}).status_code == 400
        found = wait_for(
            service,
            {
                "tasks_accepted_total{queue=default}": 10,
                "tasks_accepted_total{queue=mail}": 1,
                "tasks_ended_total{outcome=succeeded,queue=default}": 4,
                "tasks_ended_total{outcome=succeeded,queue=mail}": 0,
                "tasks_ended_total{outcome=cancelled,queue=default}": 1,
                "tasks_ended_total{outcome=dead,queue=mail}": 1,
                "tasks{queue=default,state=waiting}": 5,
                "tasks{queue=default,state=in_flight}": 0,
                "tasks_kept{outcome=dead}": 1,
                "attempts_total{queue=default,status=2xx}": 4,
                "attempts_total{queue=default,status=5xx}": 1,
                "attempts_total{queue=default,status=none}": 0,
                "attempts_total{queue=mail,status=4xx}": 1,
                "attempt_outcomes_total{outcome=succeeded,queue=default}": 4,
                "attempt_outcomes_total{outcome=failed,queue=default}": 1,
                "attempt_outcomes_total{outcome=failed,queue=mail}": 1,
                "attempt_duration_seconds_count{queue=default}": 5,
                "attempt_duration_seconds_bucket{le=+Inf,queue=default}": 5,
                "first_attempt_lateness_seconds_count{queue=default}": 4,
                "end_to_end_seconds_count{queue=default}": 4,
                "end_to_end_seconds_count{queue=mail}": 0,
                f"origin_attempts_total{{origin={target},outcome=succeeded}}": 4,
                f"origin_attempts_total{{origin={target},outcome=failed}}": 2,
                "pushes_refused_total{reason=queue_full}": 1,
                "pushes_refused_total{reason=store_full}": 0,
                "accounting_difference": 0,
                "oldest_due_seconds": 0,
                "healthy": 1,
                "workers_ready": 1,
                "worker_slots_in_use{process=worker-1}": 0,
                "process_restarts_total{role=worker}": 0,
            },
        )
        assert found["sync_duration_seconds_count"] > 0
        assert found["tick_duration_seconds_count"] > 0
        assert began - 60 < found["start_time_seconds"] < began
        assert 0 < found["end_to_end_seconds_sum{queue=default}"] < 60
        assert found["end_to_end_seconds_bucket{le=3600.0,queue=default}"] == 4
        # A full queue is nothing for who may go elsewhere, and no illness.
        wait_for(service, {"healthy": 1, "ready": 0})
        assert service.get("/ready").status_code == 503
        assert service.get("/health").status_code == 200

        is_what_is_documented(service)
        has_what_is_asked_for(service)


def is_what_is_documented(service: Service) -> None:
    wait_until(lambda: "last_dump_duration_seconds" in numbers(scrape(service)))
    metrics = scrape(service)
    exposed = {}
    for metric in metrics:
        ending = "_total" if metric.type == "counter" else ""
        labels = {name for sample in metric.samples for name in sample.labels}
        exposed[metric.name + ending] = monitoring.Metric(
            metric.type, frozenset(labels - {"le"})
        )
    assert exposed == monitoring.documented()
    assert set(service.get("/stats").json()) == monitoring.keys()

    # In the other format it is the same.
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = service.get("/metrics", headers=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    told = openmetrics.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
    assert set(numbers(told)) == set(numbers(metrics))


def has_what_is_asked_for(service: Service) -> None:
    """Whatever the dashboard and the alerts ask for, and name beside it, is there."""
    series = {"up": monitoring.OF_THE_SCRAPE}
    for metric in scrape(service):
        for sample in metric.samples:
            series[sample.name] = monitoring.OF_THE_SCRAPE | set(sample.labels)
    asked = {**monitoring.rules(), **monitoring.panels()}
    assert len(asked) > 50
    for shown, (expression, labels) in asked.items():
        question = monitoring.Question(expression)
        assert question.uses(), shown
        for name, wanted in question.uses():
            assert name in series, shown
            assert wanted <= series[name], f"{shown}: {name}"
        assert labels <= question.labels(series), shown


def test_the_rules_are_rules() -> None:
    """By Prometheus itself, where it is."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool")
    rules = monitoring.DOCS / "alerts.yml"
    subprocess.run([promtool, "check", "rules", rules], check=True)


def test_counters_go_on_over_workers_and_begin_anew_with_the_service(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        service.post("/", {"url": receiver.url()})
        before = wait_for(
            service, {"tasks_ended_total{outcome=succeeded,queue=default}": 1}
        )
        service.post("/", {"url": receiver.url("/?delay=60")})
        receiver.wait_for(2)
        [worker] = service.children("worker")
        os.kill(worker, signal.SIGKILL)
        receiver.wait_for(3)
        after = wait_for(
            service,
            {
                "process_restarts_total{role=worker}": 1,
                "attempt_outcomes_total{outcome=lost,queue=default}": 1,
                "attempts_total{queue=default,status=none}": 1,
                "tasks{queue=default,state=in_flight}": 1,
            },
        )
        # But for the processor time of a worker that is another one.
        counters = [
            name
            for name in before
            if "_total" in name or "_count" in name or "_bucket" in name
            if "process=worker" not in name
        ]
        assert len(counters) > 50
        assert [name for name in counters if after[name] < before[name]] == []
        assert after["start_time_seconds"] == pytest.approx(
            before["start_time_seconds"], abs=0.1
        )
        receiver.release()
        wait_for(service, {"tasks_ended_total{outcome=succeeded,queue=default}": 2})

        service.restart()
        anew = numbers(scrape(service))
        assert anew["tasks_accepted_total{queue=default}"] == 0
        assert anew["tasks_ended_total{outcome=succeeded,queue=default}"] == 0
        assert anew["start_time_seconds"] > after["start_time_seconds"]
        # What the data directory knows is what it was.
        assert anew["tasks_kept{outcome=succeeded}"] == 2

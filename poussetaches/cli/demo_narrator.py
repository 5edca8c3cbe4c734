"""The demo's narrator: pushes the tasks, and says what happens as it happens."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from poussetaches.cli.demo_application import Application
from poussetaches.cli.demo_stories import (
    LISTS,
    STORIES,
    Delivery,
    History,
    Pushed,
    faults,
)
from poussetaches.cli.inbox import Inbox
from poussetaches.cli.own_service import PAUSE, OwnService
from poussetaches.cli.service import Service
from poussetaches.errors import PousseTachesError

#: How long all stories together may take, seconds. They take eight where the machine
#: has nothing else to do.
STORIES_TIMEOUT = 60.0
#: How long the service may take to note what an attempt brought, seconds.
OUTCOME_TIMEOUT = 5.0
#: Lines of the service's log that are shown when something went wrong.
LOG_LINES = 20


class Narrator:
    """Every method raises Interrupted, and PousseTachesError if the service fails."""

    def __init__(
        self, inbox: Inbox[Delivery], service: OwnService, application: Application
    ) -> None:
        self._inbox = inbox
        self._process = service
        self._service = Service(service.url)
        self._url = service.url
        self._application_url = application.url
        self._history = History()
        #: When the last attempt of each task ended, as last heard from the service.
        self._last_runs: dict[str, int] = {}

    def begin(self) -> None:
        """Wait for the service."""
        self._process.wait_until_ready(1, self._inbox.next)
        click.echo(f"service      {self._url}")
        click.echo(f"its log      {self._process.log_path}")
        click.echo(f"application  {self._application_url}\n")

    def tell_stories(self) -> None:
        """Raises PousseTachesError if anything goes otherwise than told."""
        began = time.monotonic()
        for story in STORIES:
            payload = b64encode(json.dumps(story.payload).encode()).decode()
            target = f"{self._application_url}/task/{story.name}"
            at = time.monotonic()
            id = self._service.push({"url": target, "payload": payload, **story.terms})
            self._history.pushed[story.name] = Pushed(id, at)
            terms = f" with {json.dumps(story.terms)}" if story.terms else ""
            _say(at, story.name, f"pushed{terms}: {story.promise}")
        deadline = began + STORIES_TIMEOUT
        self._tell_until(
            lambda: self._history.is_complete() or time.monotonic() > deadline
        )
        self._compare(time.monotonic() - began)

    def go_on(self) -> None:
        """Tell what happens until the demo is interrupted."""
        push = json.dumps({"url": f"{self._application_url}/yours", "countdown": 5})
        click.echo("\nThe service goes on until Ctrl-C. In another terminal:")
        for line, meaning in (
            (f"curl {self._url}/", "how it is"),
            (f"curl {self._url}/waiting", "what waits: the next run of what recurs"),
            (f"curl {self._url}/dead", "the dead letter, and what it died of"),
            (f"curl {self._url}/ -d '{push}'", "a push of yours"),
        ):
            click.echo(f"  {click.style(line, bold=True)}\n      {meaning}")
        click.echo()
        self._tell_until(lambda: False)

    def _tell_until(self, ended: Callable[[], bool]) -> None:
        while not ended():
            self._process.check()
            delivery = self._inbox.next(timeout=0.5)
            if delivery is not None:
                self._history.deliveries.append(delivery)
                self._tell(delivery)

    def _tell(self, delivery: Delivery) -> None:
        color, outcome = self._outcome(delivery)
        answer = click.style(f"answered {delivery.answered}{outcome}", fg=color)
        _say(delivery.at, delivery.name, f"attempt {delivery.attempt}, {answer}")

    def _outcome(self, delivery: Delivery) -> tuple[str, str]:
        """Its colour, and in words what the service makes of the answer."""
        found = self._wait_for_end(delivery)
        if found is None:
            return "red", ", but the service does not seem to have noticed"
        which, task = found
        self._last_runs[delivery.task_id] = task["last_run"]
        if which == "dead":
            return "red", ": out of attempts, a dead letter now"
        if which == "success":
            following = self._listed("cron", delivery.task_id)
            if following is None:
                return "green", ": done"
            moment = datetime.fromtimestamp(following["next_run"] / 1e9)
            return "green", f": done, the next run is due at {moment:%H:%M:%S}"
        if task["tries"] > delivery.attempt:
            # The next one has begun meanwhile, and how long it waited is not told.
            return "yellow", ""
        wait = (task["next_run"] - task["last_run"]) / 1e9
        return "yellow", f": the next attempt is {wait:.1f} s later"

    def _wait_for_end(self, delivery: Delivery) -> tuple[str, dict[str, Any]] | None:
        """The list and the task in which the end of the attempt shows."""
        id = delivery.task_id
        deadline = time.monotonic() + OUTCOME_TIMEOUT
        while time.monotonic() < deadline:
            for which in ("success", "dead", "waiting"):
                task = self._listed(which, id)
                if task and task["last_run"] > self._last_runs.get(id, 0):
                    return which, task
            time.sleep(PAUSE)
        return None

    def _listed(self, which: str, id: str) -> dict[str, Any] | None:
        tasks = self._service.tasks(which, None)
        return next((task for task in tasks if task["id"] == id), None)

    def _compare(self, seconds: float) -> None:
        """What was told with what happened."""
        history = self._history
        history.lists = {which: [*self._service.tasks(which, None)] for which in LISTS}
        history.stats = self._service.get("/stats")
        found = list(faults(history))
        if found:
            log = self._process.log_tail(LOG_LINES)
            click.echo(f"\nThe end of the service's log:\n{log}", err=True)
            raise PousseTachesError(
                "this went otherwise than told: " + "; ".join(found)
            )
        click.echo()
        click.secho(f"All went as told, in {seconds:.1f} s.", fg="green", bold=True)
        stats = history.stats
        click.echo(
            f"The service counts {stats['accepted']} tasks accepted,"
            f" {stats['succeeded']} succeeded, {stats['dead']} dead,"
            f" {stats['waiting']} waiting."
        )


def _say(at: float, name: str, text: str) -> None:
    """A line about a moment (monotonic seconds)."""
    moment = datetime.fromtimestamp(time.time() - (time.monotonic() - at))
    stamp = click.style(f"{moment:%H:%M:%S}.{moment.microsecond // 100_000}", dim=True)
    click.echo(f"{stamp}  {click.style(f'{name:<12}', bold=True)} {text}")

"""The data directory of the first ancestor: its tasks as ours.

It has ``waiting``, ``success`` and ``dead``, each with a file for a task, named as the
task is. Nothing in it is changed. What cannot be taken over is listed, and copied to
``quarantine`` in our data directory.

**Five fields.** The ancestor read ``*/5 * * * *`` as every five *seconds*, with the day
of the week left out; we read it as every five minutes, as everybody else does. Whoever
adopts a directory wants what ran to go on as it ran (a daily rule would become a
monthly one, or none at all), so such a schedule is adopted as the six fields that mean
what it meant, under the id it had. When the application pushes its five fields again,
the id is the same, so that is the same schedule, and nothing changes (or the push is
refused, if its five fields are no rule here). Once the schedule has been dropped
(``DELETE /cron``) the same push means what five fields mean here; therefore each one is
reported, with what to write instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from poussetaches import archive
from poussetaches.errors import InvalidInput, StoreError
from poussetaches.model.rules import Rules
from poussetaches.model.target import parse_target
from poussetaches.model.task import Schedule, Spec, State, Task, Terms
from poussetaches.schema import FIRST_STATUS, LAST_STATUS
from poussetaches.store.addition import Addition
from poussetaches.store.scan import Step

#: The ancestor's directories, and what its tasks are there.
LISTS = {
    "waiting": State.WAITING,
    "success": State.SUCCEEDED,
    "dead": State.DEAD,
}
#: What the ancestor waits for if nothing else is asked.
DEFAULT_EXPECTED = 200

QUARANTINE = "quarantine"


class Refused(NamedTuple):
    """A file of which nothing could be made."""

    #: The list it is in, and its name there.
    which: str
    name: str
    reason: str


@dataclass
class Survey:
    """What is in an ancestor's directory, and what it is here."""

    addition: Addition
    refused: list[Refused] = field(default_factory=list)
    #: Sentences about what means something else here, each with whom it is about.
    notes: dict[str, list[str]] = field(default_factory=dict)
    #: Succeeded tasks that are more than are kept.
    left_out: int = 0
    #: Tasks that are due already.
    due: int = 0


def survey(
    directory: str, rules: Rules, *, retain_succeeded: int, now: float, step: Step
) -> Survey:
    """Read a directory of the first ancestor. ``now``: posix seconds; ``step`` is told
    of every file.

    Raises StoreError if it is none, OSError if it cannot be listed.
    """
    return _Surveyor(directory, rules, now, step).survey(retain_succeeded)


def file_count(directory: str) -> int:
    """How many files ``survey`` has to read. Raises as it does."""
    return sum(len(os.listdir(path)) for _, path in _lists(directory))


def quarantine(directory: str, refused: list[Refused], home: str) -> None:
    """Copy what was refused to ``home``, where it is not forgotten.

    What cannot be read is left out. Raises OSError.
    """
    for one in refused:
        path = os.path.join(directory, one.which, one.name)
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            continue
        folder = os.path.join(home, one.which)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        shutil.copyfile(path, os.path.join(folder, one.name))
        os.chmod(os.path.join(folder, one.name), 0o600)


class _Surveyor:
    """Gathers what a survey says."""

    def __init__(self, directory: str, rules: Rules, now: float, step: Step) -> None:
        self._directory = directory
        self._rules = rules
        self._now = now
        self._step = step
        self._refused: list[Refused] = []
        self._notes: dict[str, list[str]] = {}
        self._schedules: list[Schedule] = []

    def survey(self, retain_succeeded: int) -> Survey:
        found: dict[State, list[Task]] = {state: [] for state in LISTS.values()}
        ended: set[str] = set()
        for which, path in _lists(self._directory):
            state = LISTS[which]
            for name in sorted(os.listdir(path)):
                try:
                    task = self._read(os.path.join(path, name), name, state, ended)
                except InvalidInput as error:
                    self._refused.append(Refused(which, name, error.message))
                else:
                    found[state] += [] if task is None else [task]
                self._step(1)
            ended.update(task.id for task in found[state])
        live = sorted(found[State.WAITING], key=lambda task: task.eta)
        succeeded = sorted(found[State.SUCCEEDED], key=_last_run)
        dead = sorted(found[State.DEAD], key=_last_run)
        kept = succeeded[max(0, len(succeeded) - retain_succeeded) :]
        tasks = [
            replace(task, order=order)
            for order, task in enumerate([*kept, *dead, *live], start=1)
        ]
        return Survey(
            Addition(self._schedules, tasks),
            self._refused,
            self._notes,
            left_out=len(succeeded) - len(kept),
            due=sum(task.eta <= self._now for task in live),
        )

    def _read(self, path: str, name: str, state: State, ended: set[str]) -> Task | None:
        """The task in a file; None if it is not to be taken over."""
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise InvalidInput(f"cannot be read: {error.strerror}") from error
        task, spec = archive.read_ancestor_file(data, state)
        if task.id != name:
            raise InvalidInput(f"it is named otherwise than the task in it, {task.id}")
        if state is not State.WAITING:
            return self._ended(task, spec)
        if task.schedule:
            return self._run(task, spec)
        if task.id in ended:
            self._note("had ended already, so these are not waiting any more", task.id)
            return None
        sealed = self._sealed(task.id, spec)
        return replace(task, spec=sealed, terms=_terms(spec))

    def _ended(self, task: Task, spec: Spec) -> Task:
        """Nothing is done with it any more, so it may be whatever it is."""
        task.spec = archive.sealed(spec._replace(expected=_expected(spec)))
        if not task.schedule:
            return task
        try:
            return replace(task, schedule=self._translated(task.schedule))
        except InvalidInput:
            return replace(task, schedule="", slot=0.0)

    def _run(self, task: Task, spec: Spec) -> Task:
        """The next run of a schedule; and so the schedule."""
        text = self._translated(task.schedule)
        sealed = self._sealed(task.id, spec)
        if text != task.schedule:
            self._note(self._five_fields(task.schedule, text), task.id)
        terms = _terms(spec)
        self._schedules.append(Schedule(task.id, text, sealed, terms))
        slot = task.slot or task.eta
        return replace(task, spec=sealed, schedule=text, slot=slot, terms=terms)

    def _sealed(self, id: str, spec: Spec) -> bytes:
        """The spec of a task that is to be delivered. Raises InvalidInput."""
        parse_target(spec.url)
        expected = _expected(spec)
        if not FIRST_STATUS <= expected <= LAST_STATUS:
            raise InvalidInput(
                f"expected: {expected} is no status from {FIRST_STATUS} to "
                f"{LAST_STATUS}, so it could never succeed"
            )
        if spec.expected == 0:
            self._note("expected 0 there, which is 200", id)
        if 300 <= expected < 400:
            self._note(
                "expect a redirect: there it was followed, and the status where it led "
                "to had to fit; here it is not, so the redirect itself is success",
                id,
            )
        return archive.sealed(spec._replace(expected=expected))

    def _translated(self, text: str) -> str:
        """A rule that means here what ``text`` meant there. Raises InvalidInput."""
        words = text.split()
        if len(words) == 5:
            text = " ".join([*words, "*"])
        self._rules.check(text)
        return text

    def _five_fields(self, there: str, here: str) -> str:
        goes_on = _moment(self._rules.first(here, self._now))
        try:
            would = _moment(self._rules.first(there, self._now))
            meaning = f"mean minute first, and would run next at {would}"
        except InvalidInput as error:
            meaning = f"mean minute first, and are refused ({error.message})"
        return (
            f'"{there}" had the second first there and goes on so, as "{here}", next '
            f"at {goes_on}; here five fields {meaning}. Have the application push "
            f'"{here}" instead, and drop the old schedule with DELETE /cron'
        )

    def _note(self, sentence: str, id: str) -> None:
        self._notes.setdefault(sentence, []).append(id)


def _lists(directory: str) -> Iterator[tuple[str, str]]:
    """Name and path of those of the ancestor's lists that are there, waiting last."""
    found = [which for which in LISTS if os.path.isdir(os.path.join(directory, which))]
    if not found:
        raise StoreError(
            f"{directory} is no data directory of tsileo/poussetaches: it has none of "
            f"{', '.join(LISTS)}"
        )
    for which in reversed(found):
        yield which, os.path.join(directory, which)


def _terms(spec: Spec) -> Terms:
    """Of a task that is to be delivered."""
    return Terms.of((None, "", parse_target(spec.url).origin_text))


def _expected(spec: Spec) -> int:
    expected = spec.expected or DEFAULT_EXPECTED
    assert isinstance(expected, int)  # the ancestor knows nothing else
    return expected


def _last_run(task: Task) -> float:
    return task.last_run_at


def _moment(instant: float) -> str:
    return datetime.fromtimestamp(instant).isoformat(sep=" ", timespec="seconds")

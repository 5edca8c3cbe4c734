"""What is done to many tasks at once from the page: as the JSON routes do it, one call
after the other, and told how far it came. Runs in the api."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import gevent
from gevent.pool import Pool

from poussetaches.api.clearing import CLEARING_TIME, Clearing
from poussetaches.api.gateway import BREATH, Gateway
from poussetaches.api.web.picked import Picked
from poussetaches.errors import Conflict, InvalidInput, NotFound, Unavailable
from poussetaches.schema import Selection

#: Calls at once: the supervisor makes one write of those that are there together.
AT_ONCE = 16
#: Tasks that are looked for at once.
SOME = 200

#: What can be done to tasks in a state, one after the other.
DEEDS = {
    "waiting": ("run", "cancel"),
    "leased": ("cancel",),
    "dead": ("retry", "delete"),
}
#: To everything that matches: what is not a matter of free workers.
DEEDS_TO_ALL = {"waiting": ("cancel",), "leased": ("cancel",)} | {"dead": DEEDS["dead"]}


class Changed(NamedTuple):
    """How far it came."""

    done: int
    #: Those with which it could not be done: they had changed meanwhile.
    skipped: int = 0
    #: Whether there are more, for which there was no time.
    has_more: bool = False
    #: What kept it from going on.
    error: Unavailable | None = None

    def word(self, past: str) -> str:
        """For ``done.DONE``; ``past``: of what was done."""
        if self.has_more:
            return f"{past}_more"
        return f"{past}_some" if self.skipped else past


def deeds(states: Iterable[str], *, to_all: bool = False) -> list[str]:
    """What can be done to tasks in any of ``states``, once each."""
    table = DEEDS_TO_ALL if to_all else DEEDS
    return list(dict.fromkeys(one for state in states for one in table.get(state, ())))


class Changing:
    """Every method raises what the supervisor says no with, having done nothing."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._clearing = Clearing(gateway)

    def count(self, picked: Picked) -> int:
        """How many tasks are meant."""
        if picked.filter.cause is None:
            return self._gateway.count(picked.states, picked.filter)
        return self._clearing.groups(picked.filter, limit=1, cursor=None).total

    def some(self, deed: str, ids: Sequence[str]) -> Changed:
        """Do it to tasks that are named."""
        if not ids:
            raise InvalidInput("No task is selected.")
        if deed in DEEDS["dead"]:
            return self._clear(deed, Selection(list(ids)))
        acts: dict[str, Callable[[str], Any]] = {
            "run": self._gateway.run,
            "cancel": self._gateway.cancel,
        }
        if deed not in acts:
            raise InvalidInput("There is nothing of that name to be done.")
        return self._each(acts[deed], ids)

    def all(self, deed: str, picked: Picked) -> Changed:
        """Do it to everything that is meant."""
        if any(deed not in DEEDS_TO_ALL.get(one, ()) for one in picked.states):
            raise InvalidInput("That cannot be done to all of these tasks.")
        if deed in DEEDS["dead"]:
            return self._clear(deed, Selection(None, picked.filter))
        return self._cancel_all(picked)

    def _clear(self, deed: str, selection: Selection) -> Changed:
        told = self._clearing.clear(deed, selection)
        has_more = told.cursor is not None
        return Changed(told.done, told.skipped, has_more, told.error)

    def _cancel_all(self, picked: Picked) -> Changed:
        until = time.monotonic() + CLEARING_TIME
        cursor: str | None = None
        done = skipped = 0
        while True:
            views, _, cursor = self._gateway.page(
                picked.states, picked.filter, limit=SOME, cursor=cursor
            )
            some = self._each(self._gateway.cancel, [view.id for view in views])
            done, skipped = done + some.done, skipped + some.skipped
            is_late = time.monotonic() > until
            if cursor is None or is_late or some.error is not None:
                return Changed(done, skipped, cursor is not None, some.error)
            gevent.sleep(BREATH)

    def _each(self, act: Callable[[str], Any], ids: Sequence[str]) -> Changed:
        def attempt(id: str) -> Unavailable | bool:
            try:
                act(id)
            except (Conflict, NotFound):
                return False
            except Unavailable as error:
                return error
            return True

        told = Pool(AT_ONCE).map(attempt, ids)
        error = next((one for one in told if isinstance(one, Unavailable)), None)
        return Changed(told.count(True), told.count(False), False, error)

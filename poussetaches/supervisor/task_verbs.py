"""What the public may ask of one task, by verb: thin, as in ``handlers.py``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from poussetaches.channel.messages import read_submission
from poussetaches.errors import ChannelError
from poussetaches.log import fields
from poussetaches.model import decisions
from poussetaches.model.lookup import find, find_live, find_replaceable
from poussetaches.model.task import Submission, Task
from poussetaches.supervisor.keeper import Keeper

log = logging.getLogger(__name__)

View = tuple[Any, ...]


class TaskVerbs:
    """``view``: what a task is for the public; ``check``: raises ChannelError for what
    no push that was checked becomes."""

    def __init__(
        self,
        keeper: Keeper,
        view: Callable[[Task], View],
        check: Callable[[Submission], None],
    ) -> None:
        self._keeper = keeper
        self._view = view
        self._check = check

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {"task": self._show, "cancel": self._cancel, "replace": self._replace}

    def _show(self, id: str) -> View:
        _check_id(id)
        return self._view(find(self._keeper.queue, id))

    def _cancel(self, id: str) -> View:
        _check_id(id)
        task = find_live(self._keeper.queue, id)
        self._keeper.decide(
            lambda queue, now, policy: decisions.cancel(queue, task, now, policy)
        )
        log.info("cancelled", extra=fields(task=id))
        return self._view(task)

    def _replace(self, id: str, submission: Any) -> View:
        _check_id(id)
        asked = read_submission(submission)
        if asked.schedule:
            raise ChannelError("a schedule in the place of a task")
        self._check(asked)
        task = find_replaceable(self._keeper.queue, id)
        self._keeper.decide(
            lambda queue, now, _: decisions.replace(queue, task, asked, now)
        )
        log.info("replaced", extra=fields(task=id))
        return self._view(task)


def _check_id(id: object) -> None:
    if not isinstance(id, str):
        raise ChannelError(f"a task of the id {id!r:.50}")

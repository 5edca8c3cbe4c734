"""What the supervisor does with each message: a table, and thin handlers.

A handler decides nothing; it asks the keeper, the dispatch or the listing. What it
sends travels after the tick's commit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from poussetaches.channel.messages import (
    Call,
    CannotStart,
    Ended,
    Heartbeat,
    Message,
    Push,
    Ready,
    Reply,
)
from poussetaches.errors import (
    ChannelError,
    IllegalEvent,
    InvalidInput,
    PousseTachesError,
)
from poussetaches.model import listing
from poussetaches.model.decisions import Submission
from poussetaches.model.task import Task
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.stats import Stats

#: The most tasks that a page may have.
LONGEST_PAGE = 1000


class Handlers:
    """Runs in the supervisor's loop, one message at a time."""

    def __init__(self, keeper: Keeper, dispatch: Dispatch, stats: Stats) -> None:
        self._keeper = keeper
        self._dispatch = dispatch
        self._stats = stats
        self._handlers: dict[type[Message], Callable[[Child, Any], None]] = {
            Ready: self._ready,
            CannotStart: self._cannot_start,
            Heartbeat: self._heartbeat,
            Push: self._push,
            Call: self._call,
            Ended: self._ended,
        }
        self._verbs: dict[str, Callable[..., Any]] = {
            "status": self._status,
            "stats": self._everything,
            "page": self._page,
            "pause": keeper.pause,
            "resume": keeper.resume,
            "unschedule": keeper.unschedule,
        }

    def handle(self, child: Child, message: Message) -> None:
        """Do what ``message`` of ``child`` asks. Raises ChannelError if it may not."""
        handler = self._handlers.get(type(message))
        if handler is None:
            raise ChannelError(f"{type(message).__name__} is not for the supervisor")
        handler(child, message)

    # --- any child --------------------------------------------------------------------

    def _ready(self, child: Child, message: Ready) -> None:
        child.ready = True
        child.slots = message.slots

    def _cannot_start(self, child: Child, message: CannotStart) -> None:
        child.reason = message.reason

    def _heartbeat(self, child: Child, message: Heartbeat) -> None:
        child.memory = message.memory
        child.cpu = message.cpu

    # --- workers ----------------------------------------------------------------------

    def _ended(self, child: Child, message: Ended) -> None:
        self._dispatch.ended(child, message)

    # --- api --------------------------------------------------------------------------

    def _push(self, child: Child, message: Push) -> None:
        number = message.number
        submission = Submission(*message[1:])
        try:
            self._keeper.push(submission)
        except IllegalEvent:
            raise  # a bug of ours: ending before the commit is the safe way out
        except PousseTachesError as error:
            child.peer.send(_refusal(number, error))
        else:
            child.peer.send(Reply(number, submission.id))

    def _call(self, child: Child, message: Call) -> None:
        verb = self._verbs.get(message.verb)
        if verb is None:
            raise ChannelError(f"there is no verb {message.verb!r:.50}")
        try:
            value = verb(**message.arguments)
        except IllegalEvent:
            raise  # a bug of ours: ending before the commit is the safe way out
        except PousseTachesError as error:
            child.peer.send(_refusal(message.number, error))
        else:
            child.peer.send(Reply(message.number, value))

    def _status(self) -> dict[str, Any]:
        return self._stats.status(time.monotonic())

    def _everything(self) -> dict[str, Any]:
        return self._stats.everything(time.monotonic())

    def _page(self, which: str, limit: int, cursor: str | None) -> dict[str, Any]:
        queue = self._keeper.queue
        after = None if cursor is None else _position(cursor)
        page = listing.page(queue, which, limit=min(limit, LONGEST_PAGE), after=after)
        following = None if page.cursor is None else "{!r},{}".format(*page.cursor)
        return {
            "tasks": [self._view(task) for task in page.tasks],
            "total": page.total,
            "cursor": following,
        }

    def _view(self, task: Task) -> tuple[Any, ...]:
        """A task for the public, times by the wall clock (see ``schema.TaskView``)."""
        skew = self._keeper.queue.skew
        return (
            task.id,
            task.spec,
            task.schedule,
            self._keeper.wall_slot(task),
            task.eta + skew,
            task.attempts,
            task.last_run_at + skew if task.last_run_at else 0.0,
            task.error,
            task.error_status,
            task.state.value,
        )


def _position(cursor: str) -> listing.Position:
    try:
        eta, order = cursor.split(",")
        position = float(eta), int(order)
        if not math.isfinite(position[0]):
            raise ValueError(eta)
    except ValueError:
        raise InvalidInput("cursor: not one that a page gave", field="cursor") from None
    return position


def _refusal(number: int, error: PousseTachesError) -> Reply:
    retry_after = getattr(error, "retry_after", None)
    return Reply(number, None, (error.code, error.message, error.field, retry_after))

"""What the supervisor does with each message: a table, and thin handlers.

A handler decides nothing; it asks the keeper or the dispatch. What it
sends travels after the tick's commit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from poussetaches.channel.messages import (
    LONGEST_REQUEST_ID,
    LONGEST_SNOOZE,
    MOST_FOLLOW_UPS,
    SHORTEST_SNOOZE,
    Call,
    CannotStart,
    Ended,
    Heartbeat,
    Message,
    Push,
    Ready,
    Reply,
)
from poussetaches.config import Config
from poussetaches.errors import (
    ChannelError,
    IllegalEvent,
    PousseTachesError,
)
from poussetaches.log import about
from poussetaches.model.attempt import TOLD
from poussetaches.model.backoff import Growth
from poussetaches.model.task import NO_ANSWER, Special, Submission, Task
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.dead_verbs import DeadVerbs
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.job_verbs import JobVerbs
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.list_verbs import ListVerbs
from poussetaches.supervisor.origin_verbs import OriginVerbs
from poussetaches.supervisor.queue_verbs import QueueVerbs
from poussetaches.supervisor.schedule_verbs import ScheduleVerbs
from poussetaches.supervisor.stats import Stats
from poussetaches.supervisor.task_verbs import TaskVerbs

#: Characters of a task's id, and of a schedule's, so that no task can have the id of a
#: schedule's run.
TASK_ID, SCHEDULE_ID = 32, 40
#: Seconds: a hundred years, the longest delay that the public may ask for.
LONGEST_DELAY = 100 * 366 * 86_400.0
#: Seconds: posix seconds that the public may name are far less.
LONGEST_MOMENT = 1e11
#: Bytes: far more than a request may have, and yet a lease of it fits into a frame.
LONGEST_SPEC = 128 * 1024 * 1024
#: Bytes of an attempt's error beyond what is kept of an answer: words of a worker.
LONGEST_WORDS = 512
#: Characters of the id that a request has.
LONGEST_REQUEST = 64
#: Numbers that a child may have to say how busy it is.
MOST_GAUGES = 32


class Handlers:
    """Runs in the supervisor's loop, one message at a time.

    A child with a bug in it may send anything. What no sound child would send raises
    ChannelError here, before it gets as far as the queue, and is the end of that child.
    """

    def __init__(
        self,
        keeper: Keeper,
        dispatch: Dispatch,
        stats: Stats,
        config: Config,
        queue_verbs: QueueVerbs,
    ) -> None:
        self._keeper = keeper
        self._dispatch = dispatch
        self._stats = stats
        self._slots = {"worker": range(1, config.slots + 1), "api": range(1)}
        self._longest_error = config.max_response + LONGEST_WORDS
        #: Those that a pulse is to be sent to, by name.
        self._owed: dict[str, Child] = {}
        #: Who may send it, and what is done with it.
        self._handlers: dict[
            type[Message], tuple[tuple[str, ...], Callable[[Child, Any], None]]
        ] = {
            Ready: (("api", "worker"), self._ready),
            CannotStart: (("api", "worker"), self._cannot_start),
            Heartbeat: (("api", "worker"), self._heartbeat),
            Push: (("api",), self._push),
            Call: (("api",), self._call),
            Ended: (("worker",), self._ended),
        }
        self._verbs: dict[str, Callable[..., Any]] = {
            "status": self._status,
            "stats": self._everything,
            "queue_stats": self._queue_stats,
            "history": stats.sampler.show,
            "pause": keeper.pause,
            "resume": keeper.resume,
            **ListVerbs(keeper, self._view).table(),
            **DeadVerbs(keeper).table(),
            **JobVerbs(keeper, self._view).table(),
            **ScheduleVerbs(keeper).table(),
            **queue_verbs.table(),
            **OriginVerbs(keeper).table(),
            **TaskVerbs(keeper, dispatch, self._whole_view, _check_submission).table(),
        }

    def handle(self, child: Child, message: Message) -> None:
        """Do what ``message`` of ``child`` asks. Raises ChannelError if it may not."""
        roles, handler = self._handlers.get(type(message), ((), None))
        if handler is None or child.role not in roles:
            raise ChannelError(
                f"{type(message).__name__} is not for the supervisor to get from"
                f" {child.name}"
            )
        handler(child, message)

    def owe_pulses(self, children: Iterable[Child]) -> None:
        """Something happened that every api among ``children`` should hear of soon."""
        self._owed.update({c.name: c for c in children if c.role == "api"})

    def send_pulses(self, now: float) -> None:
        """Send what is owed. ``now``: monotonic."""
        if self._owed:
            pulse = self._stats.pulse(now)
            for child in self._owed.values():
                child.peer.send(pulse)
            self._owed.clear()

    # --- any child --------------------------------------------------------------------

    def _ready(self, child: Child, message: Ready) -> None:
        if child.ready or message.slots not in self._slots[child.role]:
            raise ChannelError(f"it cannot be ready with {message.slots} slots")
        child.ready = True
        child.slots = message.slots

    def _cannot_start(self, child: Child, message: CannotStart) -> None:
        child.reason = message.reason[:1000]

    def _heartbeat(self, child: Child, message: Heartbeat) -> None:
        if len(message.gauges) > MOST_GAUGES:
            raise ChannelError("its gauges are too many")
        if not 0.0 <= message.cpu < math.inf:
            raise ChannelError(f"it has used {message.cpu!r:.50} s")
        child.memory = message.memory
        child.cpu = message.cpu
        child.gauges = message.gauges
        self.owe_pulses([child])

    # --- workers ----------------------------------------------------------------------

    def _ended(self, child: Child, message: Ended) -> None:
        if (
            not NO_ANSWER <= message.status <= 999
            or not 0.0 <= message.duration < math.inf
            or not 0.0 <= message.retry_after <= LONGEST_DELAY
            or len(message.error) > self._longest_error
            or ((message.unreached or message.unread) and message.status != NO_ANSWER)
            or (message.snooze is not None and not _is_snooze(message))
            or len(message.follow_ups) > (MOST_FOLLOW_UPS if message.ok else 0)
            or not _is_history(message)
            or len(message.result or b"") > self._longest_error
        ):
            raise ChannelError(f"no attempt ends like this: {message!r:.100}")
        if message.follow_ups:
            self._check_submissions(message.follow_ups)
        self._dispatch.ended(child, message)

    # --- api --------------------------------------------------------------------------

    def _push(self, child: Child, message: Push) -> None:
        number = message.number
        self._check_submissions(message.submissions)
        try:
            ids = self._keeper.push(*message.submissions)
        except IllegalEvent:
            raise  # a bug of ours: ending before the commit is the safe way out
        except PousseTachesError as error:
            refused = self._stats.refused
            refused[error.code] = refused.get(error.code, 0) + len(message.submissions)
            child.peer.send(_refusal(number, error))
        else:
            child.peer.send(Reply(number, ids))

    def _check_submissions(self, submissions: Sequence[Submission]) -> None:
        """Raise ChannelError for what no request that was checked becomes."""
        queue = self._keeper.queue
        ids: set[str] = set()
        for submission in submissions:
            _check_submission(submission)
            id = submission.id
            if submission.schedule:
                continue
            if id in queue.tasks or id in queue.schedules or id in ids:
                raise ChannelError(f"a push with the id of another, {id}")
            ids.add(id)

    def _call(self, child: Child, message: Call) -> None:
        verb = self._verbs.get(message.verb)
        if verb is None:
            raise ChannelError(f"there is no verb {message.verb!r:.50}")
        if len(message.request) > LONGEST_REQUEST_ID:
            raise ChannelError(f"a request with the id {message.request!r:.50}...")
        try:
            with about(message.request):
                value = verb(**message.arguments)
        except ChannelError:
            raise  # nonsense: no answer of ours would mean anything to who sent it
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

    def _queue_stats(self, after: str) -> tuple[Any, ...]:
        if not isinstance(after, str):
            raise ChannelError(f"the numbers of queues after {after!r:.50}")
        return self._stats.queues(after)

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
            task.terms,
        )

    def _whole_view(self, task: Task) -> tuple[Any, ...]:
        """The same with what has become of it so far (see ``schema.History``)."""
        skew = self._keeper.queue.skew
        history = (
            task.pushed_at + skew if task.pushed_at else 0.0,
            [one.moved(skew) for one in task.past],
            task.dropped,
            task.leased_at + skew if task.leased_at else 0.0,
            task.worker,
        )
        return (*self._view(task), history)


def _check_submission(submission: Submission) -> None:
    id, spec, delay, schedule, terms = submission
    if terms.special is not None and not _is_sound(terms.special, schedule):
        raise ChannelError(f"a push with the terms {terms!r:.100}")
    if not abs(delay) <= LONGEST_DELAY:
        raise ChannelError(f"a push with a delay of {delay!r:.50}")
    if len(spec) > LONGEST_SPEC:
        raise ChannelError(f"a push of {len(spec)} bytes")
    if len(id) != (SCHEDULE_ID if schedule else TASK_ID):
        raise ChannelError(f"a push with the id {id!r:.50}")


def _is_sound(special: Special, schedule: str) -> bool:
    """Whether its numbers are any: one that is none would be before and after all. And
    whether the runs of a ``schedule`` do not all expire at one moment: one after the
    other, without an end."""
    if schedule and special.expires is not None:
        return False
    growth = special.growth or Growth(0.0)
    moments = (special.eta, special.expires, special.timeout, growth.least, growth.most)
    given = [one for one in (*moments, *special.waits) if one is not None]
    return all(abs(one) <= LONGEST_MOMENT for one in given)


def _is_snooze(message: Ended) -> bool:
    """Whether the snooze that it asks for is one."""
    assert message.snooze is not None
    ends = message.ok or message.final
    return not ends and SHORTEST_SNOOZE <= message.snooze <= LONGEST_SNOOZE


def _is_history(message: Ended) -> bool:
    """Whether what is to be remembered of it beside its error is sound."""
    if len(message.request) > LONGEST_REQUEST:
        return False
    if message.ok:
        return not message.kind
    return message.result is None and message.kind in TOLD


def _refusal(number: int, error: PousseTachesError) -> Reply:
    retry_after = getattr(error, "retry_after", None)
    return Reply(number, None, (error.code, error.message, error.field, retry_after))

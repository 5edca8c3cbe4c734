"""A state machine of what a push may ask for and a queue may limit, in any order.

As in ``machine.py`` a ledger goes beside the queue that knows only what the events say,
and says on its own what may be leased. Targets in trouble are in ``test_outages.py``.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from poussetaches.errors import Conflict
from poussetaches.model import decisions, endings, recurrence, revival
from poussetaches.model.backoff import Backoff, Growth
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Deferred,
    Died,
    Event,
    Expired,
    Failed,
    Leased,
    Pushed,
    QueueSet,
    Replaced,
    Revived,
    Succeeded,
)
from poussetaches.model.limiter import UNITS
from poussetaches.model.line import position
from poussetaches.model.lookup import find_runnable
from poussetaches.model.named_queue import REST
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, State, Submission, Task, Terms
from poussetaches.model.why import Service, why
from tests.support.queues import NOW, POLICY, apply, ranked, reloaded, state

QUEUES = ["default", "q1", "q2"]
NAMES = st.sampled_from(QUEUES)
ORIGINS = st.sampled_from(["http://a:80", "http://b:80"])
GROUPS = st.sampled_from(["", "", "g1", "g2"])
KEYS = st.sampled_from(["", "", "", "k1", "k2"])
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "concurrency": st.sampled_from([1, 2]),
        "rate": st.sampled_from([(2.0, "s"), (21.5, "m"), (7.0, "h")]),
        "burst": st.sampled_from([1, 2, 5]),
        "retry_limit": st.sampled_from([0, 1, 5, -1]),
        "backoff": st.sampled_from([(2.0, 30.0, 2), (0.0, 0.0, None)]),
    },
)
PAUSED = st.sampled_from([{}, {}, {"paused": True}])
SETTINGS = st.builds(operator.or_, LIMITS, PAUSED)
SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.8, 10.0, 60.0, 600.0, 4000.0])
STEPS = st.sampled_from([-3600.0, -7.0, -0.5, 0.5, 7.0, 3600.0])
#: From the wall clock of the push; none: it asks for no such moment.
MOMENTS = st.sampled_from([None, None, None, -1.0, 0.0, 0.5, 5.0, 60.0, 3600.0])
SPECIALS = st.fixed_dictionaries(
    {"group": GROUPS},
    optional={
        "waits": st.just((1.0, 4.0)),
        "growth": st.just(Growth(1.0, 8.0, 1)),
        "roll_back": st.just("http://b:80/rolled-back"),
        "on_success": st.just("http://b:80/succeeded"),
    },
)
OUTCOMES = st.sampled_from(
    [
        Outcome(True, 200, b""),
        Outcome(True, 200, b""),
        Outcome(False, 500, b"no"),
        Outcome(False, 500, b"later", retry_after=30.0),
        Outcome(False, 500, b"dead", final=True),
        Outcome(False, 202, b"", snooze=3.0),
    ]
)
BACKOFF = Backoff((1.0, 60.0))
PICKS = st.integers(0, 99)
#: Which attempts end as what, each time that something has begun.
ROUNDS = st.lists(
    st.lists(st.tuples(PICKS, OUTCOMES), min_size=1, max_size=4), min_size=2, max_size=8
)
#: The key of the follow-ups of a success: none, any, or one that may be known.
CHAINS = st.sampled_from(["", "", "x", "k1"])


@dataclass
class Entry:
    """What the ledger knows of one live task."""

    terms: Terms
    eta: float
    #: Its place among equal etas, and in its group.
    order: int
    place: int
    attempts: int = 0
    is_leased: bool = False
    #: Its eta is a moment of the wall clock.
    is_named: bool = False

    @property
    def special(self) -> Special:
        return self.terms.special or Special()


@dataclass
class Meter:
    """What a queue has let begin, and how much its rate has allowed by then."""

    settings: dict[str, Any] = field(default_factory=dict)
    allowed: float = 0.0
    since: float = NOW
    #: What was allowed at each beginning since there is a rate.
    begun: list[float] = field(default_factory=list)

    def move(self, now: float) -> None:
        """Time passes."""
        if rate := self.settings.get("rate"):
            attempts, unit = rate
            self.allowed += (now - self.since) * attempts / UNITS[unit]
        self.since = now

    def become(self, settings: dict[str, Any], now: float) -> None:
        """The queue is another from now on."""
        self.move(now)
        self.settings = settings
        if "rate" not in settings:
            self.begun.clear()

    def begin(self, now: float, *, out_of_turn: bool) -> None:
        """An attempt begins: whatever window ends with it has no more than it may;
        unless it is ``out_of_turn``, then those that follow wait the longer."""
        self.move(now)
        if "rate" not in self.settings:
            return
        self.begun.append(self.allowed)
        if out_of_turn:
            return
        burst = self.settings.get("burst", 1)
        count = len(self.begun)
        for number, allowed in enumerate(self.begun):
            most = burst + self.allowed - allowed
            assert count - number <= most + 1e-3, "more than its rate in a window"


class LimitsMachine(RuleBasedStateMachine):
    """Runs decisions and applies them, on a timeline that the rules move."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = self.new_queue()
        self.policy: Policy = POLICY._replace(backoff=BACKOFF)
        self.now = NOW
        self.live: dict[str, Entry] = {}
        self.meters = {name: Meter() for name in QUEUES}
        self.ended = dict.fromkeys(State, 0)
        self.dead: dict[str, Entry] = {}
        #: What begins now was asked for, whatever its limits are.
        self.out_of_turn = False
        self.accepted = 0
        self.orders = 0
        self.pushes = 0
        #: What has happened since ``base``, the queue as it was loaded last.
        self.history: list[Event] = []
        self.base = copy.deepcopy(self.queue)
        for name in QUEUES:
            self.happen([QueueSet(name, self.now, {}, {})])

    @staticmethod
    def new_queue() -> TaskQueue:
        return TaskQueue(retain_succeeded=3, key_ttl=100.0)

    # --- the ledger -------------------------------------------------------------------

    def decide(
        self, decision: Callable[..., list[Event]], *arguments: Any
    ) -> list[Event]:
        before = state(self.queue)
        events = decision(self.queue, *arguments)
        assert state(self.queue) == before, "a decision changed something"
        self.happen(events)
        return events

    def happen(self, events: list[Event]) -> None:
        for event in events:
            self.take(event)
            self.queue.apply(event)
        self.history += events

    def take(self, event: Event) -> None:
        """Write ``event`` down. AssertionError if it breaks a promise."""
        if isinstance(event, Pushed):
            self.accepted += 1
            self.live[event.id] = Entry(event.terms, event.eta, 0, 0)
            self.wait(event.id, event.eta, joins=True)
        elif isinstance(event, Replaced):
            entry = self.live[event.id]
            joins = (event.terms.special or Special()).group != entry.special.group
            entry.terms = event.terms
            if joins:
                self.live[event.id] = self.live.pop(event.id)
            self.wait(event.id, event.eta, joins=joins)
        elif isinstance(event, Leased):
            self.lease_is_allowed(event)
            self.live[event.id].is_leased = True
            self.live[event.id].attempts += 1
            meter = self.meters[self.live[event.id].terms.queue]
            meter.begin(event.at, out_of_turn=self.out_of_turn)
        elif isinstance(event, Revived):
            entry = self.dead.pop(event.id)
            self.ended[State.DEAD] -= 1
            entry.attempts, entry.is_leased = 0, False
            key = entry.terms.key
            if key and self.queue.keys.known(key, event.at) not in (None, event.id):
                entry.terms = entry.terms._replace(key="")
            self.live[event.id] = entry
            self.wait(event.id, event.eta, joins=True)
        elif isinstance(event, (Failed, Deferred)):
            entry = self.live[event.id]
            assert entry.is_leased
            assert event.attempt == entry.attempts
            assert event.eta >= event.at
            entry.is_leased = False
            entry.attempts -= isinstance(event, Deferred)
            self.wait(event.id, event.eta)
        elif isinstance(event, (Succeeded, Died, Expired, Cancelled)):
            entry = self.live.pop(event.id)
            is_attempt = isinstance(event, (Succeeded, Died))
            assert entry.is_leased >= is_attempt
            assert not (entry.is_leased and isinstance(event, Expired))
            self.ended[ENDINGS[type(event)]] += 1
            if isinstance(event, Died):
                self.dead[event.id] = entry
        elif isinstance(event, QueueSet):
            settings = {**(event.configured or {}), **event.changed}
            self.meters[event.name].become(settings, event.at)
        else:
            assert isinstance(event, ClockStepped)
            for entry in self.live.values():
                if entry.is_named and not entry.is_leased:
                    assert entry.special.eta is not None
                    entry.eta = entry.special.eta - event.skew
                    self.orders += 1
                    entry.order = self.orders

    def wait(self, id: str, eta: float, *, joins: bool = False) -> None:
        """A task waits from now on for ``eta``."""
        entry, wall = self.live[id], self.live[id].special.eta
        self.orders += 1
        entry.eta, entry.order = eta, self.orders
        entry.place = self.orders if joins else entry.place
        entry.is_named = wall is not None and eta == wall - self.queue.skew

    def in_flight(self, **wanted: str) -> int:
        """How many attempts are under way of that queue, or that origin."""
        return sum(
            entry.is_leased
            and all(
                getattr(entry.terms, name) == value for name, value in wanted.items()
            )
            for entry in self.live.values()
        )

    def is_behind(self, id: str) -> bool:
        """Whether another one of its group comes first."""
        entry = self.live[id]
        return bool(entry.special.group) and any(
            other.special.group == entry.special.group and other.place < entry.place
            for other in self.live.values()
        )

    def lease_is_allowed(self, event: Leased) -> None:
        entry = self.live[event.id]
        settings = self.meters[entry.terms.queue].settings
        assert not entry.is_leased, "leased twice"
        assert event.attempt == entry.attempts + 1
        assert not self.is_behind(event.id), "two of a group, or out of order"
        wall = event.at + self.queue.skew
        if entry.special.expires is not None:
            assert wall < entry.special.expires, "delivered late"
        if self.out_of_turn:
            return
        assert not settings.get("paused"), "leased while paused"
        assert event.at >= entry.eta, "leased before its time"
        if entry.is_named:
            assert entry.special.eta is not None
            assert wall >= entry.special.eta - 1e-6, "leased before its eta"
        most = settings.get("concurrency")
        assert most is None or self.in_flight(queue=entry.terms.queue) < most

    def able(self, free: int) -> dict[str, list[tuple[float, int, str]]]:
        """By queue, those that may be leased now, except for what its rate says."""
        found: dict[str, list[tuple[float, int, str]]] = {}
        for id, entry in self.live.items():
            name = entry.terms.queue
            settings = self.meters[name].settings
            most = settings.get("concurrency", len(self.live))
            if (
                not entry.is_leased
                and entry.eta <= self.now
                and not settings.get("paused")
                and self.in_flight(queue=name) < most
                and REST * self.in_flight(origin=entry.terms.origin) < free
                and not self.is_behind(id)
            ):
                found.setdefault(name, []).append((entry.eta, entry.order, id))
        return found

    # --- rules ------------------------------------------------------------------------

    @initialize(settings=st.tuples(LIMITS, LIMITS, LIMITS))
    def begin_with(self, settings: tuple[dict[str, Any], ...]) -> None:
        for name, one in zip(QUEUES, settings, strict=True):
            self.set_queue(name, one)

    @rule(seconds=SECONDS)
    def tick(self, seconds: float) -> None:
        self.now += seconds

    def sleep(self) -> None:
        """As the supervisor does: until there is something to do, and no longer."""
        due_at = self.queue.turns.due_at(1000)
        if self.now < due_at < float("inf"):
            # Which is that, if they are as near as numbers can be.
            if (before := (self.now + due_at) / 2) < due_at:
                assert self.queue.turns.next(before, 1000) is None
            self.now = due_at
            assert self.queue.turns.next(due_at, 1000) is not None

    @rule(seconds=STEPS)
    def step_clock(self, seconds: float) -> None:
        skew = self.queue.skew + seconds
        self.decide(recurrence.step_clock, skew, self.now, self.policy.rules)

    @rule(name=NAMES, settings=SETTINGS)
    def set_queue(self, name: str, settings: dict[str, Any]) -> None:
        self.happen([QueueSet(name, self.now, {}, settings)])

    def submission(
        self,
        queue: str,
        origin: str,
        key: str,
        moments: tuple[float | None, float | None],
        given: dict[str, Any],
    ) -> Submission:
        self.pushes += 1
        wall = self.now + self.queue.skew
        eta, expires = (None if one is None else wall + one for one in moments)
        special = Special(eta, expires, **given)
        terms = Terms(None, key, origin, queue, special)
        return Submission(f"t{self.pushes}", b"spec", terms=Terms.of(terms))

    @rule(
        queue=NAMES,
        origin=ORIGINS,
        key=KEYS,
        moments=st.tuples(MOMENTS, MOMENTS),
        given=SPECIALS,
        count=st.sampled_from([1, 3, 6]),
    )
    def push(
        self,
        queue: str,
        origin: str,
        key: str,
        moments: tuple[float | None, float | None],
        given: dict[str, Any],
        count: int,
    ) -> None:
        asked = [
            self.submission(queue, origin, key, moments, given) for _ in range(count)
        ]
        known = self.queue.keys.known(key, self.now) if key else None
        ids = decisions.push_all(self.queue, asked, self.now, self.policy).ids
        events = self.decide(
            lambda q: decisions.push_all(q, asked, self.now, self.policy).events
        )
        first = known or asked[0].id
        assert ids == ([first] * count if key else [one.id for one in asked])
        assert len(events) == (0 if known else 1 if key else count)

    @rule(
        pick=PICKS,
        queue=NAMES,
        origin=ORIGINS,
        moments=st.tuples(MOMENTS, MOMENTS),
        given=SPECIALS,
    )
    def replace(
        self,
        pick: int,
        queue: str,
        origin: str,
        moments: tuple[float | None, float | None],
        given: dict[str, Any],
    ) -> None:
        waiting = [id for id, entry in self.live.items() if not entry.is_leased]
        if waiting:
            task = self.queue.tasks[waiting[pick % len(waiting)]]
            asked = self.submission(queue, origin, task.terms.key, moments, given)
            self.decide(decisions.replace, task, asked, self.now)

    @rule(pick=PICKS, is_lost=st.booleans())
    @precondition(lambda self: self.live)
    def meddle(self, pick: int, is_lost: bool) -> None:
        """Somebody cancels a task, or its worker is gone."""
        if is_lost and self.queue.leased:
            args = (self.pick_leased(pick), "gone", self.now, 0.5, self.policy)
            self.decide(endings.lose, *args)
            return
        task = self.queue.tasks[list(self.live)[pick % len(self.live)]]
        self.decide(decisions.cancel, task, self.now, self.policy)

    @rule(picks=st.lists(PICKS, min_size=1, max_size=6))
    @precondition(lambda self: self.queue.waiting)
    def run_by_hand(self, picks: list[int]) -> None:
        """Somebody wants tasks to begin now, past their limits."""
        for pick in picks:
            self.expire()
            waiting = [id for id, entry in self.live.items() if not entry.is_leased]
            if not waiting:
                return
            id = waiting[pick % len(waiting)]
            if self.is_behind(id):
                with pytest.raises(Conflict, match="of its group comes first"):
                    find_runnable(self.queue, id, self.now)
                continue
            task = find_runnable(self.queue, id, self.now)
            self.out_of_turn = True
            self.happen([Leased(id, self.now, task.attempts + 1, 1)])
            self.out_of_turn = False

    @rule(picks=st.lists(PICKS, min_size=1, max_size=6))
    @precondition(lambda self: self.dead)
    def retry(self, picks: list[int]) -> None:
        """Somebody wants dead letters to be tried again."""
        for pick in picks[: len(self.dead)]:
            id = [*self.dead][pick % len(self.dead)]
            task, expires = self.queue.dead[id], self.dead[id].special.expires
            args = (task, "x", self.now, self.policy)
            if expires is not None and expires <= self.now + self.queue.skew:
                with pytest.raises(Conflict, match="expired"):
                    revival.retry(self.queue, *args)
                continue
            self.decide(revival.retry, *args)
            assert self.queue.tasks[id] is task
            assert (task.eta, task.attempts) == (self.now, 0)

    def lease(self, most: int, slots: int) -> None:
        for _ in range(most):
            self.expire()
            free = max(slots - len(self.queue.leased), 0)
            able = self.able(free)
            event = decisions.lease(self.queue, self.now, free) if free else None
            if event is None:
                for name in able if free else ():
                    limiter = self.queue.turns.queues[name].limiter
                    assert limiter is not None, "nobody keeps it, and it is kept"
                    assert limiter.opens_at > self.now
                return
            queue = self.live[event.id].terms.queue
            assert min(able[queue])[2] == event.id, "not the first of its queue"
            self.happen([event])

    @rule(most=st.sampled_from([1, 3, 20]), slots=st.sampled_from([1, 4, 40, 1000]))
    def begin_some(self, most: int, slots: int) -> None:
        self.lease(most, slots)

    @rule(rounds=ROUNDS, chain=CHAINS, waits=st.booleans())
    def work(
        self, rounds: list[list[tuple[int, Outcome]]], chain: str, waits: bool
    ) -> None:
        """What the service does most: what is due begins, some of it ends, and so on
        when more is due."""
        for ends in rounds:
            self.lease(20, 1000)
            for pick, outcome in ends:
                if self.queue.leased:
                    self.conclude(pick, outcome, chain)
            if waits:
                self.sleep()

    @rule(rounds=ROUNDS, chain=CHAINS)
    @precondition(lambda self: self.live)
    def work_on(self, rounds: list[list[tuple[int, Outcome]]], chain: str) -> None:
        self.work(rounds, chain, True)

    def expire(self) -> None:
        """What the supervisor does before it leases."""
        while ids := self.queue.turns.expiries.due(self.now + self.queue.skew, 500):
            events = self.decide(endings.expire, ids, self.now, self.policy)
            for event in events:
                assert isinstance(event, (Expired, Pushed))
        wall = self.now + self.queue.skew
        for entry in self.live.values():
            expires = entry.special.expires
            assert entry.is_leased or expires is None or expires > wall

    def conclude(self, pick: int, outcome: Outcome, chain: str) -> None:
        task = self.pick_leased(pick)
        entry = self.live[task.id]
        known = chain.startswith("k") and self.queue.keys.known(chain, self.now)
        if outcome.ok and chain:
            key = chain if chain.startswith("k") else ""
            following = [
                self.submission("q1", "http://a:80", key, (None, None), {})
                for _ in range(2)
            ]
            outcome = outcome._replace(follow_ups=following)
        args = (task, outcome, self.now, 0.5, self.policy)
        events = self.decide(endings.conclude, *args)
        first, *others = events
        assert isinstance(first, (Succeeded, Failed, Deferred, Died))
        assert isinstance(first, Deferred) == (outcome.snooze is not None)
        assert isinstance(first, Succeeded) == outcome.ok
        pushed = [event.id for event in others if isinstance(event, Pushed)]
        wanted = 0
        if outcome.ok and chain:
            wanted += 2 if chain == "x" else 0 if known else 1
        if outcome.ok:
            wanted += bool(entry.special.on_success)
        elif any(isinstance(event, (Died, Expired)) for event in events):
            wanted += bool(entry.special.roll_back)
        assert len(pushed) == wanted
        if isinstance(first, Failed):
            self.eta_is_kept(task, entry, outcome, first.eta - self.now)

    def eta_is_kept(
        self, task: Task, entry: Entry, outcome: Outcome, wait: float
    ) -> None:
        """The wait is what the task asked for, or its queue, or the service."""
        settings, special = self.meters[entry.terms.queue].settings, entry.special
        waits = special.waits or BACKOFF.waits
        expected = waits[min(entry.attempts, len(waits)) - 1]
        growth = special.growth
        if growth is None and "backoff" in settings:
            growth = Growth(*settings["backoff"])
        if growth is not None and not special.waits:
            expected = growth.wait(entry.attempts)
        assert abs(wait - max(expected, outcome.retry_after)) < 1e-5

    @rule(seconds=SECONDS, hands_back=st.booleans(), dumped=st.booleans())
    def restart(self, seconds: float, hands_back: bool, dumped: bool) -> None:
        """The service starts from its journal, or from a dump; ``hands_back``: where
        there is room for it, see ``Keeper.recover``."""
        if dumped:
            again = reloaded(self.queue, self.new_queue())
            assert ranked(again) == ranked(self.queue)
            self.base = copy.deepcopy(again)
            self.history = []
        else:
            again = copy.deepcopy(self.base)
            apply(again, self.history)
            assert state(again) == state(self.queue)
        self.queue = again
        self.now += seconds
        for task in [*self.queue.leased.values()] if hands_back else ():
            self.decide(endings.hand_back, task, self.now, self.policy)

    def pick_leased(self, pick: int) -> Task:
        return list(self.queue.leased.values())[pick % len(self.queue.leased)]

    # --- always -----------------------------------------------------------------------

    @invariant()
    def what_is_said_to_be_next_is_so(self) -> None:
        queue, now = self.queue, self.now
        for slots in (2, 1000):
            free = slots - len(queue.leased)
            service = Service(slots, free)
            told = {
                id: {reason.code for reason in why(queue, task, now, service).reasons}
                for id, task in queue.tasks.items()
            }
            assert all(told.values())
            coming = queue.turns.next(now, free) if free > 0 else None
            assert coming is None or told[coming.id] == {"next"}
            for id, codes in told.items():
                task = queue.tasks[id]
                one = queue.turns.queues[task.terms.queue]
                assert ("in_flight" in codes) == (task.state is State.LEASED)
                assert ("group" in codes) == (
                    task.state is State.WAITING and self.is_behind(id)
                )
                if codes == {"next"}:
                    assert one.first(free) is task
                if codes <= {"next", "behind"}:
                    first = one.first(free)
                    assert first is not None, "nothing keeps it, and nothing comes"
                    assert first.eta <= now
                    assert one.opens_at <= now

    @invariant()
    def what_was_accepted_is_there_or_has_ended(self) -> None:
        counts = self.queue.counts
        assert self.queue.difference() == 0
        assert counts.accepted == self.accepted
        assert self.accepted == len(self.live) + sum(self.ended.values())
        for name in ("succeeded", "dead", "expired", "cancelled"):
            assert getattr(counts, name) == self.ended[State(name)]

    @invariant()
    def the_queue_is_as_the_events_say(self) -> None:
        queue = self.queue
        assert queue.tasks.keys() == self.live.keys()
        for id, entry in self.live.items():
            task = queue.tasks[id]
            assert (task.eta, task.attempts, task.state is State.LEASED) == (
                entry.eta,
                entry.attempts,
                entry.is_leased,
            )
        waiting = [t for t in queue.tasks.values() if t.state is State.WAITING]
        assert queue.turns.first() is min(waiting, key=position, default=None)
        for name, one in queue.turns.queues.items():
            assert one.in_flight == self.in_flight(queue=name)
            tasks = [t for t in queue.tasks.values() if t.terms.queue == name]
            assert one.waiting == len(tasks) - one.in_flight
        for name, origin in queue.turns.origins.items():
            assert origin.in_flight == self.in_flight(origin=name)


ENDINGS: dict[type[Event], State] = {
    Succeeded: State.SUCCEEDED,
    Died: State.DEAD,
    Expired: State.EXPIRED,
    Cancelled: State.CANCELLED,
}

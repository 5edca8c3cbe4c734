"""What a child may say, and that whatever else it says is the end of nobody but it."""

from __future__ import annotations

import math
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import msgpack
import pytest

from poussetaches import usage
from poussetaches.channel.frames import LENGTH, join_frames
from poussetaches.channel.messages import (
    Call,
    CannotStart,
    Configure,
    Ended,
    Heartbeat,
    Lease,
    Message,
    MessageReader,
    Pulse,
    Push,
    Ready,
    Reply,
    Stop,
    encode,
    pack,
)
from poussetaches.channel.server import Peer
from poussetaches.config import Config
from poussetaches.errors import IllegalEvent
from poussetaches.model.backoff import Growth
from poussetaches.model.events import Scheduled
from poussetaches.model.filter import ALL
from poussetaches.model.named_queue import SHARES
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, State, Submission, Terms
from poussetaches.store.disk import Store
from poussetaches.supervisor import handlers
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.loop import Supervisor
from poussetaches.supervisor.queue_keeper import QueueKeeper
from poussetaches.supervisor.reload import Reload
from tests.supervisor.test_keeper import POLICY
from tests.support.scale import times

#: No process of a child is needed, only its number.
PROCESS: Any = SimpleNamespace(pid=1)
TASK = "a" * 32
SCHEDULE = "b" * 40
MONTHLY = "0 0 1 * *"


class House:
    """A supervisor and its children, of which a test plays the other ends."""

    restarts: ClassVar = {"api": 0}

    def __init__(self, directory: Path) -> None:
        queue = TaskQueue()
        self.store, _ = Store.open(str(directory), "off", queue, patience=0.0)
        self.keeper = Keeper(
            queue, self.store, Clock(0.0), POLICY, slots=4, end_room=10_000
        )
        self.living: list[Child] = []
        self.theirs: dict[str, socket.socket] = {}
        self._signals, self._other = socket.socketpair()
        children: Any = self
        signals: Any = self._signals
        config = Config(concurrency=4, max_response=1000)
        queues = QueueKeeper(self.keeper)
        reload = Reload(lambda: config, config, queues)
        self.supervisor = Supervisor(
            config, self.keeper, children, signals, queues, reload
        )

    def close(self) -> None:
        for child in [*self.living]:
            self.part_with(child)
        self.supervisor._selector.close()
        self._signals.close()
        self._other.close()
        self.store.close()

    def add(self, role: str, index: int = 1) -> Child:
        """A child that has not said anything yet."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        child = Child(role, index, PROCESS, Peer(ours), 0.0, 0.0)
        self.theirs[child.name] = theirs
        self.living.append(child)
        self.supervisor._selector.register(child.peer, 1, child)
        return child

    def say(self, child: Child, data: bytes) -> bool:
        """Have the supervisor hear ``data``; whether it goes on with that child."""
        self.theirs[child.name].sendall(data)
        self.supervisor._receive(child)
        return child in self

    def answers(self, child: Child) -> list[Message]:
        """What the supervisor sends to that child now."""
        self.supervisor._tick(0.0)
        try:
            return MessageReader().feed(self.theirs[child.name].recv(1_000_000))
        except BlockingIOError:
            return []

    # --- what a supervisor asks of its children ---------------------------------------

    def __iter__(self) -> Iterator[Child]:
        return iter([*self.living])

    def __contains__(self, child: Child) -> bool:
        return any(one is child for one in self.living)

    def workers(self) -> list[Child]:
        return [one for one in self.living if one.role == "worker" and one.ready]

    def complete(self) -> bool:
        return False

    def fill(self, now: float) -> list[Child]:
        return []

    silent = reap = fill

    def next_deadline(self) -> float:
        return math.inf

    def part_with(self, child: Child) -> None:
        self.living = [one for one in self.living if one is not child]
        child.peer.close()
        self.theirs.pop(child.name).close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture
def api(house: House) -> Child:
    api = house.add("api")
    assert house.say(api, encode([Ready(0)]))
    return api


@pytest.fixture
def worker(house: House) -> Child:
    worker = house.add("worker")
    assert house.say(worker, encode([Ready(4)]))
    return worker


def push(id: str = TASK, delay: float = 0.0, schedule: str = "") -> Push:
    return Push(1, [Submission(id, b"spec", delay, schedule)])


def page(**arguments: Any) -> Call:
    sound = {"lists": ["waiting"], "filter": ALL, "limit": 10, "cursor": None}
    return Call(1, "page", sound | arguments)


def count(**arguments: Any) -> Call:
    sound = {"lists": ["waiting"], "filter": ALL, "cursor": None}
    return Call(1, "count", sound | arguments)


def follow_up(id: str = "f" * 32, delay: float = 0.0) -> Submission:
    return Submission(id, b"spec", delay)


# --- what sound children say --------------------------------------------------------


def test_pushes_leases_and_outcomes(house: House, api: Child, worker: Child) -> None:
    assert house.say(api, encode([push(), push(SCHEDULE, 0.0, MONTHLY)]))
    assert house.answers(api) == [Reply(1, [TASK]), Reply(1, [SCHEDULE])]
    [lease] = house.answers(worker)
    assert lease == Lease(1, TASK, 1, b"spec")
    assert house.say(worker, encode([Ended(1, True, 200, b"", 0.5)]))
    assert house.keeper.queue.counts.succeeded == 1
    # The same again, as every worker of a web application pushes its schedules.
    assert house.say(api, encode([push(SCHEDULE, 0.0, MONTHLY)]))
    assert house.answers(api) == [Reply(1, [SCHEDULE])]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (push(SCHEDULE, 0.0, "every now and then"), "invalid"),
        (push(SCHEDULE, 0.0, "x" * 20_000), "invalid"),
        (page(cursor="x"), "invalid"),
        (page(cursor="1e999,1"), "invalid"),
        (page(cursor="1.0," + "9" * 5000), "invalid"),
    ],
)
def test_what_cannot_be_is_refused(
    house: House, api: Child, question: Message, code: str
) -> None:
    assert house.say(api, encode([question]))
    [reply] = house.answers(api)
    assert isinstance(reply, Reply) and reply.error is not None
    assert reply.error[0] == code
    assert house.keeper.queue.counts.accepted == 0


def test_an_outcome_of_a_lease_that_nobody_has_changes_nothing(
    house: House, worker: Child
) -> None:
    for lease in (0, 1, -1, 2**63):
        assert house.say(worker, encode([Ended(lease, True, 200, b"", 0.5)]))
    assert house.supervisor._dispatch.late == 4


def test_a_worker_cannot_end_what_another_one_holds(
    house: House, api: Child, worker: Child
) -> None:
    house.say(api, encode([push()]))
    assert len(house.answers(worker)) == 1
    other = house.add("worker", 2)
    house.say(other, encode([Ready(4), Ended(1, True, 200, b"", 0.5)]))
    assert house.keeper.queue.tasks[TASK].state is State.LEASED


# --- pulses -------------------------------------------------------------------------


def test_each_heartbeat_of_an_api_is_answered_and_no_others(
    house: House, api: Child, worker: Child
) -> None:
    beat = Heartbeat(1000, 0.5, {"connections": 3})
    assert house.say(api, encode([beat, beat]))
    [pulse] = house.answers(api)
    assert isinstance(pulse, Pulse)
    assert pulse.status["waiting"] == 0
    assert pulse.complaints == []
    assert house.say(worker, encode([beat]))
    assert house.answers(worker) == house.answers(api) == []
    [first, second] = house.supervisor._stats.everything(0.0)["children"]
    assert first["gauges"] == second["gauges"] == {"connections": 3}


def test_a_pulse_is_about_what_is_left_after_the_leases_of_its_tick(
    house: House, api: Child, worker: Child
) -> None:
    """A task that has waited for long and is begun just now is no complaint."""
    house.say(api, encode([push(delay=-60.0), Heartbeat(1, 0.5, {})]))
    pulse = house.answers(api)[-1]
    assert isinstance(pulse, Pulse)
    assert pulse.status["in_flight"] == 1
    assert pulse.complaints == []


def test_a_start_and_a_stop_are_told_at_once(
    house: House, api: Child, worker: Child
) -> None:
    house.say(api, encode([push(), Heartbeat(1, 0.5, {})]))
    assert obstacles(house, api) == ["not every process of the service has started yet"]
    house.supervisor._begin_service()
    assert obstacles(house, api) == []
    house.supervisor._drain()
    assert obstacles(house, api) == ["the service is stopping"]


def obstacles(house: House, api: Child) -> Any:
    pulse = house.answers(api)[-1]
    assert isinstance(pulse, Pulse)
    return pulse.obstacles


# --- what no sound child says -------------------------------------------------------

NUMBERED: Any = {1: 2}
NO_LISTS: list[Any] = [None, 1, [], {}, "dead", [b"dead"], ["all"], ["dead"] * 9, [[]]]
NO_FILTERS: list[Any] = [
    None,
    {},
    [],
    "queue",
    [None] * 5,
    [1, None, b"", [], None],
    [None, "x" * 20_000, b"", [], None],
    [None, None, "text", [], None],
    [None, None, bytes(20_000), [], None],
    [None, None, b"", [500], None],
    [None, None, b"", [[500, 499]], None],
    [None, None, b"", [[500, 1000]], None],
    [None, None, b"", [[0.5, 600]], None],
    [None, None, b"", [[500, 599]] * 200, None],
    [None, None, b"", [], b"cause"],
]
NO_LIMITS: list[Any] = [None, "1", 0, -1, 1.5, [], math.nan, -(2**63)]
NO_CURSORS: list[Any] = [5, b"1,2", [1.0, 2], {}, True]
EXPIRING = Terms(special=Special(expires=1.0))
NONSENSE_OF_AN_API: list[Message] = [
    *[push(delay=delay) for delay in (math.inf, -math.inf, 1e300, -1e300, 1e10)],
    *[push(delay=delay) for delay in (2**63, -(2**62))],
    *[push(SCHEDULE, delay, MONTHLY) for delay in (math.inf, -1e300, 1e12)],
    *[push(id) for id in ("", "a", "a" * 31, "a" * 40, "x" * 20_000)],
    push(delay=math.nan),
    *[
        Push(1, [Submission(TASK, b"spec", terms=Terms(special=special))])
        for special in (
            Special(eta=math.nan),
            Special(expires=math.inf),
            Special(timeout=1e300),
            Special(waits=(1.0, math.nan)),
            Special(growth=Growth(math.nan)),
            Special(growth=Growth(1.0, math.inf)),
        )
    ],
    Push(1, [Submission(SCHEDULE, b"spec", 0.0, MONTHLY, EXPIRING)]),
    Push(1, [Submission(TASK, b"spec"), Submission("a", b"spec")]),
    Push(1, [Submission(TASK, b"spec"), Submission(TASK, b"spec")]),
    push(TASK, 0.0, MONTHLY),
    Call(1, "", {}),
    Call(1, "no such verb", {}),
    Call(1, "__init__", {}),
    Call(1, "status", {}, "x" * 65),
    Call(1, "page", {}),
    Call(1, "pause", {"for": "ever"}),
    Call(1, "history", {"span": "1w"}),
    Call(1, "history", {"span": ["5m"]}),
    Call(1, "status", NUMBERED),
    page(self=1),
    *[page(lists=lists) for lists in NO_LISTS],
    *[page(filter=filter) for filter in NO_FILTERS],
    *[count(filter=filter) for filter in NO_FILTERS],
    count(lists=[]),
    count(cursor=1),
    *[page(limit=limit) for limit in NO_LIMITS],
    *[page(cursor=cursor) for cursor in NO_CURSORS],
    Ready(0),
    Ready(3),
    Ended(1, True, 200, b"", 0.1),
]
NONSENSE_OF_A_WORKER: list[Message] = [
    push(),
    page(),
    Call(1, "status", {}),
    Ready(4),
    *[Ended(1, True, status, b"", 0.1) for status in (-2, 1000, 2**63, -(2**63))],
    *[Ended(1, True, 200, b"", duration) for duration in (math.inf, -0.1, -math.inf)],
    Ended(1, False, 500, bytes(1513), 0.1, kind="status"),
    *[
        Ended(1, False, 503, b"", 0.1, False, wait, kind="status")
        for wait in (-1.0, 1e12, math.inf)
    ],
    *[
        Ended(1, False, 503, b"", snooze=wait, kind="snooze")
        for wait in (-1.0, 0.0, 0.9, 2592000.1, math.inf, math.nan)
    ],
    Ended(1, True, 200, b"", snooze=5.0),
    Ended(1, False, 200, b"", final=True, snooze=5.0, kind="snooze"),
    Ended(1, False, 503, b"", unreached=True, kind="connect"),
    Ended(1, True, 200, b"", unreached=True),
    Ended(1, False, 503, b"", unread=True, kind="unread"),
    Ended(1, False, 500, b"", follow_ups=[follow_up()], kind="status"),
    *[Ended(1, False, 500, b"", kind=kind) for kind in ("", "lost", "nonsense")],
    Ended(1, True, 200, b"", kind="status"),
    Ended(1, True, 200, b"", request="a" * 65),
    Ended(1, True, 200, b"", result=bytes(1513)),
    Ended(1, False, 500, b"", kind="status", result=b""),
    Ended(1, True, 200, b"", follow_ups=[follow_up() for _ in range(1001)]),
    Ended(1, True, 200, b"", follow_ups=[follow_up("short")]),
    Ended(1, True, 200, b"", follow_ups=[follow_up(), follow_up()]),
    Ended(1, True, 200, b"", follow_ups=[follow_up(delay=math.nan)]),
]
NONSENSE_OF_ANYBODY: list[Message] = [
    Configure({}),
    Lease(1, TASK, 1, b"spec"),
    Reply(1, None),
    Stop(),
    Pulse({}, [], []),
    Heartbeat(1, 0.1, NUMBERED),
    Heartbeat(1, math.nan, {}),
    Heartbeat(1, -0.1, {}),
    Heartbeat(1, 0.1, {str(number): number for number in range(33)}),
]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        *[("api", message) for message in NONSENSE_OF_AN_API + NONSENSE_OF_ANYBODY],
        *[("worker", one) for one in NONSENSE_OF_A_WORKER + NONSENSE_OF_ANYBODY],
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value!r:.60}",
)
def test_nonsense_is_the_end_of_who_says_it(
    house: House, api: Child, worker: Child, role: str, message: Message
) -> None:
    """Nothing of it has happened, and the others are served as before."""
    culprit, other = (api, worker) if role == "api" else (worker, api)
    assert not house.say(culprit, encode([message]))
    assert culprit.fault
    assert house.keeper.queue.counts.accepted == 0
    fresh = house.add("api", 2)
    assert house.say(fresh, encode([Ready(0), push("c" * 32)]))
    assert Reply(1, ["c" * 32]) in house.answers(fresh)
    assert other in house
    assert house.keeper.queue.difference() == 0


@pytest.mark.parametrize("slots", [0, -1, 4 * SHARES + 1, 2**63])
def test_a_worker_has_the_slots_it_was_given(house: House, slots: int) -> None:
    """With more of them it would be given all tasks, and the disk might be full when
    they end."""
    assert not house.say(house.add("worker"), encode([Ready(slots)]))


def test_a_push_with_the_id_of_another_is_nonsense(house: House, api: Child) -> None:
    assert house.say(api, encode([push(), push("c" * 40, 0.0, MONTHLY)]))
    house.answers(api)
    assert not house.say(api, encode([push()]))
    assert house.keeper.queue.counts.accepted == 2


def test_a_push_with_the_id_of_a_schedule_is_nonsense(house: House, api: Child) -> None:
    """Its next run would find a task in its place. An import may bring such an id."""
    queue = house.keeper.queue
    assert house.say(api, encode([push(SCHEDULE, 0.0, MONTHLY)]))
    queue.apply(Scheduled(TASK, queue.latest, MONTHLY, b"spec"))
    assert not house.say(api, encode([push()]))


def test_a_push_too_large_to_be_leased_is_nonsense(
    house: House, api: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be accepted, and then end the service with every start."""
    assert handlers.LONGEST_SPEC > 65 * 1024 * 1024
    monkeypatch.setattr(handlers, "LONGEST_SPEC", 3)
    assert not house.say(api, encode([push()]))


def test_words_of_why_one_cannot_start_are_cut(house: House) -> None:
    child = house.add("worker")
    assert house.say(child, encode([CannotStart("x" * 20_000)]))
    assert child.reason == "x" * 1000


def test_what_is_on_its_way_to_the_disk_and_cannot_be_is_no_nonsense(
    house: House, api: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a bug, and going on would be to answer for what never happened."""

    def fail(event: object) -> None:
        raise TypeError("what is this")

    monkeypatch.setattr(house.keeper.queue, "apply", fail)
    with pytest.raises(IllegalEvent, match="what is this"):
        house.say(api, encode([push()]))


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), IllegalEvent("x")])
def test_a_failing_store_and_a_bug_end_the_service(
    house: House, api: Child, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(record: object, **_: object) -> None:
        raise error

    monkeypatch.setattr(house.store, "append", fail)
    with pytest.raises(type(error)):
        house.say(api, encode([push()]))


# --- anything at all ----------------------------------------------------------------

#: One of these may stand wherever a message has a field.
ODDITIES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 4, 200, 2**31, 2**63, -(2**63)),
    *(0.0, -0.0, 0.5, 1e300, -1e300, math.inf, -math.inf, math.nan, 1e-320),
    *("", "a", TASK, SCHEDULE, MONTHLY, "@every 1s", "page", "waiting", "\0", "é" * 40),
    *(b"", b"\xc1", b"spec", bytes(2000)),
    *([], [1], [None, "key"], [[]] * 5, {}, {"a": 1}, {1: "a"}, {"limit": 5}),
    {"which": "waiting", "limit": 3, "cursor": None},
    {"which": "cron", "limit": 2**63, "cursor": "inf,1"},
    *([3], [-7, "key"], [None, "x" * 1000]),
]
#: The code of a Push.
PUSH = 4
SOUND: list[Message] = [
    push(),
    push(SCHEDULE, 0.5, "@every 1s"),
    page(),
    Call(2, "stats", {}),
    Call(2, "queue_stats", {"after": "a"}),
    Call(2, "pause", {}),
    Call(2, "resume", {}),
    Call(2, "unschedule", {}),
    Call(2, "schedules", {"limit": 2, "cursor": None}),
    Call(2, "schedule", {"schedule": SCHEDULE}),
    Call(2, "schedule_run", {"schedule": SCHEDULE, "task_id": "e" * 32}),
    Call(2, "schedule_pause", {"schedule": SCHEDULE}),
    Call(2, "schedule_resume", {"schedule": SCHEDULE}),
    Call(2, "origins", {}),
    Call(2, "origins_lift", {"origin": None}),
    Heartbeat(1, 0.5, {"connections": 1}),
    Ended(1, True, 200, b"", 0.1),
    Ended(2, False, 500, b"no", 0.1, kind="status", request="ab"),
    Ended(3, True, 200, b"", 0.1, request="ab", result=b"kept"),
    CannotStart("x"),
    Ready(4),
    Ready(0),
]


def nonsense(draw: random.Random) -> bytes:
    """Frames that are none, or with messages that hardly are any."""
    sort = draw.random()
    if sort < 0.05:
        return draw.choice([b"\x7f\xff\xff\xff", b"\xff" * 9, draw.randbytes(40)])
    if sort < 0.1:
        body = draw.randbytes(draw.randrange(40))
        return LENGTH.pack(len(body)) + body
    if sort < 0.5:
        # With the code of another.
        code = unpack(draw.choice(SOUND))[0]
        message = [code, *unpack(draw.choice(SOUND))[1:]]
    else:
        message = unpack(draw.choice(SOUND))
    for place in range(1, len(message)):
        if draw.random() < 0.2:
            message[place] = draw.choice(ODDITIES)
    if message[0] == PUSH and isinstance(message[-1], list) and draw.random() < 0.5:
        submission = [TASK, b"spec", 0.0, "", []]
        submission[draw.randrange(5)] = draw.choice(ODDITIES)
        message[-1] = [*message[-1], submission]
    packed: bytes = msgpack.packb(message)
    return join_frames([packed])


def unpack(message: Message) -> list[Any]:
    """As it travels."""
    fields: list[Any] = msgpack.unpackb(pack(message))
    return fields


@pytest.mark.timeout(times(120, 1200))
def test_a_supervisor_survives_whatever_its_children_send(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Each case into a real channel, at whose other end sits a real supervisor."""
    draw = random.Random(20260102)
    cases = times(20_000, 1_000_000)
    caplog.set_level("CRITICAL")
    accepted = ended = 0
    before = 0
    for number in range(cases):
        if number == cases // 10:
            before = usage.memory()
        role = draw.choice(["api", "worker"])
        child = next((one for one in house if one.role == role), None)
        child = child or house.add(role)
        if not house.say(child, nonsense(draw)):
            ended += 1
            house.supervisor._dispatch.lose(child, "it is gone")
        else:
            accepted += len(house.answers(child))
        for one in [one for one in house if draw.random() < 0.001]:
            # The other half of a frame never comes.
            house.say(one, b"\0\0\0\xff")
            house.supervisor._part_with(one, "it left")
            house.supervisor._dispatch.lose(one, "it left")
    assert usage.memory() - before < 50_000_000
    assert house.keeper.queue.difference() == 0
    # Neither is everything refused, nor nothing.
    assert ended > cases / 10
    assert accepted > cases / 100
    good = house.add("api", 9)
    assert house.say(good, encode([Ready(0), push("d" * 32, delay=60.0)]))
    assert Reply(1, ["d" * 32]) in house.answers(good)

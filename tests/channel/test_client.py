"""A child's end of its channel, over a real socket pair, on gevent."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

from poussetaches import errors
from poussetaches.channel import client, frames
from poussetaches.channel.client import BEATS, Channel
from poussetaches.channel.messages import (
    Call,
    CannotStart,
    Configure,
    Heartbeat,
    Lease,
    Message,
    MessageReader,
    Push,
    Ready,
    Reply,
    Stop,
    encode,
)
from poussetaches.errors import (
    ChannelError,
    InvalidInput,
    PousseTachesError,
    StoreFull,
    Unavailable,
)
from poussetaches.model.task import Submission, Terms

#: Seconds; only a broken channel comes near.
PATIENCE = 10.0


class Supervisor:
    """The other end, as a test plays it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = MessageReader()
        self._frames: list[list[Message]] = []

    def say(self, *messages: Message) -> None:
        self.sock.sendall(encode(messages))

    def hear(self) -> list[Message]:
        """The messages of the next read."""
        data = self.sock.recv(1_000_000)
        assert data, "the child has hung up"
        return self._reader.feed(data)

    def hear_until(self, count: int) -> list[Message]:
        found: list[Message] = []
        while len(found) < count:
            found += self.hear()
        return found

    def hang_up(self) -> None:
        self.sock.close()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Nothing here may take long, and no greenlet outlives its test."""
    with gevent.Timeout(PATIENCE):
        yield
    mine = [one for one in gc.get_objects() if isinstance(one, gevent.Greenlet)]
    gevent.killall([one for one in mine if not one.dead])


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Supervisor]]:
    """A channel and the other end of it."""
    ours, theirs = socket.socketpair()
    with theirs:
        channel = Channel(ours.detach())
        yield channel, Supervisor(theirs)
        channel._sock.close()


def nobody(message: Message) -> None:
    raise AssertionError(f"nobody expects {message}")


def begin(
    channel: Channel, supervisor: Supervisor, handle: Callable[[Message], None] = nobody
) -> gevent.Greenlet[..., Any]:
    """Have the channel ready and serving; its first words are heard."""
    channel.ready(3, silence=1000.0)
    serving = gevent.spawn(channel.serve, handle)
    heard = supervisor.hear_until(2)
    assert heard[0] == Ready(3)
    assert isinstance(heard[1], Heartbeat)
    return serving


# --- starting -----------------------------------------------------------------------


def test_the_settings_come_first(ends: tuple[Channel, Supervisor]) -> None:
    channel, supervisor = ends
    waiting = gevent.spawn(channel.configuration)
    stream = encode([Configure({"workers": "2"})])
    for byte in stream:
        supervisor.sock.sendall(bytes([byte]))
        gevent.sleep(0)
    assert waiting.get() == {"workers": "2"}


def test_what_comes_with_the_settings_is_served(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    supervisor.say(Configure({}), Lease(1, "a", 1, b""), Stop())
    assert channel.configuration() == {}
    supervisor.hang_up()
    handled: list[Message] = []
    channel.serve(handled.append)
    assert handled == [Lease(1, "a", 1, b""), Stop()]


def test_anything_else_first_is_an_error(ends: tuple[Channel, Supervisor]) -> None:
    channel, supervisor = ends
    supervisor.say(Stop())
    with pytest.raises(ChannelError, match="got Stop"):
        channel.configuration()


def test_a_supervisor_that_leaves_before_that_is_an_error(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    supervisor.hang_up()
    with pytest.raises(ChannelError, match="gone"):
        channel.configuration()


def test_a_child_that_cannot_start_says_why(ends: tuple[Channel, Supervisor]) -> None:
    channel, supervisor = ends
    channel.cannot_start("no such module")
    assert supervisor.hear() == [CannotStart("no such module")]


def test_a_child_is_ready_and_gives_signs_of_life(
    ends: tuple[Channel, Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several in the time after which its silence would be taken for death."""
    channel, supervisor = ends
    slept: list[float] = []
    sleep = gevent.sleep

    def short(seconds: float) -> None:
        slept.append(seconds)
        sleep(0.001)

    monkeypatch.setattr(gevent, "sleep", short)
    channel.ready(7, silence=20.0, gauges=lambda: {"connections": 3})
    ready, *beats = supervisor.hear_until(1 + BEATS)
    assert set(slept) == {20.0 / BEATS}
    assert ready == Ready(7)
    for beat in beats:
        assert isinstance(beat, Heartbeat)
        assert beat.memory > 1_000_000
        assert beat.cpu > 0.0
        assert beat.gauges == {"connections": 3}
    assert BEATS >= 2


# --- asking -------------------------------------------------------------------------


def test_a_push_is_a_question_with_an_answer(ends: tuple[Channel, Supervisor]) -> None:
    channel, supervisor = ends
    begin(channel, supervisor)
    submissions = [Submission("a", b"spec", 1.5, "@daily", Terms(3))]
    asking = gevent.spawn(channel.push, submissions)
    assert supervisor.hear() == [Push(1, submissions)]
    supervisor.say(Reply(1, ["a"]))
    assert asking.get() == ["a"]


def test_a_call_is_a_question_with_an_answer(ends: tuple[Channel, Supervisor]) -> None:
    channel, supervisor = ends
    begin(channel, supervisor)
    asking = gevent.spawn(channel.call, "page", limit=3, cursor=None)
    assert supervisor.hear() == [Call(1, "page", {"limit": 3, "cursor": None})]
    supervisor.say(Reply(1, {"total": 7}))
    assert asking.get() == {"total": 7}


def test_each_gets_its_own_answer_in_whatever_order_they_come(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    begin(channel, supervisor)
    asking = [gevent.spawn(channel.call, "echo", word=n) for n in range(50)]
    asked = supervisor.hear_until(50)
    calls = [call for call in asked if isinstance(call, Call)]
    assert len({call.number for call in calls}) == 50
    for call in reversed(calls):
        supervisor.say(Reply(call.number, call.arguments["word"]))
    assert [one.get() for one in asking] == list(range(50))
    assert not channel._calls


def test_what_is_said_at_the_same_moment_shares_a_frame(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    begin(channel, supervisor)
    for number in range(20):
        gevent.spawn(channel.push, [Submission(f"t{number}", b"")])
    gevent.spawn(channel.call, "status")
    data = supervisor.sock.recv(1_000_000)
    (length,) = frames.LENGTH.unpack_from(data)
    assert len(data) == frames.LENGTH.size + length
    found = MessageReader().feed(data)
    assert [type(message) for message in found] == [Push] * 20 + [Call]


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (
            ("invalid", "url: is missing", "url", None),
            InvalidInput("url: is missing", field="url"),
        ),
        (
            ("store_full", "the disk has no room", None, 10),
            StoreFull("the disk has no room", retry_after=10),
        ),
        (("unavailable", "later", None, 2), Unavailable("later", retry_after=2)),
        (("illegal_event", "a bug", None, None), errors.IllegalEvent("a bug")),
        (("of the future", "what is it", "x", None), PousseTachesError("what is it")),
        (("store", "no such thing", None, None), PousseTachesError("no such thing")),
    ],
)
def test_a_refusal_is_raised_as_it_was_meant(
    ends: tuple[Channel, Supervisor],
    said: tuple[Any, ...],
    raised: PousseTachesError,
) -> None:
    channel, supervisor = ends
    begin(channel, supervisor)
    asking = gevent.spawn(channel.call, "page")
    supervisor.hear()
    supervisor.say(Reply(1, None, said))
    with pytest.raises(PousseTachesError) as caught:
        asking.get()
    assert type(caught.value) is type(raised)
    assert caught.value.message == raised.message
    if said[0] == "invalid":
        assert caught.value.field == "url"
    if isinstance(raised, Unavailable):
        assert isinstance(caught.value, Unavailable)
        assert caught.value.retry_after == raised.retry_after


def test_every_error_that_can_be_told_has_its_class() -> None:
    for code, kind in client.ERRORS.items():
        assert kind.code == code
        if issubclass(kind, Unavailable):
            kind("sentence", retry_after=1)
        else:
            kind("sentence", field="url")
    assert {"error", "invalid", "too_large", "not_found", "unavailable"} <= set(
        client.ERRORS
    )


def test_an_answer_for_who_asks_no_longer_is_dropped(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    begin(channel, supervisor)
    asking = gevent.spawn(channel.call, "slow")
    supervisor.hear()
    asking.kill()
    assert not channel._calls
    after = gevent.spawn(channel.call, "quick")
    supervisor.hear()
    supervisor.say(Reply(1, "late"), Reply(99, "never asked"), Reply(2, "quick"))
    assert after.get() == "quick"


def test_an_answer_is_not_waited_for_for_ever(
    ends: tuple[Channel, Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits its own time. A late answer is nobody's."""
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    channel, supervisor = ends
    begin(channel, supervisor)
    waited: list[float] = []

    def ask(verb: str) -> None:
        began = time.monotonic()
        try:
            channel.call(verb)
        except Unavailable as error:
            assert "may or may not have happened" in error.message
            assert "within 0.2 s" in error.message
            assert error.retry_after >= 1
            waited.append(time.monotonic() - began)

    asking = []
    for number in range(4):
        asking.append(gevent.spawn(ask, f"number {number}"))
        gevent.sleep(0.07)
    assert len(supervisor.hear_until(4)) == 4
    # The third is answered in time.
    supervisor.say(Reply(3, "here"))
    gevent.joinall(asking, raise_error=True)
    assert len(waited) == 3
    assert 0.19 < min(waited) <= max(waited) < 1.0
    supervisor.say(Reply(1, "late"), Reply(2, "late"))
    assert not channel._calls
    after = gevent.spawn(channel.call, "status")
    supervisor.hear()
    supervisor.say(Reply(5, "well"))
    assert after.get() == "well"


def test_who_asks_after_a_long_silence_waits_as_long_as_anybody(
    ends: tuple[Channel, Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.4)
    channel, supervisor = ends
    begin(channel, supervisor)
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            channel.call("status")
        assert 0.39 < time.monotonic() - began < 0.75
        gevent.sleep(0.15)


def test_what_a_held_up_supervisor_does_not_take_is_bounded(
    ends: tuple[Channel, Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers give up and come again, while what they asked still waits to be sent."""
    monkeypatch.setattr(client, "MOST_UNSENT", 3_000_000)
    channel, supervisor = ends
    begin(channel, supervisor)
    asking = []
    for number in range(6):
        large = [Submission(f"t{number}", bytes(1_000_000))]
        asking.append(gevent.spawn(channel.push, large))
        gevent.sleep(0)
        gevent.sleep(0)
    # The first is being sent, some wait, and there is no room for more.
    refused = [one for one in asking if one.ready()]
    assert 0 < len(refused) < 6
    for one in refused:
        with pytest.raises(Unavailable, match="nothing was asked of it"):
            one.get()
    accepted = 6 - len(refused)
    for push in supervisor.hear_until(accepted):
        assert isinstance(push, Push)
        supervisor.say(Reply(push.number, [one.id for one in push.submissions]))
    gevent.joinall(asking)
    assert [one.value for one in asking].count(None) == len(refused)
    after = gevent.spawn(channel.push, [Submission("last", b"")])
    [push] = supervisor.hear()
    assert isinstance(push, Push)
    supervisor.say(Reply(push.number, ["last"]))
    assert after.get() == ["last"]


def test_a_question_that_cannot_be_sent_is_the_trouble_of_who_asks(
    ends: tuple[Channel, Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others, and the signs of life, go on."""
    channel, supervisor = ends
    begin(channel, supervisor)
    monkeypatch.setattr(frames, "MAX_FRAME", 10_000)
    with pytest.raises(ChannelError, match="too long"):
        channel.push([Submission("a", bytes(10_001))])
    with pytest.raises(OverflowError):
        channel.call("page", limit=2**64)
    assert not channel._calls
    asking = gevent.spawn(channel.call, "status")
    [call] = supervisor.hear()
    assert isinstance(call, Call)
    supervisor.say(Reply(call.number, "fine"))
    assert asking.get() == "fine"


# --- serving ------------------------------------------------------------------------


def test_messages_go_to_the_handler_in_order_and_replies_do_not(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    handled: list[Message] = []
    serving = begin(channel, supervisor, handled.append)
    leases = [Lease(number, "a", 1, b"spec") for number in range(5)]
    supervisor.say(*leases[:2], Reply(7, None), leases[2])
    supervisor.say(*leases[3:], Stop())
    supervisor.hang_up()
    serving.get()
    assert handled == [*leases, Stop()]


@pytest.mark.parametrize("last", [b"", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1\xc1"])
def test_serving_returns_at_the_end_of_the_channel(
    ends: tuple[Channel, Supervisor], last: bytes
) -> None:
    """Also if that is half a frame, or no frame at all."""
    channel, supervisor = ends
    serving = begin(channel, supervisor)
    supervisor.sock.sendall(last)
    supervisor.hang_up()
    assert serving.get() is None


def test_who_waits_for_an_answer_learns_that_there_will_be_none(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    serving = begin(channel, supervisor)
    asking = [gevent.spawn(channel.call, "status") for _ in range(3)]
    supervisor.hear_until(3)
    supervisor.hang_up()
    serving.get()
    for one in asking:
        with pytest.raises(Unavailable, match="gone"):
            one.get()
    with pytest.raises(Unavailable, match="gone"):
        channel.push([Submission("a", b"")])
    assert not channel._calls


def test_a_handler_that_refuses_a_message_ends_the_channel(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends

    def refuse(message: Message) -> None:
        raise ChannelError(f"{type(message).__name__} is not for an api")

    serving = begin(channel, supervisor, refuse)
    supervisor.say(Lease(1, "a", 1, b""))
    assert serving.get() is None


# --- ending -------------------------------------------------------------------------


def test_hanging_up_sends_what_was_still_to_be_sent(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    serving = begin(channel, supervisor)
    for number in range(3):
        channel.send(Ready(number))
    channel.hang_up()
    assert serving.get() is None
    assert supervisor.hear_until(3) == [Ready(0), Ready(1), Ready(2)]


def test_hanging_up_waits_for_what_is_being_sent(
    ends: tuple[Channel, Supervisor],
) -> None:
    """The supervisor reads slowly: no frame is cut short, or sent into another."""
    channel, supervisor = ends
    begin(channel, supervisor)
    sent: list[Message] = [Lease(1, "long", 1, bytes(3_000_000))]
    channel.send(sent[0])
    gevent.sleep(0.01)
    sent += [Lease(2, "short", 1, b""), Lease(3, "long", 1, bytes(1_000_000))]
    for message in sent[1:]:
        channel.send(message)
    hanging = gevent.spawn(channel.hang_up)
    gevent.sleep(0.01)
    assert not hanging.dead
    assert supervisor.hear_until(3) == sent
    hanging.get()


def test_hanging_up_with_nothing_to_say_says_nothing(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    serving = begin(channel, supervisor)
    channel.hang_up()
    serving.get()
    channel._sock.close()
    assert supervisor.sock.recv(100) == b""


def test_hanging_up_on_who_has_left_is_no_error(
    ends: tuple[Channel, Supervisor],
) -> None:
    channel, supervisor = ends
    serving = begin(channel, supervisor)
    supervisor.hang_up()
    serving.get()
    channel.send(Ready(1))
    channel.hang_up()
    channel.hang_up()


def test_sending_to_who_has_left_is_no_error(ends: tuple[Channel, Supervisor]) -> None:
    """That the channel has ended shows in serving it."""
    channel, supervisor = ends
    serving = begin(channel, supervisor)
    supervisor.hang_up()
    for _ in range(5):
        channel.send(Ready(1))
        gevent.sleep(0.001)
    assert serving.get() is None

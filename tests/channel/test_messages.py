"""The messages, and what is none."""

from __future__ import annotations

import random
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches import usage
from poussetaches.channel import messages
from poussetaches.channel.frames import LENGTH, MAX_FRAME
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
    Queues,
    Ready,
    Reply,
    Stop,
    encode,
    seal,
    unseal,
)
from poussetaches.errors import ChannelError
from poussetaches.model.backoff import Growth
from poussetaches.model.task import PLAIN, How, Report, Spec, Special, Submission, Terms
from tests.support.scale import times

NUMBERS = st.integers(0, 2**63)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BYTES = st.binary(max_size=40)
FLOATS = st.floats(allow_nan=False)
KINDS: tuple[Any, ...] = get_args(Message)
#: What JSON has, and msgpack too. Tuples arrive as lists.
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXTS | BYTES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
ERRORS = st.none() | st.lists(VALUES, min_size=4, max_size=4)
SPECIALS = st.builds(
    Special,
    st.none() | FLOATS,
    st.none() | FLOATS,
    waits=st.lists(FLOATS, max_size=2).map(tuple),
    growth=st.none()
    | st.builds(Growth, FLOATS, st.none() | FLOATS, st.none() | NUMBERS),
    group=TEXTS,
)
TERMS = st.builds(
    Terms,
    st.none() | st.integers(-1, 1000),
    TEXTS,
    TEXTS,
    TEXTS,
    st.none() | SPECIALS,
)
SUBMISSIONS = st.builds(Submission, TEXTS, BYTES, FLOATS, TEXTS, TERMS)

MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Configure, st.dictionaries(TEXTS, VALUES, max_size=3)),
    st.builds(Ready, NUMBERS),
    st.builds(CannotStart, TEXTS),
    st.builds(Heartbeat, NUMBERS, FLOATS, st.dictionaries(TEXTS, NUMBERS, max_size=3)),
    st.builds(Push, NUMBERS, st.lists(SUBMISSIONS, max_size=3)),
    st.builds(Call, NUMBERS, TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3)),
    st.builds(Reply, NUMBERS, VALUES, ERRORS),
    st.builds(Lease, NUMBERS, TEXTS, NUMBERS, BYTES, FLOATS, TEXTS, FLOATS),
    st.builds(
        Ended,
        NUMBERS,
        st.booleans(),
        NUMBERS,
        BYTES,
        FLOATS,
        st.booleans(),
        FLOATS,
        st.booleans(),
        st.none() | FLOATS,
        st.lists(SUBMISSIONS, max_size=2),
    ),
    st.builds(Stop),
    st.builds(
        Queues, st.dictionaries(TEXTS, st.dictionaries(TEXTS, VALUES), max_size=3)
    ),
    st.builds(
        Pulse,
        st.dictionaries(TEXTS, VALUES, max_size=3),
        st.lists(TEXTS, max_size=3),
        st.lists(TEXTS, max_size=3),
    ),
)


def frame(content: object) -> bytes:
    """A frame with anything at all in it."""
    body: bytes = msgpack.packb(content)
    return LENGTH.pack(len(body)) + body


@given(st.lists(MESSAGES, max_size=6), st.integers(1, 50))
def test_messages_come_back_however_the_stream_is_cut(
    sent: list[Message], step: int
) -> None:
    stream = encode(sent)
    reader = MessageReader()
    found: list[Message] = []
    for start in range(0, len(stream), step):
        found += reader.feed(stream[start : start + step])
    assert found == sent
    assert [type(message) for message in found] == [type(message) for message in sent]


def test_several_frames_in_one_read_are_all_read() -> None:
    stream = encode([Ready(1), Stop()]) + encode([]) + encode([Ready(2)])
    reader = MessageReader()
    assert reader.feed(stream + encode([Ready(3)])[:-1]) == [
        Ready(1),
        Stop(),
        Ready(2),
    ]
    assert reader.feed(encode([Ready(3)])[-1:]) == [Ready(3)]


def test_the_codes_of_the_messages_stay() -> None:
    """A child that is respawned runs the code of today, its supervisor that of then."""
    assert {kind.__name__: kind.__struct_config__.tag for kind in KINDS} == {
        "Configure": 0,
        "Ready": 1,
        "CannotStart": 2,
        "Heartbeat": 3,
        "Push": 4,
        "Call": 5,
        "Reply": 6,
        "Lease": 7,
        "Ended": 8,
        "Stop": 9,
        "Pulse": 10,
        "Queues": 11,
    }


def test_every_message_can_travel() -> None:
    kinds = {
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type)
        and issubclass(kind, messages.Said)
        and kind is not messages.Said
    }
    assert set(KINDS) == kinds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x91",
        b"\x91\1\1",
        b"\1",
        b"\x80",
        b"\xa1a",
        b"\xc4\1a",
        b"\xc7\5",
        b"\xa2\xff\xfe",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91\x81\x90\1",
        b"\x91" * 100_000 + b"\1",
        b"\xd6\xff\0\0\0\0",
        b"\xc7\x0c\xff" + b"\xff" * 12,
    ],
)
def test_a_frame_that_is_no_list_of_messages_is_refused(body: bytes) -> None:
    with pytest.raises(ChannelError):
        MessageReader().feed(LENGTH.pack(len(body)) + body)


@pytest.mark.parametrize(
    "content",
    [
        [[99]],
        [[-1]],
        [["Ready", 1]],
        [[]],
        [7],
        [None],
        [""],
        [{}],
        [[1]],
        [[1, 2, 3]],
        [[9, "too much"]],
        [[6]],
        [[[1], 1]],
        [[None, 1]],
        ["ready"],
    ],
)
def test_what_is_no_message_is_refused(content: object) -> None:
    with pytest.raises(ChannelError, match="not a message"):
        MessageReader().feed(frame(content))


@pytest.mark.parametrize(
    "content",
    [
        [0, []],
        [1, "3"],
        [1, None],
        [1, 1.5],
        [2, b"bytes"],
        [3, 1, "0.5", {}],
        [3, 1, 0.5, []],
        [3, 1, 0.5, {"a": "b"}],
        [3, 1, 0.5, {1: 2}],
        [4, 1, None],
        [4, 1, ["a"]],
        [4, 1, [["a"]]],
        [4, 1, [[2, b"spec", 0.0, ""]]],
        [4, 1, [["a", "spec", 0.0, ""]]],
        [4, 1, [["a", b"spec", None, ""]]],
        [4, 1, [["a", b"spec", 0.0, None]]],
        [4, 1, [["a", b"spec", 0.0, "", "many"]]],
        [4, 1, [["a", b"spec", 0.0, "", [], 5]]],
        [5, 1, "page", ["which"]],
        [5, 1, None, {}],
        [6, "1", None],
        [6, 1, None, "no"],
        [7, 1, "a", 1, "spec"],
        [8, 1, 1, 200, b"", 0.1],
        [8, 1, True, None, b"", 0.1],
        [8, 1, True, 200, "", 0.1],
        [8, None, True, 200, b"", 0.1],
        [10, [], [], []],
        [10, {}, "no", []],
    ],
)
def test_a_message_with_a_value_of_another_type_is_refused(content: object) -> None:
    """So that no child's nonsense gets as far as the queue."""
    with pytest.raises(ChannelError, match="not a message"):
        MessageReader().feed(frame([content]))


@pytest.mark.parametrize(
    "message",
    [Heartbeat(1, 2, {}), Push(1, [Submission("a", b"", 0, "")]), Reply(1, 0.5)],
)
def test_a_whole_number_stands_for_one_with_a_fraction(message: Message) -> None:
    assert MessageReader().feed(encode([message])) == [message]


def test_a_refusal_is_short_whatever_was_sent() -> None:
    with pytest.raises(ChannelError) as caught:
        MessageReader().feed(frame([["x" * 100_000]]))
    assert len(caught.value.message) < 200


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.binary(max_size=60).map(lambda data: LENGTH.pack(len(data)) + data),
            VALUES.map(frame),
            st.lists(VALUES, max_size=4).map(frame),
            st.lists(st.lists(VALUES, max_size=4), max_size=4).map(frame),
        ),
        max_size=5,
    )
)
def test_garbage_is_messages_or_a_channel_error(chunks: list[bytes]) -> None:
    reader = MessageReader()
    try:
        for chunk in chunks:
            for message in reader.feed(chunk):
                assert type(message) in KINDS
    except ChannelError:
        pass


@pytest.mark.timeout(times(120, 1200))
def test_much_random_garbage_is_a_channel_error_each_time() -> None:
    """Frames of random bytes, and good ones of which some bytes are others; cut
    somewhere, or announcing gigabytes. Nothing of it stays in memory."""
    draw = random.Random(20260101)
    good = encode(
        [
            Push(1, [Submission("a" * 32, b"spec", 0.5, "", Terms(3))]),
            Call(2, "page", {"a": [1]}),
        ]
    )
    cases = times(20_000, 1_000_000)
    refused = before = 0
    for number in range(cases):
        if number == cases // 10:
            before = usage.memory()
        data = bytearray(good)
        sort = number % 4
        if sort < 2:
            body = draw.randbytes(draw.randrange(30))
            data = bytearray(LENGTH.pack(len(body)) + body)
        elif sort == 2:
            # Half a frame, and then one that is none.
            data = data[: draw.randrange(5, len(good))] + draw.randbytes(200)
        for _ in range(draw.randrange(1, 4) if sort > 1 else 0):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if sort == 3:
            # Or it would only wait for more.
            data[:4] = good[:4]
        try:
            reader = MessageReader()
            reader.feed(bytes(data))
            reader.feed(b"\x7f\xff\xff\xff")
        except ChannelError:
            refused += 1
    assert usage.memory() - before < 50_000_000
    assert refused > cases * 0.6


def test_what_lies_in_the_middle_of_a_stream_of_two_gigabytes_is_refused() -> None:
    with pytest.raises(ChannelError, match="too long"):
        MessageReader().feed(encode([Ready(1)]) + b"\x7f\xff\xff\xff")


def test_a_message_that_is_too_long_is_refused_by_its_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("poussetaches.channel.frames.MAX_FRAME", 1000)
    assert MAX_FRAME > 1000
    with pytest.raises(ChannelError, match="too long"):
        messages.pack(Lease(1, "a", 1, bytes(1000)))


# --- the seal -----------------------------------------------------------------------


REPORTS = st.builds(
    Report, TEXTS, TEXTS, BYTES, TEXTS, NUMBERS, NUMBERS, st.none() | BYTES, FLOATS
)
HOWS = st.builds(
    How,
    TEXTS,
    st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    st.booleans(),
    st.booleans(),
    TEXTS,
    st.none() | REPORTS,
)
EXPECTED = NUMBERS | TEXTS | st.lists(NUMBERS | TEXTS, max_size=3).map(tuple)


@given(st.builds(Spec, TEXTS, st.none() | BYTES, EXPECTED, st.none() | HOWS))
def test_a_sealed_spec_opens_again(spec: Spec) -> None:
    assert unseal(seal(spec)) == spec


def test_a_spec_sealed_by_an_older_version_opens() -> None:
    """With the defaults of what it did not know."""
    sealed: bytes = msgpack.packb(["http://a/"])
    assert unseal(sealed) == Spec("http://a/")


@pytest.mark.parametrize("sealed", [b"", b"\xc1", b"\x91\xa1", b"\x81\x90\1"])
def test_a_seal_that_is_broken_is_a_channel_error(sealed: bytes) -> None:
    with pytest.raises(ChannelError):
        unseal(sealed)


def test_a_push_without_what_was_added_later_is_one() -> None:
    older: list[Any] = [[4, 1, [["a", b"spec", 0.0, ""]]]]
    assert MessageReader().feed(frame(older)) == [
        Push(1, [Submission("a", b"spec", 0.0, "", PLAIN)])
    ]

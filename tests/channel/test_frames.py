"""Frames: however the stream is cut, and whatever comes instead of one."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.channel import frames
from poussetaches.channel.frames import (
    LENGTH,
    FrameReader,
    check_length,
    join_frames,
)
from poussetaches.errors import ChannelError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=30)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=4,
)
MESSAGES = st.lists(st.lists(VALUES, max_size=3), max_size=4)


def frame(*messages: list[Any]) -> bytes:
    return join_frames([msgpack.packb(message) for message in messages])


def read(reader: FrameReader, data: bytes) -> list[list[Any]]:
    return [msgpack.unpackb(content) for content in reader.feed(data)]


def test_a_frame_is_these_bytes() -> None:
    assert frame([1, "a"], [2]) == (
        b"\0\0\0\x0b" + b"\xdd\0\0\0\2" + b"\x92\1\xa1a" + b"\x91\2"
    )


@given(st.lists(MESSAGES, max_size=4), st.data())
def test_frames_come_back_however_they_are_cut(
    sent: list[list[list[Any]]], data: st.DataObject
) -> None:
    stream = b"".join(frame(*messages) for messages in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    reader = FrameReader()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += read(reader, stream[start:end])
    assert found == sent


def test_a_frame_cut_at_every_byte_comes_when_its_last_byte_does() -> None:
    sent = [[1, b"one"], [2, ["two", None]]]
    stream = frame(*sent) + frame([3])
    for cut in range(len(stream) + 1):
        reader = FrameReader()
        before = read(reader, stream[:cut])
        assert before == [sent] * (cut >= len(frame(*sent))) + [[[3]]] * (
            cut == len(stream)
        )
        assert before + read(reader, stream[cut:]) == [sent, [[3]]]


def test_bytes_one_at_a_time_are_frames_too() -> None:
    reader = FrameReader()
    found = []
    for byte in frame([1]) + frame([2], [3]):
        found += read(reader, bytes([byte]))
    assert found == [[[1]], [[2], [3]]]


def test_nothing_is_kept_of_what_was_read() -> None:
    reader = FrameReader()
    for _ in range(100):
        read(reader, frame([bytes(1000)]) + frame([1])[:3])
        read(reader, frame([1])[3:])
    assert len(reader._buffer) == 0


@pytest.mark.parametrize("length", [frames.MAX_FRAME + 1, 2**31, 2**32 - 1])
def test_a_frame_that_is_too_long_is_refused_at_its_head(length: int) -> None:
    """Before anything is allocated for it."""
    reader = FrameReader()
    tracemalloc.start()
    try:
        with pytest.raises(ChannelError, match=f"of {length} bytes is too long"):
            read(reader, LENGTH.pack(length) + b"and so on")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_frame_of_the_greatest_length_is_waited_for() -> None:
    reader = FrameReader()
    assert read(reader, LENGTH.pack(frames.MAX_FRAME) + b"\x91") == []


def test_what_came_before_a_frame_that_is_too_long_is_read() -> None:
    reader = FrameReader()
    found = reader.feed(frame([1]) + LENGTH.pack(2**32 - 1))
    assert msgpack.unpackb(next(found)) == [[1]]
    with pytest.raises(ChannelError):
        next(found)


@given(st.lists(st.integers(0, 90), max_size=12))
def test_what_is_too_long_for_one_frame_becomes_several(sizes: list[int]) -> None:
    """None is too long, nothing is lost, the order stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "MAX_FRAME", 100)
        messages = [[number, bytes(size)] for number, size in enumerate(sizes)]
        stream = frame(*messages)
        found = read(FrameReader(), stream)
    assert [message for messages in found for message in messages] == messages
    assert len(found) <= max(1, len(messages))
    at = 0
    while at < len(stream):
        (length,) = LENGTH.unpack_from(stream, at)
        assert length <= 100
        at += LENGTH.size + length
    assert at == len(stream)


def test_a_message_fits_up_to_the_greatest_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME", 100)
    # The head of the frame's array, of the message's, and of its bytes.
    longest = 100 - 5 - 1 - 2
    assert read(FrameReader(), frame([bytes(longest)])) == [[[bytes(longest)]]]
    with pytest.raises(ChannelError, match="too long"):
        check_length(msgpack.packb([bytes(longest + 1)]))

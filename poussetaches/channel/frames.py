"""Frames: bytes to lists of arrays and back, without any I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack

from poussetaches.errors import ChannelError

#: The longest frame, bytes. What one side has to say at once beyond that is spread over
#: further frames; the limits on bodies and pages keep a single message far below it.
MAX_FRAME = 256 * 1024 * 1024

LENGTH = struct.Struct(">I")


def pack(value: Any) -> bytes:
    """One value (not a frame) as msgpack."""
    packed: bytes = msgpack.packb(value)
    return packed


def unpack(data: bytes) -> Any:
    """What ``pack`` packed. Raises ChannelError."""
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise ChannelError(f"not msgpack: {error}") from error


def encode_frames(messages: Sequence[Any]) -> bytes:
    """``messages`` (arrays) as one frame, or as several if one would be too long.

    Raises ChannelError if a single message is too long.
    """
    body = pack(messages)
    if len(body) <= MAX_FRAME:
        return LENGTH.pack(len(body)) + body
    if len(messages) == 1:
        raise ChannelError(f"a message of {len(body)} bytes is too long")
    half = len(messages) // 2
    return encode_frames(messages[:half]) + encode_frames(messages[half:])


class FrameReader:
    """Finds the frames in a stream of bytes, however it is cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        """The messages of every frame that ``data`` completes.

        Raises ChannelError if the stream is no stream of frames; it is then of no use.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise ChannelError(f"a frame of {length} bytes is too long")
            end = start + LENGTH.size + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                messages = unpack(view[start + LENGTH.size : end])  # type: ignore[arg-type]
            if not isinstance(messages, list):
                raise ChannelError("a frame must be an array of messages")
            yield messages
            start = end
        del buffer[:start]

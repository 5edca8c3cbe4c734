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
ARRAY = struct.Struct(">BI")  # msgpack's head of an array 32

_pack = msgpack.Packer().pack


def pack(value: Any) -> bytes:
    """One value (not a frame) as msgpack."""
    packed: bytes = _pack(value)
    return packed


def pack_message(message: Sequence[Any]) -> bytes:
    """A message (array) as it stands in a frame.

    Raises ChannelError if it is too long for any.
    """
    packed = pack(message)
    if ARRAY.size + len(packed) > MAX_FRAME:
        raise ChannelError(f"a message of {len(packed)} bytes is too long")
    return packed


def unpack(data: bytes) -> Any:
    """What ``pack`` packed. Raises ChannelError."""
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except (TypeError, ValueError, msgpack.UnpackException) as error:
        raise ChannelError(f"not msgpack: {error}") from error


def join_frames(packed: Sequence[bytes]) -> bytes:
    """Packed messages as one frame, or as several if one would be too long."""
    length = ARRAY.size + sum(map(len, packed))
    if length > MAX_FRAME:
        half = len(packed) // 2
        return join_frames(packed[:half]) + join_frames(packed[half:])
    return b"".join((LENGTH.pack(length), ARRAY.pack(0xDD, len(packed)), *packed))


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

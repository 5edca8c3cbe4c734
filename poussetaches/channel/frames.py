"""Frames: how the messages of one moment lie on the wire, without any I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from poussetaches.errors import ChannelError

#: The longest frame, bytes. What one side has to say at once beyond that is spread over
#: further frames; the limits on bodies and pages keep a single message far below it.
MAX_FRAME = 256 * 1024 * 1024

LENGTH = struct.Struct(">I")
ARRAY = struct.Struct(">BI")  # msgpack's head of an array 32


def check_length(packed: bytes) -> None:
    """Raise ChannelError if a packed message is too long for any frame."""
    if ARRAY.size + len(packed) > MAX_FRAME:
        raise ChannelError(f"a message of {len(packed)} bytes is too long")


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

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """The content of every frame that ``data`` completes, to be looked at before
        the next one is asked for.

        Raises ChannelError if the stream is no stream of frames; it is then of no use.
        """
        buffer = self._buffer
        if not buffer and len(data) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data)
            if LENGTH.size + length == len(data):
                # As a rule one read brings one frame.
                yield memoryview(data)[LENGTH.size :]
                return
        buffer += data
        start = 0
        while len(buffer) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise ChannelError(f"a frame of {length} bytes is too long")
            end = start + LENGTH.size + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view, view[start + LENGTH.size : end] as content:
                yield content
            start = end
        del buffer[:start]

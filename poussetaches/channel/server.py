"""The supervisor's end of a channel: a non-blocking socket with buffers.

Runs in the supervisor: no gevent here, and nothing ever blocks.
"""

from __future__ import annotations

import socket

from poussetaches.channel.frames import join_frames
from poussetaches.channel.messages import Message, MessageReader, pack
from poussetaches.errors import ChannelError

#: How much is read from one child before the others have their turn, bytes.
READ_SIZE = 64 * 1024


class Peer:
    """The child at the other end of ``sock``, as the supervisor speaks to it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._reader = MessageReader()
        self._packed: list[bytes] = []
        self._unsent = bytearray()

    def fileno(self) -> int:
        """For the selector."""
        return self._sock.fileno()

    def receive(self) -> list[Message]:
        """The messages that have arrived. Raises ChannelError if no more ever will."""
        try:
            data = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except OSError as error:
            raise ChannelError(f"the channel broke: {error.strerror}") from error
        if not data:
            raise ChannelError("the channel was closed")
        return self._reader.feed(data)

    def send(self, message: Message) -> None:
        """Have ``message`` travel with the next ``flush``.

        Raises ChannelError if it is too long.
        """
        self._packed.append(pack(message))

    @property
    def has_unsent(self) -> bool:
        """Whether ``flush`` has something to send."""
        return bool(self._packed or self._unsent)

    @property
    def unsent(self) -> int:
        """What waits for room in the channel, bytes."""
        return len(self._unsent)

    def flush(self) -> bool:
        """Send what can be sent; False if something remains for when there is room.

        Raises ChannelError if the child is gone.
        """
        if self._packed:
            data = join_frames(self._packed)
            self._packed.clear()
            if not self._unsent:
                data = data[self._send(data) :]
            self._unsent += data
        while self._unsent:
            sent = self._send(self._unsent)
            if not sent:
                return False
            del self._unsent[:sent]
        return True

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ChannelError(f"the channel broke: {error.strerror}") from error

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

"""The listening socket that is a file: nobody else is let near it at any moment."""

from __future__ import annotations

import grp
import os
import socket
import stat
import time
from contextlib import suppress

from poussetaches.errors import StartupError
from poussetaches.supervisor.listener import BACKLOG, RETRY


class SocketFile:
    """A Unix socket at ``path``, with permissions ``mode``, of ``group`` (a name or a
    number; "": that of this process)."""

    def __init__(self, path: str, mode: int, group: str) -> None:
        self._path = path
        self._mode = mode
        self._group = _number_of(group) if group else -1
        #: Device and inode of what is ours.
        self._identity: tuple[int, int] | None = None

    def listen(self, *, patience: float) -> socket.socket:
        """A socket that listens there.

        What a service that has died left there is removed. Waits up to ``patience``
        seconds if somebody listens: right after a crash it may be an api that has yet
        to notice. Raises StartupError.
        """
        deadline = time.monotonic() + patience
        try:
            while _is_taken(self._path):
                if time.monotonic() >= deadline:
                    raise StartupError(
                        f"bind: somebody listens at {self._path} already"
                    )
                time.sleep(RETRY)
            return self._listen()
        except OSError as error:
            raise StartupError(
                f"bind: cannot listen at {self._path}: {error.strerror}"
            ) from error

    def _listen(self) -> socket.socket:
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        sock = socket.socket(socket.AF_UNIX)
        try:
            # Nobody may do anything with it until it is whose it shall be.
            usual = os.umask(0o777)
            try:
                sock.bind(self._path)
            finally:
                os.umask(usual)
            self._identity = _identity(self._path)
            if self._group != -1:
                self._give_to_group()
            os.chmod(self._path, self._mode)
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            self.remove()
            raise
        return sock

    def _give_to_group(self) -> None:
        try:
            os.chown(self._path, -1, self._group)
        except PermissionError as error:
            raise StartupError(
                "socket_group: the service is not in this group, and so cannot give"
                f" {self._path} to it"
            ) from error

    def remove(self) -> None:
        """The file goes, unless somebody else has put theirs in its place."""
        with suppress(FileNotFoundError):
            if self._identity == _identity(self._path):
                os.unlink(self._path)


def _is_taken(path: str) -> bool:
    """Whether somebody listens there. Raises StartupError if it is something else than
    a socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise StartupError(f"bind: {path} is there, and is no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            probe.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except BlockingIOError:
        pass  # so many wait there that there is no room for another
    return True


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _number_of(group: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise StartupError(f"socket_group: there is no group {group}") from None

"""A disk that loses power: what a directory may hold after a cut.

Built on what POSIX promises and no more. The content of a file is safe as it was at its
last fsync; of what was written later any sector may be on disk or not, and the size may
be either. A name is safe as it was at the last fsync of its directory; each later
creation, renaming or removal may be on disk or not, whatever the order they came in.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

#: What a disk writes wholly or not at all, bytes. Real ones have 512 or 4096; smaller
#: ones tear small records more.
SECTOR = 32


class Disk:
    """Watches a directory while a store writes there; what it holds so far is safe."""

    def __init__(self, patch: pytest.MonkeyPatch, directory: Path) -> None:
        self._directory = directory
        #: Names that are safe, and the inode each stands for.
        self._names = self._names_now()
        #: What is safe of each inode.
        self._safe = {
            inode: (directory / name).read_bytes()
            for name, inode in self._names.items()
        }
        #: Files that were removed, kept open so that no other gets their inode.
        self._removed: dict[int, IO[bytes]] = {}
        #: Called before every operation that changes something.
        self.before_change: Callable[[], None] = _nothing
        for name in ("pwrite", "ftruncate", "posix_fallocate", "rename"):
            patch.setattr(os, name, self._changing(getattr(os, name)))
        patch.setattr(os, "unlink", self._unlinking(os.unlink))
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._syncing(getattr(os, name)))

    def close(self) -> None:
        """Let go of the files that were removed."""
        for file in self._removed.values():
            file.close()

    def _changing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*arguments: Any) -> Any:
            self.before_change()
            return call(*arguments)

        return changing

    def _unlinking(self, call: Callable[..., None]) -> Callable[..., None]:
        def unlinking(path: str, **keywords: Any) -> None:
            self.before_change()
            if Path(path).parent == self._directory:
                self._removed[os.stat(path).st_ino] = open(path, "rb")  # noqa: SIM115
            call(path, **keywords)

        return unlinking

    def _syncing(self, call: Callable[[int], None]) -> Callable[[int], None]:
        def syncing(fd: int) -> None:
            self.before_change()
            call(fd)
            place = Path(os.readlink(f"/proc/self/fd/{fd}"))
            if place == self._directory:
                self._names = self._names_now()
            elif place.parent == self._directory:
                self._safe[os.fstat(fd).st_ino] = place.read_bytes()

        return syncing

    def _names_now(self) -> dict[str, int]:
        return {entry.name: entry.inode() for entry in os.scandir(self._directory)}

    def cut(self, draw: random.Random, into: Path) -> None:
        """Make ``into`` what the directory may be after a cut at this moment."""
        now = self._names_now()
        into.mkdir()
        for name in sorted({*now, *self._names}):
            inode = draw.choice([now.get(name), self._names.get(name)])
            if inode is None:
                continue
            safe = self._safe.get(inode, b"")
            volatile = self._volatile(inode, now)
            (into / name).write_bytes(_torn(draw, safe, volatile))

    def _volatile(self, inode: int, now: dict[str, int]) -> bytes:
        """What the system has of an inode, and the disk perhaps not."""
        for name, other in now.items():
            if other == inode:
                return (self._directory / name).read_bytes()
        self._removed[inode].seek(0)
        return self._removed[inode].read()


def _torn(draw: random.Random, safe: bytes, volatile: bytes) -> bytes:
    """``safe`` with some sectors of ``volatile``."""
    size = draw.choice([len(safe), len(volatile)])
    # Often all or nothing, for whole blocks to be among what is lost and what is kept.
    chance = draw.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    content = bytearray(safe[:size].ljust(size, b"\0"))
    for start in range(0, size, SECTOR):
        if draw.random() < chance:
            kept = volatile[start : min(start + SECTOR, size)]
            content[start : start + len(kept)] = kept
    return bytes(content)


def _nothing() -> None:
    """Before a change that nobody asks about."""

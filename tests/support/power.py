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
from typing import Any

import pytest

#: What a disk writes wholly or not at all, bytes. Real ones have 512 or 4096; smaller
#: ones tear small records more.
SECTOR = 32


class Disk:
    """Watches a directory while the store writes there."""

    def __init__(self, patch: pytest.MonkeyPatch, directory: Path) -> None:
        self._directory = directory
        #: Names that are safe, and the inode each stands for.
        self._names: dict[str, int] = self._names_now()
        #: What is safe of each inode.
        self._safe: dict[int, bytes] = {
            inode: (directory / name).read_bytes()
            for name, inode in self._names.items()
        }
        #: What an inode without a name holds, for those whose removal is not safe yet.
        self._removed: dict[int, bytes] = {}
        #: Called before every operation that changes something.
        self.before_change: Callable[[], None] = lambda: None
        for name in ("pwrite", "ftruncate", "posix_fallocate", "rename"):
            patch.setattr(os, name, self._changing(getattr(os, name)))
        patch.setattr(os, "unlink", self._unlinking(os.unlink))
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._syncing(getattr(os, name)))

    def _names_now(self) -> dict[str, int]:
        return {entry.name: entry.inode() for entry in os.scandir(self._directory)}

    def _changing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*arguments: Any) -> Any:
            self.before_change()
            return call(*arguments)

        return changing

    def _unlinking(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def unlinking(path: str) -> None:
            self.before_change()
            self._removed[os.stat(path).st_ino] = Path(path).read_bytes()
            call(path)

        return unlinking

    def _syncing(self, call: Callable[[int], None]) -> Callable[[int], None]:
        def syncing(fd: int) -> None:
            self.before_change()
            call(fd)
            if os.path.samestat(os.fstat(fd), os.stat(self._directory)):
                self._names = self._names_now()
            else:
                content = Path(f"/proc/self/fd/{fd}").read_bytes()
                self._safe[os.fstat(fd).st_ino] = content

        return syncing

    def cut(self, draw: random.Random, into: Path) -> None:
        """Make ``into`` what the directory may be after a cut at this moment."""
        now = self._names_now()
        volatile = {
            inode: (self._directory / name).read_bytes() for name, inode in now.items()
        }
        volatile.update(self._removed)
        into.mkdir()
        for name in {*now, *self._names}:
            inode = draw.choice([now.get(name), self._names.get(name)])
            if inode is not None:
                safe = self._safe.get(inode, b"")
                content = _torn(draw, safe, volatile.get(inode, safe))
                (into / name).write_bytes(content)


def _torn(draw: random.Random, safe: bytes, volatile: bytes) -> bytes:
    """``safe`` with some sectors of ``volatile``."""
    size = draw.choice([len(safe), len(volatile)])
    # Often all or nothing, for whole blocks to be among what is lost and what is kept.
    chance = draw.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    content = bytearray(safe[:size].ljust(size, b"\0"))
    for start in range(0, size, SECTOR):
        sector = slice(start, min(start + SECTOR, size))
        if draw.random() < chance:
            kept = volatile[sector]
            content[start : start + len(kept)] = kept
    return bytes(content)

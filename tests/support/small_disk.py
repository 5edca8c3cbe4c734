"""A disk that is soon full: a small file system in memory. Needs to be root."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PIECE = bytes(4096)


class SmallDisk:
    """While it is mounted at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, *, leave: int = 0) -> None:
        """Leave no room, or ``leave`` bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(PIECE)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            file.truncate(file.tell() - leave)

    def make_room(self) -> None:
        """Have it be as if it had never been filled."""
        self._ballast.unlink()


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[SmallDisk]:
    """Skips the test if this user may not mount."""
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode != 0:
        pytest.skip("this user may not mount")
    try:
        yield SmallDisk(at)
    finally:
        # Lazily: a test that failed still has files open there.
        subprocess.run(["umount", "--lazy", str(at)], check=True)

"""File operations that fail, fall short, or end the process.

They are the calls of ``os`` by which a store changes its files, counted and spoilt.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

import pytest

#: What a store changes files with.
CALLS = (
    "fdatasync",
    "fsync",
    "ftruncate",
    "open",
    "posix_fallocate",
    "pwrite",
    "rename",
    "unlink",
)

#: The exit status of a process that was ended by ``end_at``.
ENDED = 77


class Counter:
    """Has ``fault`` called before each call of ``names``, with its number from 1."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        fault: Callable[[int, str], None],
        names: tuple[str, ...] = CALLS,
    ) -> None:
        self.calls = 0
        self._fault = fault
        for name in names:
            patch.setattr(os, name, self._counting(name, getattr(os, name)))

    def _counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self.calls += 1
            self._fault(self.calls, name)
            return call(*arguments, **keywords)

        return counted


def fail(
    patch: pytest.MonkeyPatch,
    name: str,
    error: int,
    *,
    at: int = 1,
    once: bool = False,
) -> Counter:
    """The ``at``-th call of ``os.<name>`` from now raises, as do all after it unless it
    is to fail ``once``."""

    def fault(number: int, name: str) -> None:
        if number == at or (number > at and not once):
            raise OSError(error, os.strerror(error))

    return Counter(patch, fault, (name,))


def write_short(patch: pytest.MonkeyPatch, most: int) -> None:
    """``os.pwrite`` writes ``most`` bytes at once."""
    pwrite = os.pwrite

    def short(fd: int, data: bytes, offset: int) -> int:
        return pwrite(fd, memoryview(data)[:most], offset)

    patch.setattr(os, "pwrite", short)


def dies_at(call: int, deed: Callable[[], object]) -> bool:
    """Do ``deed`` in a forked process that ends, as if killed, before its ``call``-th
    file operation. Returns whether it came so far.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:

            def fault(number: int, name: str) -> None:
                if number == call:
                    os._exit(ENDED)

            Counter(pytest.MonkeyPatch(), fault)
            deed()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, ENDED), f"the deed itself failed ({code})"
    return code == ENDED

"""What ties a process to the one that forked it."""

from __future__ import annotations

import ctypes
import os
import signal

#: ``man prctl``.
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that forked it ends.

    However that comes about, and also if this process hangs or is stopped. A parent
    that has ended already is not seen: the caller has to look. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # Set-uid programs lose it when they are executed, and a fork does not inherit it.
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

"""The allocator of the C library, beyond what Python asks of it."""

from __future__ import annotations

import ctypes

# Looked up once: what is made for it at each look lives long, in memory that could have
# been given back. A C library other than glibc has no such function.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Return memory that is free to the system, also where something in use lies behind
    it. Does nothing with a C library that cannot.

    Python's own allocator, for what is smaller than 512 bytes, does so by itself, an
    arena at a time.
    """
    if _trim is not None:
        _trim(0)

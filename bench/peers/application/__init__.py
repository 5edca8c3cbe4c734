"""What runs with the libraries of a peer: its tasks, and a program that enqueues them.

Nothing here is imported by the measuring process. The worker command of a peer imports
the module of its family; ``python -m bench.peers.application.<family> COUNT [RATE]``
enqueues through the peer's own client. Both read ``BENCH_BROKER`` (a URL or a file),
``BENCH_TARGET`` (the receiver's port) and ``BENCH_CLIENT`` (see ``posting.py``).
"""

"""RQ with Redis."""

from __future__ import annotations

import os
from functools import partial

from redis import Redis
from rq import Queue

from bench.peers.application import enqueuing
from bench.peers.application.posting import post_from_process

if __name__ == "__main__":
    queue = Queue("bench", connection=Redis.from_url(os.environ["BENCH_BROKER"]))
    # Nobody asks for results, and an attempt has no deadline: no timer for it. The
    # description would be the call as text, made for every task.
    enqueue = partial(
        queue.enqueue_call,
        post_from_process,
        timeout=-1,
        result_ttl=0,
        description="post",
    )
    enqueuing.main(lambda payload: enqueue((payload,)))

"""Celery with RabbitMQ."""

from __future__ import annotations

import os
from functools import partial

from celery import Celery

from bench.peers.application import enqueuing
from bench.peers.application.posting import post_from_greenlet

app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    # Nobody asks for results, nobody watches: no results, no events, and (in the worker
    # command) no gossip, no mingle, no heartbeats.
    task_ignore_result=True,
    worker_send_task_events=False,
    worker_disable_rate_limits=True,
    # The older message costs a fifth less: it has no headers to be made and parsed.
    task_protocol=1,
    worker_hijack_root_logger=False,
)
# Its name by hand: the program that enqueues is called __main__.
post = app.task(post_from_greenlet, name="post")

if __name__ == "__main__":
    # A producer that is kept saves the lookup in two pools, for every task.
    with app.producer_pool.acquire(block=True) as producer:
        apply = partial(post.apply_async, producer=producer)
        enqueuing.main(lambda payload: apply((payload,)))
    # What is sent and not confirmed may be lost if the connection just breaks off.
    app.close()

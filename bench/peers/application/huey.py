"""Huey with Redis or SQLite."""

from __future__ import annotations

import os

from huey import RedisHuey, SqliteHuey

from bench.peers.application import enqueuing
from bench.peers.application.posting import post_from_greenlet

broker = os.environ["BENCH_BROKER"]
# Nobody asks for results.
if "://" in broker:
    huey = RedisHuey("bench", url=broker, results=False)
else:
    huey = SqliteHuey("bench", filename=broker, results=False)
post = huey.task(name="post", retries=3)(post_from_greenlet)

if __name__ == "__main__":
    enqueuing.main(post)

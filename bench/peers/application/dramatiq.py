"""Dramatiq with Redis or RabbitMQ."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from bench.peers.application import enqueuing
from bench.peers.application.posting import post_from_greenlet

url = os.environ["BENCH_BROKER"]
broker_class = RabbitmqBroker if url.startswith("amqp:") else RedisBroker
# With the middleware it begins with: without it nothing is faster.
broker = broker_class(url=url)
dramatiq.set_broker(broker)
post = dramatiq.actor(post_from_greenlet, actor_name="post")

if __name__ == "__main__":
    enqueuing.main(post.send)
    # What is sent and not confirmed may be lost if the connection just breaks off: of
    # 25,000 tasks RabbitMQ dropped the last hundred, now and then.
    broker.close()

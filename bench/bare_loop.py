"""The baseline of deliveries: the worker's transport in a loop, no queue behind it.

A process of its own: ``python -m bench.bare_loop TARGET COUNT CONCURRENCY``. Says that
it is ready, waits for a line, sends COUNT requests as a delivery does, and prints as
JSON when it began and ended (monotonic) and what it cost.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

from bench.backlog import PAYLOAD_SIZE  # noqa: E402
from poussetaches import __version__  # noqa: E402
from poussetaches.model.target import parse_target  # noqa: E402
from poussetaches.worker.request import envelope  # noqa: E402
from poussetaches.worker.transport import Transport  # noqa: E402

HEADERS = (
    ("User-Agent", f"poussetaches/{__version__}"),
    ("Content-Type", "application/json"),
    ("Poussetaches-Auth-Key", ""),
    ("Poussetaches-Queue", "default"),
    ("Poussetaches-Task-Id", "0" * 32),
    ("Poussetaches-Attempt", "1"),
)


def main(url: str, count: int, concurrency: int) -> None:
    """Raises RuntimeError if an answer is not 200."""
    target = parse_target(url)
    transport = Transport(max_response=16384)
    body = envelope(bytes(PAYLOAD_SIZE), 1, "0" * 12)
    left = count

    def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            answer = transport.request(target, "POST", HEADERS, body, timeout=600.0)
            if answer.status != 200:
                raise RuntimeError(f"the receiver answers {answer.status}")

    _say("ready")
    sys.stdin.readline()
    began, used = time.monotonic(), time.process_time()
    gevent.joinall([gevent.spawn(work) for _ in range(concurrency)], raise_error=True)
    cpu = time.process_time() - used
    _say({"began": began, "ended": time.monotonic(), "cpu": cpu})


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


url, count, concurrency = sys.argv[1:]
main(url, int(count), int(concurrency))

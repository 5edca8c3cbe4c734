"""The real service, with its most careful durability."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import programs
from bench.programs import Service

FLAGS = ["--workers", "2", "--concurrency", "16", "--durability", "always"]
#: Kept alive, with one push at a time on each.
CONNECTIONS = 16


class Poussetaches:
    """Paused at first. Its client is ``bench.generator``: one push, one request."""

    def __init__(self, service: Service, port: int) -> None:
        self._service = service
        self._target = f"http://127.0.0.1:{port}/task"
        service.post("/pause")

    def enqueue(self, count: int, rate: float | None = None) -> Any:
        """See ``Subject``."""
        arguments = [self._service.port, self._target, count, CONNECTIONS]
        return programs.run("bench.generator", *arguments, *([rate] if rate else []))

    def work(self) -> None:
        """See ``Subject``."""
        self._service.post("/resume")

    def usage(self) -> dict[str, float]:
        """See ``Subject``."""
        return self._service.usage()


@contextmanager
def ours(port: int, client: str) -> Iterator[Poussetaches]:
    """Run it, with a receiver on that port; ``client`` is for the peers."""
    with programs.service(FLAGS) as service:
        yield Poussetaches(service, port)

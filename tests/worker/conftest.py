"""The transport under test."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from poussetaches.worker import connections
from poussetaches.worker.transport import Transport
from tests.worker.exchanges import MAX_RESPONSE


@pytest.fixture(autouse=True)
def no_probation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets are trusted to keep connections, but where a test is about that."""
    monkeypatch.setattr(connections, "PROBATION", 0.0)


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(max_response=MAX_RESPONSE)
    yield transport
    transport.close()


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """gevent resolves names in threads, which it would keep."""
    yield
    gevent.get_hub().threadpool.kill()

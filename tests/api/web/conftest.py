"""What tests of pages start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.web.supervised import Supervised, supervised


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Supervised]:
    """A supervisor with nothing in it."""
    with supervised(tmp_path) as there:
        yield there


@pytest.fixture
def mail(service: Supervised) -> Supervised:
    """A service with a queue."""
    service.gateway.set_queue("mail", {"rate": "10/s", "concurrency": 4})
    return service

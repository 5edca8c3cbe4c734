"""What most tests of the real program need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A target that does what the URL asks (see ``receiver_process.py``)."""
    with Receiver() as receiver:
        yield receiver

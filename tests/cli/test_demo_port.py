"""The demo's service gets the usual port if it can, and never somebody else's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from poussetaches.cli import demo_service
from poussetaches.cli.demo_service import choose_port
from poussetaches.errors import StartupError
from tests.support.service import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_taken_as_asked_for() -> None:
    port = free_port()
    assert choose_port(port) == port


def test_a_taken_port_that_was_asked_for_is_refused(taken: int) -> None:
    with pytest.raises(StartupError) as caught:
        choose_port(taken)
    said = caught.value.message
    assert said == f"port {taken} of 127.0.0.1 cannot be used: Address already in use"


def test_the_usual_port_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(demo_service, "PORT", port)
    assert choose_port(None) == port


def test_if_the_usual_port_is_taken_any_other_is_as_good(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_service, "PORT", taken)
    port = choose_port(None)
    assert port not in (0, taken)

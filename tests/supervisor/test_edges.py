"""The supervisor's small edges: clock, port, systemd."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from poussetaches.errors import StartupError
from poussetaches.supervisor.clock import STEP, Clock
from poussetaches.supervisor.listener import listen
from poussetaches.supervisor.systemd import Keepalive, notify


def test_a_new_timeline_is_the_wall_clock() -> None:
    clock = Clock(0.0)
    assert clock.now() == pytest.approx(time.time(), abs=0.05)
    assert clock.skew() == pytest.approx(0.0, abs=0.05)


def test_a_timeline_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(3600.0)
    assert clock.now() == pytest.approx(time.time() - 3600.0, abs=0.05)
    assert not clock.stepped(3600.0)


def test_a_clock_that_starts_in_the_past_goes_on_from_what_was_seen_last() -> None:
    """As on a machine without a battery: everything due would be due in 56 years."""
    seen = time.time() + 1e6
    clock = Clock(0.0, not_before=seen)
    assert clock.now() == pytest.approx(seen, abs=0.05)
    assert clock.skew() == pytest.approx(-1e6, abs=0.05)
    assert clock.stepped(0.0)


def test_setting_the_wall_clock_changes_the_skew_and_not_the_timeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(0.0)
    before = clock.now()
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() - 86_400.0)
    assert clock.now() == pytest.approx(before, abs=0.05)
    assert clock.skew() == pytest.approx(-86_400.0, abs=0.05)
    assert clock.stepped(0.0)
    monkeypatch.setattr(time, "time", lambda: wall() + STEP / 2)
    assert not clock.stepped(0.0)


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with listen("127.0.0.1", 0, patience=0.0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=rf"127\.0\.0\.1:{port}.*in use"):
            listen("127.0.0.1", port, patience=0.0)


def test_a_port_that_becomes_free_in_time_is_taken() -> None:
    taken = listen("127.0.0.1", 0, patience=0.0)
    port = taken.getsockname()[1]
    timer = threading.Timer(0.1, taken.close)
    timer.start()
    with listen("127.0.0.1", port, patience=10.0) as ours:
        assert ours.getsockname()[1] == port
    timer.join()


def test_a_host_that_is_none_is_one_sentence() -> None:
    with pytest.raises(StartupError, match=r"bind: cannot listen on 192\.0\.2\.1:80"):
        listen("192.0.2.1", 80, patience=0.0)


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"poussetaches-test-{os.getpid()}" if abstract else str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
        notify("READY=1", "STATUS=fine")
        assert sock.recv(100) == b"READY=1\nSTATUS=fine"


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


def test_a_systemd_that_is_gone_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
    assert "systemd cannot be told READY=1" in caplog.text


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Its end of the socket, for a service without a watchdog."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "systemd"))
        sock.setblocking(False)
        yield sock


@pytest.mark.parametrize("pid", [None, str(os.getpid())], ids=["nobody", "this one"])
def test_systemds_watchdog_is_told_twice_in_its_time(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, pid: str | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    keepalive = Keepalive(1000.0)
    assert keepalive.due_at == 1030.0
    keepalive.beat(1029.9)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
    for now in (1030.0, 1060.5):
        keepalive.beat(now)
        keepalive.beat(now)
        assert systemd.recv(100) == b"WATCHDOG=1"
        assert keepalive.due_at == now + 30.0
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_watchdog_for_us_nobody_is_told(
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    keepalive = Keepalive(1000.0)
    assert keepalive.due_at == float("inf")
    keepalive.beat(1e9)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_a_systemd_that_takes_nothing_does_not_hold_us_up_for_long(
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("poussetaches.supervisor.systemd.PATIENCE", 0.01)
    for _ in range(10_000):
        notify("STATUS=fine")
        if "systemd cannot be told STATUS=fine" in caplog.text:
            break
    else:
        pytest.fail("its queue is never full")

"""``top`` on a terminal, against the real service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from poussetaches.cli.screen import ENTER, HOME, LEAVE
from tests.support.service import CHECKOUT, Service, free_port
from tests.support.terminal import Terminal

pytestmark = pytest.mark.process


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path, settings={"workers": 1}) as running:
        assert running.request("PUT", "/queue/mail", json={"paused": True}).ok
        assert running.post("/", {"url": "http://127.0.0.1:1/", "queue": "mail"}).ok
        yield running


def top(service: Service, *arguments: str, columns: int = 100) -> Terminal:
    environment = {"POUSSETACHES_URL": service.url}
    return Terminal("top", *arguments, environment=environment, columns=columns)


@pytest.mark.parametrize("key", ["q", "\x03", "\x04"])
def test_a_key_leaves_it_and_the_terminal_is_as_before(
    service: Service, key: str
) -> None:
    with top(service) as terminal:
        terminal.wait_for(ENTER)
        terminal.wait_for("worker-1")
        terminal.type(key)
        assert terminal.end() == 0
        assert terminal.output.endswith(LEAVE)
        assert terminal.is_as_before()


def test_it_is_left_as_it_was_by_an_end_from_outside(service: Service) -> None:
    with top(service) as terminal:
        terminal.wait_for("worker-1")
        os.kill(terminal.process.pid, signal.SIGTERM)
        assert terminal.end() == 0
        assert terminal.output.endswith(LEAVE)
        assert terminal.is_as_before()


def test_what_changes_is_shown(service: Service) -> None:
    with top(service) as terminal:
        seen = terminal.wait_for("waiting 1 ")
        assert service.post("/", {"url": "http://127.0.0.1:1/", "queue": "mail"}).ok
        seen = terminal.wait_for("waiting 2 ", since=seen)
        service.post("/pause")
        terminal.wait_for("PAUSED", since=seen)
        terminal.type("q")
        assert terminal.end() == 0


def test_it_fits_the_terminal_whatever_size_that_gets(service: Service) -> None:
    with top(service) as terminal:
        seen = terminal.wait_for("worker-1")
        terminal.resize(40, 8)
        seen = terminal.wait_for(HOME, since=seen)
        seen = terminal.wait_for("\x1b[J", since=seen)
        # From here on no frame was begun before it was smaller.
        began = terminal.wait_for(HOME, since=seen)
        ended = terminal.wait_for("\x1b[J", since=began)
        shown = terminal.output[began:ended].split("\r\n")
        assert len(shown) <= 8
        terminal.type("q")
        assert terminal.end() == 0


def test_a_service_that_goes_away_and_comes_back_is_waited_for(
    service: Service,
) -> None:
    with top(service) as terminal:
        seen = terminal.wait_for("worker-1")
        service.stop()
        seen = terminal.wait_for("asking again", since=seen)
        # The last that was known stays.
        seen = terminal.wait_for("mail", since=seen)
        service.start()
        ended = terminal.wait_for("\x1b[J", since=seen)
        while "asking again" in terminal.output[seen:ended]:
            seen = ended
            ended = terminal.wait_for("\x1b[J", since=seen)
        terminal.type("q")
        assert terminal.end() == 0


def once(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "poussetaches", "top", "--url", url, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


def test_without_a_terminal_it_is_printed_once(service: Service) -> None:
    for arguments in ([], ["--once"]):
        ended = once(service.url, *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "\x1b" not in ended.stdout
        rows = [line.split() for line in ended.stdout.splitlines()]
        [mail] = [row for row in rows if row[:1] == ["mail"]]
        assert mail[:4] == ["mail", "paused", "1", "0"]
    shown = json.loads(once(service.url, "--once", "--json").stdout)
    assert shown["stats"]["queues"]["mail"]["waiting"] == 1


def test_a_service_that_was_never_there_is_said() -> None:
    ended = once(f"http://127.0.0.1:{free_port()}")
    assert ended.returncode == 3
    assert "cannot be reached" in ended.stderr

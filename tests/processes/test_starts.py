"""A start: it is quick, or it says in one line why it cannot be."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.service import Service, wait_until

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process


class Refusal(NamedTuple):
    """How a program ended that could not start."""

    status: int
    lines: list[str]
    #: After so many seconds.
    after: float


def refusal(service: Service) -> Refusal:
    """Of a service that was launched. It must end by itself."""
    began = time.monotonic()
    status = service.wait(20)
    return Refusal(status, service.log.splitlines(), time.monotonic() - began)


def test_it_answers_soon_after_it_was_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with Service(tmp_path) as service:
        answered = time.monotonic() - began
        wait_until(lambda: " INFO ready " in service.log)
        log.info("answered after %.2f s", answered)
        # About 0.6 s on a machine that has nothing else to do.
        assert answered < 4


# --- what cannot be -------------------------------------------------------------------


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Refusal]]:
    """Starts that cannot be, by what is wrong; all at once, for some of them wait for a
    while for what is taken to become free."""
    folders = {
        wrong: tmp_path_factory.mktemp(wrong.replace(" ", "-"))
        for wrong in (
            "port taken",
            "directory taken",
            "directory is a file",
            "directory not to be made",
            "unknown flag",
            "bad value",
            "unknown setting",
            "missing file",
        )
    }
    (folders["directory is a file"] / "file").touch()
    (folders["unknown setting"] / "service.ini").write_text(
        "[poussetaches]\nworkers = 2\nconcurency = 4\n"
    )
    services = {wrong: Service(folder) for wrong, folder in folders.items()}
    services["directory is a file"].data_dir = folders["directory is a file"] / "file"
    services["directory not to be made"].data_dir = Path("/proc/poussetaches")
    services["unknown flag"].settings["wokers"] = 3
    services["bad value"].settings["workers"] = "many"
    services["unknown setting"].settings["config"] = "../service.ini"
    services["missing file"].settings["config"] = "nowhere.ini"
    with ExitStack() as stack:
        port = services["port taken"].port
        stack.enter_context(socket.create_server(("127.0.0.1", port)))
        owner = stack.enter_context(Service(tmp_path_factory.mktemp("owner")))
        services["directory taken"].data_dir = owner.data_dir
        for service in services.values():
            stack.enter_context(service.launched())
        yield {wrong: refusal(service) for wrong, service in services.items()}
        assert owner.get("/").status_code == 200


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            "port taken",
            r"bind: cannot listen on 127\.0\.0\.1:\d+: Address already in use",
        ),
        (
            "directory taken",
            r"data_dir: /\S+/data is in use by another poussetaches \(process \d+\)",
        ),
        ("directory is a file", r"data_dir: cannot use /\S+/file: (Not|File|Is) .+"),
        ("directory not to be made", r"data_dir: cannot use /proc/poussetaches: .+"),
        ("bad value", r'workers: "many" \(from --workers\) .+'),
        (
            "unknown setting",
            r'there is no setting "concurency" \(from \S+:3 \[poussetaches\]\), '
            "did you mean concurrency\\?",
        ),
        ("missing file", r"nowhere\.ini cannot be read: No such file or directory"),
    ],
)
def test_what_stops_a_start_is_said_in_one_line(
    refusals: dict[str, Refusal], wrong: str, sentence: str
) -> None:
    found = refusals[wrong]
    assert found.status == 1
    last = found.lines[-1]
    assert re.fullmatch(f"poussetaches: {sentence}", last)
    # Before it at most what went well: no traceback, no warning, no child.
    assert all(" INFO " in line for line in found.lines[:-1])
    assert not any("child" in line for line in found.lines)


def test_an_unknown_flag_is_named(refusals: dict[str, Refusal]) -> None:
    found = refusals["unknown flag"]
    assert found.status == 2
    assert "--wokers" in found.lines[-1]
    assert "Traceback" not in "".join(found.lines)


def test_a_taken_port_or_directory_is_waited_for_a_moment_only(
    refusals: dict[str, Refusal],
) -> None:
    assert refusals["port taken"].after < 10
    assert refusals["directory taken"].after < 10


def test_it_starts_when_the_port_becomes_free_in_time(tmp_path: Path) -> None:
    """As after a crash, when the last api has not left yet."""
    service = Service(tmp_path)
    taken = socket.create_server(("127.0.0.1", service.port))
    with taken, service.launched():
        wait_until((service.data_dir / "lock").exists)
        with pytest.raises(AssertionError, match="did not leave"):
            service.wait(0.5)
        taken.close()
        service.wait_until_it_answers()

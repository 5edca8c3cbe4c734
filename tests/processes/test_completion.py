"""What the Tab key does in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import CHECKOUT, Service, free_port

BASH = shutil.which("bash")

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(BASH is None, reason="there is no bash"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running:
        for name in ("mail", "mailing", "bulk"):
            assert running.request("PUT", f"/queue/{name}", json={}).ok
        rule = {"url": "http://127.0.0.1:1/", "schedule": "@yearly", "name": "nightly"}
        assert running.post("/", rule).ok
        yield running


def completed(folder: Path, url: str, *words: str) -> list[str]:
    """What bash makes of these words and the Tab key."""
    program = folder / "poussetaches"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m poussetaches "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(poussetaches completion bash)"
        read -r _ _ _ _ function _ <<< "$(complete -p poussetaches)"
        COMP_WORDS=(poussetaches "$@") COMP_CWORD=$#
        "$function" poussetaches
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    assert BASH is not None
    ended = subprocess.run(
        [BASH, "--norc", "-c", script, "bash", *words],
        env={
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "POUSSETACHES_URL": url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sche"], ["schedule"]),
        (["queue", "p"], ["pause", "purge"]),
        (["queue", "pause", "mai"], ["mail", "mailing"]),
        (["schedule", "run", ""], ["nightly"]),
        (["queue", "ls", "--j"], ["--json"]),
        (["push", "http://a/", "--queue", "mai"], ["mail", "mailing"]),
    ],
)
def test_commands_options_and_names_are_completed(
    tmp_path: Path, service: Service, words: list[str], found: list[str]
) -> None:
    assert completed(tmp_path, service.url, *words) == found


def test_a_service_that_is_away_has_no_names_and_says_nothing(tmp_path: Path) -> None:
    began = time.monotonic()
    url = f"http://127.0.0.1:{free_port()}"
    assert completed(tmp_path, url, "queue", "pause", "") == []
    assert time.monotonic() - began < 30

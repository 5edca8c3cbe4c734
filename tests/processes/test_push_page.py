"""The page to push on, of the real service: the commands that it shows are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.api.web.site import Page
from tests.support.service import START_DEADLINE, Service, wait_until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("curl"), reason="no curl"),
]

KEY = "k" * 32
#: What a shell or a program might take for something of its own.
PAYLOAD = 'it\'s "quoted" $(id) `id` $HOME \\ !! \u202e @/etc/passwd\nnew line'
FORM = {
    "url": "http://127.0.0.1:9/it's?a=1&b=$HOME",
    "kind": "text",
    "payload": PAYLOAD,
    "countdown": "3600",
    "headers": "X-A: 'x'",
    "metadata": json.dumps({"said": PAYLOAD}),
}


def run(command: Sequence[str], folder: Path) -> str:
    """What it prints."""
    environment = {**os.environ, "POUSSETACHES_API_KEY": KEY, "NO_PROXY": "*"}
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode()


def shown(answer: requests.Response) -> list[str]:
    return ["".join(one.words) for one in Page(answer.text).all("pre")]


def _answers(service: Service) -> bool:
    with suppress(requests.ConnectionError):
        return service.get("/jobs/ready").status_code == 200
    return False


def test_the_commands_shown_before_and_after_push_what_was_pushed(
    tmp_path: Path,
) -> None:
    settings = {"workers": 1, "api_keys": KEY, "url_prefix": "/jobs"}
    service = Service(tmp_path, settings=settings)
    auth = {"auth": ("", KEY)}
    service_path = "/jobs/ui/push"
    with service.launched():
        wait_until(lambda: _answers(service), START_DEADLINE, lambda: service.log)
        only = service.request(
            "POST", service_path, data={**FORM, "only-show": "yes"}, **auth
        )
        pushed = service.request("POST", service_path, data=FORM, **auth)
        assert urlsplit(pushed.url).path == service_path
        assert "Pushed: the task is safe" in pushed.text
        assert KEY not in only.text + pushed.text
        printed = []
        for curl, python in (shown(only), shown(pushed)):
            printed.append(run(["sh", "-c", curl], tmp_path))
            printed.append(run([sys.executable, "-c", python], tmp_path))
        assert printed[0].startswith("HTTP/1.1 201 ")
        found = [re.findall(r"\b[0-9a-f]{32}\b", one) for one in printed]
        ids = [one for (one,) in found]
        ids += re.findall(r'href="/jobs/ui/task/([0-9a-f]{32})"', pushed.text)
        assert len({*ids}) == 5
        tasks = [service.get(f"/jobs/task/{id}", **auth).json() for id in ids]
        for task in tasks:
            for mine in ("id", "next_run", "pushed"):
                task.pop(mine)
        assert tasks[0]["metadata"] == {"said": PAYLOAD}
        assert tasks == tasks[:1] * 5

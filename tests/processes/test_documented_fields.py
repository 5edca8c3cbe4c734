"""Every field of a push, as docs/tasks.md has it: an example that is accepted, kept and
shown."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.schema import PushBody
from tests.support.receiver import Receiver
from tests.support.service import Service

DOCUMENT = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()

#: A row of the table of fields; in its last column is an example.
ROW = re.compile(r"^\| `(\w+)` \|.*\| `(\{.*\})` \|$", re.MULTILINE)

EXAMPLES = ROW.findall(DOCUMENT)

#: What the ancestor's words for it say, in minutes or seconds.
UNITS = {"delay": 60, "countdown": 1}


def test_every_field_is_documented_with_an_example() -> None:
    assert sorted(name for name, _ in EXAMPLES) == sorted(PushBody.__struct_fields__)
    for name, text in EXAMPLES:
        assert name in json.loads(text)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.mark.process
@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_the_example_is_accepted_and_shown(
    service: Service, receiver: Receiver, name: str, text: str
) -> None:
    base = receiver.url()
    queue = service.request("PUT", "/queue/mail", json={"base_url": base})
    assert queue.ok, queue.text
    # Nobody may be listening on the port that the examples have.
    body = json.loads(text.replace("http://127.0.0.1:5000/", base))
    before = time.time()
    answer = service.post("/", body)
    assert answer.status_code == 201, answer.text
    id = answer.headers["Poussetaches-Task-Id"]
    shown: dict[str, Any] = service.get(f"/task/{id}").json()
    if name in UNITS:
        eta = shown["next_run"] / 1e9
        wanted = body[name] * UNITS[name]
        assert wanted <= eta - before <= wanted + 30
    elif name == "url":
        assert shown["url"] == base.rstrip("/") + body["url"]
    else:
        assert shown[name] == body[name]

"""What a running service answers is what ``/openapi.json`` says, to any question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.api.openapi.document import document
from tests.openapi import campaign
from tests.support.connection import Connection, ask
from tests.support.service import Service

pytestmark = pytest.mark.process

#: For each operation, after those at the limits of each field.
EXAMPLES = 10


@pytest.mark.timeout(600)
def test_every_answer_is_as_described(tmp_path: Path) -> None:
    """A short campaign, of always the same requests."""
    found = campaign.run(tmp_path, examples=EXAMPLES, seed=None, timeout=580)
    assert found.well, found.report


#: As they stand in a path or a query.
STRANGE = [
    *("", "a", "-1", "1e999", "NaN", "null", "true", "0", "1,1", "[]", "{}", "*", ","),
    *("%00", "%0D%0A", "%7F", "%FF", "%ED%A0%80", "%C3%A9", "%F0%9F%98%80", "%2F"),
    *("%25", "%2B", "+", "%20", "a:b", "..%2F", "http:", "http://%00/"),
    *("a" * length for length in (101, 1001, 9000, 60_000)),
    *(
        "9" * 400,
        "http://" + "a" * 300,
        ",".join(["dead"] * 50),
        ",".join(["5xx"] * 60),
    ),
]


def test_strange_names_and_parameters_are_refused_and_end_nobody(
    tmp_path: Path,
) -> None:
    """Each for itself, through a door where nobody has looked at it before."""
    with Service(tmp_path, settings=campaign.SETTINGS) as service:
        for method, url, statuses in strange_requests():
            answer = ask(service.port, method, url)
            # With a slash in it, or empty, it is another path.
            assert answer.status in statuses | {404, 405}, (method, url[:200], answer)
        assert service.get("/stats").json()["restarts"] == 0
        assert "Traceback" not in service.log


def strange_requests() -> Iterator[tuple[str, str, set[int]]]:
    """Method, URL, and the statuses that are described."""
    for path, item in document("")["paths"].items():
        for method, operation in item.items():
            statuses = {int(status) for status in operation["responses"]}
            parameters: list[dict[str, Any]] = operation.get("parameters", [])
            parts = {"id": "0" * 32, "name": "mail", "uid": "0" * 32}
            for one in parameters:
                for value in STRANGE:
                    if one["in"] == "path":
                        url = path.format(**{**parts, one["name"]: value})
                    else:
                        url = f"{path.format(**parts)}?{one['name']}={value}"
                    yield method.upper(), url, statuses


#: Of what may stand in any request, what a view looks at.
HEADERS = ("Accept", "If-None-Match", "Content-Type", "X-Request-Id", "traceparent")
STRANGE_VALUES = (b"\xff", b"\xed\xa0\x80", b"\xc3\xa9", b"", b",;=", b"a" * 9000)


def test_strange_headers_end_nobody(tmp_path: Path) -> None:
    with Service(tmp_path, settings=campaign.SETTINGS) as service:
        for path, item in document("")["paths"].items():
            url = path.format(id="0" * 32, name="mail", uid="0" * 32).encode()
            for method, operation in item.items():
                statuses = {int(status) for status in operation["responses"]}
                for name in HEADERS:
                    for value in STRANGE_VALUES:
                        with Connection(service.port) as connection:
                            connection.send(
                                b"%s %s HTTP/1.1\r\nHost: t\r\n%s: %s\r\n"
                                b"Content-Length: 2\r\n\r\n{}"
                                % (method.upper().encode(), url, name.encode(), value)
                            )
                            answer = connection.answer()
                        assert answer.status in statuses, (method, path, name, value)
        assert "Traceback" not in service.log

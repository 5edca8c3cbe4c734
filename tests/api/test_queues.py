"""The queues over HTTP: what is asked of the supervisor, and what people see of it."""

from __future__ import annotations

import io
import json
import time
from typing import Any
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults

import pytest

from poussetaches.api.app import make_app
from poussetaches.api.gateway import Gateway
from poussetaches.api.health import Health
from poussetaches.errors import Conflict, NotFound, PousseTachesError
from poussetaches.model.rules import Rules

VIEW = {
    "name": "mail",
    "settings": {"rate": [20.0, "m"], "headers": [["Authorization", "s3cret"]]},
    "configured": {"rate": [20.0, "m"]},
    "changed": {"headers": [["Authorization", "s3cret"]]},
    "waiting": 3,
    "in_flight": 1,
    "oldest_due": {"id": "a", "seconds": 1.5},
}
SHOWN = {
    **VIEW,
    "settings": {"rate": "20/m", "headers": {"Authorization": "***"}},
    "configured": {"rate": "20/m"},
    "changed": {"headers": {"Authorization": "***"}},
}


class Channel:
    """Remembers what was asked of it, and answers one thing after the other."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers = [*answers]

    def call(self, verb: str, **arguments: Any) -> Any:
        self.asked.append((verb, arguments))
        answer = self._answers.pop(0)
        if isinstance(answer, PousseTachesError):
            raise answer
        return answer


def ask(channel: Any, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """The status of the answer and its JSON."""
    gateway = Gateway(channel, Rules("UTC"), max_payload=1000)
    app = make_app(gateway, Health(10.0, time.monotonic()))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
    }
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    started: list[str] = []

    def start_response(status: str, headers: Any, exc: Any = None) -> Any:
        started.append(status)

    content = b"".join(app(environ, start_response))
    return int(started[0][:3]), json.loads(content) if content else None


def test_queues_are_listed_with_both_layers_and_without_secrets() -> None:
    assert ask(Channel([VIEW]), "GET", "/queues") == (200, {"queues": [SHOWN]})
    assert ask(Channel(VIEW), "GET", "/queue/mail") == (200, SHOWN)
    unconfigured = VIEW | {"configured": None}
    assert ask(Channel(unconfigured), "GET", "/queue/mail")[1]["configured"] is None


@pytest.mark.parametrize(("is_new", "status"), [(True, 201), (False, 200)])
def test_a_queue_is_made_or_changed(is_new: bool, status: int) -> None:
    channel = Channel(VIEW | {"is_new": is_new})
    body = b'{"rate": "20/m", "burst": null}'
    assert ask(channel, "PUT", "/queue/mail", body) == (status, SHOWN)
    changes = {"rate": "20/m", "burst": None}
    assert channel.asked == [("queue_set", {"name": "mail", "changes": changes})]


def test_a_queue_needs_no_settings() -> None:
    channel = Channel(VIEW | {"is_new": True})
    assert ask(channel, "PUT", "/queue/mail")[0] == 201
    assert channel.asked == [("queue_set", {"name": "mail", "changes": {}})]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b'{"rate": "fast"}', "rate", 'rate: "fast" is not a rate, such as 10/s, 21.'),
        (b'{"rat": "1/s"}', "rat", "rat: is not a setting of a queue, did you mean ra"),
        (b'{"rat": null}', "rat", "rat: is not a setting of a queue, did you mean ra"),
        (b"[]", None, "The body must be a JSON object."),
        (b'{"burst": 1e400}', None, "The body cannot be read: Number out of range"),
        (b"{", None, "The body is not valid JSON: "),
    ],
)
def test_what_cannot_be_is_refused_before_the_supervisor_is_asked(
    body: bytes, field: str | None, message: str
) -> None:
    channel = Channel()
    status, told = ask(channel, "PUT", "/queue/mail", body)
    assert status == 400
    assert told["error"]["field"] == field
    assert told["error"]["message"].startswith(message)
    assert channel.asked == []


@pytest.mark.parametrize(("verb", "paused"), [("pause", True), ("resume", False)])
def test_a_queue_is_paused_and_resumed_if_it_exists(verb: str, paused: bool) -> None:
    channel = Channel(VIEW, VIEW | {"is_new": False})
    assert ask(channel, "POST", f"/queue/mail/{verb}") == (200, SHOWN)
    assert channel.asked[1][1]["changes"] == {"paused": paused}
    missing = Channel(NotFound("there is no queue 'mial'", field="queue"))
    assert ask(missing, "POST", f"/queue/mial/{verb}")[0] == 404
    assert [verb for verb, _ in missing.asked] == ["queue"]


@pytest.mark.parametrize("name", ["a b", "a" * 101, "a" * 5000, "%C3%A9", "%00"])
def test_a_name_that_no_queue_has_is_not_even_asked_for(name: str) -> None:
    """The supervisor takes one of great length for nonsense, and ends who asks."""
    channel = Channel()
    path = f"/queue/{unquote(name, 'latin-1')}"
    assert ask(channel, "GET", path)[0] == 404
    assert ask(channel, "DELETE", path)[0] == 404
    for verb in ("pause", "resume", "purge"):
        status, told = ask(channel, "POST", f"{path}/{verb}")
        assert (status, told["error"]["field"]) == (404, "queue")
    assert ask(channel, "PUT", path, b"{}")[0] == 400
    assert channel.asked == []


def test_a_purge_goes_on_until_nothing_is_left() -> None:
    channel = Channel(
        {"cancelled": 5000, "is_over": False}, {"cancelled": 7, "is_over": True}
    )
    assert ask(channel, "POST", "/queue/mail/purge") == (200, {"cancelled": 5007})
    assert channel.asked == [("queue_purge", {"name": "mail"})] * 2


def test_a_queue_that_is_needed_is_a_conflict() -> None:
    assert ask(Channel(None), "DELETE", "/queue/mail") == (200, None)
    needed = Channel(Conflict("queue: mail stands in the configuration", field="queue"))
    status, told = ask(needed, "DELETE", "/queue/mail")
    assert (status, told["error"]["code"]) == (409, "conflict")

"""The client against a stand-in for the service, over real sockets."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import flask
import pytest
import requests
from werkzeug.test import EnvironBuilder

from poussetaches.client.client import GetTask, PousseTaches, Task
from tests.client.stub import Scripted, Stub, task_id_of

CHECKOUT = Path(__file__).parents[2]
APPLICATION = "http://127.0.0.1:5000"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.fixture
def client(stub: Stub) -> PousseTaches:
    return PousseTaches(stub.url, APPLICATION)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def task_on_the_wire(**changes: Any) -> dict[str, Any]:
    """A task object as the listings hold it."""
    return {
        "id": "5d41402abc4b2a76b9719d911017c592",
        "url": f"{APPLICATION}/task/mail",
        "payload": encoded(b'{"to": "ana"}'),
        "expected": 200,
        "schedule": "",
        "next_scheduled_run": 0,
        "next_run": 1_566_993_600_250_000_000,
        "tries": 0,
        "last_run": 0,
        "last_error_body": None,
        "last_error_status_code": 0,
    } | changes


def delivery(payload: str | None, key: str | None = None) -> flask.Request:
    """The request an application gets, its payload in base64."""
    envelope = {"payload": payload, "tries": 3, "req_id": "a1b2c3d4e5f6"}
    headers = {} if key is None else {"Poussetaches-Auth-Key": key}
    return flask_request(json.dumps(envelope).encode(), headers)


def flask_request(body: bytes, headers: dict[str, str]) -> flask.Request:
    return flask.Request(
        EnvironBuilder(data=body, headers=headers.items()).get_environ()
    )


def run_python(script: str, *arguments: str) -> str:
    """What a fresh interpreter prints, that sees the package and must not fail."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestPush:
    def test_what_is_sent_is_what_the_published_client_sends(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        task_id = client.push({"to": "ana"}, "/task/mail", 201, "@every 1h", 5)
        (request,) = stub.seen
        assert (request.method, request.target) == ("POST", "/")
        assert request.json == {
            "url": "http://127.0.0.1:5000/task/mail",
            "payload": encoded(b'{"to": "ana"}'),
            "expected": 201,
            "schedule": "@every 1h",
            "delay": 5,
        }
        assert task_id == task_id_of(request.json["payload"])

    def test_a_push_has_the_published_defaults(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        client.push(None, "/")
        pushed = stub.seen[0].json
        assert pushed["payload"] == encoded(b"null")
        assert (pushed["expected"], pushed["schedule"], pushed["delay"]) == (200, "", 0)

    def test_what_json_cannot_say_is_refused_before_anything_is_sent(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        with pytest.raises(TypeError):
            client.push(object(), "/task/mail")
        assert stub.seen == []

    def test_an_answer_without_an_id_is_an_error_that_says_what_to_look_at(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        stub.script = [Scripted(200, b"<html>")]
        with pytest.raises(requests.RequestException, match="is api_url the address"):
            client.push(1, "/task/mail")


class TestParse:
    def test_a_delivery_is_read(self, client: PousseTaches) -> None:
        request = delivery(encoded(b'{"to": "ana"}'))
        assert client.parse(request) == Task("a1b2c3d4e5f6", 3, {"to": "ana"})

    @pytest.mark.parametrize(
        ("payload", "read"),
        [
            (None, None),
            (encoded(b"null"), None),
            (encoded(b""), ""),
            (encoded("grün".encode()), "grün"),
            (encoded(b"\x89PNG\xff"), b"\x89PNG\xff"),
            (encoded(b"[" * 100_000), "[" * 100_000),
        ],
        ids=["none", "json null", "empty", "text", "binary", "json too deep"],
    )
    def test_any_payload_can_be_read(
        self, client: PousseTaches, payload: str | None, read: Any
    ) -> None:
        assert client.parse(delivery(payload)).payload == read

    @pytest.mark.parametrize(
        ("configured", "given", "good"),
        [
            ("s3cret", "s3cret", True),
            ("s3cret\n", "s3cret", True),
            ("s3cret", "S3cret", False),
            ("s3cret", "", False),
            ("s3cret", None, False),
            ("s3cret", "s3cr\xe9t", False),
            ("", "", True),
            ("", None, True),
            ("", "s3cret", False),
            (None, "", True),
            (None, None, True),
            (None, "s3cret", False),
        ],
    )
    def test_the_key_of_the_environment_is_asked_for_at_each_call(
        self,
        client: PousseTaches,
        monkeypatch: pytest.MonkeyPatch,
        configured: str | None,
        given: str | None,
        good: bool,
    ) -> None:
        monkeypatch.delenv("POUSSETACHES_AUTH_KEY", raising=False)
        if configured is not None:
            monkeypatch.setenv("POUSSETACHES_AUTH_KEY", configured)
        if good:
            assert client.parse(delivery(None, given)).tries == 3
        else:
            with pytest.raises(ValueError, match=r"^Bad auth key$"):
                client.parse(delivery(None, given))

    def test_a_key_given_to_the_client_stands_for_the_environments(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POUSSETACHES_AUTH_KEY", "theirs")
        client = PousseTaches("http://127.0.0.1:1", APPLICATION, auth_key="ours")
        assert client.parse(delivery(None, "ours")).tries == 3
        with pytest.raises(ValueError, match=r"^Bad auth key$"):
            client.parse(delivery(None, "theirs"))

    @pytest.mark.parametrize(
        "body", [b"", b"hello", b"\xff", b"[]", b"{}", b'{"payload": "#", "tries": 1}']
    )
    def test_what_is_no_envelope_is_a_value_error(
        self, client: PousseTaches, body: bytes
    ) -> None:
        with pytest.raises(ValueError):
            client.parse(flask_request(body, {}))

    def test_any_object_with_headers_and_data_will_do(
        self, client: PousseTaches
    ) -> None:
        @dataclasses.dataclass
        class Plain:
            headers: dict[str, str]
            data: bytes

        body = b'{"payload": "MQ==", "tries": 1, "req_id": "a1b2c3d4e5f6"}'
        assert client.parse(Plain({}, body)) == Task("a1b2c3d4e5f6", 1, 1)

    def test_nothing_is_printed(
        self, client: PousseTaches, capfd: pytest.CaptureFixture[str]
    ) -> None:
        client.push("secret", "/task/mail")
        client.parse(delivery(encoded(b"1")))
        assert capfd.readouterr() == ("", "")


class TestPause:
    def test_pause_and_resume_post_to_their_paths(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        client.pause()
        assert stub.paused
        client.resume()
        assert not stub.paused
        assert [request.body for request in stub.seen] == [b"", b""]

    def test_a_slash_at_the_end_of_the_address_does_no_harm(self, stub: Stub) -> None:
        client = PousseTaches(f"{stub.url}/", APPLICATION)
        client.pause()
        client.push(1, "/task/mail")
        assert [request.target for request in stub.seen] == ["/pause", "/"]


class TestLists:
    @pytest.mark.parametrize("name", ["cron", "success", "waiting", "dead"])
    def test_each_list_is_read_from_its_path(
        self, client: PousseTaches, stub: Stub, name: str
    ) -> None:
        stub.lists[name] = [
            task_on_the_wire(
                schedule="@every 1h",
                tries=2,
                last_error_body=encoded(b"boom"),
                last_error_status_code=500,
            )
        ]
        assert getattr(client, f"get_{name}")() == [
            GetTask(
                payload={"to": "ana"},
                expected=200,
                schedule="@every 1h",
                task_id="5d41402abc4b2a76b9719d911017c592",
                next_run=datetime.fromtimestamp(1_566_993_600.25),
                tries=2,
                url="http://127.0.0.1:5000/task/mail",
                last_error_status_code=500,
                last_error_body="boom",
            )
        ]

    @pytest.mark.parametrize(
        ("on_the_wire", "read"),
        [
            (None, None),
            ("", ""),
            (encoded(b"boom"), "boom"),
            (encoded(b"cut \xc3"), "cut \N{REPLACEMENT CHARACTER}"),
        ],
        ids=["never failed", "empty", "text", "cut inside a character"],
    )
    def test_any_error_body_can_be_read(
        self,
        client: PousseTaches,
        stub: Stub,
        on_the_wire: str | None,
        read: str | None,
    ) -> None:
        stub.lists["dead"] = [task_on_the_wire(last_error_body=on_the_wire)]
        assert client.get_dead()[0].last_error_body == read

    def test_one_odd_payload_does_not_hide_the_rest(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        payloads = [None, encoded(b"\xff"), encoded(b"hello"), encoded(b"[1]")]
        stub.lists["waiting"] = [
            task_on_the_wire(id=str(number), payload=payload)
            for number, payload in enumerate(payloads)
        ]
        read = [task.payload for task in client.get_waiting()]
        assert read == [None, b"\xff", "hello", [1]]

    @pytest.mark.parametrize("total", [0, 1, 9, 10, 11, 35])
    def test_a_list_of_many_pages_is_returned_whole(
        self, client: PousseTaches, stub: Stub, total: int
    ) -> None:
        stub.page = 10
        stub.lists["success"] = [task_on_the_wire(id=str(n)) for n in range(total)]
        ids = [task.task_id for task in client.get_success()]
        assert ids == [str(number) for number in range(total)]
        assert len(stub.seen) == max(1, -(-total // 10))

    def test_a_list_without_pages_is_read_too(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        stub.paged = False
        stub.lists["cron"] = [task_on_the_wire()]
        assert len(client.get_cron()) == 1

    def test_a_task_that_moved_between_two_pages_is_returned_once_where_it_is_now(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        first = {"tasks": [task_on_the_wire(id="a"), task_on_the_wire(id="b")]}
        second = {
            "tasks": [task_on_the_wire(id="c"), task_on_the_wire(id="a", tries=1)]
        }
        stub.script = [
            Scripted(200, json.dumps(first | {"cursor": "x"}).encode()),
            Scripted(200, json.dumps(second | {"cursor": None}).encode()),
        ]
        read = [(task.task_id, task.tries) for task in client.get_waiting()]
        assert read == [("b", 0), ("c", 0), ("a", 1)]

    def test_a_cursor_that_leads_nowhere_ends_in_an_error(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        stub.script = [Scripted(200, b'{"tasks": [], "cursor": "x"}')] * 2
        with pytest.raises(requests.RequestException, match="drop the query string"):
            client.get_dead()


class TestErrors:
    def test_a_refusal_carries_the_reason_of_the_service(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        reason = {"code": "invalid", "message": "delay: too long", "field": "delay"}
        stub.script = [Scripted(400, json.dumps({"error": reason}).encode())]
        with pytest.raises(requests.HTTPError) as caught:
            client.push(1, "/task/mail", delay=10**12)
        assert str(caught.value) == "400 Bad Request for POST /: delay: too long"
        response = caught.value.response
        assert response is not None
        assert response.json()["error"]["code"] == "invalid"

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>", b"[]", b'"no"', b'{"error": "no"}', b'{"error": {}}', b"\xff"],
    )
    def test_a_refusal_in_other_words_is_still_an_http_error(
        self, client: PousseTaches, stub: Stub, body: bytes
    ) -> None:
        stub.script = [Scripted(502, body)]
        with pytest.raises(
            requests.HTTPError, match=r"^502 Bad Gateway for GET /dead$"
        ):
            client.get_dead()

    def test_a_full_service_tells_when_to_come_back(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        stub.script = [Scripted(503, b"", {"Retry-After": "7"})]
        with pytest.raises(requests.HTTPError) as caught:
            client.push(1, "/task/mail")
        response = caught.value.response
        assert response is not None
        assert response.headers["Retry-After"] == "7"

    def test_credentials_in_the_address_are_sent_and_never_shown(
        self, stub: Stub
    ) -> None:
        address = stub.url.replace("http://", "http://:s3cret@")
        client = PousseTaches(address, APPLICATION)
        stub.script = [Scripted(401)]
        with pytest.raises(requests.HTTPError) as caught:
            client.pause()
        assert stub.seen[0].headers["Authorization"] == f"Basic {encoded(b':s3cret')}"
        assert "s3cret" not in str(caught.value)

    def test_nobody_listening_is_a_connection_error(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(requests.ConnectionError):
                PousseTaches(address, APPLICATION).push(1, "/task/mail")

    def test_a_service_that_never_answers_costs_no_more_than_the_timeout(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            client = PousseTaches(address, APPLICATION, timeout=0.2)
            began = time.monotonic()
            with pytest.raises(requests.Timeout):
                client.push(1, "/task/mail")
            assert 0.2 <= time.monotonic() - began < 2

    def test_the_timeout_is_ten_seconds_unless_told(self) -> None:
        assert PousseTaches("http://127.0.0.1:1", APPLICATION).timeout == 10.0


class TestConnections:
    def test_requests_that_follow_each_other_share_one_connection(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        for number in range(5):
            client.push(number, "/task/mail")
        client.get_waiting()
        assert len(set(stub.connections)) == 1

    def test_a_service_that_restarted_costs_no_push(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        client.push(1, "/task/mail")
        stub.hang_up()
        client.push(2, "/task/mail")
        assert len(set(stub.connections)) == 2

    def test_threads_get_their_own_answers_and_share_connections(
        self, client: PousseTaches, stub: Stub
    ) -> None:
        # The cookies would be the one thing that threads change in the session.
        stub.script = [Scripted(200, b"", {"Set-Cookie": "node=7; Path=/"})]
        client.pause()
        wrong: list[str] = []

        def push(thread: int) -> None:
            for number in range(25):
                payload = f"{thread} {number}"
                expected = task_id_of(encoded(json.dumps(payload).encode()))
                if client.push(payload, "/task/mail") != expected:
                    wrong.append(payload)

        threads = [threading.Thread(target=push, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(stub.seen) == 1 + 8 * 25
        assert len(set(stub.connections)) <= 8
        assert not any("Cookie" in request.headers for request in stub.seen)

    def test_a_forked_child_uses_connections_of_its_own(self, stub: Stub) -> None:
        run_python(
            """
import os, sys
from poussetaches.client.client import PousseTaches
client = PousseTaches(sys.argv[1], "http://127.0.0.1:5000")
client.push(["parent", 0], "/")
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        for number in range(25):
            client.push([f"child {child}", number], "/")
        os._exit(0)
    children.append(pid)
for number in range(25):
    client.push(["parent", number], "/")
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
""",
            stub.url,
        )
        users: dict[int, set[str]] = {}
        for request in stub.seen:
            payload = json.loads(base64.b64decode(request.json["payload"]))
            users.setdefault(request.connection, set()).add(payload[0])
        assert len(stub.seen) == 1 + 5 * 25
        assert sorted(map(sorted, users.values())) == [
            *([f"child {child}"] for child in range(4)),
            ["parent"],
        ]

    def test_greenlets_get_their_own_answers_and_share_connections(
        self, stub: Stub
    ) -> None:
        run_python(
            """
from gevent import monkey; monkey.patch_all()
import sys
import gevent
from poussetaches.client.client import PousseTaches
client = PousseTaches(sys.argv[1], "http://127.0.0.1:5000")
client.pause()
for turn in range(4):
    greenlets = [gevent.spawn(client.push, n, "/") for n in range(10)]
    gevent.joinall(greenlets, raise_error=True)
    assert len({greenlet.value for greenlet in greenlets}) == 10
""",
            stub.url,
        )
        assert len(stub.seen) == 1 + 4 * 10
        assert len(set(stub.connections)) <= 10

    def test_proxies_and_netrc_of_the_environment_are_ignored(
        self, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login ana password s3cret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        PousseTaches(stub.url, APPLICATION).push(1, "/task/mail")
        assert "Authorization" not in stub.seen[0].headers


class TestImport:
    def test_the_client_loads_no_code_of_the_service_nor_its_libraries(self) -> None:
        loaded = json.loads(
            run_python(
                """
import json, sys
from poussetaches import PousseTaches
print(json.dumps(sorted(sys.modules)))
"""
            )
        )
        ours = {name for name in loaded if name.split(".")[0] == "poussetaches"}
        assert ours == {
            "poussetaches",
            "poussetaches.client",
            "poussetaches.client.client",
            "poussetaches.client.service_url",
            "poussetaches.client.session",
            "poussetaches.client.unix_socket",
        }
        tops = {name.split(".")[0] for name in loaded}
        assert not tops & {
            "bottle",
            "click",
            "croniter",
            "flask",
            "gevent",
            "geventhttpclient",
            "httptools",
            "msgpack",
            "msgspec",
            "prometheus_client",
        }

    def test_the_fields_are_those_of_the_published_client_in_their_order(self) -> None:
        assert [field.name for field in dataclasses.fields(Task)] == [
            "req_id",
            "tries",
            "payload",
        ]
        assert [field.name for field in dataclasses.fields(GetTask)] == [
            "payload",
            "expected",
            "schedule",
            "task_id",
            "next_run",
            "tries",
            "url",
            "last_error_status_code",
            "last_error_body",
        ]

"""What a hostile client may send, to the real service: docs/security.md has the table.

How many ways there are to say each of these is the business of tests/api, where the
same bytes are sent to the server alone.
"""

from __future__ import annotations

import http.client
import json
import shutil
import string
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.corpus import PROBES, Probe
from tests.support.connection import Answer, Connection, ask
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

PUSH = b'{"url":"http://127.0.0.1:9/","countdown":3600}'
#: Comes after each probe on the same connection: whoever is fooled runs it.
SECOND = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (
    len(PUSH),
    PUSH,
)
#: Of the corpus, those that are about the limits of its own server.
SIZES = {
    "too large a header",
    "too large a target",
    "too large a length",
    "too large a length, expecting",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, settings={"workers": 1, "durability": "off"}) as service:
        yield service
        assert "Traceback" not in service.log


def accepted(service: Service) -> int:
    count: int = ask(service.port, "GET", "/").json["accepted"]
    return count


def answers_to(service: Service, data: bytes) -> list[Answer]:
    """All that comes until the service closes the connection."""
    found = []
    with Connection(service.port) as client:
        with suppress(ConnectionError):
            client.send(data)
        with suppress(ConnectionResetError):
            while True:
                found.append(client.answer())
    return found


@pytest.mark.parametrize(
    "probe",
    [pytest.param(probe, id=id) for id, probe in PROBES.items() if id not in SIZES],
)
def test_a_probe_is_refused_and_the_request_behind_it_never_run(
    service: Service, probe: Probe
) -> None:
    before = accepted(service)
    (answer,) = answers_to(service, probe.request + SECOND)
    assert answer.status == probe.status
    assert answer.header("Connection") == "close"
    assert answer.header("Content-Type") == "application/json"
    assert answer.json["error"]["message"]
    assert accepted(service) == before


def test_the_request_behind_is_run_where_there_is_no_probe(service: Service) -> None:
    """Or all of the above would prove nothing."""
    before = accepted(service)
    first = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    last = SECOND.replace(b"Host: a", b"Host: a\r\nConnection: close")
    assert [one.status for one in answers_to(service, first + last)] == [200, 201]
    assert accepted(service) == before + 1


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 1_000_000,
        b"\r\n".join(b"X-%d: a" % n for n in range(20_000)),
        b"\r\n".join(b"X-%d: a" % n for n in range(101)),
    ],
    ids=["a megabyte in one", "twenty thousand", "one too many"],
)
def test_too_large_a_head_is_refused(service: Service, head: bytes) -> None:
    (answer,) = answers_to(
        service, b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b" % (head, SECOND)
    )
    assert answer.status == 431
    assert ask(service.port, "GET", "/").status == 200


# --- what ends up in a delivery -------------------------------------------------------

#: What ends a line, a header or a string somewhere, or is more than latin-1 can say.
BAD = "\r\n\0\x0b\x0c\x1b\x7f\x85\u2028\u0100\u20ac\U0001f600"
WORD = st.text(string.ascii_lowercase, min_size=1, max_size=8)
HOSTILE = st.builds(
    lambda start, bad, end: start + bad + "X-Injected: 1" + end,
    WORD,
    st.text(BAD, min_size=1, max_size=4),
    st.sampled_from(["", "\r\n", "\r\n\r\n"]),
)
#: Where it is put.
PLACES = ("host", "path", "query", "name", "value", "queue", "method", "group", "key")


def hostile_push(place: str, text: str, url: str) -> dict[str, Any]:
    if place == "host":
        return {"url": url.replace("127.0.0.1", "127.0.0.1" + text)}
    if place in ("path", "query"):
        return {"url": f"{url}/{'?' if place == 'query' else ''}{text}"}
    if place in ("name", "value"):
        headers = {text: "a"} if place == "name" else {"X-Given": text}
        return {"url": url, "headers": headers}
    return {"url": url, place: text}


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=st.sampled_from(PLACES), text=HOSTILE)
def test_line_ends_and_strange_letters_never_reach_the_wire(
    service: Service, wire: Receiver, place: str, text: str
) -> None:
    push = hostile_push(place, text, wire.url(""))
    answer = ask(service.port, "POST", "/", json.dumps(push).encode())
    if place in ("host", "name", "queue", "method") or (
        # Letters of a path are percent-encoded; a group and a key stay with us.
        place in ("path", "query", "value") and set(text) & set("\r\n\0\x1b\x7f")
    ):
        assert (answer.status, answer.error["code"]) == (400, "invalid")
    assert answer.status in (201, 400)
    if answer.status == 201:
        (arrival,) = wire.wait_for(1, task=answer.task)
        assert not any(name == "X-Injected" for name in arrival.headers)
        assert arrival.head.isascii() or place == "value"


@pytest.fixture(scope="module")
def wire() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


# --- clients that mean well -----------------------------------------------------------


def test_curl_may_send_a_body_in_chunks(service: Service) -> None:
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--include"]
    command += ["--header", "Transfer-Encoding: chunked", "--data-binary", "@-"]
    done = subprocess.run(
        [*command, service.url + "/"], input=PUSH, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"HTTP/1.1 201 ")


NODE = """
const {Readable} = require("node:stream");
const [url, body] = process.argv.slice(1);
fetch(url, {method: "POST", body: Readable.from([Buffer.from(body.slice(0, 9)),
  Buffer.from(body.slice(9))]), duplex: "half"}).then(a => console.log(a.status));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
def test_node_may_send_a_body_in_chunks(service: Service) -> None:
    command = ["node", "-e", NODE, service.url + "/", PUSH.decode()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "201\n"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_requests_on_one_connection_do_not_stall(service: Service, method: str) -> None:
    """As Nagle's algorithm and a delayed acknowledgement make them, by 40 ms each."""
    client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    took = []
    for _ in range(100):
        began = time.monotonic()
        # Head and body are two writes in this client.
        client.request(method, "/", PUSH if method == "POST" else None)
        client.getresponse().read()
        took.append(time.monotonic() - began)
    client.close()
    assert median(took) < 0.035


# --- what is answered -----------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>"


def test_nothing_that_is_said_comes_back_as_a_page(
    service: Service, wire: Receiver
) -> None:
    """A browser runs no script of an answer that is JSON."""
    quoted = SCRIPT.replace("<", "%3C").replace(">", "%3E")
    # It fails: a target that is away would be waited for, and no attempt be counted.
    url = wire.url(f"/{quoted}?status=500")
    push = {"url": url, "metadata": SCRIPT, "group": SCRIPT}
    pushed = ask(service.port, "POST", "/", json.dumps(push).encode())
    task = pushed.task
    wait_until(lambda: ask(service.port, "GET", f"/task/{task}").json["tries"] > 0)
    answers = [
        ask(service.port, "GET", f"/{quoted}"),
        ask(service.port, "GET", f"/waiting?limit={quoted}"),
        ask(service.port, "GET", f"/task/{quoted}"),
        ask(service.port, "POST", "/", json.dumps({SCRIPT: 1}).encode()),
        ask(service.port, "POST", "/", SCRIPT.encode()),
        ask(service.port, "DELETE", f"/queue/{quoted}"),
        ask(service.port, "GET", "/waiting"),
        ask(service.port, "GET", f"/task/{task}"),
        *answers_to(service, f"GET /{SCRIPT} HTTP/9.9\r\n\r\n".encode()),
    ]
    assert len(answers) == 9
    for answer in answers:
        assert answer.header("Content-Type") == "application/json"

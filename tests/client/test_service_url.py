"""Where the service is and as whom it is asked, for the client and the command line."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from poussetaches.cli.service import Service
from poussetaches.client.client import PousseTaches
from poussetaches.client.service_url import http_url, user_of
from poussetaches.errors import InvalidInput, Unauthorized, Unavailable
from tests.client.stub import Scripted, Stub

KEY, OTHER = "s3cret-k", "s3cret-o"


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:7991", "http://127.0.0.1:7991"),
        ("unix:/run/P t/api.sock", "http+unix://%2Frun%2FP%20t%2Fapi.sock/"),
        ("unix:/run/api.sock:/q", "http+unix://%2Frun%2Fapi.sock/q"),
        ("HTTPS://ada:a@b@[::1]:1/q/", "HTTPS://ada:a@b@[::1]:1/q/"),
    ],
)
def test_a_url_that_a_session_takes(url: str, expected: str) -> None:
    assert http_url(url) == expected
    assert http_url(expected) == expected


def test_user_and_password_of_a_url() -> None:
    assert user_of("http://ada:s3cret@host:1/path@") == "ada:s3cret"
    assert user_of("http://host/ada:x@y") == ""
    assert user_of("unix:/run/a@b.sock") == ""


@pytest.mark.parametrize(
    ("argument", "user", "variable", "expected"),
    [
        (None, "", "", None),
        (None, "", f" {KEY}\n", f"Bearer {KEY}"),
        (None, "", f"ada:{KEY}", basic(f"ada:{KEY}")),
        (None, f"ada:{KEY}@", OTHER, basic(f"ada:{KEY}")),
        (KEY, f"ada:{OTHER}@", OTHER, f"Bearer {KEY}"),
        (f"ada:{KEY}", "", OTHER, basic(f"ada:{KEY}")),
        ("", "", OTHER, None),
    ],
)
def test_which_key_is_sent(
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
    user: str,
    variable: str,
    expected: str | None,
) -> None:
    monkeypatch.setenv("POUSSETACHES_API_KEY", variable)
    url = stub.url.replace("http://", f"http://{user}")
    client = PousseTaches(url, "http://a", api_key=argument)
    client.push(1, "/x")
    client.get_waiting()
    if argument is None:
        Service(url).get("/waiting")
    sent = [request.headers.get("Authorization") for request in stub.seen]
    assert set(sent) == {expected}


def test_a_key_that_is_none_is_refused_and_not_shown(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POUSSETACHES_API_KEY", "s3cret\r\nX: 1")
    with pytest.raises(requests.RequestException) as caught:
        PousseTaches(stub.url, "http://a").push(1, "/x")
    with pytest.raises(InvalidInput) as refused:
        Service(stub.url)
    assert refused.value.message.startswith("POUSSETACHES_API_KEY: ")
    assert "s3cret" not in str(caught.value) + refused.value.message
    assert not stub.seen


@pytest.mark.parametrize(
    "url",
    [
        "ada:s3cret@127.0.0.1:1",
        "ftp://ada:s3cret@127.0.0.1:1",
        "http://ada:s3cret@127.0.0.1:1",
        "http://ada:s3cret@127.0.0.1:x",
        "http://ada:s3cret@[::1",
        "http://ada:s3cret@",
        "unix:s3cret",
        # As `openssl rand -base64` makes them; the first would go to the host "ada".
        "http://ada:1/s3cret@127.0.0.1:1",
        "http://ada:x/s3cret@127.0.0.1:1",
        "HTTP://ada:x?s3cret@127.0.0.1:1",
        "http://ada:x#s3cret@127.0.0.1:1",
        "http://ada:s3cret\\@127.0.0.1:1",
        "http://ada:x@y/s3cret@127.0.0.1:1",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises((Unavailable, InvalidInput)) as caught:
        Service(url).get("/")
    assert "s3cret" not in caught.value.message
    with pytest.raises(requests.RequestException) as refused:
        PousseTaches(url, "http://a").push(1, "/x")
    assert "s3cret" not in str(refused.value)


def test_a_slash_in_a_password_is_written_in_percent(stub: Stub) -> None:
    with pytest.raises(InvalidInput, match="%2F"):
        Service(stub.url.replace("http://", "http://ada:a/b@"))
    Service(stub.url.replace("http://", "http://ada:a%2Fb@")).get("/waiting")
    assert stub.seen[0].headers["Authorization"] == basic("ada:a/b")


def test_a_stranger_is_named_without_the_password(stub: Stub) -> None:
    with pytest.raises(Unavailable) as caught:
        Service(stub.url.replace("http://", "http://ada:s3cret@") + "/").made("/pause")
    assert caught.value.message == f"what answers at {stub.url} is no poussetaches"


@pytest.mark.parametrize(
    ("user", "variable", "said"),
    [
        ("", "", "wants a key: give it in POUSSETACHES_API_KEY"),
        ("", KEY, "does not know the key in POUSSETACHES_API_KEY"),
        ("ada:s3cret@", KEY, "does not know the key in the URL"),
    ],
)
def test_who_has_no_key_is_told_where_to_put_it(
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    variable: str,
    said: str,
) -> None:
    monkeypatch.setenv("POUSSETACHES_API_KEY", variable)
    stub.script = [Scripted(401)]
    with pytest.raises(Unauthorized) as caught:
        Service(stub.url.replace("http://", f"http://{user}")).get("/")
    assert caught.value.message == f"the service at {stub.url} {said}"


def test_a_strangers_no_is_not_taken_for_the_services(stub: Stub) -> None:
    stub.script = [Scripted(404, b"<html>")]
    with pytest.raises(Unavailable, match="is no poussetaches: it said 404"):
        Service(stub.url).get("/")


class Answerer(threading.Thread):
    """Answers every request at a Unix socket, and keeps connections."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.connections = 0
        self.heads: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self.connections += 1
            with connection:
                while head := connection.recv(65536):
                    if head == b"end":
                        self._listener.close()
                        return
                    self.heads.append(head)
                    body = b'{"tasks": [], "cursor": null}'
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
                        % (len(body), body)
                    )


def test_a_unix_socket_is_asked_over_a_connection_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "Api sock"
    answerer = Answerer(path)
    answerer.start()
    client = PousseTaches(f"unix:{path}:/q", "http://a", api_key=KEY)
    assert client.get_waiting() == client.get_success() == []
    client._session.get().close()
    assert answerer.connections == 1
    [first, _] = answerer.heads
    assert first.startswith(b"GET /q/waiting HTTP/1.1\r\nHost: localhost\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in first
    with socket.socket(socket.AF_UNIX) as last:
        last.connect(str(path))
        last.sendall(b"end")
    answerer.join(10)
    assert not answerer.is_alive()


def test_a_unix_socket_where_nobody_listens(tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/none.sock"
    with pytest.raises(requests.ConnectionError):
        PousseTaches(url, "http://a").push(1, "/x")
    with pytest.raises(Unavailable) as caught:
        Service(url).get("/")
    assert caught.value.message == (
        f"the service at {url} cannot be reached: No such file or directory"
    )

"""Who is refused is refused before the body, and nothing behind it is executed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poussetaches.api.access import Access
from poussetaches.config import Config
from tests.api.corpus import LIMITS
from tests.api.wire import Recorder, Site, serving

KEY, READ = "k" * 20, "r" * 20
CONFIG = Config(api_keys=(KEY,), read_keys=(READ,), url_prefix="/q")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def site(recorder: Recorder) -> Iterator[Site]:
    with serving(recorder, LIMITS, admit=Access(CONFIG).admit) as site:
        yield site


def head(line: str, *headers: str) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: t", *headers, "", ""]
    return "\r\n".join(lines).encode()


def test_401_comes_before_a_body_of_8_megabytes(site: Site, recorder: Recorder) -> None:
    with site.client() as client:
        client.send(head("POST /q/", f"Content-Length: {8 * 1024**2}"))
        reply = client.read()
        assert reply.status == 401
        assert reply.headers["connection"] == "close"
        assert reply.headers["www-authenticate"].startswith("Bearer realm=")
        assert b'"code": "unauthorized"' in reply.body
        assert client.is_closed()
    assert site.server.budget.held == 0
    assert recorder.calls == []


def test_nobody_is_told_to_go_on_with_a_body_that_is_not_wanted(site: Site) -> None:
    with site.client() as client:
        client.send(head("POST /q/", "Content-Length: 9", "Expect: 100-continue"))
        assert client.read().status == 401
        assert client.is_closed()


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (head("POST /q/a", "Content-Length: 0"), 401),
        (head("POST /q/a", f"Authorization: Bearer {READ}", "Content-Length: 0"), 403),
        (head("GET /q/a", f"Authorization: Bearer {KEY}x"), 401),
        (head("GET /a", f"Authorization: Bearer {KEY}"), 404),
        (
            head(
                "POST /q/a", f"Authorization: Bearer {KEY}", "Sec-Fetch-Site: none"
            ).replace(b"none", b"cross-site"),
            403,
        ),
        # What sorts headers out by their names gets no second meaning.
        (head("GET /q/a", "Authorization_: x", f"Authorization_: Bearer {KEY}"), 401),
        (
            head(
                "GET /q/a",
                f"Authorization: Bearer {KEY}",
                "Authorization: Bearer x",
            ),
            401,
        ),
    ],
)
def test_what_is_behind_a_refusal_is_not_executed(
    site: Site, recorder: Recorder, refused: bytes, status: int
) -> None:
    good = head("GET /q/first", f"Authorization: Bearer {KEY}")
    behind = head("GET /q/second", f"Authorization: Bearer {KEY}")
    with site.client() as client:
        client.send(good + refused + behind)
        replies = client.read_all()
    assert [reply.status for reply in replies] == [200, status]
    assert recorder.calls == ["/first"]


def test_a_body_is_no_request_of_somebody_else(site: Site, recorder: Recorder) -> None:
    """The body that was not read could be taken for a request that has a key."""
    inner = head("POST /q/inner", f"Authorization: Bearer {KEY}", "Content-Length: 0")
    with site.client() as client:
        client.send(head("POST /q/", f"Content-Length: {len(inner)}") + inner)
        assert [reply.status for reply in client.read_all()] == [401]
    assert recorder.calls == []


def test_an_upgrade_is_no_way_around(site: Site, recorder: Recorder) -> None:
    wish = ("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 0")
    with site.client() as client:
        client.send(head("POST /q/a", *wish))
        assert client.read().status == 401
    with site.client() as client:
        client.send(head("POST /q/a", *wish, f"Authorization: Bearer {KEY}"))
        assert client.read().status == 200
    assert recorder.calls == ["/a"]

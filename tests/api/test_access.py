"""Who is let in, by the head of a request: keys, pages of other sites, the prefix."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.api.access import READ_ONLY, STRANGER, Access
from poussetaches.api.refusal import Refused
from poussetaches.config import Config

KEY, OTHER, READ = "k" * 16, "another-key-of-20-ch", "read-" + "r" * 16
PAIR = "ada:correct-horse"
KEYS = Config(api_keys=(KEY, PAIR, OTHER), read_keys=(READ,))

keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16).map(
    lambda text: text.replace(":", "_").replace(",", "_")
)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def verdict(
    config: Config, method: str = "POST", path: str = "/", **headers: str
) -> int:
    """0 if let in, else the status of the refusal."""
    return decide(Access(config), method, path, headers)[0]


def decide(
    access: Access, method: str, path: str, headers: dict[str, str]
) -> tuple[int, dict[str, Any], str]:
    """Status of the refusal or 0, the environ as it is then, and the sentence."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
    }
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    try:
        access.admit(environ)
    except Refused as refused:
        return int(refused.status[:3]), environ, refused.error.message
    return 0, environ, ""


# --- keys -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {KEY}",
        f"bearer  {OTHER}",
        basic("anybody", KEY),
        basic("", OTHER),
        basic(*PAIR.split(":")),
    ],
)
def test_a_key_opens_everything(authorization: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert verdict(KEYS, method, "/x", authorization=authorization) == 0


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Bearer {KEY} ,Bearer {OTHER}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY.upper()}",
        f"Digest {KEY}",
        f"Basic {KEY}",
        "Basic !!!",
        "Basic \xe9",
        "Bearer \xff\xfe",
        # The pair is for basic authentication, and both halves count.
        f"Bearer {PAIR}",
        basic("eve", "correct-horse"),
        basic("ada", "wrong-horse"),
        basic("ada", ""),
        basic(KEY, ""),
        basic("x", f"{KEY}:"),
    ],
)
def test_nothing_else_does(authorization: str) -> None:
    assert verdict(KEYS, "GET", "/", authorization=authorization) == 401
    assert verdict(KEYS, "POST", "/", authorization=authorization) == 401


def test_no_key_at_all_is_told_apart_from_a_wrong_one_and_neither_is_shown() -> None:
    _, _, without = decide(Access(KEYS), "GET", "/", {})
    wrong = {"authorization": "Bearer s3cret-s3cret-s3cret"}
    _, _, false = decide(Access(KEYS), "GET", "/", wrong)
    assert without != false
    for sentence in (without, false):
        assert "s3cret" not in sentence and KEY not in sentence


def test_a_read_key_reads_and_changes_nothing() -> None:
    for authorization in (f"Bearer {READ}", basic("x", READ)):
        for method in ("GET", "HEAD"):
            assert verdict(KEYS, method, authorization=authorization) == 0
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            assert verdict(KEYS, method, authorization=authorization) == 403


def test_whose_key_may_only_read_is_known() -> None:
    for key, knows in ((READ, True), (KEY, False)):
        told = {"authorization": f"Bearer {key}"}
        _, environ, _ = decide(Access(KEYS), "GET", "/tasks", told)
        assert (READ_ONLY in environ) is knows
    assert READ_ONLY not in decide(Access(Config()), "GET", "/tasks", {})[1]


def test_health_is_for_everybody_and_says_less_without_a_key() -> None:
    access = Access(KEYS)
    for path in ("/health", "/ready"):
        for headers in ({}, {"authorization": "Bearer wrong"}):
            status, environ, _ = decide(access, "GET", path, headers)
            assert status == 0 and environ[STRANGER]
        known = {"authorization": f"Bearer {READ}"}
        status, environ, _ = decide(access, "GET", path, known)
        assert status == 0 and STRANGER not in environ
        assert decide(access, "POST", path, {})[0] == 401
    # A stranger is not to have room for a body.
    for path in ("/health", "/ready"):
        asked: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        access.admit(asked | {"CONTENT_LENGTH": "0"})
        for more in ({"CONTENT_LENGTH": "1"}, {"HTTP_TRANSFER_ENCODING": "chunked"}):
            with pytest.raises(Refused):
                access.admit(asked | more)
    for path in ("/health/", "//health", "/healthy", "/stats"):
        assert decide(access, "GET", path, {})[0] == 401


def test_without_keys_nobody_needs_one() -> None:
    status, environ, _ = decide(Access(Config()), "GET", "/health", {})
    assert status == 0 and STRANGER not in environ
    assert verdict(Config(), "DELETE", "/dead", authorization="Bearer x") == 0


@given(st.lists(keys, min_size=1, max_size=4, unique=True), st.data())
def test_exactly_the_keys_of_the_setting_are_let_in(
    given: list[str], data: st.DataObject
) -> None:
    access = Access(Config(api_keys=tuple(given)))
    tried = data.draw(st.sampled_from(given) | keys)
    expected = 0 if tried in given else 401
    for authorization in (f"Bearer {tried}", basic("x", tried)):
        headers = {"authorization": authorization}
        assert decide(access, "POST", "/", headers)[0] == expected


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_makes_it_fail(authorization: str) -> None:
    assert verdict(KEYS, authorization=authorization) in (0, 401)


def test_new_keys_count_from_the_next_request_on_and_old_ones_no_more() -> None:
    access = Access(Config(api_keys=(KEY,)))
    old, new = ({"authorization": f"Bearer {key}"} for key in (KEY, OTHER))
    access.configure(Config(api_keys=(KEY, OTHER)))
    assert [decide(access, "POST", "/", one)[0] for one in (old, new)] == [0, 0]
    access.configure(Config(api_keys=(OTHER,)))
    assert [decide(access, "POST", "/", one)[0] for one in (old, new)] == [401, 0]


# --- browsers -------------------------------------------------------------------------

OPEN = Config(allowed_hosts=("queue.example",))


@pytest.mark.parametrize(
    "host", ["", "localhost:7991", "evil.example", "queue.example", "10.0.0.1", "t"]
)
def test_who_is_no_browser_may_use_any_name(host: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert verdict(OPEN, method, host=host) == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 0),
        ("LocalHost:7991", 0),
        ("127.0.0.1:7991", 0),
        ("[::1]:7991", 0),
        ("queue.example", 0),
        ("Queue.Example:8080", 0),
        ("evil.example", 403),
        ("evil.example:7991", 403),
        ("queue.example.evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.1", 403),
        ("", 403),
    ],
)
def test_without_keys_a_browser_may_use_names_that_are_surely_ours(
    host: str, status: int
) -> None:
    """A page of evil.example, whose name server says that it is at 127.0.0.1."""
    for method in ("GET", "POST"):
        for site in ("same-origin", "none"):
            assert verdict(OPEN, method, host=host, sec_fetch_site=site) == status
    assert verdict(OPEN, host=host, origin=f"http://{host}") == status
    if status:
        headers = {"host": host, "sec_fetch_site": "same-origin"}
        assert "allowed_hosts" in decide(Access(OPEN), "GET", "/", headers)[2]


READING = (
    {"accept_language": "fr"},
    {"user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"},
    # Each of the two can be overwritten by a page, in some browsers; or both.
    {"accept_language": "*", "user_agent": "Mozilla/5.0"},
    {"accept_language": "fr", "user_agent": "curl"},
    {"accept_language": "*", "user_agent": "node"},
    {"accept_language": "", "user_agent": ""},
)


@pytest.mark.parametrize("said", READING)
def test_what_a_browser_reads_by_a_name_without_tls_says_neither_site_nor_origin(
    said: dict[str, str],
) -> None:
    assert verdict(OPEN, "GET", host="evil.example:7991", **said) == 403
    assert verdict(OPEN, "GET", host="queue.example:7991", **said) == 0
    assert verdict(OPEN, "GET", host="127.0.0.1:7991", **said) == 0


@pytest.mark.parametrize(
    "said",
    [
        {"user_agent": "curl/8.5.0", "accept": "*/*"},
        {"user_agent": "python-requests/2.34.2"},
        {"user_agent": "node", "accept_language": "*", "sec_fetch_mode": "cors"},
        {},
    ],
)
def test_a_client_of_an_application_is_no_browser(said: dict[str, str]) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert verdict(OPEN, method, host="queue:7991", **said) == 0


def test_with_keys_a_name_that_is_not_ours_opens_nothing() -> None:
    headers = {"host": "evil.example", "sec_fetch_site": "same-origin"}
    assert decide(Access(KEYS), "POST", "/", headers)[0] == 401
    headers["authorization"] = f"Bearer {KEY}"
    assert decide(Access(KEYS), "POST", "/", headers)[0] == 0


@pytest.mark.parametrize("config", [OPEN, KEYS])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "who-knows"])
def test_pages_of_other_sites_only_lead_here(config: Config, site: str) -> None:
    headers = {
        "host": "127.0.0.1:7991",
        "sec_fetch_site": site,
        "authorization": f"Bearer {KEY}",
    }

    def status(method: str, **more: str) -> int:
        return decide(Access(config), method, "/", headers | more)[0]

    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        for mode in ("navigate", "no-cors", "cors"):
            assert status(method, sec_fetch_mode=mode) == 403
    for method in ("GET", "HEAD"):
        assert status(method) == 403
        assert status(method, sec_fetch_mode="no-cors") == 403
        assert status(method, sec_fetch_mode="cors") == 403
        link = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
        assert status(method, **link) == 0
        assert status(method, **(link | {"sec_fetch_dest": "iframe"})) == 403


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://127.0.0.1:7991", "127.0.0.1:7991", 0),
        ("https://Queue.example", "queue.example", 0),
        ("https://queue.example", "127.0.0.1:7991", 0),
        ("http://127.0.0.1:8000", "127.0.0.1:7991", 403),
        ("http://localhost:7991", "127.0.0.1:7991", 403),
        ("https://evil.example", "127.0.0.1:7991", 403),
        ("https://queue.example.evil.example", "127.0.0.1:7991", 403),
        ("null", "127.0.0.1:7991", 403),
        ("", "127.0.0.1:7991", 403),
        ("https://", "127.0.0.1:7991", 403),
    ],
)
def test_a_browser_that_says_only_the_origin(
    origin: str, host: str, status: int
) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert verdict(OPEN, method, host=host, origin=origin) == status


def test_the_browser_knows_better_than_the_host_header() -> None:
    """A proxy that asks by another name than it was asked by."""
    told = {"host": "127.0.0.1:7991", "origin": "https://q.example"}
    assert verdict(OPEN, **told, sec_fetch_site="same-origin") == 0
    assert verdict(OPEN, **told, sec_fetch_site="cross-site") == 403
    assert verdict(OPEN, **told) == 403


# --- the prefix -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("/queue", "/"),
        ("/queue/", "/"),
        ("/queue/task/x", "/task/x"),
        ("/queue//task", "//task"),
        ("/", None),
        ("/queues", None),
        ("/Queue/", None),
        ("/task/x", None),
        ("/x/queue/", None),
        ("", None),
    ],
)
def test_every_path_is_below_the_prefix(path: str, below: str | None) -> None:
    access = Access(Config(url_prefix="/queue"))
    status, environ, _ = decide(access, "GET", path, {})
    if below is None:
        assert status == 404
    else:
        assert (status, environ["PATH_INFO"]) == (0, below)
        assert environ["SCRIPT_NAME"] == "/queue"


def test_a_stranger_does_not_learn_the_prefix() -> None:
    config = Config(url_prefix="/queue", api_keys=(KEY,))
    assert verdict(config, "GET", "/") == 401
    assert verdict(config, "GET", "/queue/health") == 0
    assert verdict(config, "GET", "/health") == 404
    assert verdict(config, "GET", "/queue/queue/health") == 401

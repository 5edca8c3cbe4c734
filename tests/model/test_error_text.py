"""What of an error says what went wrong."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.error_text import (
    LONGEST,
    READ,
    normalised,
    normalised_path,
)

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/views.py", line {line}, in post
    self.send(user)
  File "/srv/app/mail.py", line 12, in send
    raise Refused(user)
mail.Refused: user {user} has no address
"""

JAVA = """java.lang.IllegalStateException: no session {user}
\tat com.example.Mail.send(Mail.java:{line})
\tat com.example.Main.main(Main.java:12)
Caused by: java.net.SocketException: Connection reset by 10.0.0.{line}
\t... 14 more
"""

NODE = """TypeError: Cannot read properties of undefined (reading 'id{user}')
    at send (/srv/app/mail.js:{line}:17)
    at process (node:internal/process:95:5)
"""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("", ""),
        ("   \n ", ""),
        ("out of memory", "out of memory"),
        ("no user 4711", "no user <n>"),
        ("took 3.25 s, -1, 1e9 and 1,000,000", "took <n> s, <n>, <n> and <n>"),
        ("v2 of utf8", "v<n> of utf<n>"),
        ("at 0x7f3a2c and 0XFF", "at <hex> and <hex>"),
        ("commit 3f9ab2c1 of deadbeef", "commit <hex> of deadbeef"),
        ("a decade of effaced facades", "a decade of effaced facades"),
        ("id 123e4567-e89b-12d3-a456-426614174000!", "id <uuid>!"),
        ("connect 10.1.2.3:8080 or [::1]:80", "connect <address> or <address>"),
        ("at 2026-01-02T03:04:05.678Z or 2026-01-02", "at <time> or <time>"),
        ("at 2026-01-02 03:04:05+01:00, 13:14:15,123", "at <time>, <time>"),
        ("no key 'x', \"y\" or `z`", "no key <value>, <value> or <value>"),
        ("a “quoted” «word»", "a <value> <value>"),
        ("it's the user's, isn't it", "it's the user's, isn't it"),
        ('"a \\" b" isn\'t', "<value> isn't"),
        ("for a.b+c@mail.example.org", "for <email>"),
        ("many\n\n  lines\tand   blanks", "many lines and blanks"),
        ("[Errno 111] Connection refused", "[Errno <n>] Connection refused"),
        # JSON
        ('{"message": "no user 7"}', "no user <n>"),
        ('{"status": 500, "error": {"code": 7, "message": "no"}}', "no"),
        ('{"errors": [{"field": "to", "message": "no address"}]}', "no address"),
        ('{"email": ["This field is required."]}', "email: This field is required."),
        ('{"detail": [], "title": "Gone"}', "Gone"),
        ('["one", "two"]', "one"),
        ('"only text 5"', "only text <n>"),
        ('{"message": "cut off at 17 by the', "cut off at <n> by the"),
        ('{"message": "no user 7", "trace": "cut o', "no user <n>"),
        ('{"count": 5}', "{<value>: <n>}"),
        (r'{"message": "half \ud83d of one"}', "half ? of one"),
        ("{not json at all}", "{not json at all}"),
        # pages
        (
            "<!doctype html><html><head><title>\n502 Bad Gateway</title></head>"
            "<body><h1>x</h1>",
            "<n> Bad Gateway",
        ),
        ("<html><body><h1>Not <b>Found</b> &amp; gone</h1><p>x", "Not Found & gone"),
        ("<html><title></title><body><p>Some <i>text</i>", "Some text"),
        ("<HTML><script>var x = 5</script><p>Oh no", "Oh no"),
        ("<5 is not a page", "<<n> is not a page"),
    ],
)
def test_what_went_wrong_is_what_is_left(error: str, expected: str) -> None:
    assert normalised(error.encode()) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (TRACEBACK, "mail.Refused: user <n> has no address"),
        (
            "KeyError\n\nDuring handling:\n" + TRACEBACK,
            "mail.Refused: user <n> has no address",
        ),
        (JAVA, "Caused by: java.net.SocketException: Connection reset by <address>"),
        (NODE, "TypeError: Cannot read properties of undefined (reading <value>)"),
    ],
)
def test_a_traceback_is_what_it_is_about(form: str, expected: str) -> None:
    for line, user in ((1, 2), (35, 4711)):
        text = form.format(line=line, user=user)
        assert normalised(text.encode()) == expected
        in_json = json.dumps({"error": text})
        assert normalised(in_json.encode()) == expected


def test_a_traceback_that_was_cut_off_is_where_it_ends() -> None:
    cut = TRACEBACK[:85].encode()
    assert normalised(cut).startswith("File <value>, line {line}, in post")


def test_the_end_of_a_long_traceback_is_not_lost() -> None:
    long = TRACEBACK.replace("self.send(user)", "x" * 3 * READ).encode()
    assert normalised(long) == "mail.Refused: user {user} has no address"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("500: Traceback (most recent call last):", "<n>: Traceback (most recent"),
        ("oh: Traceback (most recent call last):\nKeyError: 1", "KeyError: <n>"),
        (TRACEBACK + "Try again.", "mail.Refused: user {user} has no address Try"),
    ],
)
def test_a_traceback_may_begin_and_end_in_other_text(error: str, expected: str) -> None:
    assert normalised(error.encode()).startswith(expected)


#: What is looked for in errors, in any order.
PARTS = (
    *("Traceback (most recent call last)", "T", ' File "', " at ", "Caused by:"),
    *("\n", "\r", "\u2028", " ", "\t", "\0", "<html", "<title>", "</title>", "<!--"),
    *("&#xd800;", "\\", "\\ud800", '"', "'", "{", "}", "[", "]", ":", ",", "x", "7"),
    *('"message"', "\ud800"),
)


def in_json(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(str.encode)
    | st.lists(st.sampled_from(PARTS[:-1])).map("".join).map(str.encode)
    | st.lists(st.sampled_from(PARTS)).map("".join).map(in_json)
)
def test_whatever_it_is_it_becomes_a_short_text(error: bytes) -> None:
    text = normalised(error)
    text.encode()  # nothing that cannot be sent
    assert len(text) <= LONGEST
    assert text == text.strip()
    assert not any(character.isascii() and character.isdigit() for character in text)


@pytest.mark.parametrize(
    "error",
    [
        part * (100_000 // len(part))
        for part in (
            b"<title>",
            b"<html><title>",
            b'"',
            b"'a",
            b"\xc2\xab",
            b"`x\n",
            b"a.",
            b"a" * 50 + b" ",
            b"1:",
            b"1.",
            b"0x",
            b"<script",
            b"<html><script",
            b"[",
            b'{"a":',
            b'["a",',
            b'"message": "',
            b"\n",
            b"  at x\n",
            b"Traceback (most recent call last)\n",
        )
    ],
)
def test_no_error_takes_long(error: bytes) -> None:
    """The supervisor does nothing else meanwhile."""
    taken = []
    for number in range(3):
        began = time.perf_counter()
        normalised(error + b"%d" % number)
        taken.append(time.perf_counter() - began)
    assert min(taken) < 0.01


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("/", "/"),
        ("/task", "/task"),
        ("/v1/users/4711/mail?to=5#x", "/v1/users/*/mail"),
        ("/oauth2/x", "/oauth2/x"),
        ("/a/3f9ab2c1d4e5/b", "/a/*/b"),
        ("/i/123e4567-e89b-12d3-a456-426614174000", "/i/*"),
        ("/reports/2026-01-02", "/reports/*"),
    ],
)
def test_a_path_has_no_ids(path: str, expected: str) -> None:
    assert normalised_path(path) == expected

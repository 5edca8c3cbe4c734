"""Which headers can be asked for, and the bytes of a request's head."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.request_head import (
    METHODS,
    RESERVED_FIELDS,
    encode_head,
    encode_headers,
)
from poussetaches.model.target import parse_target

TARGET = parse_target("http://app:5000/task?x=1")


def test_a_head_is_a_request_line_headers_and_an_empty_line() -> None:
    assert encode_head("POST", TARGET, [("X-A", "1"), ("x-b", "é, ü")], 12) == (
        b"POST /task?x=1 HTTP/1.1\r\n"
        b"Host: app:5000\r\n"
        b"Content-Length: 12\r\n"
        b"X-A: 1\r\n"
        b"x-b: \xe9, \xfc\r\n"
        b"\r\n"
    )


def test_lines_that_are_there_already_are_headers_like_the_others() -> None:
    fixed = encode_headers([("X-A", "1"), ("authorization", "Bearer x")])
    target = parse_target("http://user:secret@app/")
    more: list[tuple[str, str]]
    for more in ([], [("X-B", "2")]):
        head = encode_head("GET", target, more, 0, fixed)
        together = [("X-A", "1"), ("authorization", "Bearer x"), *more]
        assert head == encode_head("GET", target, together, 0)
        assert b"Basic" not in head
    other = encode_headers([("X-Authorization", "1"), ("X-A", "authorization:")])
    assert b"Authorization: Basic" in encode_head("GET", target, [], 0, other)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_an_empty_body_has_a_length_where_a_body_is_usual(method: str) -> None:
    head = encode_head(method, TARGET, [], 0)
    assert (b"Content-Length: 0\r\n" in head) == (method in {"POST", "PUT", "PATCH"})
    assert b"Content-Length: 3\r\n" in encode_head(method, TARGET, [], 3)


def test_the_password_of_the_url_is_sent_unless_a_header_says_otherwise() -> None:
    target = parse_target("http://user:secret@app/")
    head = encode_head("POST", target, [], 0)
    assert b"\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n" in head
    head = encode_head("POST", target, [("authorization", "Bearer x")], 0)
    assert b"\r\nauthorization: Bearer x\r\n" in head
    assert b"Basic" not in head


@pytest.mark.parametrize("method", ["", "post", "CONNECT", "TRACE", "POST /x", "G\r\n"])
def test_a_method_that_cannot_be_sent_is_refused(method: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode_head(method, TARGET, [], 0)
    assert caught.value.field == "method"


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a:", "a\r\n", "a\n", "a\0", "é", "名", "\ud800", "(x)", "a\x7f"],
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    # Twice: what was found valid is remembered, what was not must not be.
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            encode_headers([("X-Good", "1"), (name, "x")])
        assert caught.value.field == "headers"


@pytest.mark.parametrize("name", sorted(RESERVED_FIELDS))
def test_a_header_of_the_delivery_itself_is_refused(name: str) -> None:
    for spelling in (name, name.upper(), name.title()):
        with pytest.raises(InvalidInput, match="the delivery makes its own"):
            encode_headers([(spelling, "1")])


@pytest.mark.parametrize(
    "value", ["a\r\nX: y", "a\r", "\na", "a\0", "\x7f", "\x1b[0m", "名", "\ud800"]
)
def test_a_value_that_could_end_its_line_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode_headers([("X-A", "1"), ("X-B", value)])
    assert caught.value.field == "headers"


def test_a_line_break_cannot_hide_among_the_line_ends() -> None:
    with pytest.raises(InvalidInput):
        encode_headers([("X-A", "\r\n"), ("X-B", "")])
    with pytest.raises(InvalidInput):
        encode_headers([("X-A", "\n"), ("X-B", "\r")])


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_any_headers_are_refused_or_come_out_as_they_are(
    headers: list[tuple[str, str]],
) -> None:
    try:
        block = encode_headers(headers)
    except InvalidInput:
        return
    lines = block.decode("latin-1").split("\r\n")
    assert lines.pop() == ""
    assert [tuple(line.split(": ", 1)) for line in lines] == headers
    assert not set("\r\n\0") & set("".join(lines))

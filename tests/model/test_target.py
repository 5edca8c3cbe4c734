"""What is accepted as a URL, and what it becomes on the wire."""

from __future__ import annotations

import string
from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.target import MAX_URL_LENGTH, Target, parse_target


def refusal(url: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_target(url)
    assert caught.value.field == "url"
    return caught.value.message


def test_a_url_is_taken_apart() -> None:
    target = parse_target("http://app.example:5000/task/post?queue=a&x=1")
    assert target == Target(
        scheme="http",
        host="app.example",
        port=5000,
        path="/task/post?queue=a&x=1",
        host_header="app.example:5000",
        authorization=None,
    )
    assert target.origin == ("http", "app.example", 5000)


@pytest.mark.parametrize(
    ("url", "origin", "host_header"),
    [
        ("http://h/", ("http", "h", 80), "h"),
        ("https://h/", ("https", "h", 443), "h"),
        ("http://h:80/", ("http", "h", 80), "h"),
        ("https://h:443", ("https", "h", 443), "h"),
        ("https://h:80/", ("https", "h", 80), "h:80"),
        ("http://h:/", ("http", "h", 80), "h"),
        ("http://h:00081/", ("http", "h", 81), "h:81"),
        ("HTTP://Web_1.Example.COM/", ("http", "web_1.example.com", 80), None),
        ("http://example.com./", ("http", "example.com.", 80), None),
        ("http://127.0.0.1:65535", ("http", "127.0.0.1", 65535), "127.0.0.1:65535"),
        ("http://0x7f000001/", ("http", "0x7f000001", 80), None),
        ("http://[::1]/", ("http", "::1", 80), "[::1]"),
        ("http://[2001:DB8:0::1]:8080/", ("http", "2001:db8::1", 8080), None),
        ("http://[2001:db8::1]:8080/", ("http", "2001:db8::1", 8080), None),
        ("http://bücher.example/", ("http", "xn--bcher-kva.example", 80), None),
        ("http://BÜCHER.example/", ("http", "xn--bcher-kva.example", 80), None),
        ("http://日本語。jp/", ("http", "xn--wgv71a119e.jp", 80), None),
        ("http://①②⑦.⓪.⓪.①/", ("http", "127.0.0.1", 80), "127.0.0.1"),
    ],
)
def test_host_and_port_have_one_spelling(
    url: str, origin: tuple[str, str, int], host_header: str | None
) -> None:
    target = parse_target(url)
    assert target.origin == origin
    if host_header is not None:
        assert target.host_header == host_header


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("", "/"),
        ("?q=1", "/?q=1"),
        ("?", "/?"),
        ("#top", "/"),
        ("/a#top?not=query", "/a"),
        ("/a?b=c#d#e", "/a?b=c"),
        ("/%2F%41%c3%a9", "/%2F%41%c3%a9"),
        ("/é/ü?ö=ß", "/%C3%A9/%C3%BC?%C3%B6=%C3%9F"),
        ("/100%", "/100%25"),
        ("/%zz?%4", "/%25zz?%254"),
        ("/a/../b//c;p=1", "/a/../b//c;p=1"),
        ("//evil.example/x", "//evil.example/x"),
        ('/{a}|"b"<c>^`', "/%7Ba%7D%7C%22b%22%3Cc%3E%5E%60"),
        ("/a?b[]=1&c='~!$*(),:@", "/a?b[]=1&c='~!$*(),:@"),
        ("/?redirect=http://user@other/", "/?redirect=http://user@other/"),
        ("/\u2028\u00a0", "/%E2%80%A8%C2%A0"),
    ],
)
def test_path_and_query_are_encoded_once(rest: str, path: str) -> None:
    assert parse_target("http://h" + rest).path == path


@pytest.mark.parametrize(
    ("userinfo", "user_and_password"),
    [
        ("user:secret", b"user:secret"),
        ("user", b"user:"),
        ("", b":"),
        (":secret", b":secret"),
        ("a:b:c", b"a:b:c"),
        ("a@b:c@d", b"a@b:c@d"),
        ("%41%3A:p%40%2f", b"A::p@/"),
        ("é:ü", "é:ü".encode()),
    ],
)
def test_user_and_password_become_basic_authorization(
    userinfo: str, user_and_password: bytes
) -> None:
    target = parse_target(f"http://{userinfo}@h:8080/x")
    assert target.authorization == "Basic " + b64encode(user_and_password).decode()
    assert target.host_header == "h:8080"
    assert target.origin == ("http", "h", 8080)


def test_a_password_shows_in_no_repr_and_no_refusal() -> None:
    assert "c2VjcmV0" not in repr(parse_target("http://:secret@h/"))
    assert "secret" not in refusal("http://user:secret@h:0/")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (None, "text"),
        (b"http://h/", "text"),
        (1, "text"),
        ("", "full URL"),
        ("/task/x", "full URL"),
        ("h:80/x", "full URL"),
        ("http:/h/", "full URL"),
        ("http:h", "full URL"),
        ("//h/x", "full URL"),
        ("://h", "full URL"),
        ("ftp://h/", "scheme ftp"),
        ("javascript://h/%0aalert(1)", "scheme javascript"),
        ("httpß://h/", "full URL"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("http://:80/", "no host"),
        ("http://user@/", "no host"),
        ("http://?q", "no host"),
        ("http://h:0/", "port"),
        ("http://h:65536/", "port"),
        ("http://h:-1/", "port"),
        ("http://h:+80/", "port"),
        ("http://h:8_0/", "port"),
        ("http://h:٨٠/", "port"),
        ("http://h:http/", "port"),
        ("http://h:000080/", "port"),
        ("http://::1/", "more than one colon"),
        ("http://a:b@c:1:2/", "more than one colon"),
        ("http://[::1/", "broken brackets"),
        ("http://[::1]x/", "broken brackets"),
        ("http://[::1]80/", "broken brackets"),
        ("http://::1]/", "more than one colon"),
        ("http://[]/", "IPv6"),
        ("http://[::g]/", "IPv6"),
        ("http://[127.0.0.1]/", "IPv6"),
        ("http://[v1.x]/", "IPv6"),
        ("http://[fe80::1%25eth0]/", "zone"),
        ("http://[::\uff11]/", "strange characters"),
        ("http://a..b/", "neither a name nor an address"),
        ("http://.a/", "neither a name nor an address"),
        ("http://./", "neither a name nor an address"),
        ("http://a%41/", "neither a name nor an address"),
        ("http://a,b/", "neither a name nor an address"),
        ("http://" + "a" * 64 + "/", "neither a name nor an address"),
        ("http://" + "a." * 127 + "/", "neither a name nor an address"),
        ("http://℀.example/", "neither a name nor an address"),
        ("http://h\uff20other/", "neither a name nor an address"),
        ("http://faß.example/", "xn--"),
        ("http://a\u200db.example/", "xn--"),
        ("http://" + "é" * 64 + "/", "IDNA"),
        ("http://é..b/", "IDNA"),
        ("http://\ud800/", "IDNA"),
        ("http://" + "é" * 300 + "/", "too long"),
        ("http://us%er@h/", "percent-escape"),
        ("http://\ud800@h/", "surrogate"),
        ("http://h/\ud800", "surrogate"),
        ("http://h/a b", "a space at position 10"),
        (" http://h/", "a space at position 0"),
        ("http://h\\@other/", "a backslash"),
        ("http://h/\r\nX: y", "a control character"),
        ("http://h/\n", "a control character"),
        ("http://h/\0", "a control character"),
        ("http://h/\x7f", "a control character"),
        ("http://h/\x85", "a control character"),
        ("ht\ttp://h/", "a control character"),
        ("http://h/" + "a" * MAX_URL_LENGTH, "longer than 8192"),
        ("http://h/" + "é" * 3000, "once percent-encoded"),
    ],
)
def test_what_cannot_be_delivered_is_refused(url: object, sentence: str) -> None:
    assert sentence in refusal(url)


def test_a_url_of_the_greatest_length_is_accepted() -> None:
    url = "http://h/".ljust(MAX_URL_LENGTH, "a")
    assert parse_target(url).path == url.removeprefix("http://h")


#: What goes into a request line and a Host header.
WIRE = frozenset(string.ascii_letters + string.digits + string.punctuation) - {"\\"}

near_urls = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", ""]),
    st.sampled_from(["", "user@", "a:b@", "%0d%0a@", "é:@"]),
    st.one_of(
        st.sampled_from(["h", "127.0.0.1:80", "[::1]:8080", "[::1%25x]", "bücher.de"]),
        st.text(max_size=12),
    ),
    st.one_of(st.just(""), st.text(max_size=30).map("/{}".format), st.text()),
)


@given(st.one_of(near_urls, st.text()))
@example("http://h/%\r")
@example("http://\u017f/")
@example("http://h:\uff11/")
def test_any_text_is_refused_or_safe_on_the_wire(url: str) -> None:
    try:
        target = parse_target(url)
    except InvalidInput as error:
        assert error.field == "url"
        return
    assert target.scheme in {"http", "https"}
    assert 1 <= target.port <= 65535
    assert target.path.startswith("/")
    assert set(target.path) <= WIRE - set('"<>^`{|}')
    assert set(target.host_header) <= WIRE
    assert len(target.path) <= MAX_URL_LENGTH
    assert set(target.authorization or "Basic ") <= WIRE | {" "}


@given(near_urls)
def test_parsing_what_was_parsed_changes_nothing(url: str) -> None:
    try:
        target = parse_target(url)
    except InvalidInput:
        return
    again = parse_target(f"{target.scheme}://{target.host_header}{target.path}")
    assert again.origin == target.origin
    assert again.path == target.path
    assert again.host_header == target.host_header

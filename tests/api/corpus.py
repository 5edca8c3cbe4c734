"""Requests byte for byte: those to be refused, and those to be served."""

from __future__ import annotations

from typing import NamedTuple

from poussetaches.api.request import Limits

#: The limits that the sizes below are about.
LIMITS = Limits(max_body=1000000, max_header_bytes=10000)

#: Follows each probe on the same connection: whoever is fooled runs it.
SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"


def post(*headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A POST with a Host, these header lines as they are, and this body as it is."""
    lines = [b"POST /first HTTP/" + version, b"Host: a", *headers, b"", b""]
    return b"\r\n".join(lines) + body


def get(line: bytes, *headers: bytes) -> bytes:
    """This request line as it is, a Host, and these header lines as they are."""
    return b"\r\n".join([line, b"Host: a", *headers, b"", b""])


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


class Probe(NamedTuple):
    """Something to refuse."""

    #: What is sent.
    request: bytes
    #: The status it must be refused with.
    status: int = 400


#: By what is wrong with them.
PROBES = {
    # Two meanings of where the body ends: request smuggling.
    "length and chunked": Probe(
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    ),
    "chunked and length": Probe(
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n")
    ),
    "two different lengths": Probe(
        post(b"Content-Length: 2", b"Content-Length: 3", body=b"abc")
    ),
    "the same length twice": Probe(
        post(b"Content-Length: 2", b"Content-Length: 2", body=b"ab")
    ),
    "a list of lengths": Probe(post(b"Content-Length: 2, 2", body=b"ab")),
    "length with a plus": Probe(post(b"Content-Length: +2", body=b"ab")),
    "length with a minus": Probe(post(b"Content-Length: -2", body=b"ab")),
    "length with an underscore": Probe(post(b"Content-Length: 1_0", body=b"ab")),
    "length in hexadecimal": Probe(post(b"Content-Length:  0x2", body=b"ab")),
    "empty length": Probe(post(b"Content-Length: ", body=b"ab")),
    "length of another alphabet": Probe(post(b"Content-Length: \xb2", body=b"ab")),
    "length past 64 bits": Probe(post(b"Content-Length: 18446744073709551618")),
    "length of many digits": Probe(post(b"Content-Length: " + b"0" * 5000), 413),
    "xchunked": Probe(post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
    "chunked, identity": Probe(
        post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")
    ),
    "identity": Probe(post(b"Transfer-Encoding: identity", body=b"0\r\n\r\n"), 501),
    "gzip, chunked": Probe(
        post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501
    ),
    "chunked twice": Probe(
        post(
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: chunked",
            body=b"0\r\n\r\n",
        )
    ),
    "chunked with a vertical tab": Probe(
        post(b"Transfer-Encoding: chunked\x0b", body=b"0\r\n\r\n")
    ),
    "folded chunked": Probe(post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n")),
    "chunked in HTTP/1.0": Probe(
        post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", version=b"1.0")
    ),
    # Chunks that others would count otherwise.
    "chunk size with 0x": Probe(chunked(b"0x1\r\na\r\n0\r\n\r\n")),
    "chunk size with a plus": Probe(chunked(b"+1\r\na\r\n0\r\n\r\n")),
    "chunk size with a space": Probe(chunked(b"1 \r\na\r\n0\r\n\r\n")),
    "chunk size past 64 bits": Probe(chunked(b"10000000000000001\r\na\r\n0\r\n\r\n")),
    "chunk longer than said": Probe(chunked(b"1\r\nab\r\n0\r\n\r\n")),
    "bare line feed after a chunk size": Probe(chunked(b"1\na\r\n0\r\n\r\n")),
    "bare line feed after a chunk": Probe(chunked(b"1\r\na\n0\r\n\r\n")),
    "bare line feed in a chunk extension": Probe(chunked(b"1;\nx\r\na\r\n0\r\n\r\n")),
    "length as a trailer": Probe(chunked(b"1\r\na\r\n0\r\nContent-Length: 9\r\n\r\n")),
    # Lines that are not what they seem.
    "bare line feeds": Probe(b"GET /first HTTP/1.1\nHost: a\n\n"),
    "bare line feed after the request line": Probe(
        b"GET /first HTTP/1.1\nHost: a\r\n\r\n"
    ),
    "bare line feed after a header": Probe(
        b"GET /first HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"
    ),
    "bare line feed for the empty line": Probe(b"GET /first HTTP/1.1\r\nHost: a\r\n\n"),
    "bare carriage return in a value": Probe(post(b"X: a\rb")),
    "NUL in a value": Probe(post(b"X: a\0b")),
    "control character in a value": Probe(post(b"X: a\x01b")),
    "NUL in a name": Probe(post(b"X\0: a")),
    "NUL in the target": Probe(get(b"GET /fir\0st HTTP/1.1")),
    "folded header": Probe(post(b"X: a\r\n b")),
    "header that begins folded": Probe(b"GET /first HTTP/1.1\r\n Host: a\r\n\r\n"),
    "space before the colon": Probe(post(b"X : a")),
    "space before the colon of a length": Probe(
        post(b"Content-Length : 2", body=b"ab")
    ),
    "no colon": Probe(post(b"X")),
    "no name": Probe(post(b": a")),
    # Hosts and targets.
    "no Host": Probe(b"GET /first HTTP/1.1\r\nX: a\r\n\r\n"),
    "two Hosts": Probe(post(b"Host: b")),
    "the same Host twice": Probe(post(b"Host: a")),
    "Host with a path": Probe(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "Host with a user": Probe(b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "two Content-Types": Probe(post(b"Content-Type: a/b", b"Content-Type: c/d")),
    "absolute target with a user": Probe(get(b"GET http://u:p@b/first HTTP/1.1")),
    "absolute target of another kind": Probe(get(b"GET ftp://b/first HTTP/1.1")),
    "target without a slash": Probe(get(b"GET first HTTP/1.1")),
    "target with a fragment": Probe(get(b"GET /first#x HTTP/1.1")),
    "target with a space": Probe(get(b"GET /fi rst HTTP/1.1")),
    "asterisk for a GET": Probe(get(b"GET * HTTP/1.1")),
    # Methods and versions.
    "CONNECT": Probe(get(b"CONNECT a:443 HTTP/1.1"), 501),
    "unknown method": Probe(get(b"BREW /first HTTP/1.1")),
    "method in small letters": Probe(get(b"get /first HTTP/1.1")),
    "control character in the method": Probe(get(b"G\x01T /first HTTP/1.1")),
    "HTTP/0.9, not said": Probe(b"GET /first\r\n\r\n", 505),
    "HTTP/0.9": Probe(get(b"GET /first HTTP/0.9"), 505),
    "HTTP/2.0": Probe(get(b"GET /first HTTP/2.0"), 505),
    "HTTP/1.2": Probe(get(b"GET /first HTTP/1.2")),
    "HTTP/2 preface": Probe(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": Probe(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    # Too much, and what we cannot do.
    "too many headers": Probe(post(*[b"X: a"] * 100), 431),
    "too large a header": Probe(post(b"X: " + b"a" * 11000), 431),
    "too large a target": Probe(get(b"GET /" + b"a" * 11000 + b" HTTP/1.1"), 431),
    "unknown expectation": Probe(post(b"Expect: the-unexpected"), 417),
    "too large a length": Probe(post(b"Content-Length: 1000001"), 413),
    "too large a length, expecting": Probe(
        post(b"Content-Length: 1000001", b"Expect: 100-continue"), 413
    ),
    "upgrade with xchunked": Probe(
        post(
            b"Connection: Upgrade",
            b"Upgrade: h2c",
            b"Transfer-Encoding: xchunked",
            body=b"0\r\n\r\n",
        ),
        501,
    ),
}


class Good(NamedTuple):
    """Something to serve."""

    #: What is sent.
    request: bytes
    #: What must stand in the environ.
    environ: dict[str, str]
    #: What ``wsgi.input`` must hold.
    body: bytes = b""
    #: Whether the connection must live on.
    keep_alive: bool = True


_PLAIN = {"REQUEST_METHOD": "POST", "PATH_INFO": "/first", "QUERY_STRING": ""}

#: By what is special about them.
GOOD = {
    "nothing": Good(get(b"GET / HTTP/1.1"), {"REQUEST_METHOD": "GET"}),
    "a body": Good(
        post(b"Content-Length: 3", b"Content-Type: text/plain", body=b"abc"),
        {**_PLAIN, "CONTENT_LENGTH": "3", "CONTENT_TYPE": "text/plain"},
        b"abc",
    ),
    "an empty body": Good(post(b"Content-Length: 0"), {"CONTENT_LENGTH": "0"}),
    "a length with zeros and spaces": Good(
        post(b"Content-Length:\t 003 ", body=b"abc"), {"CONTENT_LENGTH": "3"}, b"abc"
    ),
    "chunks": Good(
        chunked(b"3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n"),
        {**_PLAIN, "CONTENT_LENGTH": "13"},
        b"abc0123456789",
    ),
    "no chunks": Good(chunked(b"0\r\n\r\n"), {"CONTENT_LENGTH": "0"}),
    "chunk extensions and trailers": Good(
        chunked(b'3;a=b;c="d"\r\nabc\r\n0\r\nX: y\r\nConnection: upgrade\r\n\r\n'),
        {"CONTENT_LENGTH": "3"},
        b"abc",
    ),
    "Chunked with a capital": Good(
        post(b"transfer-encoding: Chunked ", body=b"1\r\na\r\n0\r\n\r\n"),
        {"CONTENT_LENGTH": "1"},
        b"a",
    ),
    "a body of a GET": Good(
        get(b"GET / HTTP/1.1", b"Content-Length: 1") + b"a",
        {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "1"},
        b"a",
    ),
    "a close": Good(post(b"Connection: close"), _PLAIN, keep_alive=False),
    "HTTP/1.0": Good(
        b"GET /first HTTP/1.0\r\n\r\n",
        {"SERVER_PROTOCOL": "HTTP/1.0", "PATH_INFO": "/first"},
        keep_alive=False,
    ),
    "HTTP/1.0 with keep-alive": Good(
        b"GET /first HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        {"SERVER_PROTOCOL": "HTTP/1.0"},
    ),
    "an expectation in HTTP/1.0": Good(
        post(b"Content-Length: 1", b"Expect: 100-continue", body=b"a", version=b"1.0"),
        {"SERVER_PROTOCOL": "HTTP/1.0"},
        b"a",
        keep_alive=False,
    ),
    "an expectation and the body at once": Good(
        post(b"Content-Length: 1", b"Expect: 100-continue", body=b"a"), _PLAIN, b"a"
    ),
    "blank lines before": Good(b"\r\n\r\n" + post(), _PLAIN),
    "an absolute target": Good(
        get(b"GET http://B:80/p%2Fq?x=%20 HTTP/1.1"),
        {"PATH_INFO": "/p/q", "QUERY_STRING": "x=%20", "HTTP_HOST": "B:80"},
    ),
    "an absolute target without a path": Good(
        get(b"GET https://b?x HTTP/1.1"),
        {"PATH_INFO": "/", "QUERY_STRING": "x", "HTTP_HOST": "b"},
    ),
    "an asterisk": Good(get(b"OPTIONS * HTTP/1.1"), {"PATH_INFO": ""}),
    "an escaped target": Good(
        get(b"GET /a%C3%A9%2f%zz%00;b?c%41?d HTTP/1.1"),
        {"PATH_INFO": "/a\xc3\xa9/%zz\0;b", "QUERY_STRING": "c%41?d"},
    ),
    "two slashes": Good(get(b"GET //b/c HTTP/1.1"), {"PATH_INFO": "//b/c"}),
    "an IPv6 Host": Good(
        b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", {"HTTP_HOST": "[::1]:80"}
    ),
    "an empty Host": Good(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", {"HTTP_HOST": ""}),
    "headers more than once": Good(
        post(b"Accept: a", b"accept: b ", b"Cookie: c=1", b"Cookie: d=2"),
        {"HTTP_ACCEPT": "a,b", "HTTP_COOKIE": "c=1; d=2"},
    ),
    "bytes past ASCII in a value": Good(post(b"X: \xe9\xff"), {"HTTP_X": "\xe9\xff"}),
    "an upgrade": Good(
        get(b"GET /first HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c"),
        {"PATH_INFO": "/first"},
    ),
    "an upgrade with a body": Good(
        post(
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: x",
            b"Content-Length: 3",
            body=b"abc",
        ),
        {**_PLAIN, "HTTP_HTTP2_SETTINGS": "x"},
        b"abc",
    ),
    "an upgrade with chunks, closing": Good(
        post(
            b"Connection: upgrade, close",
            b"Upgrade: h2c",
            b"Transfer-Encoding: chunked",
            body=b"3\r\nabc\r\n0\r\n\r\n",
        ),
        _PLAIN,
        b"abc",
        keep_alive=False,
    ),
}

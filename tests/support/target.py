"""A scripted target: a real HTTP receiver, as well or as badly behaved as a test wants.

    with ScriptedTarget(answering(200, b"ok")) as target:
        push_to(target.url("/task"))
        assert target.requests[0].body == b"..."

    def close_in_the_middle(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhalf")

    with ScriptedTarget(close_in_the_middle) as target: ...

Each connection is handed to the script, on a thread of its own; when the script
returns, the connection is closed. A script may be as simple-minded as it likes: that
the other side hangs up, or that the test is over, ends it silently. Any other error of
a script is raised again where the ``with`` block ends.

Plain threads, so that it serves tests that block as well as tests that run gevent.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

#: Certificate and key of "localhost" and 127.0.0.1; it signed itself, so that a client
#: which trusts it says so with ``load_verify_locations(CERTIFICATE)``.
CERTIFICATE = Path(__file__).with_name("localhost.pem")

#: Seconds within which a closed target's threads must have ended.
_DEADLINE = 10.0


class Request(NamedTuple):
    """What a client sent."""

    method: str
    #: The request-target: path and query.
    path: str
    #: Names in lower case; of several with one name, the last.
    headers: dict[str, str]
    body: bytes
    #: Request line and headers as they came, with the empty line.
    head: bytes
    #: When it was complete, monotonic seconds.
    at: float


class _Over(Exception):
    """The client hung up, or the test is over: the script has nobody to play for."""


class Peer:
    """The target's end of one connection, for a script to use."""

    def __init__(self, target: ScriptedTarget, sock: socket.socket) -> None:
        self._target = target
        self._buffer = b""
        self.sock = sock
        #: Bytes handed to the kernel so far.
        self.sent = 0
        #: Set when the script has ended and the connection is closed.
        self.is_over = threading.Event()

    def read_head(self) -> bytes:
        """The next request's head, b"" if the client closed instead. Its body, if any,
        is left where it is."""
        while b"\r\n\r\n" not in self._buffer:
            data = self._receive()
            if not data:
                return b""
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read_request(self) -> Request | None:
        """The next request, kept in ``target.requests`` too; None if the client closed
        before it was complete."""
        head = self.read_head()
        if not head:
            return None
        request_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = request_line.split(" ")
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        pieces = [self._buffer]
        missing = length - len(self._buffer)
        while missing > 0:
            data = self._receive()
            if not data:
                return None
            pieces.append(data)
            missing -= len(data)
        body, self._buffer = (rest := b"".join(pieces))[:length], rest[length:]
        request = Request(method, path, headers, body, head, time.monotonic())
        self._target.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except (OSError, ValueError) as error:
            raise _Over from error
        self.sent += len(data)

    def answer(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """A proper answer, with its length."""
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the test is over."""
        if self._target.is_over.wait(seconds):
            raise _Over

    def wait_closed(self) -> None:
        """Until the client closes; what it sends meanwhile is read and forgotten."""
        while self._receive():
            pass

    def wait_over(self) -> None:
        """Until the test is over, without reading a byte."""
        self._target.is_over.wait()

    def reset(self) -> None:
        """Close by RST, as a crashed host does."""
        self.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.sock.close()

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(262144)
        except (OSError, ValueError) as error:
            raise _Over from error


Script = Callable[[Peer], None]


def answering(
    status: int = 200, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
) -> Script:
    """The well-behaved script: the same answer to each request, connections kept."""
    headers = list(headers)

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(status, body, headers)

    return script


def sending(data: bytes) -> Script:
    """For each request the same bytes, whatever they are; connections kept."""

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(data)

    return script


class ScriptedTarget:
    """Listens on a free port from the beginning of its ``with`` block to the end."""

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        tls: bool = False,
        receive_buffer: int | None = None,
    ) -> None:
        """*receive_buffer*, in bytes, bounds what can be sent without being read."""
        self._script = script
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if self._tls is not None:
            self._tls.load_cert_chain(CERTIFICATE)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        if receive_buffer is not None:
            self._listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer
            )
        self._listener.bind((host, 0))
        self._listener.listen(1024)
        self._host = f"[{host}]" if ":" in host else host
        self.port: int = self._listener.getsockname()[1]
        #: Set when the ``with`` block ends.
        self.is_over = threading.Event()
        #: Every complete request, in the order of their arrival.
        self.requests: list[Request] = []
        #: One per connection accepted.
        self.peers: list[Peer] = []
        #: What scripts raised.
        self.errors: list[Exception] = []
        self._threads: list[threading.Thread] = []

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host or self._host}:{self.port}{path}"

    def __enter__(self) -> ScriptedTarget:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_over.set()
        # The one way to wake a thread out of accept() or recv() that another can go.
        _shut_down(self._listener)
        self._threads[0].join(_DEADLINE)
        for peer in self.peers:
            _shut_down(peer.sock)
        for thread in self._threads:
            thread.join(_DEADLINE)
        self._listener.close()
        assert not any(thread.is_alive() for thread in self._threads), "a stuck script"
        if self.errors and error is None:
            raise self.errors[0]

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(self, sock)
            self.peers.append(peer)
            self._start(lambda peer=peer: self._play(peer))  # type: ignore[misc]

    def _play(self, peer: Peer) -> None:
        try:
            peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                peer.sock = self._tls.wrap_socket(
                    peer.sock, server_side=True, do_handshake_on_connect=False
                )
                _handshake(peer.sock)
            self._script(peer)
        except _Over:
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            peer.sock.close()
            peer.is_over.set()


def _handshake(sock: socket.socket) -> None:
    assert isinstance(sock, ssl.SSLSocket)
    try:
        sock.do_handshake()
    except OSError as error:
        raise _Over from error


def _shut_down(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Closed already, which is as good.
        return

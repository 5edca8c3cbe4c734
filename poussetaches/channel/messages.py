"""The messages of the channel, one class each; ``__init__.py`` has the talk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from poussetaches.channel import frames
from poussetaches.errors import ChannelError
from poussetaches.model.task import (
    DEFAULT_QUEUE,
    Expected,
    How,
    Spec,
    Submission,
    Terms,
)

#: What a target may ask for: seconds until it is asked again, and tasks in an answer.
SHORTEST_SNOOZE, LONGEST_SNOOZE = 1.0, 30 * 86_400.0
MOST_FOLLOW_UPS = 1000

#: Of an HTTP request to the api, characters.
LONGEST_REQUEST_ID = 64


class Said(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What all messages are: an array of the code and the fields, checked when it is
    read. A child that sends anything else must not get as far as the queue."""


class Configure(Said, tag=0):
    """supervisor -> child: the settings (``Config.to_wire``)."""

    settings: dict[str, Any]


class Ready(Said, tag=1):
    """child -> supervisor: it can work. ``slots``: attempts at once (0: no worker)."""

    slots: int


class CannotStart(Said, tag=2):
    """child -> supervisor: it never will; the sentence says why."""

    reason: str


class Heartbeat(Said, tag=3):
    """child -> supervisor: it lives; with what it knows of itself."""

    #: Resident memory, bytes.
    memory: int
    #: Processor time used so far, seconds.
    cpu: float
    #: How busy it is, in numbers by name.
    gauges: dict[str, int]


class Push(Said, tag=4):
    """api -> supervisor: accept these tasks, all or none. Answered with their ids, in
    order, if they are on disk."""

    number: int
    submissions: list[Submission]


class Call(Said, tag=5):
    """api -> supervisor: any other question, by the name of its handler."""

    number: int
    verb: str
    arguments: dict[str, Any]
    #: Id of the HTTP request that asks, for the log.
    request: str = ""


class Reply(Said, tag=6):
    """supervisor -> api: the answer to the Push or Call of that number."""

    number: int
    value: Any
    #: [code, sentence, field, retry_after] if the answer is no.
    error: Sequence[Any] | None = None


class Lease(Said, tag=7):
    """supervisor -> worker: make one attempt."""

    #: Names the lease while this supervisor lives.
    lease: int
    id: str
    attempt: int
    spec: bytes
    #: Seconds that it may take.
    timeout: float = 600.0
    queue: str = DEFAULT_QUEUE
    #: Of a run of a schedule: its slot, posix seconds; 0.0: it is none.
    slot: float = 0.0


class Ended(Said, tag=8):
    """worker -> supervisor: what the attempt of that lease brought."""

    lease: int
    #: The fields of decisions.Outcome.
    ok: bool
    status: int
    error: bytes
    #: How long the attempt took, seconds.
    duration: float = 0.0
    #: More of those fields.
    final: bool = False
    retry_after: float = 0.0
    unreached: bool = False
    snooze: float | None = None
    #: Tasks that the answer asked for.
    follow_ups: Sequence[Submission] = ()
    unread: bool = False
    kind: str = ""
    request: str = ""
    result: bytes | None = None


class Stop(Said, tag=9):
    """supervisor -> child: leave now (an api: after answering what it has begun)."""


class Pulse(Said, tag=10):
    """supervisor -> api: it lives; the answer to a heartbeat, and to be heard at once
    when it has begun or stops to serve."""

    #: The short answer to how the service is.
    status: dict[str, Any]
    #: Sentences: why work that is due does not move; none if it does.
    complaints: Sequence[str]
    #: Sentences: why pushes had better go elsewhere; none if they may come.
    obstacles: Sequence[str]


class Queues(Said, tag=11):
    """supervisor -> child: all queues there are, at the start and at every change."""

    #: Their settings (``QueueSettings.to_wire``), by name.
    queues: dict[str, dict[str, Any]]


Message = (
    Configure
    | Ready
    | CannotStart
    | Heartbeat
    | Push
    | Call
    | Reply
    | Lease
    | Ended
    | Stop
    | Pulse
    | Queues
)

_pack = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(list[Message]).decode
_unseal = msgspec.msgpack.Decoder(Spec).decode
_read_rest = msgspec.msgpack.Decoder(tuple[Expected, How | None]).decode

#: In a sealed Spec: the heads of arrays of so many, and nothing.
_FOUR_FIELDS, _TWO_FIELDS, _NIL = 0x94, b"\x92", 0xC0
#: How those of most pushes end: with a 200 that is expected, and nothing of how. No
#: metadata does, which is UTF-8.
_USUAL_END = b"\xcc\xc8\xc0"


def pack(message: Message) -> bytes:
    """``message`` as it stands in a frame. Raises ChannelError if it is too long."""
    packed = _pack(message)
    frames.check_length(packed)
    return packed


def encode(messages: Iterable[Message]) -> bytes:
    """``messages`` as a frame (more than one if they are very long)."""
    return frames.join_frames([pack(message) for message in messages])


class MessageReader:
    """Finds the messages in a stream of bytes."""

    def __init__(self) -> None:
        self._frames = frames.FrameReader()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes. Raises ChannelError."""
        found: list[Message] = []
        try:
            for frame in self._frames.feed(data):
                found += _read(frame)
        except (ValueError, RecursionError) as error:
            raise ChannelError(f"not a message: {error!s:.100}") from error
        return found


def seal(spec: Spec) -> bytes:
    """A Spec as the supervisor keeps it: closed."""
    return _pack(spec)


def submission(
    id: str, spec: Spec, delay: float, schedule: str, terms: Terms
) -> Submission:
    """A push that was found valid, as the supervisor takes it: its Spec is sealed."""
    return Submission(id, _pack(spec), delay, schedule, terms)


def read_submission(fields: Any) -> Submission:
    """A Submission that came as an argument of a Call. Raises ChannelError."""
    try:
        return msgspec.convert(fields, Submission)
    except msgspec.ValidationError as error:
        raise ChannelError(f"not a submission: {error!s:.100}") from error


def unseal(sealed: bytes) -> Spec:
    """The Spec that ``seal`` closed, by this version or an older one. Raises
    ChannelError."""
    try:
        return _unseal(sealed)
    except ValueError as error:
        raise ChannelError(f"not a sealed spec: {error!s:.100}") from error


def url_of(sealed: bytes) -> bytes:
    """The URL in what ``seal`` closed, UTF-8, without opening the rest: it comes first,
    after the head of the array and its own length."""
    kind = sealed[1]
    if kind < 0xD9:
        return sealed[2 : 2 + (kind & 0x1F)]
    start = 2 + (1 << kind - 0xD9)
    return sealed[start : start + int.from_bytes(sealed[2:start], "big")]


def metadata_of(sealed: bytes) -> bytes:
    """The metadata in the same, JSON in UTF-8; b"" if there is none. The payload, which
    may be long, is not read. Raises ChannelError."""
    if sealed.endswith(_USUAL_END) or sealed[0] != _FOUR_FIELDS:
        return b""
    kind = sealed[1]
    head = 2 if kind < 0xD9 else 2 + (1 << kind - 0xD9)
    rest = sealed[_payload_end(sealed, head + len(url_of(sealed))) :]
    try:
        _, how = _read_rest(_TWO_FIELDS + rest)
    except ValueError as error:
        raise ChannelError(f"not a sealed spec: {error!s:.100}") from error
    return b"" if how is None else how.metadata.encode()


def _payload_end(sealed: bytes, at: int) -> int:
    """Where the bytes end that begin ``at``, or the nil in their place."""
    if sealed[at] == _NIL:
        return at + 1
    start = at + 1 + (1 << sealed[at] - 0xC4)
    return start + int.from_bytes(sealed[at + 1 : start], "big")

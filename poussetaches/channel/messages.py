"""The messages of the channel, one class each; ``__init__.py`` has the talk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from poussetaches.channel import frames
from poussetaches.errors import ChannelError
from poussetaches.model.task import PLAIN, Spec, Terms


class Configure(NamedTuple):
    """supervisor -> child: the settings (``Config.to_wire``)."""

    settings: dict[str, Any]


class Ready(NamedTuple):
    """child -> supervisor: it can work. ``slots``: attempts at once (0: no worker)."""

    slots: int


class CannotStart(NamedTuple):
    """child -> supervisor: it never will; the sentence says why."""

    reason: str


class Heartbeat(NamedTuple):
    """child -> supervisor: it lives; with what it knows of itself."""

    #: Resident memory, bytes.
    memory: int
    #: Processor time used so far, seconds.
    cpu: float
    #: How busy it is, in numbers by name.
    gauges: dict[str, Any]


class Push(NamedTuple):
    """api -> supervisor: accept this task. Answered with its id, if it is on disk."""

    number: int
    #: The fields of decisions.Submission.
    id: str
    spec: bytes
    delay: float
    schedule: str
    terms: Terms = PLAIN


class Call(NamedTuple):
    """api -> supervisor: any other question, by the name of its handler."""

    number: int
    verb: str
    arguments: dict[str, Any]


class Reply(NamedTuple):
    """supervisor -> api: the answer to the Push or Call of that number."""

    number: int
    value: Any
    #: [code, sentence, field, retry_after] if the answer is no.
    error: Sequence[Any] | None = None


class Lease(NamedTuple):
    """supervisor -> worker: make one attempt."""

    #: Names the lease while this supervisor lives.
    lease: int
    id: str
    attempt: int
    spec: bytes


class Ended(NamedTuple):
    """worker -> supervisor: what the attempt of that lease brought."""

    lease: int
    #: The fields of decisions.Outcome.
    ok: bool
    status: int
    error: bytes
    #: How long the attempt took, seconds.
    duration: float = 0.0
    #: Two more of those fields.
    final: bool = False
    retry_after: float = 0.0


class Stop(NamedTuple):
    """supervisor -> child: leave now (an api: after answering what it has begun)."""


class Pulse(NamedTuple):
    """supervisor -> api: it lives; the answer to a heartbeat, and to be heard at once
    when it has begun or stops to serve."""

    #: The short answer to how the service is.
    status: dict[str, Any]
    #: Sentences: why work that is due does not move; none if it does.
    complaints: Sequence[str]
    #: Sentences: why pushes had better go elsewhere; none if they may come.
    obstacles: Sequence[str]


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
)

KINDS: dict[int, type[Message]] = {
    0: Configure,
    1: Ready,
    2: CannotStart,
    3: Heartbeat,
    4: Push,
    5: Call,
    6: Reply,
    7: Lease,
    8: Ended,
    9: Stop,
    10: Pulse,
}
CODES = {kind: code for code, kind in KINDS.items()}


def _types(hint: Any) -> tuple[type, ...]:
    """What a field with this annotation may hold once it has travelled."""
    if hint is Any:
        return (object,)
    if isinstance(hint, UnionType):
        return tuple(kind for part in get_args(hint) for kind in _types(part))
    plain = get_origin(hint) or hint
    return {float: (float, int), Sequence: (list,), Terms: (list, Terms)}.get(
        plain, (plain,)
    )


#: For each kind of message, what each of its fields may hold: a child that sends
#: anything else must not get as far as the queue.
TYPES: dict[type[Message], list[tuple[type, ...]]] = {
    kind: [_types(hint) for hint in get_type_hints(kind).values()]
    for kind in KINDS.values()
}

TERMS_TYPES = [_types(hint) for hint in get_type_hints(Terms).values()]


def pack(message: Message) -> bytes:
    """``message`` as it stands in a frame. Raises ChannelError if it is too long."""
    return frames.pack_message((CODES[type(message)], *message))


def encode(messages: Iterable[Message]) -> bytes:
    """``messages`` as a frame (more than one if they are very long)."""
    return frames.join_frames([pack(message) for message in messages])


class MessageReader:
    """Finds the messages in a stream of bytes."""

    def __init__(self) -> None:
        self._frames = frames.FrameReader()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes. Raises ChannelError."""
        try:
            return [
                _message(array) for frame in self._frames.feed(data) for array in frame
            ]
        except (KeyError, TypeError, IndexError) as error:
            raise ChannelError(f"not a message: {error!r:.100}") from error


def _message(array: Sequence[Any]) -> Message:
    kind = KINDS[array[0]]
    message = kind(*array[1:])
    _check(message, TYPES[kind])
    if isinstance(message, Push):
        terms = Terms.of(message.terms)
        _check(terms, TERMS_TYPES)
        return message._replace(terms=terms)
    return message


def _check(given: tuple[Any, ...], kinds: Sequence[tuple[type, ...]]) -> None:
    for value, types in zip(given, kinds, strict=True):
        if not isinstance(value, types) or value != value:  # NaN equals nothing
            raise TypeError(f"{type(given).__name__} with {value!r:.50}")


def seal(spec: Spec) -> bytes:
    """A Spec as the supervisor keeps it: closed."""
    return frames.pack(spec)


def unseal(sealed: bytes) -> Spec:
    """The Spec that ``seal`` closed, by this version or an older one."""
    return Spec(*frames.unpack(sealed))

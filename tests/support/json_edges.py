"""Bodies that stand at the edges of JSON, and beyond them: what a parser, a validator
or a store may stumble over. The same seed makes the same bodies."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

#: A value of JSON, or what somebody may take for one, as it stands in a body.
Text = bytes


class Door(NamedTuple):
    """Something that takes JSON."""

    method: str
    path: str
    #: What it must be told, by field.
    base: Mapping[str, Text]
    #: What it may be told.
    fields: Sequence[str]
    #: Of a body: "object", "array" of them, or "lines" of them.
    shape: str = "object"

    @property
    def media(self) -> str:
        return "application/x-ndjson" if self.shape == "lines" else "application/json"


class Case(NamedTuple):
    """One body, for one door."""

    door: Door
    body: bytes
    #: How it was made.
    recipe: str

    def __str__(self) -> str:
        shown = f"{self.body[:300]!r}" + "..." * (len(self.body) > 300)
        size = len(self.body)
        return f"{self.door.method} {self.door.path}, {self.recipe}, {size} B: {shown}"


def cases(seed: int, count: int, doors: Sequence[Door]) -> Iterator[Case]:
    """So many; every door has its turn."""
    dice = random.Random(seed)
    for number in range(count):
        door = doors[number % len(doors)]
        recipe = dice.choices(RECIPES, WEIGHTS)[0]
        yield Case(door, recipe(dice, door), recipe.__name__.strip("_"))


#: Fields that take any value.
ANYTHING = ("json", "metadata")

# --- values ---------------------------------------------------------------------------

_NUMBERS: list[Text] = [
    *b"NaN Infinity -Infinity 1e999 -1e999 1e-999 1e308 -1e308 5e-324".split(),
    *b"0 -0 -0.0 0.0 1 -1 1.0 1e0 1E+2 1e00002 2.5 01 -01 00 +1 .5 5. 1e 1e+".split(),
    *b"0x10 0b1 1_000 1,5 --1 - e5 1.e5 1.5.5 1e5.5".split(),
    *(
        str(sign * 2**bits + off).encode()
        for sign in (1, -1)
        for bits in (31, 32, 53, 63, 64, 70, 1023, 2000)
        for off in (-1, 0, 1)
    ),
    b"9" * 400,
    b"9" * 5000,
    b"0." + b"3" * 5000,
    b"1e" + b"9" * 100,
    b"-1e-" + b"9" * 100,
]

_STRINGS: list[Text] = [
    *(rb'"" "\ud800" "\udfff" "\udc00\ud800" "a\ud83d" "\ud83d\ude00"'.split()),
    *(rb'"\u0000" "a\u0000b" "\u001f" "\u007f" "\u0085" "\u2028" "\ufeff"'.split()),
    *(rb'"\ufffe" "\uffff" "\x41" "\u12" "\uZZZZ" "\u{41}" "\0" "\'"'.split()),
    *(rb'"\/" "\b\f\n\r\t" "\\" "\"" "\q" "\ " "\U0001F600"'.split()),
    *(b'"\x00"', b'"\x01"', b'"\x1f"', b'"\n"', b'"\r\n"', b'"\t"', b'"\x7f"'),
    *(
        b'"\xff"',
        b'"\xc0\x80"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
    ),
    *(b'"\xe2\x82"', b'"\x80"', b'"\xf8\x88\x80\x80\x80"', b'"\xef\xbb\xbf"'),
    *('"é" "日本" "😀" "\u2028" "\u202e" "\ufeff" "e\u0301"'.encode().split(b" ")),
    *(b'"', b'"a', b"'a'", b"a", b'"a" "b"', b'"a"b', b"`a`", b'"""a"""'),
    *(b'"0"', b'"5"', b'"true"', b'"null"', b'"NaN"', b'"[]"', b'"2xx"', b'"@daily"'),
    *(b'"http://127.0.0.1:9/"', b'"/path"', b'"http://"', b'"//h/"', b'"GET"'),
    *(b'"YQ=="', b'"raw"', b'"default"', b'"10/s"', b'"unlimited"', b'"10/s\\n"'),
    b'"' + b"x" * 100_000 + b'"',
    b'"' + rb"\u0041" * 10_000 + b'"',
    b'"' + "é".encode() * 10_000 + b'"',
]

_OTHERS: list[Text] = [
    *b"true false null True None nil undefined TRUE nul tru nulll".split(),
    *b"[] {} [null] [[]] [{}] {null:1} {1:2} {a:1} [1,] [,1] [,] {,}".split(),
    *b'[1 {"a":} {"a" {"a":1,} {"a":1 [}] {"a"} {"":1} {"a":1}} ]'.split(),
    *b'[1,2,300] ["a"] [true] [1.5] [200,"2xx"] [-1] {"min":1} {"min":"1"}'.split(),
    *b'{"min":1,"max":0} {"min":1,"x":1} {"X-A":"b"} {"X-A":1} {"Host":"h"}'.split(),
    *b'{"a":{"a":{"a":[1,{"b":null}]}}} /**/1 //1 1/**/ <a/> --1 $ref !!int'.split(),
    *b'{"__proto__":1} {"$ref":"#"} {"json":1} {"a":1,"a":2} {"X-A":"b"}'.split(),
    b'{"X-A":"b","X-A":"c"}',
    b'{"X-A":"b\\r\\nX-B: c"}',
    b"[" + b"0," * 20_000 + b"0]",
    b"{" + b",".join(b'"k%d":0' % n for n in range(2000)) + b"}",
]

_POOLS = [_NUMBERS, _STRINGS, _OTHERS]


def _value(dice: random.Random) -> Text:
    chosen = dice.choice(dice.choice(_POOLS))
    # The long ones would take most of the time.
    return chosen if len(chosen) < 1000 or dice.random() < 0.2 else b"1"


def _deep(dice: random.Random) -> Text:
    depth = dice.choice([2, 10, 100, 500, 1000, 1024, 5000, 100_000])
    begins, ends = dice.choice(
        [
            (b"[", b"]"),
            (b'{"a":', b"}"),
            (b'[{"a":', b"}]"),
            (b"[1,", b"]"),
            (b" [", b""),
        ]
    )
    return begins * depth + b"1" + ends * depth


# --- bodies ---------------------------------------------------------------------------


def _object(dice: random.Random, fields: Sequence[tuple[str, Text]]) -> bytes:
    blank = dice.choice([b"", b"", b" ", b"\n", b"\r\n\t "])
    pairs = [json.dumps(name).encode() + blank + b":" + text for name, text in fields]
    return b"{" + (blank + b",").join(pairs) + blank + b"}"


def _wrapped(dice: random.Random, door: Door, one: bytes) -> bytes:
    if door.shape == "object":
        return one
    good = _object(dice, [*door.base.items()])
    many = [good] * dice.randrange(3)
    many.insert(dice.randrange(len(many) + 1), one)
    return b"[" + b",".join(many) + b"]" if door.shape == "array" else b"\n".join(many)


def _given(dice: random.Random, door: Door, *values: Text) -> bytes:
    """A body in which some field has these values, one after the other."""
    field = dice.choice([*door.fields, "unknown", ""])
    if dice.random() < 0.25:
        # These take anything, so most of the values are refused as none of JSON only.
        field = dice.choice([n for n in door.fields if n in ANYTHING] or [field])
    if dice.random() < 0.1:
        field = dice.choice([field.upper(), field.title(), f" {field}", f"{field}\0"])
    fields = [(name, text) for name, text in door.base.items() if name != field]
    fields += [(field, value) for value in values]
    dice.shuffle(fields)
    return _wrapped(dice, door, _object(dice, fields))


def _a_field(dice: random.Random, door: Door) -> bytes:
    return _given(dice, door, _value(dice))


def _a_field_twice(dice: random.Random, door: Door) -> bytes:
    return _given(dice, door, *(_value(dice) for _ in range(dice.choice([2, 2, 3]))))


def _many_fields(dice: random.Random, door: Door) -> bytes:
    some = dice.sample(door.fields, min(len(door.fields), dice.randrange(2, 6)))
    return _wrapped(
        dice,
        door,
        _object(dice, [*door.base.items(), *((f, _value(dice)) for f in some)]),
    )


def _deep_in_a_field(dice: random.Random, door: Door) -> bytes:
    return _given(dice, door, _deep(dice))


def _any_value(dice: random.Random, door: Door) -> bytes:
    value = _deep(dice) if dice.random() < 0.1 else _value(dice)
    return value if dice.random() < 0.5 else _wrapped(dice, door, value)


def _truncated(dice: random.Random, door: Door) -> bytes:
    whole = _many_fields(dice, door)
    return whole[: dice.randrange(len(whole))]


_AROUND = [
    *b"null // # {} , } ]".split(),
    *(b"\xef\xbb\xbf", b"\0", b" ", b"\n", b"\x0b", b"\x0c", b"\xa0", b"\x1e"),
    *("\u200b".encode(), b")]}',\n"),
]


def _with_something_around(dice: random.Random, door: Door) -> bytes:
    whole = _wrapped(dice, door, _object(dice, [*door.base.items()]))
    around = dice.choice([*_AROUND, whole])
    return around + whole if dice.random() < 0.5 else whole + around


def _in_another_encoding(dice: random.Random, door: Door) -> bytes:
    whole = _a_field(dice, door).decode("utf-8", "replace")
    code = dice.choice(
        ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig"]
    )
    return whole.encode(code, "replace")


def _with_broken_bytes(dice: random.Random, door: Door) -> bytes:
    broken = bytearray(_many_fields(dice, door))
    for _ in range(dice.randrange(1, 4)):
        broken[dice.randrange(len(broken))] = dice.randrange(256)
    return bytes(broken)


def _of_any_bytes(dice: random.Random, door: Door) -> bytes:
    return dice.randbytes(dice.choice([0, 1, 2, 3, 10, 100, 1000]))


RECIPES: list[Callable[[random.Random, Door], bytes]]
RECIPES, WEIGHTS = map(
    list,
    zip(
        (_a_field, 40),
        (_a_field_twice, 8),
        (_many_fields, 10),
        (_deep_in_a_field, 3),
        (_any_value, 10),
        (_truncated, 8),
        (_with_something_around, 6),
        (_in_another_encoding, 4),
        (_with_broken_bytes, 8),
        (_of_any_bytes, 3),
        strict=True,
    ),
)


def large(size: int, door: Door) -> Iterator[Case]:
    """A few of so many bytes, each large in its own way."""
    field = door.fields[-1]
    dice = random.Random(size)
    for name, begins, unit, ends in (
        ("text", b'"', b"x", b'"'),
        ("escapes", b'"', rb"\u0041", b'"'),
        ("a number", b"", b"1", b""),
        ("zeros", b"[", b"0,", b"0]"),
        ("objects", b"[", b"{},", b"{}]"),
        ("blanks", b"", b" ", b"1"),
        ("brackets", b"", b"[", b""),
    ):
        value = begins + unit * (size // len(unit)) + ends
        body = _wrapped(dice, door, _object(dice, [*door.base.items(), (field, value)]))
        yield Case(door, body, f"large by {name}")

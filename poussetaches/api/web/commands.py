"""A push as it is made elsewhere: the command line of curl, and a program in Python.
Both are safe to paste, whatever is in the push. Pure."""

from __future__ import annotations

import json
import pprint
import shlex
from decimal import Decimal

import msgspec

#: A longer one no shell takes as one argument, and nobody reads; bytes.
LONGEST = 100_000
#: Characters of a line that is not broken.
LINE = 72

#: Where both look for the key of the service, as the client does.
KEY = "POUSSETACHES_API_KEY"


def curl(address: str, body: bytes, *, has_key: bool) -> str:
    """The command that sends ``body``, which is JSON, to ``address``; "" if it is too
    long for one. ``has_key``: the service wants one."""
    lines = [f"curl -i {shlex.quote(address)}"]
    if has_key:
        lines.append(f'-H "Authorization: Bearer ${KEY}"')
    lines.append(f"-d {shlex.quote(_readable(body))}")
    return _short(" \\\n  ".join(lines))


def python(address: str, body: bytes, *, has_key: bool) -> str:
    """The same as a program."""
    lines = ["import os\n"] if has_key else []
    lines += ["import requests\n", "\nanswer = requests.post(\n"]
    lines.append(f"    {address!r},\n")
    lines.append(_indented(_argument(body)))
    if has_key:
        lines.append(
            f"    headers={{'Authorization': 'Bearer ' + os.environ[{KEY!r}]}},"
        )
        lines.append("\n")
    lines += [")\n", "answer.raise_for_status()\n"]
    lines.append("print(answer.headers['Poussetaches-Task-Id'])")
    return _short("".join(lines))


def _readable(body: bytes) -> str:
    """``body`` as JSON that people can read, without anything that cannot be seen or
    turns round what can."""
    line = msgspec.json.format(body, indent=0).decode()
    if len(line) > LINE:
        line = msgspec.json.format(body, indent=2).decode()
    # What is no blank and no line break can only be within a string.
    return "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1]
        for one in line
    )


def _argument(body: bytes) -> str:
    """What requests is told to send: fields, or the text, if there is a number in it
    that a program would make another one of."""
    try:
        fields = json.loads(body, parse_float=_exact)
        return f"json={pprint.pformat(fields, width=LINE, sort_dicts=False)},"
    except (ValueError, RecursionError):
        return f"data={body.decode()!r}.encode(),"


def _exact(text: str) -> float:
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        raise ValueError("is not the same as a float")
    return number


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.split("\n"))


def _short(text: str) -> str:
    return "" if len(text.encode()) > LONGEST else text

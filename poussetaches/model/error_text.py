"""The error text: what of an attempt's error says what went wrong, and not where and
when.

A thousand tasks that died of one thing have a thousand texts: each with its own ids,
times and addresses. ``normalised`` makes those equal, and leaves the rest readable.
"""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from typing import Any

#: Of an error no more bytes than this are read, from its start and from its end.
READ = 8 * 1024
#: Characters of the text that are looked at, and of what is left of it.
CONSIDERED, LONGEST = 400, 200
#: Of so many errors, and paths, it is remembered what was made of them.
REMEMBERED = 1024
#: How Python begins one.
TRACEBACK = "Traceback (most recent call last)"
#: How deep in JSON a message is looked for.
DEEPEST = 4

#: Where applications put what went wrong, the likeliest first.
MESSAGE_KEYS = (
    "message",
    "error",
    "detail",
    "details",
    "error_description",
    "errorMessage",
    "description",
    "reason",
    "title",
    "msg",
    "errors",
    "exception",
    "code",
)

#: In this order: a UUID is no number, and an address no time.
_MARKS = {
    "uuid": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "time": (
        r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
        r"(?:Z|[+-]\d\d:?\d\d)?)?"
        r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"
    ),
    "address": (
        r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"
        r"|\[[0-9a-fA-F:]*:[0-9a-fA-F:.]*\](?::\d{1,5})?"
    ),
    "email": r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+",
    "value": (
        r"\"(?:[^\"\\\n]|\\.){0,300}\""
        r"|(?<!\w)'(?:[^'\\\n]|\\.){0,300}'(?!\w)"
        r"|`[^`\n]{0,300}`|\u201c[^\u201c\u201d\n]{0,300}\u201d"
        r"|\u00ab[^\u00ab\u00bb\n]{0,300}\u00bb"
    ),
    "hex": (
        r"\b0[xX][0-9a-fA-F]+\b"
        r"|\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{7,}\b"
    ),
    "n": r"[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?",
}
_mark = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _MARKS.items()))
_blanks = re.compile(r"\s+")
_tags = re.compile(
    r"<(script|style|head)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_is_page = re.compile(r"\s*<(?:!doctype|html|head|body|title|h1)\b", re.I).match
_is_frame = re.compile(r"\s+(?:at |\.\.\. \d+ more|File \")").match
#: A message in JSON that the cap on answers has cut off.
_quoted_message = re.compile(
    r'"(?:message|error|detail|title|msg)"\s*:\s*"((?:[^"\\]|\\.){1,1000})'
)


def normalised(error: bytes) -> str:
    """What went wrong, at most LONGEST characters: equal for errors that differ in
    numbers, ids, addresses, times and quoted values only. "" if nothing is said."""
    if len(error) > READ:
        error = error[: READ // 2] + b"\n" + error[-READ // 2 :]
    return _normalised(error)


# Of what is cut: it stays in memory when the task has long been forgotten.
@lru_cache(maxsize=REMEMBERED)
def _normalised(error: bytes) -> str:
    text = error.decode("utf-8", "replace").replace("\0", "").strip()
    said = _blanks.sub(" ", _essence(text)[:CONSIDERED]).strip()
    # JSON can have halves of characters, with which nothing can be sent on.
    whole = said.encode("utf-8", "replace").decode()
    return _mark.sub(_named, whole)[:LONGEST].strip()


@lru_cache(maxsize=REMEMBERED)
def normalised_path(path: str) -> str:
    """``path`` of a URL, what follows it cut off; parts that look like ids are "*"."""
    plain = path.partition("?")[0].partition("#")[0]
    return "/".join("*" if _is_id(part) else part for part in plain.split("/"))


def _is_id(part: str) -> bool:
    digits = sum(character.isdigit() for character in part)
    if not digits:
        return False
    # A version, as in /v1/, is no id; nor is oauth2. Long words with digits are.
    return part.isdigit() or digits >= 4 or len(part) >= 16


def _named(match: re.Match[str]) -> str:
    return f"<{match.lastgroup}>"


def _essence(text: str) -> str:
    """The part of ``text`` that says what went wrong."""
    if text[:1] in ("{", "[", '"'):
        found = _message(text)
        if found is not None:
            # What a message holds may be a traceback in turn.
            return _traced(found.strip())
    if _is_page(text):
        return _of_page(text)
    return _traced(text)


def _message(text: str) -> str | None:
    """The message in what may be JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        quoted = _quoted_message.search(text)
        return None if quoted is None else quoted[1]
    return _message_of(value, DEEPEST)


def _message_of(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value or None
    if depth and isinstance(value, list):
        return next(filter(None, (_message_of(one, depth - 1) for one in value)), None)
    if depth and isinstance(value, dict):
        for key in MESSAGE_KEYS:
            found = _message_of(value.get(key), depth - 1)
            if found:
                return found
        for key, inner in value.items():
            found = _message_of(inner, depth - 1)
            if found:
                return f"{key}: {found}"
    return None


def _of_page(text: str) -> str:
    """Title or heading of a page, or else its text."""
    for name in ("title", "h1"):
        found = _tags.sub(" ", _inside(text, name))
        if found.strip():
            return html.unescape(found)
    return html.unescape(_tags.sub(" ", text))


def _inside(text: str, name: str) -> str:
    """What stands in the first element of that name; "" if there is none."""
    # No expression: one that looks for both ends takes the square of a long page.
    lower = text.lower()
    start = lower.find(f"<{name}")
    start = lower.find(">", start) if start >= 0 else -1
    end = lower.find(f"</{name}", start) if start >= 0 else -1
    return text[start + 1 : end] if end >= 0 else ""


def _traced(text: str) -> str:
    """What a traceback is about: Python says so at its end, others at their start."""
    lines = text.splitlines()
    if TRACEBACK in text:
        last = max(
            number
            for number, line in enumerate(lines)
            if line[:1] in (" ", "\t") or TRACEBACK in line
        )
        said = lines[last + 1 :]
        # Cut off, it ends with the place it had come to.
        return "\n".join(said) if said else lines[-1]
    if any(map(_is_frame, lines)):
        causes = [line for line in lines if line.startswith("Caused by:")]
        return causes[-1] if causes else lines[0]
    return text

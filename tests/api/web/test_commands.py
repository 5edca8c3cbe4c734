"""A push as curl and Python make it: as it is pasted, so it is sent."""

from __future__ import annotations

import ast
import json
import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.api.web.commands import LONGEST, curl, python

ADDRESS = "http://127.0.0.1:7991/"

texts = st.text(st.characters(codec="utf-8"), max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)


def words(command: str) -> list[str]:
    """What a shell makes of it."""
    return shlex.split(command.replace("\\\n", ""))


def sent(program: str) -> tuple[str, Any, Any]:
    """To where the program sends what, and with which headers: as source, where there
    is no value of it."""
    calls = [one for one in ast.walk(ast.parse(program)) if isinstance(one, ast.Call)]
    (post,) = [one for one in calls if ast.unparse(one.func) == "requests.post"]
    given = {one.arg: one.value for one in post.keywords}
    if "json" in given:
        body = json.dumps(ast.literal_eval(given["json"]))
    else:
        data = given["data"]
        assert isinstance(data, ast.Call) and isinstance(data.func, ast.Attribute)
        body = ast.literal_eval(data.func.value)
    headers = given.get("headers")
    return (
        ast.literal_eval(post.args[0]),
        body,
        headers and ast.unparse(headers),
    )


@given(st.dictionaries(texts, values, max_size=5))
def test_both_send_what_is_pushed(fields: dict[str, Any]) -> None:
    body = msgspec.json.encode(fields)
    command = curl(ADDRESS, body, has_key=False)
    assert words(command)[:4] == ["curl", "-i", ADDRESS, "-d"]
    assert json.loads(words(command)[4]) == json.loads(body)
    assert len(words(command)) == 5
    where, what, headers = sent(python(ADDRESS, body, has_key=False))
    assert (where, headers) == (ADDRESS, None)
    assert json.loads(what) == json.loads(body)


@given(texts)
def test_nothing_in_them_hides_or_turns_round_what_follows(text: str) -> None:
    body = msgspec.json.encode({"url": text, text: [text]})
    for shown in (
        curl(ADDRESS, body, has_key=False),
        python(ADDRESS, body, has_key=True),
    ):
        assert all(one.isprintable() or one == "\n" for one in shown)


@pytest.mark.parametrize(
    "text",
    [
        "it's; rm -rf / #",
        "$(reboot) `reboot` ${HOME} !! \\",
        "'\"'\"'",
        "\"\"\"'''\\",
        "@/etc/passwd",
        "-o/etc/passwd",
        "\u202etxt.exe\u2066\x7f\x85\u2028\U000e0041",
    ],
)
def test_quotes_and_the_words_of_shells_are_text(text: str) -> None:
    body = msgspec.json.encode({"url": text, "headers": {text: text}})
    address = f"http://h/{text}"
    shown = words(curl(address, body, has_key=False))
    assert json.loads(shown[4]) == {"url": text, "headers": {text: text}}
    if text.isprintable():
        assert shown[2] == address
        assert sent(python(address, body, has_key=False))[0] == address


@pytest.mark.parametrize(
    "number",
    ["1" * 5000, "0.1000000000000000055511151231257827", "1e2", "9007199254740993"],
)
def test_a_number_stays_what_it_is(number: str) -> None:
    body = b'{"json": %s}' % number.encode()
    assert number in curl(ADDRESS, body, has_key=False)
    _, what, _ = sent(python(ADDRESS, body, has_key=False))
    assert msgspec.json.decode(what, type=dict[str, msgspec.Raw]).keys() == {"json"}
    if number != "1e2":
        assert number in what


def test_what_is_nested_deeply_is_sent_as_it_is() -> None:
    body = b'{"json": %s}' % (b"[" * 900 + b"]" * 900)
    _, what, _ = sent(python(ADDRESS, body, has_key=False))
    assert what.count("[") == 900


def test_the_key_is_taken_from_the_environment() -> None:
    body = b'{"url": "http://h/"}'
    command = words(curl(ADDRESS, body, has_key=True))
    assert command[3:5] == ["-H", "Authorization: Bearer $POUSSETACHES_API_KEY"]
    program = python(ADDRESS, body, has_key=True)
    _, _, headers = sent(program)
    assert headers == (
        "{'Authorization': 'Bearer ' + os.environ['POUSSETACHES_API_KEY']}"
    )
    assert program.startswith("import os\n")


def test_what_no_shell_takes_is_not_shown() -> None:
    body = msgspec.json.encode({"url": "x" * LONGEST})
    assert curl(ADDRESS, body, has_key=False) == ""
    assert python(ADDRESS, body, has_key=False) == ""


def test_people_can_read_them() -> None:
    short = msgspec.json.encode({"url": "http://h/é", "json": {"user": 42}})
    assert curl(ADDRESS, short, has_key=False) == (
        "curl -i http://127.0.0.1:7991/ \\\n"
        '  -d \'{"url": "http://h/é", "json": {"user": 42}}\''
    )
    assert python(ADDRESS, short, has_key=False) == (
        "import requests\n\n"
        "answer = requests.post(\n"
        "    'http://127.0.0.1:7991/',\n"
        "    json={'url': 'http://h/é', 'json': {'user': 42}},\n"
        ")\n"
        "answer.raise_for_status()\n"
        "print(answer.headers['Poussetaches-Task-Id'])"
    )
    long = msgspec.json.encode({"url": "http://h/" + "x" * 80, "queue": "mail"})
    assert '\n  "queue": "mail"\n}\'' in curl(ADDRESS, long, has_key=False)

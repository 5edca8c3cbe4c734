"""How many attempts at once an origin may see, as it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.caps import MOST, Caps


@pytest.mark.parametrize(
    ("text", "caps"),
    [
        ("", Caps()),
        (" \t\n , ,, ", Caps()),
        ("4", Caps(4)),
        ("1000000", Caps(MOST)),
        ("http://127.0.0.1:8000=2", Caps(None, {"http://127.0.0.1:8000": 2})),
        # What is an origin is written in one way, however it was given.
        ("HTTP://Example.COM/any/path=2", Caps(None, {"http://example.com:80": 2})),
        ("https://[::1]=3", Caps(None, {"https://[::1]:443": 3})),
        (
            "4, http://a=1\n http://b:8080=2",
            Caps(4, {"http://a:80": 1, "http://b:8080": 2}),
        ),
        # The last word counts.
        ("4 5", Caps(5)),
        ("http://a=1 http://a:80=2", Caps(None, {"http://a:80": 2})),
    ],
)
def test_caps_are_read(text: str, caps: Caps) -> None:
    assert Caps.parse(text) == caps
    assert Caps.parse(str(caps)) == caps


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "1000001",
        "99999999999999999999",
        "four",
        "1.5",
        "1e3",
        "٣",
        "²",
        "=",
        "=4=",
        "http://a",
        "http://a=",
        "http://a=0",
        "http://a=x",
        "http://a==",
        "4=5",
        "a=5",
        "ftp://a=5",
        "http://=5",
        "http://a:99999=5",
        "http://a\x00b=5",
        "4;5",
        "\ud800=5",
    ],
)
def test_what_is_no_cap_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^has \""):
        Caps.parse(text)


@given(text=st.text(max_size=40) | st.text("=:/.,[]0123456789htp \n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        caps = Caps.parse(text)
    except ValueError as error:
        assert str(error).startswith('has "')
    else:
        assert Caps.parse(str(caps)) == caps
        assert all(1 <= most <= MOST for most in caps.own.values())


def test_its_own_cap_wins_over_that_of_all() -> None:
    caps = Caps.parse("4, http://a=9")
    assert caps.of("http://a:80") == 9
    assert caps.of("http://b:80") == 4
    assert Caps().of("http://b:80") is None

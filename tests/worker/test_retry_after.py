"""What a Retry-After header asks for: seconds, a date, or nothing that makes sense."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.worker.retry_after import LONGEST, retry_after

#: Sun, 06 Nov 1994 08:49:37 GMT
NOW = 784111777.0


def asked(*values: str | bytes, now: float = NOW) -> float:
    raw = [one.encode() if isinstance(one, str) else one for one in values]
    return retry_after([(b"Retry-After", value) for value in raw], now)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1", 1.0),
        ("120", 120.0),
        ("007", 7.0),
        (" 30 ", 30.0),
        ("2.0", 2.0),
        ("1.25", 1.25),
        ("86400", LONGEST),
        ("86401", LONGEST),
        ("999999999", LONGEST),
        ("1" + "0" * 30, LONGEST),
        ("9" * 60_000, LONGEST),
        ("0" * 60_000 + "5", 5.0),
        # The three forms of RFC 9110.
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun Nov 06 08:50:37 1994", 60.0),
        ("sun, 06 nov 1994 08:50:37 gmt", 60.0),
        ("Mon, 07 Nov 1994 08:49:36 GMT", LONGEST - 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        # In the past.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0.0),
        # Nonsense.
        ("", 0.0),
        ("-1", 0.0),
        ("+1", 0.0),
        ("-9" + "9" * 30, 0.0),
        ("1e9", 0.0),
        ("0x10", 0.0),
        ("1_000", 0.0),
        (".5", 0.0),
        ("5.", 0.0),
        ("1.2.3", 0.0),
        ("NaN", 0.0),
        ("Infinity", 0.0),
        ("soon", 0.0),
        ("10 seconds", 0.0),
        ("5, 6", 0.0),
        ("60;", 0.0),
        (b"\xb2", 0.0),
        (b"\xff\xfe\0", 0.0),
        ("Sun, 06 Nov 1994 08:50:37 +0100", 0.0),
        ("Sun, 06 Nov 1994 08:50:37", 0.0),
        ("Sun, 36 Nov 1994 08:50:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 25:50:37 GMT", 0.0),
        ("Sun, 06 Nov 10000 08:50:37 GMT", 0.0),
        ("1994-11-06T08:50:37Z", 0.0),
        ("Sun, 06 " + "N" * 60_000, 0.0),
    ],
    ids=lambda one: repr(one)[:40],
)
def test_what_one_header_asks_for(value: str | bytes, seconds: float) -> None:
    assert asked(value) == seconds


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ((), 0.0),
        (("5", "60"), 60.0),
        (("60", "5"), 60.0),
        (("soon", "7", "-1"), 7.0),
        (("5", "Sun, 06 Nov 1994 08:50:37 GMT"), 60.0),
        (("1" + "0" * 30, "5"), LONGEST),
    ],
)
def test_of_several_the_longest_counts(values: tuple[str, ...], seconds: float) -> None:
    assert asked(*values) == seconds


def test_the_name_is_found_in_any_case_among_other_headers() -> None:
    headers = [(b"X-Retry-After", b"9"), (b"retry-AFTER", b"3"), (b"Age", b"7")]
    assert retry_after(headers, NOW) == 3.0


@given(st.binary(max_size=60), st.floats(0, 1e11))
def test_whatever_it_says_it_is_within_bounds(value: bytes, now: float) -> None:
    assert 0.0 <= asked(value, now=now) <= LONGEST


@given(st.integers(0, 4_000_000_000), st.integers(-100_000, 100_000))
def test_a_date_is_as_far_away_as_it_says(now: int, ahead: int) -> None:
    date = formatdate(max(0, now + ahead), usegmt=True)
    expected = min(max(0, now + ahead) - now, LONGEST)
    assert asked(date, now=float(now)) == max(0.0, expected)

"""What may be written as a schedule, what it is read as, and what is refused."""

from __future__ import annotations

import itertools
import time

import pytest
from croniter import croniter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.rule_text import MAX_PERIOD, read_rule
from poussetaches.model.schedule import parse_rule


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@Hourly", "0 * * * *"),
        ("*/5 9-17 * JAN,dec MON-Fri", "*/5 9-17 * jan,dec mon-fri"),
        # The ancestor takes ? for * in every field.
        ("? ?/2 ? ? ? ?", "* */2 * * * *"),
        (" \t0  0\t* * 7 ", "0 0 * * 7"),
    ],
)
def test_a_rule_of_fields_is_read_as_one_plain_line(text: str, line: str) -> None:
    assert read_rule(text) == line


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("@every 1s", 1),
        ("@every 90s", 90),
        ("@every 1h30m", 5400),
        ("@every 1.5h", 5400),
        ("@every .5h", 1800),
        ("@every 1.h", 3600),
        ("@every +1h", 3600),
        ("@every 1h0m0.000000000s", 3600),
        ("@every 1m1m", 120),
        ("@every 24h", 86400),
        # Cut to whole seconds.
        ("@every 1999ms", 1),
        ("@every 1.999999999s", 1),
        ("@every 0.9s100ms", 1),
        ("@every 2s999us", 2),
        ("@every 1h1\u00b5s", 3600),
        ("@every 1h1\u03bcs1ns", 3600),
        ("@EVERY  1h", 3600),
        (f"@every {MAX_PERIOD}s", MAX_PERIOD),
    ],
)
def test_every_takes_a_duration_of_go(text: str, seconds: int) -> None:
    assert read_rule(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \t ", "empty"),
        ("* * * *", "has 4"),
        ("* * * * * * *", "has 7"),
        ("0 0 1 1 * 2030 *", "has 7"),
        ("nonsense", "has 1"),
        ("@reboot", "'@reboot' is none of"),
        ("@", "'@' is none of"),
        ("@hourly 5", "'@hourly 5' is none of"),
        ("@every", "'@every' is none of"),
        ("@every 1h 30m", "'@every 1h 30m' is none of"),
        ("@every1h", "'@every1h' is none of"),
        ("@every 250ms", "'250ms' is not between one second"),
        ("@every 0.999999999s", "is not between one second"),
        ("@every 0s", "is not between one second"),
        (f"@every {MAX_PERIOD + 1}s", "and 292 years"),
        ("@every 0", "'0' is not a duration"),
        ("@every 90", "'90' is not a duration"),
        ("@every -1h", "'-1h' is not a duration"),
        ("@every 1d", "'1d' is not a duration"),
        ("@every 1H", "'1H' is not a duration"),
        ("@every .s", "'.s' is not a duration"),
        ("@every h", "'h' is not a duration"),
        ("@every 1e3s", "'1e3s' is not a duration"),
        ("@every 1_000s", "'1_000s' is not a duration"),
        ("@every \u0661s", "'\u0661s' is not a duration"),
        ("60 * * * *", "minute '60' is not from 0 to 59"),
        ("* 24 * * *", "hour '24' is not from 0 to 23"),
        ("* * 0 * *", "day of month '0' is not from 1 to 31"),
        ("* * 32 * *", "day of month '32' is not from 1 to 31"),
        ("* * * 13 *", "month '13' is not from 1 to 12 (or jan feb"),
        ("* * * * 8", "day of week '8' is not from 0 to 7 (or sun mon"),
        ("60 * * * * *", "second '60' is not from 0 to 59"),
        ("* * * mon *", "month 'mon' is not from 1 to 12"),
        ("jan * * * *", "minute 'jan' is not from 0 to 59"),
        ("* * * january *", "month 'january' is not"),
        ("-1 * * * *", "minute '-1' is not a value"),
        ("5- * * * *", "minute '5-' is not a value"),
        ("5-7-9 * * * *", "minute '5-7-9' is not a value"),
        ("1,,2 * * * *", "minute '' is not a value"),
        ("1/5/5 * * * *", "minute '1/5/5' is not a value"),
        ("*/ * * * *", "minute '*/' is not a value"),
        ("** * * * *", "minute '**' is not a value"),
        ("*-5 * * * *", "minute '*-5': a range goes from a value"),
        ("\u0663 * * * *", "minute '\u0663' is not a value"),
        ("\x00 * * * *", "minute '\\x00' is not a value"),
        # What croniter would take for something.
        ("30-10 * * * *", "minute '30-10': a range goes from low to high"),
        ("* * * nov-feb *", "month 'nov-feb': a range goes from low to high"),
        ("* * * JAN-JAN *", "month 'jan-jan': a range goes from low to high"),
        ("5-5 * * * *", "minute '5-5': a range goes from low to high"),
        ("* * * * fri-sun", "day of week 'fri-sun': a range goes from low to high"),
        ("* * * * 7-7", "day of week '7-7': a range goes from low to high"),
        ("* * * * 7/2", "day of week '7/2': write Sunday as 0"),
        ("*/0 * * * *", "minute '*/0': a step is from 1 to 60"),
        ("*/61 * * * *", "minute '*/61': a step is from 1 to 60"),
        ("1-5/99999999999 * * * *", "a step is from 1 to 60"),
        ("* * * * */8", "day of week '*/8': a step is from 1 to 7"),
        ("R * * * *", "minute 'r' is not from 0 to 59"),
        ("H * * * *", "minute 'h' is not from 0 to 59"),
        ("R(0-29)/10 * * * *", "minute 'r(0-29)/10' is not a value"),
        ("0 0 L * *", "day of month 'l' is not from 1 to 31"),
        ("0 0 15W * *", "day of month '15w' is not a value"),
        ("0 0 * * 1#2", "day of week '1#2' is not a value"),
        ("0 0 * * L5", "day of week 'l5' is not a value"),
        # What would never run; the last one would, but nobody means that.
        ("0 0 31 2 *", "'0 0 31 2 *' names days of the month that none"),
        ("0 0 30,31 feb *", "names days of the month that none"),
        ("0 0 31 4,6,9,11 *", "names days of the month that none"),
        ("0 0 31 2 */2", "names days of the month that none"),
        ("0 0 31 2 1", "names days of the month that none"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_rule(text, None)
    assert refusal.value.field == "schedule"
    assert refusal.value.message.startswith("schedule: ")
    assert reason in refusal.value.message


@pytest.mark.parametrize(
    ("line", "field", "values"),
    [
        # croniter 6.2.4 and before read the first three as "every".
        ("59/1 * * * *", 0, [59]),
        ("* 23/1 * * *", 1, [23]),
        ("* * * * 6/1", 4, [6]),
        ("10/20 * * * *", 0, [10, 30, 50]),
        ("10-30/10 * * * *", 0, [10, 20, 30]),
        ("*/60 * * * *", 0, [0]),
        ("*/25,7 * * * *", 0, [0, 7, 25, 50]),
        ("* * * * 7", 4, [0]),
        ("* * * * 0,7", 4, [0]),
        ("* * * * sat,sun", 4, [0, 6]),
        ("* * * * mon/3", 4, [1, 4]),
        ("* * * feb-apr *", 3, [2, 3, 4]),
        ("*/20 1 * * * *", 5, [0, 20, 40]),
    ],
)
def test_croniter_reads_a_line_as_cron_would(
    line: str, field: int, values: list[int]
) -> None:
    read = read_rule(line)
    assert isinstance(read, str)
    assert croniter.expand(read, second_at_beginning=True)[0][field] == values


def test_ranges_up_to_sunday_are_the_days_they_say() -> None:
    for first, last in itertools.combinations(range(8), 2):
        for step in range(1, 8):
            read = read_rule(f"* * * * {first}-{last}/{step}")
            assert isinstance(read, str)
            days = sorted({day % 7 for day in range(first, last + 1, step)})
            expected = ["*"] if len(days) == 7 else days
            assert croniter.expand(read)[0][4] == expected, read


@pytest.mark.parametrize(
    "text",
    [
        "1," * 10_000 + "1 * * * *",
        "@every " + "9" * 100_000 + "h",
        ",".join(["0-59"] * 49) + " * * * *",
        ",".join(["*/1"] * 61) + " * * * *",
        "0 0 " + ",".join(["29"] * 80) + " 2 */7",
        "0 0 31 2,4,6,9,11 *",
        "@every " + "9" * 248 + "h",
        "@every " + "1ns" * 83,
        "@every " + "1" * 249,
        "@every " + "1." * 124,
        "," * 256,
        "-" * 256,
        "*/" * 128,
        " " * 1_000_000,
    ],
    ids=lambda text: f"{text[:12]}... ({len(text)})",
)
def test_a_hostile_text_is_cheap(text: str) -> None:
    """Reading it, and the first slot if it can be read, take 50 ms of CPU at most."""
    before = time.process_time()
    try:
        parse_rule(text, None).next(1_800_000_000.0)
    except InvalidInput as refusal:
        assert len(refusal.message) < 1000
    assert time.process_time() - before < 0.05


@settings(deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.lists(
            st.text("0123456789*/,-?lwhr#" + "janmonsu", min_size=1, max_size=6),
            min_size=5,
            max_size=6,
        ).map(" ".join),
        st.text("0123456789.hmsnu\u00b5+-", max_size=20).map("@every {}".format),
    )
)
@example("0 0 29 2 */7")
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = parse_rule(text, None)
    except InvalidInput as refusal:
        assert refusal.field == "schedule"
    else:
        assert rule.next(1_800_000_000.0) > 1_800_000_000.0


def test_the_text_is_kept_as_it_was_given() -> None:
    assert parse_rule(" @Hourly ", None).text == " @Hourly "

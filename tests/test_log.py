"""Log lines: one event is one line, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches import log
from poussetaches.log import escape, fields

logger = logging.getLogger("poussetaches.test")
PID = os.getpid()


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, afterwards as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines(root: logging.Logger) -> Callable[..., Callable[[], list[str]]]:
    """Begins to log with the arguments of ``setup``; the result reads what came."""

    def begin(level: str = "info", format: str = "text") -> Callable[[], list[str]]:
        stream = io.StringIO()
        # Not to be in a report of the tests, where some of it could not be told.
        root.handlers.clear()
        log.setup("worker-1", level, format, stream)
        return lambda: stream.getvalue().split("\n")[:-1]

    return begin


Begin = Callable[..., Callable[[], list[str]]]


def test_a_text_line_has_time_role_pid_level_message_and_fields(lines: Begin) -> None:
    read = lines()
    logger.info("attempt %d failed", 3, extra=fields(task="6f1c", status=503))
    (line,) = read()
    moment, rest = line[:23], line[23:]
    assert rest == f" worker-1[{PID}] INFO attempt 3 failed task=6f1c status=503"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", moment)
    seconds = time.mktime(time.strptime(moment[:19], "%Y-%m-%d %H:%M:%S"))
    assert abs(time.time() - seconds) < 60


def test_a_value_that_would_be_ambiguous_is_quoted(lines: Begin) -> None:
    read = lines()
    values = {"a": "", "b": "x y", "c": 'say "k=v"', "d": None, "e": "c:\\", "f": 1.5}
    logger.warning("m", extra=fields(**values))
    assert read()[0].endswith(
        r'WARNING m a="" b="x y" c="say \"k=v\"" d=None e="c:\\" f=1.5'
    )


def test_a_stranger_cannot_forge_a_line_nor_hide_one(lines: Begin) -> None:
    read = lines()
    evil = (
        "x\n2026-01-02 api[1] INFO all is well\r\x1b[2K\u2028\x85\u202e\x00\udce9\x7f"
    )
    logger.error("cannot reach %s", evil, extra=fields(target=evil))
    (line,) = read()
    shown = r"x\n2026-01-02 api[1] INFO all is well\r\x1b[2K\u2028\x85\u202e\x00\udce9"
    assert shown + r"\x7f target=" in line
    assert line.isprintable()


@given(st.text(st.characters()))
def test_escaped_text_is_one_printable_line(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", escaped)
    escaped.encode()


def fail(message: str) -> None:
    try:
        raise ValueError(message)
    except ValueError:
        logger.exception("handler broke", extra=fields(task="6f1c"))


def test_a_traceback_follows_its_line_indented(lines: Begin) -> None:
    read = lines()
    fail("bad\n2026-01-02 00:00:00.000 api[1] INFO forged\x1b[2K")
    first, *rest = read()
    assert first.endswith("ERROR handler broke task=6f1c")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-2:] == [
        "    ValueError: bad",
        r"    2026-01-02 00:00:00.000 api[1] INFO forged\x1b[2K",
    ]
    assert all(line.startswith("    ") for line in rest)


def test_a_stack_is_shown_when_asked_for(lines: Begin) -> None:
    read = lines()
    logger.info("here", stack_info=True)
    assert read()[1].startswith("    Stack (most recent call last):")


def test_a_json_line_is_one_object(lines: Begin) -> None:
    read = lines("info", "json")
    logger.warning("attempt %s", "failed", extra=fields(task="6f1c", status=503))
    fail("bad\nnews \u2028 \udce9")
    first, second = (json.loads(line) for line in read())
    moment = first.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert moment[:13] <= time.strftime("%Y-%m-%dT%H", time.gmtime())
    assert first == {
        "level": "warning",
        "role": "worker-1",
        "pid": PID,
        "logger": "poussetaches.test",
        "message": "attempt failed",
        "task": "6f1c",
        "status": 503,
    }
    assert second["traceback"].endswith("ValueError: bad\nnews \u2028 \udce9")


def test_json_takes_any_field(lines: Begin) -> None:
    read = lines("info", "json")
    logger.info(
        "m",
        extra=fields(
            path=Path("/x"),
            raw=b"\xff",
            nan=float("nan"),
            nested={"a": [1, None]},
            odd={1},
            pid=7,
            message="mine",
            name="n",
        ),
    )
    event = json.loads(read()[0])
    assert event["path"] == "/x"
    assert event["raw"] == r"b'\xff'"
    assert event["nan"] == "nan"
    assert event["nested"] == {"a": [1, None]}
    assert event["odd"] == "{1}"
    assert (event["pid"], event["pid_"]) == (PID, 7)
    assert (event["message"], event["message_"]) == ("m", "mine")
    assert event["name"] == "n"


def test_what_is_below_the_level_is_not_logged(lines: Begin) -> None:
    read = lines("warning")
    logger.info("no")
    logger.warning("yes")
    assert [line.split()[-1] for line in read()] == ["yes"]


def test_a_second_setup_replaces_the_first_and_leaves_strangers(
    root: logging.Logger,
) -> None:
    before = len(root.handlers)
    first, second = io.StringIO(), io.StringIO()
    log.setup("supervisor", stream=first)
    log.setup("dump", "debug", "json", stream=second)
    assert len(root.handlers) == before + 1
    logger.debug("x")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["role"] == "dump"


def test_standard_error_is_where_it_goes(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup("api")
    logger.info("here")
    assert capsys.readouterr().err.endswith(f"api[{PID}] INFO here\n")


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_journal_gets_priorities_on_every_line(
    root: logging.Logger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format: str,
) -> None:
    path = tmp_path / "journal"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log.setup("api", "debug", format, stream)
        logger.debug("d")
        logger.info("i")
        logger.warning("w")
        logger.critical("c")
        fail("e")
    priorities = [line[:3] for line in path.read_text().splitlines()]
    assert priorities[:4] == ["<7>", "<6>", "<4>", "<2>"]
    assert set(priorities[4:]) == {"<3>"}
    if format == "text":
        assert path.read_text().startswith(f"<7>api[{PID}] DEBUG d\n")
        assert len(priorities) > 5


def test_a_stream_that_is_not_the_journal_gets_no_priority(
    root: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    path = tmp_path / "redirected"
    with path.open("w") as stream:
        log.setup("api", stream=stream)
        logger.info("i")
    assert path.read_text()[:2] == "20"


def test_what_is_logged_about_a_request_names_it(lines: Begin) -> None:
    read = lines()
    with log.about("r1"):
        logger.info("in it")
        logger.info("of another", extra=fields(request="r2"))
    with log.about(""):
        logger.info("about none")
    logger.info("after it")
    ends = [line.partition(" INFO ")[2] for line in read()]
    assert ends == [
        "in it request=r1",
        "of another request=r2",
        "about none",
        "after it",
    ]

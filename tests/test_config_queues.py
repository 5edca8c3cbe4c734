"""Queues in the configuration file: ours, and a taskqueue.ini."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.cli.main import cli
from poussetaches.config import Config
from poussetaches.errors import ConfigError
from poussetaches.model.backoff import Growth
from poussetaches.model.limiter import Rate
from poussetaches.model.queue_fields import FIELDS, change
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.queue_section import describe, read_section
from tests.model.test_queue_fields import VALUES
from tests.test_config import MANUAL, ini

MAIL = """[poussetaches]
workers = 3

[queue:mail]
concurrency = 4
Rate = 20/m
burst = 2
retry_limit = -1
min_backoff_seconds = 10
max_backoff_seconds = 5m
max_doublings = 3
timeout = 30s
base_url = http://127.0.0.1:5000
paused = yes
header.Authorization = Bearer s3cret=
header.X-Tenant = 7

[queue:empty]
"""


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(ini(folder, text), {}, {})
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_section_is_a_queue(tmp_path: Path) -> None:
    config = Config.load(ini(tmp_path, MAIL), {}, {})
    assert config.workers == 3
    assert config.queues == {
        "mail": QueueSettings(
            concurrency=4,
            rate=Rate(20.0, "m"),
            burst=2,
            retry_limit=-1,
            backoff=Growth(10.0, 300.0, 3),
            timeout=30.0,
            base_url="http://127.0.0.1:5000",
            paused=True,
            headers=(("Authorization", "Bearer s3cret="), ("X-Tenant", "7")),
        ),
        "empty": QueueSettings(),
    }


def test_the_backoff_is_app_engines_only_where_a_part_of_it_is_said(
    tmp_path: Path,
) -> None:
    text = "[queue:a]\nmax_doublings = 3\n[queue:b]\nretry_limit = 3\n"
    queues = Config.load(ini(tmp_path, text), {}, {}).queues
    assert queues["a"].backoff == Growth(0.0, None, 3)
    assert queues["b"].backoff is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[queue:mail]\nrate = 20/w\n",
            'queue mail: rate: "20/w" (from {}:2 [queue:mail]) is not a rate, such as',
        ),
        (
            "[queue:mail]\nconcurrency = 0\n",
            'queue mail: concurrency: "0" (from {}:2 [queue:mail]) is not from 1 to 10',
        ),
        (
            "[queue:mail]\n\nconcurency = 4\n",
            'queue mail: there is no setting "concurency" of a queue (from {}:3 [queue'
            ":mail]), did you mean concurrency?",
        ),
        (
            "[queue:mail]\nbase_url = ftp://u:s3cret@a\n",
            "queue mail: base_url: the value (from {}:2 [queue:mail]) has the scheme f",
        ),
        (
            "[queue:mail]\nheader.Host = s3cret\n",
            "queue mail: header.Host: the value (from {}:2 [queue:mail]) cannot be sen",
        ),
        (
            "[queue:mail]\nheader.X-A = s3cret\nheader.x-a = 2\n",
            "queue mail: header.x-a: the value (from {}:3 [queue:mail]) cannot be sen",
        ),
        ("[queue:a b]\n", 'queue: "a b" is no name of a queue, which has 1 to 100'),
        ("[queue:]\n", 'queue: "" is no name of a queue'),
        ("[queue:a]\n[queue:a]\n", "{}:2: the section [queue:a] stands twice"),
        ("[queue:a]\nrate=1/s\nRate=2/s\n", "{}:3: rate is set twice"),
        (
            "[queue:a]\n[queues:b]\nrate = 1/s\n",
            "{}: there is no section [queues:b], settings stand in [poussetaches], th",
        ),
        ("[queue:a]\nworkers = 2\n", 'queue a: there is no setting "workers" of a q'),
    ],
)
def test_refused_with_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(sentence.format(tmp_path / "p.ini"))
    assert "s3cret" not in message


def test_check_config_says_where_each_setting_of_a_queue_stands(tmp_path: Path) -> None:
    path = ini(tmp_path, MAIL)
    result = CliRunner().invoke(
        cli, ["check-config", "--config", path], catch_exceptions=False
    )
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert f"[queue:mail] ({path}:4)" in lines
    assert f"rate = 20/m ({path}:6 [queue:mail])" in lines
    assert f"max_backoff_seconds = 5m ({path}:10 [queue:mail])" in lines
    assert f"header.Authorization = *** ({path}:15 [queue:mail])" in lines
    assert f"[queue:empty] ({path}:18)" in lines
    assert "s3cret" not in result.output


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_a_queue_survives_the_wire_and_its_own_description(
    said: dict[str, Any],
) -> None:
    # To the microsecond, as text has them; blanks at its ends are no part of it.
    rounded = {n: round(v, 6) if isinstance(v, float) else v for n, v in said.items()}
    if "headers" in said:
        rounded["headers"] = {n: v.strip() for n, v in said["headers"].items()}
    settings = QueueSettings.from_wire(change({}, {}, rounded))
    config = Config(queues={"mail": settings})
    assert Config.from_wire(config.to_wire()) == config
    told = describe(settings)
    rows = [(name, text, "a test") for name, text in told.items()]
    assert read_section("mail", rows) == settings


def test_the_manual_says_something_about_every_field_of_a_queue(tmp_path: Path) -> None:
    _, _, example = MANUAL.read_text().partition("# [queue:mail]\n")
    for name in FIELDS:
        pattern = r"header\.X" if name == "headers" else name
        assert re.search(
            rf"^# .*\n# {pattern}[A-Za-z-]* = ", example, re.MULTILINE
        ) or (name in {"max_backoff_seconds", "max_doublings"}), name
    lines = [
        line[2:] for line in example.splitlines() if re.match(r"# [\w.-]+ = ", line)
    ]
    text = "\n".join(["[queue:mail]", *lines, ""])
    [mail] = Config.load(ini(tmp_path, text), {}, {}).queues.values()
    assert mail.backoff == Growth(10.0, 300.0, 3)
    assert mail.rate == Rate(20.0, "m")


# --- a taskqueue.ini ------------------------------------------------------------------

TASKQUEUE = """server = amqp://user:s3cret@rabbit:5672/vhost
backend: redis
; a comment
[mail]
concurrency = 4
rate = 21.5/m  ; not too fast
retry_limit = 7
min_backoff_seconds = 10
max_backoff_seconds = 300
max_doublings = 3

[slow]
"""


def test_a_taskqueue_ini_is_read_as_it_is(tmp_path: Path) -> None:
    config = Config.load(ini(tmp_path, TASKQUEUE), {}, {})
    assert config.queues == {
        "mail": QueueSettings(
            concurrency=4,
            rate=Rate(21.5, "m"),
            retry_limit=7,
            backoff=Growth(10.0, 300.0, 3),
        ),
        "slow": QueueSettings(
            concurrency=1,
            rate=Rate(1.0, "s"),
            retry_limit=-1,
            backoff=Growth(0.0, None, None),
        ),
    }
    assert config.sources == {}


def test_what_it_says_beside_queues_is_a_warning_without_the_secret(
    tmp_path: Path,
) -> None:
    path = ini(tmp_path, TASKQUEUE)
    warnings = Config.load(path, {}, {}).warnings
    assert warnings == (
        f"{path} is read as a taskqueue.ini: it has neither [poussetaches] nor"
        " [queue:NAME]",
        f"{path}:1 server = amqp://***@rabbit:5672/vhost: tasks from RabbitMQ are not"
        " taken yet",
        f"{path}:2 backend = redis: ignored, tasks are kept in data_dir",
    )


@pytest.mark.parametrize("section", ["DEFAULT", "main", "taskqueue", "server"])
def test_the_server_may_stand_in_a_section_that_is_no_queue(
    tmp_path: Path, section: str
) -> None:
    text = f"[{section}]\nserver = amqp://a/\ntombstone_delay = 10d\n[mail]\n"
    assert list(Config.load(ini(tmp_path, text), {}, {}).queues) == ["mail"]


def test_check_config_says_what_each_of_its_lines_means(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli,
        ["check-config", "--config", ini(tmp_path, TASKQUEUE)],
        catch_exceptions=False,
    )
    for meaning in (
        "server = amqp://***@rabbit:5672/vhost: tasks from RabbitMQ are not taken yet",
        "[mail] concurrency = 4: at most 4 at once",
        "[mail] rate = 21.5/m: at most 21.5 attempts a minute, one every 2.791 s",
        "[mail] retry_limit = 7: a task is dead when 7 retries after the first attempt",
        "[mail] min_backoff_seconds = 10: the first retry comes 10 s after a failure",
        "[mail] max_backoff_seconds = 300: no wait is longer than 300 s",
        "[mail] max_doublings = 3: the wait doubles 3 times, then grows by as much eac",
        "[slow] rate = 1/s (not said): at most 1 attempt a second, one every 1 s",
        "[slow] retry_limit = -1 (not said): a task is tried until it succeeds",
        "[slow] max_backoff_seconds = -1 (not said): a wait may be of any length",
        "[slow] max_doublings = -1 (not said): the wait doubles with every failure",
    ):
        assert meaning in result.output
    assert "s3cret" not in result.output


def test_its_own_variable_names_it_as_a_last_resort(tmp_path: Path) -> None:
    theirs = tmp_path / "taskqueue.ini"
    theirs.write_text("[mail]\nrate = 1/s\n")
    environ = {"TASKQUEUE_CONFIG_FILE": str(theirs)}
    assert list(Config.load(None, environ, {}).queues) == ["mail"]
    ours = ini(tmp_path, "[queue:ours]\n")
    assert list(Config.load(ours, environ, {}).queues) == ["ours"]
    environ["POUSSETACHES_CONFIG"] = ours
    assert list(Config.load(None, environ, {}).queues) == ["ours"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[mail]\nrate = 1/s\nretries = 3\n",
            'queue mail: there is no setting "retries" in a taskqueue.ini (from {}:3',
        ),
        (
            "[mail]\nrate = 1/s\nmax_doubling = 3\n",
            'queue mail: there is no setting "max_doubling" in a taskqueue.ini (from {}'
            ":3 [mail]), did you mean max_doublings?",
        ),
        (
            "[mail]\nrate = fast\n",
            'queue mail: rate: "fast" (from {}:2 [mail]) is not a rate, such as',
        ),
        ("[mail]\nrate = 1/s\nrate = 2/s\n", "{}:3: rate is set twice"),
        ("[mail]\nrate = 1/s\n[mail]\n", "{}:3: [mail] stands twice"),
        ("[mail]\nrate = 1/s\nnonsense\n", '{}:3: this is neither "name = value" nor'),
        ("[a b]\nrate = 1/s\n", '{}: queue: "a b" is no name of a queue'),
    ],
)
def test_a_taskqueue_ini_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert refusal(tmp_path, text).startswith(sentence.format(tmp_path / "p.ini"))


@pytest.mark.parametrize(
    "text", ["[poussetache]\nconcurrency = 4\n", "[Poussetaches]\nconcurrency = 4\n"]
)
def test_our_own_section_misspelt_is_no_queue_of_taskqueue(
    tmp_path: Path, text: str
) -> None:
    assert "there is no section [" in refusal(tmp_path, text)

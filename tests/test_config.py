"""Settings: what is accepted, what wins, and what a refusal says."""

from __future__ import annotations

import configparser
import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.bind import Address, SocketPath
from poussetaches.config import OTHER_VARIABLES, SETTINGS, Config
from poussetaches.config_file import SECTION
from poussetaches.errors import ConfigError
from poussetaches.model.allowlist import AllowList

MANUAL = Path(__file__).parents[1] / "conf" / "poussetaches.ini"


def refusal(name: str, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(None, {}, {name: text})
    assert caught.value.field == name
    return caught.value.message


def ini(folder: Path, text: str) -> str:
    path = folder / "p.ini"
    path.write_text(text)
    return str(path)


def test_nothing_given_is_all_defaults() -> None:
    config = Config.load(None, {}, {})
    assert config == Config()
    assert config.bind == ("127.0.0.1", 7991)
    assert config.data_dir == Path("poussetaches_data")
    assert (config.workers, config.concurrency) == (2, 16)
    assert (config.timeout, config.drain_timeout) == (600.0, 30.0)
    assert (config.max_body, config.max_response) == (8388608, 16384)
    assert config.start_paused is False
    assert config.sources == {}
    assert config.warnings == ()


def test_a_flag_outranks_the_environment_which_outranks_the_file(
    tmp_path: Path,
) -> None:
    path = ini(tmp_path, "[poussetaches]\nworkers = 3\nconcurrency = 3\ntimeout = 3\n")
    environ = {"POUSSETACHES_WORKERS": "4", "POUSSETACHES_CONCURRENCY": "4"}
    config = Config.load(path, environ, {"workers": "5", "concurrency": None})
    assert (config.workers, config.concurrency, config.timeout) == (5, 4, 3.0)
    assert config.sources == {
        "workers": "--workers",
        "concurrency": "POUSSETACHES_CONCURRENCY",
        "timeout": f"{path}:4 [poussetaches]",
    }


def test_the_environment_names_the_file_where_the_flag_does_not(tmp_path: Path) -> None:
    path = ini(tmp_path, "[poussetaches]\nworkers = 3\n")
    environ = {"POUSSETACHES_CONFIG": path}
    assert Config.load(None, environ, {}).workers == 3
    with pytest.raises(ConfigError, match="nowhere"):
        Config.load(str(tmp_path / "nowhere"), environ, {})


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    path = ini(tmp_path, "[poussetaches]\nauth_key = k\n")
    environ = {"POUSSETACHES_AUTH_KEY": "", "POUSSETACHES_CONFIG": ""}
    assert Config.load(path, environ, {}).auth_key == "k"
    assert Config.load(None, environ, {}).auth_key == ""


def test_a_setting_has_one_name_in_three_places() -> None:
    for name, row in SETTINGS.items():
        assert row.name == name
        assert row.variable == f"POUSSETACHES_{name.upper()}"
        assert row.flag == f"--{name.replace('_', '-')}"
        assert row.help.endswith(".") and "\n" not in row.help
        assert row.variable not in OTHER_VARIABLES


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bind", "[::1]:7991", Address("::1", 7991)),
        ("bind", "localhost:0", Address("localhost", 0)),
        ("bind", "127.0.0.2:65535", Address("127.0.0.2", 65535)),
        ("bind", "unix:/run/p/api.sock", SocketPath("/run/p/api.sock")),
        ("socket_mode", "600", 0o600),
        ("socket_group", "www-data", "www-data"),
        ("url_prefix", "/queue/", "/queue"),
        ("url_prefix", "/", ""),
        ("allowed_hosts", "Q.example, q", ("q.example", "q")),
        ("workers", " 7 ", 7),
        ("timeout", "90", 90.0),
        ("timeout", "1.5s", 1.5),
        ("timeout", "5m", 300.0),
        ("timeout", "2 h", 7200.0),
        ("drain_timeout", "0", 0.0),
        ("max_body", "8M", 8388608),
        ("max_body", "512k", 524288),
        ("max_body", "64M", 67108864),
        ("max_response", "0", 0),
        ("durability", "Interval", "interval"),
        ("start_paused", "YES", True),
        ("start_paused", "off", False),
        ("auth_key", "50%; #=:[x]", "50%; #=:[x]"),
        ("schedule_timezone", "Europe/Paris", "Europe/Paris"),
        ("schedule_timezone", "", ""),
        ("allowed_targets", "", AllowList()),
        ("allowed_targets", "*.b.example, a", AllowList((), ("a",), (".b.example",))),
    ],
)
def test_accepted_in_each_of_the_three_places(
    tmp_path: Path, name: str, text: str, value: object
) -> None:
    path = ini(tmp_path, f"[{SECTION}]\n{name} = {text}\n")
    for config in (
        Config.load(path, {}, {}),
        Config.load(None, {SETTINGS[name].variable: text}, {}),
        Config.load(None, {}, {name: text}),
    ):
        assert getattr(config, name) == value
        assert type(getattr(config, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "end"),
    [
        ("workers", "many", '"many" (from --workers) is not a whole number'),
        ("workers", "", '"" (from --workers) is not a whole number'),
        ("workers", "1_0", '"1_0" (from --workers) is not a whole number'),
        ("workers", "\u0664", '"\u0664" (from --workers) is not a whole number'),
        ("workers", "9" * 5000, "is not a whole number"),
        ("workers", "-1", '"-1" (from --workers) is less than 1'),
        ("workers", "0", '"0" (from --workers) is less than 1'),
        ("workers", "20000", '"20000" (from --workers) is more than 256'),
        ("timeout", "soon", "is not a duration, such as 30, 10s, 5m or 1h"),
        ("timeout", "nan", "is not a duration, such as 30, 10s, 5m or 1h"),
        ("timeout", "-5", "is not a duration, such as 30, 10s, 5m or 1h"),
        ("timeout", "1e9", "is not a duration, such as 30, 10s, 5m or 1h"),
        ("timeout", "0", "is less than 0.01s"),
        ("timeout", "9000h", "is more than 720h"),
        ("max_body", "8MB", "is not a size in bytes, such as 16384, 512K or 8M"),
        ("max_body", "0", "is less than 1K"),
        ("max_body", "2G", "is more than 64M"),
        ("bind", "7991", "is not host:port, such as 127.0.0.1:7991 or [::1]:7991"),
        ("bind", ":7991", "is not host:port, such as 127.0.0.1:7991 or [::1]:7991"),
        ("bind", "::1:7991", "is not host:port, such as 127.0.0.1:7991 or [::1]:7991"),
        ("bind", "a:65536", "is not host:port, such as 127.0.0.1:7991 or [::1]:7991"),
        ("bind", "[a]:1", "has no IPv6 address between its brackets"),
        ("bind", "unix:api.sock", "has no absolute path of a file, without a colon, "),
        ("bind", "unix:/a:b", "has no absolute path of a file, without a colon, after"),
        ("bind", "unix:/a/", "has no absolute path of a file, without a colon, after"),
        ("bind", "unix:/" + "a" * 107, "has a path of more than 107 bytes"),
        ("socket_mode", "rw-rw----", "is not three octal digits, such as 0660 or 600"),
        ("socket_mode", "0888", "is not three octal digits, such as 0660 or 600"),
        ("socket_group", "a b", "is not the name or the number of a group"),
        ("url_prefix", "queue", "is not a path of letters and digits, such as /queue"),
        ("url_prefix", "/a?b", "is not a path of letters and digits, such as /queue"),
        ("url_prefix", "/a/../b", "has . or .. in it, which clients take out of a pat"),
        ("allowed_hosts", "a:80", 'has "a:80", which is no host name without a port'),
        ("data_dir", "", "is not the name of a directory"),
        ("data_dir", "a\nb", "holds a line break or something else that is no text"),
        ("data_dir", "a\udce9", "holds a line break or something else that is no text"),
        ("durability", "sometimes", "is none of always, interval, off"),
        ("start_paused", "perhaps", "is neither yes nor no"),
        ("schedule_timezone", "Paris/Europe", "is not a time zone, such as Europe/P"),
        ("schedule_timezone", "../../etc/passwd", "is not a time zone, such as Euro"),
        ("schedule_timezone", "Europe", "is not a time zone, such as Europe/Paris"),
        ("allowed_targets", "10.0.0.0/8, a/33", 'has "a/33", which is no network, suc'),
        ("allowed_targets", "10.1.0.0/8", "write 10.0.0.0/8 or 10.1.0.0"),
        ("allowed_targets", "ok, not~ok", 'has "not~ok", which is neither a network ('),
        ("allowed_targets", "127.1", "write it as one (127.0.0.1)"),
    ],
)
def test_refused_with_one_sentence(name: str, text: str, end: str) -> None:
    message = refusal(name, text)
    assert message.startswith(f"{name}: ")
    assert end in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["pass\u00e9-s3cret", "s3cret\nX-Header: 1"])
def test_a_refusal_does_not_show_the_secret(text: str) -> None:
    message = refusal("auth_key", text)
    assert message.startswith("auth_key: the value (from --auth-key) ")
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[poussetaches]\n  workers = 3\n", "2 [poussetaches]"),
        ("  [poussetaches]\n  workers = 3\n", "2 [poussetaches]"),
        ("[poussetaches]\n# none\n\nworkers = 3\n", "4 [poussetaches]"),
        ("[poussetaches] it is\nworkers = 3\n", "2 [poussetaches]"),
        ("[queue:a]\nrate = 1/s\n[poussetaches]\nworkers=3", "4 [poussetaches]"),
    ],
)
def test_a_setting_is_found_wherever_the_parser_finds_it(
    tmp_path: Path, text: str, where: str
) -> None:
    """SIGHUP reads the file, too, and must not be the end of the service."""
    path = tmp_path / "poussetaches.ini"
    path.write_text(text)
    assert Config.load(str(path), {}, {}).sources == {"workers": f"{path}:{where}"}


def test_a_refusal_names_the_line_of_the_file_and_the_variable(tmp_path: Path) -> None:
    path = ini(tmp_path, "# head\n\n[poussetaches]\nconcurrency=2\nWorkers= many\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(path, {}, {})
    assert caught.value.message == (
        f'workers: "many" (from {path}:5 [poussetaches]) is not a whole number'
    )
    with pytest.raises(ConfigError) as caught:
        Config.load(None, {"POUSSETACHES_WORKERS": "many"}, {})
    assert caught.value.message == (
        'workers: "many" (from POUSSETACHES_WORKERS) is not a whole number'
    )


def test_a_bad_value_is_refused_even_where_another_would_overrule_it() -> None:
    with pytest.raises(ConfigError, match="from POUSSETACHES_WORKERS"):
        Config.load(None, {"POUSSETACHES_WORKERS": "many"}, {"workers": "2"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[poussetaches]\nworker = 2\n",
            'there is no setting "worker" (from {}:2 [poussetaches]), did you mean wor',
        ),
        ("[poussetaches]\nqqqq = 2\n", 'there is no setting "qqqq" (from {}:2 ['),
        ("workers = 2\n", "{}:1: a line [poussetaches] must come before the settings"),
        ("[poussetaches]\nworkers = 2\nworkers = 3\n", "{}:3: workers is set twice"),
        (
            "[poussetaches]\n[poussetaches]\n",
            "{}:2: the section [poussetaches] stands twice",
        ),
        (
            "[poussetaches]\nauth_key s3cret\n",
            '{}:2: this is neither "name = value" nor a comment',
        ),
        (
            "[poussetaches]\n[mail]\nrate = 1/s\n",
            "{}: there is no section [mail], settings stand in [poussetaches], those o",
        ),
        (
            "[DEFAULT]\nworkers = 3\n",
            "{}: there is no section [DEFAULT], settings stand in [poussetaches]",
        ),
        (
            "[poussetaches]\nworkers = 2\n  concurrency = 3\n",
            'workers: "2\\nconcurrency = 3" (from {}:2 [poussetaches]) holds a line br',
        ),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = ini(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Config.load(path, {}, {})
    assert caught.value.message.startswith(sentence.format(path))
    assert "s3cret" not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none.ini", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            Config.load(str(path), {}, {})
        assert caught.value.message == f"{path} {why}"
    latin = tmp_path / "latin.ini"
    latin.write_bytes(b"[poussetaches]\ndata_dir = caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(str(latin), {}, {})
    assert caught.value.message == f"{latin} is not UTF-8 text: byte 29"


def test_comments_and_a_byte_order_mark_are_no_settings(tmp_path: Path) -> None:
    path = ini(tmp_path, "\ufeff; a\n[poussetaches]\n# b = 1\n;workers = 9\n")
    assert Config.load(path, {}, {}) == Config()


def test_an_unknown_variable_of_ours_is_a_warning() -> None:
    environ = {
        "POUSSETACHES_WORKER": "3",
        "POUSSETACHES_PORT_7991_TCP": "tcp://10.0.0.1:7991",
        "POUSSETACHES_workers": "3",
        "POUSSETACHES_URL": "http://127.0.0.1:7991",
        "POUSSETACHES_CONFIG": "",
        "PATH": "/bin",
    }
    config = Config.load(None, environ, {})
    assert config == Config()
    near = "is ignored: no such setting, did you mean POUSSETACHES_WORKERS?"
    assert config.warnings == (
        "POUSSETACHES_PORT_7991_TCP is ignored: no such setting",
        f"POUSSETACHES_WORKER {near}",
        f"POUSSETACHES_workers {near}",
    )


def test_an_unknown_flag_is_refused() -> None:
    assert "did you mean workers?" in refusal("worker", "2")


def test_the_secret_is_masked_wherever_people_look() -> None:
    config = Config.load(None, {"POUSSETACHES_AUTH_KEY": "s3cret"}, {"workers": "3"})
    rows = {name: row for name, *row in config.describe()}
    assert list(rows) == list(SETTINGS)
    assert rows["auth_key"] == ["***", "POUSSETACHES_AUTH_KEY"]
    assert rows["workers"] == ["3", "--workers"]
    assert rows["bind"] == ["127.0.0.1:7991", "default"]
    assert rows["timeout"] == ["10m", "default"]
    assert rows["max_body"] == ["8M", "default"]
    assert "s3cret" not in repr(config) and "workers='3'" in repr(config)
    assert config.auth_key == "s3cret"
    assert ("auth_key", "", "default") in Config().describe()


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().workers = 3  # type: ignore[misc]


texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(
    st.builds(
        Config,
        bind=st.sampled_from([Address("::1", 0), Address("example.org", 65535)]),
        data_dir=st.sampled_from([Path("/var/lib/x y"), Path("caf\u00e9")]),
        workers=st.integers(1, 256),
        auth_key=texts,
        durability=st.sampled_from(["always", "interval", "off"]),
        sync_interval=st.integers(1_000, 10**10).map(lambda n: n / 10**6),
        drain_timeout=st.integers(0, 2_592_000 * 10**6).map(lambda n: n / 10**6),
        start_paused=st.booleans(),
        max_body=st.integers(1024, 64 * 1024**2),
        max_payload=st.integers(0, 64 * 1024**2),
        retain_succeeded=st.integers(0, 10**8),
        max_tasks=st.none() | st.integers(1, 10**12),
        max_memory=st.none() | st.integers(1024**2, 1024**5),
        retain_dead_for=st.none() | st.integers(10**6, 10**12).map(lambda n: n / 10**6),
        schedule_timezone=st.sampled_from(["", "Europe/Paris"]),
        allowed_targets=st.lists(
            st.sampled_from(["10.0.0.0/8", "::1", "fd00::/8", "a", "*.b.example"])
        ).map(lambda entries: AllowList.parse(" ".join(entries))),
    )
)
def test_the_wire_gives_back_the_same_config(config: Config) -> None:
    wire = config.to_wire()
    assert all(type(text) is str for text in wire.values())
    assert Config.from_wire(wire) == config
    assert wire["auth_key"] == config.auth_key


def test_the_wire_of_an_older_sender_leaves_defaults_a_strange_one_is_refused() -> None:
    assert Config.from_wire({"workers": "3"}) == Config(workers=3)
    with pytest.raises(ConfigError, match="from the supervisor"):
        Config.from_wire({"wrokers": "3"})


def test_the_manual_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    text = MANUAL.read_text()
    assert Config.load(str(MANUAL), {}, {}).sources == {}
    active = re.sub(r"^#(?=[a-z_]+ =)", "", text, flags=re.MULTILINE)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(active)
    assert dict(parser["poussetaches"]) == {
        name: row.default for name, row in SETTINGS.items()
    }
    config = Config.load(ini(tmp_path, active), {}, {})
    assert config == Config()
    assert set(config.sources) == set(SETTINGS)


def test_the_manual_says_something_about_every_setting() -> None:
    lines = MANUAL.read_text().splitlines()
    for name in SETTINGS:
        at = next(n for n, line in enumerate(lines) if line.startswith(f"#{name} ="))
        assert lines[at - 1].startswith("# "), name

"""Who may reach the service, as settings: keys, addresses, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poussetaches.bind import Address
from poussetaches.cli.main import cli
from poussetaches.config import Config
from poussetaches.errors import ConfigError, PousseTachesError

KEY, OTHER = "s3cret-" + "k" * 16, "s3cret-" + "o" * 16


def refusal(**flags: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(None, {}, flags)
    assert "s3cret" not in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ()),
        (KEY, (KEY,)),
        (f" {KEY},{OTHER} ", (KEY, OTHER)),
        (f"{KEY}\t{OTHER},, a:b", None),
        (f"{KEY} user:pass", (KEY, "user:pass")),
        ("user:pa:ss", ("user:pa:ss",)),
        ("#%;=[" + KEY, ("#%;=[" + KEY,)),
    ],
)
def test_keys(text: str, keys: tuple[str, ...] | None) -> None:
    if keys is None:
        assert "line break" in refusal(api_keys=text)
        return
    config = Config.load(None, {"POUSSETACHES_API_KEYS": text}, {})
    assert config.api_keys == keys
    assert Config.from_wire(config.to_wire()) == config
    assert "s3cret" not in repr(config) + str(list(config.describe()))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("s3cret-15-chars", "has a key of 15 characters; it takes 16 or more"),
        (f"{KEY} {KEY}", "has the same key twice"),
        (KEY + "\u00e9", "has a key with characters other than printable ASCII"),
        (":s3cret", "has a user:password without a user or a password"),
        ("s3cret:", "has a user:password without a user or a password"),
        (" ".join(f"{KEY}{n}" for n in range(17)), "is more than 16 keys"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(text: str, end: str) -> None:
    for name in ("api_keys", "read_keys"):
        message = refusal(**{name: text})
        flag = name.replace("_", "-")
        assert message.startswith(f"{name}: the value (from --{flag}) {end}")


def test_keys_that_cannot_be_meant() -> None:
    assert refusal(api_keys=KEY, read_keys=f"{OTHER} {KEY}") == (
        "read_keys: one is in api_keys, too"
    )
    assert refusal(read_keys=KEY) == (
        "read_keys: without api_keys nobody could change anything"
    )


@pytest.mark.parametrize(
    "bind",
    [
        *("127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"),
        *("localhost:1", "LOCALHOST:1", "unix:/run/p.sock"),
    ],
)
def test_this_machine_needs_no_key(bind: str) -> None:
    assert str(Config.load(None, {}, {"bind": bind}).bind) == bind


@pytest.mark.parametrize(
    "bind",
    [
        *("0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "127.1:1"),
        *("[::ffff:192.0.2.1]:1", "myhost:1", "localhost.example:1"),
    ],
)
def test_beyond_this_machine_a_key_is_needed_or_the_word_insecure(bind: str) -> None:
    message = refusal(bind=bind)
    assert message.startswith(f"bind: {bind} can be reached from other machines")
    assert "api_keys" in message and "--insecure" in message
    Config.load(None, {}, {"bind": bind, "api_keys": KEY})
    Config.load(None, {}, {"bind": bind, "insecure": "yes"})


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check-config", *arguments])


def shown(*arguments: str) -> dict[str, str]:
    result = check(*arguments)
    assert result.exit_code == 0, result.output
    rows = (line.partition(" = ") for line in result.output.splitlines())
    return {name.strip(): value for name, _, value in rows}


def test_the_flags_of_taskpusher_with_one_dash_or_two() -> None:
    """As Go takes them: with "=", or the value as the next word."""
    for given in (
        ["--basicauth=user:pass", "--address=localhost:9900", "--concurrency=4"],
        ["-basicauth=user:pass", "-address=localhost:9900", "-concurrency=4"],
        ["-basicauth", "user:pass", "-address", "localhost:9900", "-concurrency", "4"],
    ):
        rows = shown(*given)
        assert rows["bind"] == "localhost:9900  (--bind)"
        assert rows["api_keys"] == "***  (--api-keys)"
        assert rows["concurrency"] == "4  (--concurrency)"


def test_the_flags_of_taskpusher_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str | None]] = []
    load = Config.load

    def spy(path: None, environ: object, flags: dict[str, str | None]) -> Config:
        given.append(flags)
        return load(path, {}, flags)

    monkeypatch.setattr(Config, "load", spy)
    shown("--basicauth=u:p", "--api-keys", KEY, "--bind=[::1]:1", "--address=:9900")
    config = load(None, {}, given[0])
    assert config.api_keys == (KEY, "u:p")
    assert config.bind == Address("::1", 1)
    shown("--address=:9900", "--basicauth=u:p")
    assert load(None, {}, given[1]).bind == Address("0.0.0.0", 9900)


def test_a_basicauth_that_is_none_is_refused_and_not_shown() -> None:
    result = check("--basicauth", "s3cret")
    assert isinstance(result.exception, PousseTachesError)
    assert result.exception.message == "basicauth: is not user:password"


def test_a_switch_alone_is_on() -> None:
    assert shown("--insecure", "--bind", "0.0.0.0:1")["insecure"] == "yes  (--insecure)"
    assert shown("--insecure", "no")["insecure"] == "no  (--insecure)"
    assert shown("--start-paused")["start_paused"] == "yes  (--start-paused)"


def test_a_file_may_have_keys(tmp_path: Path) -> None:
    path = tmp_path / "p.ini"
    path.write_text(f"[poussetaches]\napi_keys = {KEY}, user:p;#%\n")
    assert Config.load(str(path), {}, {}).api_keys == (KEY, "user:p;#%")

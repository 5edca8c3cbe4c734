"""The setting ``signing_secrets``: what is one, and that nobody gets to see it."""

from __future__ import annotations

import base64

import pytest

from poussetaches.config import Config
from poussetaches.errors import ConfigError

#: 24 bytes, the example of the specification; and 64.
SHORT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LONG = "whsec_" + base64.b64encode(bytes(range(64))).decode()


def load(text: str) -> Config:
    return Config.load(None, {"POUSSETACHES_SIGNING_SECRETS": text}, {})


def encoded(length: int) -> str:
    return "whsec_" + base64.b64encode(bytes(length)).decode()


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", []),
        (SHORT, [24]),
        (f"{SHORT} {LONG}", [24, 64]),
        (f" {SHORT},{LONG} ", [24, 64]),
        (f"{LONG}, {SHORT}", [64, 24]),
        # Handed out without padding.
        (LONG.rstrip("="), [64]),
    ],
)
def test_none_one_or_two(text: str, lengths: list[int]) -> None:
    config = load(text)
    assert [len(secret) for secret in config.signing_secrets] == lengths
    assert Config.from_wire(config.to_wire()) == config


def test_they_are_off_by_default() -> None:
    assert Config.load(None, {}, {}).signing_secrets == ()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (f"{SHORT} {LONG} {encoded(32)}", "is more than two secrets"),
        (f"{SHORT} {SHORT}", "is the same secret twice"),
        (SHORT[6:], "has a secret that does not begin with whsec_"),
        ("whsk_" + SHORT[6:], "has a secret that does not begin with whsec_"),
        (SHORT[:-1] + "!", "has a secret without valid base64 after whsec_"),
        (SHORT + "é", "has a secret without valid base64 after whsec_"),
        ("whsec_", "has a secret of 0 bytes; it takes 24 to 64 random ones"),
        (encoded(23), "has a secret of 23 bytes; it takes 24 to 64 random ones"),
        (encoded(65), "has a secret of 65 bytes; it takes 24 to 64 random ones"),
    ],
)
def test_a_refusal_says_why_and_quotes_nothing(text: str, end: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.field == "signing_secrets"
    assert caught.value.message == (
        f"signing_secrets: the value (from POUSSETACHES_SIGNING_SECRETS) {end}"
    )


def test_they_are_masked_where_people_look() -> None:
    config = load(SHORT)
    assert ("signing_secrets", "***", "POUSSETACHES_SIGNING_SECRETS") in [
        *config.describe()
    ]
    assert SHORT[6:] not in repr(config)

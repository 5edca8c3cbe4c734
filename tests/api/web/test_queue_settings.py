"""The settings of a queue, changed on its page."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.errors import InvalidInput
from poussetaches.model.limiter import Rate
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.schema import encode, parse_queue
from tests.api.web.forms import beside, filled_in
from tests.api.web.supervised import Supervised

MAIL = "/ui/queue/mail"


def settings(service: Supervised, name: str = "mail") -> dict[str, Any]:
    shown = service.gateway.queue_view(name)["settings"]
    return {one: shown[one] for one in sorted(shown)}


def change(service: Supervised, **texts: Any) -> tuple[int, str]:
    """Fill in the form of queue mail and send it; the status, and where it leads or
    what is wrong."""
    page = service.page(MAIL)
    answer = service.site().post(MAIL, **filled_in(page, MAIL, **texts))
    if answer.status == 303:
        return 303, answer.headers["location"]
    return answer.status, answer.page.one("p", role="alert").text


def test_settings_are_changed_in_place(mail: Supervised) -> None:
    answer = change(
        mail,
        rate="5/m",
        burst="2",
        concurrency="unlimited",
        retry_limit="-1",
        min_backoff_seconds="1.5",
        max_backoff_seconds="60",
        max_doublings="3",
        timeout="30",
        base_url="http://h/app",
        paused="yes",
    )
    assert answer == (303, f"{MAIL}?did=queue-changed&count=1")
    assert settings(mail) == {
        "backoff": [1.5, 60.0, 3],
        "base_url": "http://h/app",
        "burst": 2,
        "paused": True,
        "rate": [5.0, "m"],
        "retry_limit": -1,
        "timeout": 30.0,
    }
    page = mail.page(answer[1])
    assert page.one("p", role="status", class_="message").text.startswith("Changed.")
    sent = filled_in(page, MAIL)
    assert sent["min_backoff_seconds"] == "1.5"
    assert sent["paused"] == "yes"


def test_only_what_was_filled_in_otherwise_is_changed(mail: Supervised) -> None:
    """Two people have the form before them, and change different things."""
    sent = filled_in(mail.page(MAIL), MAIL, burst="7")
    mail.gateway.set_queue("mail", {"rate": "1/h"})
    assert mail.site().post(MAIL, **sent).status == 303
    assert settings(mail)["rate"] == [1.0, "h"]
    assert settings(mail)["burst"] == 7


def test_a_form_that_says_nothing_new_changes_nothing(mail: Supervised) -> None:
    before = settings(mail)
    assert change(mail) == (303, f"{MAIL}?did=queue-same&count=1")
    assert settings(mail) == before


def test_an_emptied_field_is_what_the_configuration_says(mail: Supervised) -> None:
    mail.configure(mail=QueueSettings(rate=Rate(20.0, "m")))
    assert change(mail, rate="", concurrency="")[0] == 303
    assert settings(mail) == {"rate": [20.0, "m"]}
    assert change(mail, rate="unlimited")[0] == 303
    assert settings(mail) == {}
    fields = filled_in(mail.page(MAIL), MAIL)
    assert fields["rate"] == "unlimited"
    assert change(mail, rate="")[0] == 303
    assert settings(mail) == {"rate": [20.0, "m"]}


def test_a_box_that_is_not_checked_any_more_resumes(mail: Supervised) -> None:
    mail.gateway.set_queue("mail", {"paused": True})
    sent = dict(filled_in(mail.page(MAIL), MAIL))
    del sent["paused"]
    assert mail.site().post(MAIL, **sent).status == 303
    assert not settings(mail).get("paused")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "rate",
            "fast",
            'rate: "fast" is not a rate, such as 10/s, 21.5/m, 5/h or 1/d',
        ),
        (
            "rate",
            "0/s",
            'rate: "0/s" lets nothing begin, ever; pause the queue instead',
        ),
        ("burst", "0", "burst: 0 is not from 1 to 1000000"),
        ("burst", "1.5", "burst: 1.5 is not a whole number"),
        ("concurrency", "many", 'concurrency: "many" is not a whole number'),
        ("timeout", "soon", 'timeout: "soon" is not a number of seconds'),
        ("max_doublings", "-2", "max_doublings: -2 is not from -1 to 1000"),
        (
            "base_url",
            "h/x",
            "base_url: it must be a full URL, such as http://127.0.0.1:5000/task",
        ),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    mail: Supervised, name: str, text: str, sentence: str
) -> None:
    before = settings(mail)
    sent = filled_in(mail.page(MAIL), MAIL, **{name: text})
    answer = mail.site().post(MAIL, **sent)
    assert answer.status == 400
    assert beside(answer.page, name) == sentence
    assert filled_in(answer.page, MAIL) == sent
    assert settings(mail) == before
    with pytest.raises(InvalidInput) as refused:
        parse_queue(encode({name: _value(text)}))
    assert refused.value.message == sentence


def test_every_field_that_is_wrong_is_told_of(mail: Supervised) -> None:
    sent = filled_in(mail.page(MAIL), MAIL, rate="fast", burst="0")
    answer = mail.site().post(MAIL, **sent)
    assert beside(answer.page, "rate").startswith("rate: ")
    assert beside(answer.page, "burst").startswith("burst: ")
    told = answer.page.one("p", role="alert").text
    assert told.startswith("Rate: ") and "Burst: 0 is not" in told


def test_a_mask_is_no_secret(mail: Supervised) -> None:
    mail.gateway.set_queue("mail", {"base_url": "http://me:s3cret@h/"})
    assert change(mail, burst="3")[0] == 303
    assert settings(mail)["base_url"] == "http://me:s3cret@h/"
    status, told = change(mail, base_url="http://***@h/other")
    assert status == 400
    assert "*** stands for a user and a password" in told
    assert settings(mail)["base_url"] == "http://me:s3cret@h/"


def _value(text: str) -> Any:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text

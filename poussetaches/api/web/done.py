"""What the page says after something was done, by the word for it in the address.

Free text from an address is never shown: anybody could have made it.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(word: str, past: str) -> dict[str, tuple[str, str]]:
    """What was done to tasks, of which there may have been others."""
    ends = {
        "": "",
        "_some": "; with the others that could not be done, they had changed",
        "_more": "; there are more, begin again for the rest",
    }
    return {
        word + kind: (f"1 task is {past}{end}.", f"{{n}} tasks are {past}{end}.")
        for kind, end in ends.items()
    }


#: One, and several; without ``{n}`` the number does not matter.
DONE: Mapping[str, tuple[str, str]] = {
    "paused": ("Paused: no attempt begins until you resume.",) * 2,
    "resumed": ("Resumed: what is due is delivered again.",) * 2,
    "pushed": ("Pushed: the task is safe with the service.",) * 2,
    "pushed-before": ("That key was pushed before: its task is there already.",) * 2,
    "scheduled": ("Pushed: the schedule is there.",) * 2,
    "schedule-run": ("A run of it was pushed, beside its own runs.",) * 2,
    "schedule-paused": ("The schedule is paused: no run of it comes.",) * 2,
    "schedule-resumed": ("The runs of the schedule come again.",) * 2,
    "schedule-cancelled": ("The schedule is cancelled.",) * 2,
    "queue-made": ("The queue is there.",) * 2,
    "queue-changed": ("Changed. It holds from the next attempt on.",) * 2,
    "queue-same": ("Nothing was filled in otherwise than it is.",) * 2,
    "queue-paused": ("The queue is paused: no attempt of it begins.",) * 2,
    "queue-resumed": ("The queue is delivered again.",) * 2,
    "queue-dropped": ("The queue is dropped.",) * 2,
    "purged": ("One task was cancelled.", "{n} tasks were cancelled."),
    "lifted": ("The origin is tried again now.", "{n} origins are tried again now."),
    "run": ("An attempt begins now.", "{n} attempts begin now."),
    "run_some": (
        "An attempt begins now; the others cannot.",
        "{n} attempts begin now; the others cannot.",
    ),
    "edited": ("The task is changed.",) * 2,
    "canary": (
        "One dead letter is tried again, this one: if it succeeds, retry the others.",
    )
    * 2,
    **_words("cancelled", "cancelled"),
    **_words("deleted", "deleted"),
    **_words("retried", "tried again"),
}


def done(word: str, count: str) -> str:
    """The sentence, "" for a word that is none."""
    if word not in DONE:
        return ""
    is_number = count.isascii() and count.isdigit() and len(count) <= 12
    number = int(count) if is_number else 1
    one, several = DONE[word]
    return one if number == 1 else several.format(n=f"{number:,}")

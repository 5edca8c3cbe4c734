"""The backoff: how long a task waits after a failed attempt, and when it is dead.

Pure: the randomness is an argument, so a test can stand at either end of the jitter.
"""

from __future__ import annotations

from typing import NamedTuple

#: The ``max_retries`` of a task that never dies.
FOR_EVER = -1


#: The shortest wait of a rule that asks for none: failed attempts in a hot loop help
#: nobody, seconds.
LEAST_WAIT = 0.1


class Growth(NamedTuple):
    """Waits by App Engine's rule: doubled a few times, then longer by the same each
    time, up to a limit (google.appengine.api.taskqueue, "retry_parameters")."""

    #: Seconds; the first wait.
    least: float
    #: Seconds; None: no limit.
    most: float | None = None
    #: How often it doubles; None: always.
    doublings: int | None = None

    def wait(self, attempt: int) -> float:
        """Seconds after failed attempt ``attempt``, which counts from 1."""
        least = max(self.least, LEAST_WAIT)
        doublings = attempt - 1
        if self.doublings is not None:
            doublings = min(doublings, self.doublings)
        # 2.0 ** 1024 is more than a float can hold; 2.0 ** 64 is longer than time.
        step = least * 2.0 ** min(doublings, 64)
        wait = step + step * (attempt - 1 - doublings)
        return wait if self.most is None else min(wait, max(self.most, LEAST_WAIT))


class Backoff(NamedTuple):
    """One wait per failed attempt that may be followed by another."""

    #: Seconds to wait after the first, the second, ... failed attempt.
    waits: tuple[float, ...]
    #: How far jitter moves a wait, either way, as a fraction of it (0.3: +-30 %).
    jitter: float = 0.0
    #: The waits as a rule, instead; then ``waits`` says only how many there are.
    growth: Growth | None = None

    @property
    def max_attempts(self) -> int:
        """Attempts of a task without a limit of its own, the first included."""
        return len(self.waits) + 1

    def wait(
        self, attempt: int, draw: float, max_retries: int | None = None
    ) -> float | None:
        """Seconds from the end of failed attempt ``attempt`` to the next one.

        ``attempt`` counts from 1; ``draw`` is drawn evenly from [0, 1). ``None`` means
        that no attempt is left: the task is dead. ``max_retries`` is a task's own
        limit: how many attempts may follow its first one, or FOR_EVER. If there are
        more of them than waits, the last wait repeats; without any wait there are none.
        """
        if attempt < 1:
            raise ValueError(f"attempts count from 1, not {attempt}")
        if max_retries is None:
            max_retries = len(self.waits)
        if max_retries != FOR_EVER and attempt > max_retries:
            return None
        if self.growth is not None:
            wait = self.growth.wait(attempt)
        elif self.waits:
            wait = self.waits[min(attempt, len(self.waits)) - 1]
            if attempt > len(self.waits):
                wait = max(wait, LEAST_WAIT)
        else:
            return None
        return wait * (1 + self.jitter * (2 * draw - 1))


#: The first ancestor's: 1 second to three days, ten waits and so eleven attempts. Its
#: jitter was meant to be +-30 % as well, but only ever shortened.
DEFAULT = Backoff(waits=tuple(4.0**n for n in range(10)), jitter=0.3)

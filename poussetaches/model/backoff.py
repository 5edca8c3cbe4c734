"""The backoff: how long a task waits after a failed attempt, and when it is dead.

Pure: the randomness is an argument, so a test can stand at either end of the jitter.
"""

from __future__ import annotations

from typing import NamedTuple

#: The ``max_retries`` of a task that never dies.
FOR_EVER = -1


class Backoff(NamedTuple):
    """One wait per failed attempt that may be followed by another."""

    #: Seconds to wait after the first, the second, ... failed attempt.
    waits: tuple[float, ...]
    #: How far jitter moves a wait, either way, as a fraction of it (0.3: +-30 %).
    jitter: float

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
        if not self.waits or (max_retries != FOR_EVER and attempt > max_retries):
            return None
        wait = self.waits[min(attempt, len(self.waits)) - 1]
        return wait * (1 + self.jitter * (2 * draw - 1))


#: The first ancestor's: 1 second to three days, ten waits and so eleven attempts. Its
#: jitter was meant to be +-30 % as well, but only ever shortened.
DEFAULT = Backoff(waits=tuple(4.0**n for n in range(10)), jitter=0.3)

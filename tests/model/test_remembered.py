"""What has ended and is remembered, as plain lists would have it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.remembered import Remembered
from poussetaches.model.task import State, Task

KINDS = (State.SUCCEEDED, State.EXPIRED, State.DEAD)


@given(
    ends=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(KINDS)), max_size=60),
    retain=st.integers(0, 4),
)
def test_the_last_of_each_kind_are_remembered_and_all_dead_ones(
    ends: list[tuple[int, State]], retain: int
) -> None:
    """Whoever goes is handed out once, so that nobody's size counts for ever."""
    remembered = Remembered(retain)
    kept: dict[State, list[Task]] = {kind: [] for kind in KINDS}
    for order, (number, kind) in enumerate(ends):
        task = Task(f"t{number}", b"", "", 0.0, 0.0, order, kind)
        before = [*remembered]
        gone = remembered.take(getattr(remembered, kind.value), task)
        others = [one for one in kept[kind] if one.id != task.id]
        kept[kind] = [*others, task]
        if kind is not State.DEAD:
            kept[kind] = kept[kind][-retain:] if retain else []
        assert [*remembered.succeeded.values()] == kept[State.SUCCEEDED]
        assert [*remembered.expired.values()] == kept[State.EXPIRED]
        assert [*remembered.dead.values()] == kept[State.DEAD]
        after = [*remembered]
        # By what they are: of one id there may be several.
        assert sorted(map(id, [*gone, *after])) == sorted(map(id, [*before, task]))


def test_whoever_retains_fewer_after_a_restart_has_fewer_after_the_next_end() -> None:
    remembered = Remembered(2)
    old = [Task(f"t{n}", b"", "", 0.0, 0.0, n, State.SUCCEEDED) for n in range(10)]
    remembered.succeeded.load(old)
    new = Task("new", b"", "", 0.0, 0.0, 10, State.SUCCEEDED)
    assert remembered.take(remembered.succeeded, new) == old[:-1]
    assert list(remembered.succeeded) == ["t9", "new"]

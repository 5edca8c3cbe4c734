"""Tasks that have ended: by id, in order of ending, and in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model import kept
from poussetaches.model.kept import Kept
from poussetaches.model.line import position
from poussetaches.model.task import Task


def ended(id: str, eta: float, order: int) -> Task:
    return Task(id, b"", "", 0.0, eta, order)


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "drop", "oldest", "look"]),
        st.integers(0, 30),
        st.sampled_from([0.0, 1.0, 2.0]),
    ),
    max_size=60,
)


@given(deeds=DEEDS, loaded=st.integers(0, 5), behind=st.integers(0, 4))
def test_what_is_kept_is_a_dictionary_with_pages(
    deeds: list[tuple[str, int, float]], loaded: int, behind: int
) -> None:
    """Also if nobody looks at a page for long."""
    found = Kept()
    known = {f"l{n}": ended(f"l{n}", float(n % 2), -n) for n in range(loaded)}
    found.load(known.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "BEHIND", behind)
        for order, (what, pick, eta) in enumerate(deeds, start=1):
            if what == "put":
                task = ended(f"t{pick}", eta, order)
                assert found.put(task) is known.pop(task.id, None)
                known[task.id] = task
            elif what == "drop" and known:
                id = [*known][pick % len(known)]
                assert found.drop(id) is known.pop(id)
            elif what == "oldest" and known:
                assert found.drop_oldest() is known.pop(next(iter(known)))
            elif what == "look":
                in_order = sorted(known.values(), key=position)
                assert list(found.beyond(None)) == in_order
                after = (1.0, pick)
                beyond = [task for task in in_order if position(task) > after]
                assert list(found.beyond(after)) == beyond
            assert list(found) == list(known)
            assert found == known
            assert len(found._gone) <= behind + 1
    assert list(found.beyond(None)) == sorted(known.values(), key=position)


def test_what_is_not_kept_cannot_be_dropped() -> None:
    with pytest.raises(KeyError):
        Kept().drop("a")
    with pytest.raises(KeyError):
        Kept().drop_oldest()

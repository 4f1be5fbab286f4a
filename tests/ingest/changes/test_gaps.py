"""F8. What no whole read held asks for no other one, whatever day it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.changes.gaps import MOST_LACKING, lacking, to_look_for


def test_f8_an_id_that_no_file_holds_costs_one_whole_read_and_no_other() -> None:
    """F8: day by day; pet 9 is on the list and in no file, pet 7 is refused wherever it stands."""
    petlist, held = {1, 2, 7, 9}, {1, 2}
    lacked: tuple[int, ...] = ()
    reads = []
    for _day in range(5):
        read_whole = bool(to_look_for(petlist, held, lacked))
        reads.append(read_whole)
        lacked = lacking(petlist, held, lacked, read_whole=read_whole)
    assert reads == [True, False, False, False, False]
    assert lacked == (7, 9)


def test_f8_another_unknown_id_asks_again_and_what_is_known_or_gone_is_forgotten() -> None:
    """F8: 8 is new on the list; 7 has come, 9 has left."""
    assert to_look_for({1, 7, 8}, {1, 7}, (7, 9)) == {8}
    assert lacking({1, 7, 8}, {1, 7}, (7, 9), read_whole=False) == ()
    assert lacking({1, 7, 8}, {1, 7}, (7, 9), read_whole=True) == (8,)


def test_f8_a_day_without_a_whole_read_excuses_nothing_new() -> None:
    """F8: where pets_n couldn't be read, the next day looks again."""
    assert lacking({1, 8}, {1}, (), read_whole=False) == ()
    assert to_look_for({1, 8}, {1}, ()) == {8}


def test_f8_so_many_are_no_excuse() -> None:
    """F8: with half the feed unknown, every day is worth a look."""
    petlist = set(range(MOST_LACKING + 1))
    assert lacking(petlist, (), (), read_whole=True) == ()
    assert len(lacking(petlist, {0}, (), read_whole=True)) == MOST_LACKING


_IDS = st.sets(st.integers(0, 20))


@given(_IDS, _IDS, _IDS)
def test_f8_what_was_lacked_right_now_never_asks_at_once(
    petlist: set[int], listed: set[int], lacked: set[int]
) -> None:
    """F8: whatever was known before."""
    now = lacking(petlist, listed, tuple(lacked), read_whole=True)
    assert to_look_for(petlist, listed, now) == frozenset()

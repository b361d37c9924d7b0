"""The plan: the hand's neighbourhood first, first slices before whole notes, and little while the timbre moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.render.planner import NEAR_SEMITONES, RECENT_WHOLE, Timbre, Wish, outward, plan

LOWEST, HIGHEST = 24, 84


def _timbre(name: str) -> Timbre:
    return Timbre(np.zeros(2, np.float32), name.encode())


HERE, SOFT, NEXT, FURTHER = (_timbre(name) for name in ("here", "soft", "next", "further"))


def _plan(recent: tuple[int, ...] = (), centre: int = 60, moving: bool = False) -> list[Wish]:
    return list(plan([HERE, SOFT], [NEXT, FURTHER], recent, centre, LOWEST, HIGHEST, moving=moving))


def _places(wishes: list[Wish]) -> dict[tuple[bytes, int, bool], int]:
    return {(w.timbre.latent_key, w.pitch, w.whole): place for place, w in enumerate(wishes)}


@pytest.mark.parametrize(
    ("centre", "first"), [(60, [60, 61, 59, 62, 58]), (24, [24, 25, 26]), (84, [84, 83, 82]), (0, [24, 25]), (99, [84])]
)
def test_outward_goes_both_ways_upward_first(centre: int, first: list[int]):
    found = list(outward(centre, LOWEST, HIGHEST))
    assert found[: len(first)] == first
    assert sorted(found) == list(range(LOWEST, HIGHEST + 1))


def test_no_wish_is_made_twice_and_none_outside_the_model():
    wishes = _plan(recent=(60, 30, 84))
    assert len(_places(wishes)) == len(wishes)
    assert all(LOWEST <= w.pitch <= HIGHEST for w in wishes)


def test_the_last_notes_come_first_then_the_keyboard_outward_from_the_hand():
    wishes = _plan(recent=(72, 30))
    assert [(w.pitch, w.whole) for w in wishes[:5]] == [
        (72, False),
        (30, False),
        (60, False),
        (61, False),
        (59, False),
    ]
    assert {w.pitch for w in wishes[:61]} == set(range(LOWEST, HIGHEST + 1)), "every key can sound before any is whole"
    assert not any(w.whole for w in wishes[:61])


def test_first_slices_of_every_key_and_zone_come_before_whole_notes():
    places = _places(_plan(recent=(72,)))
    first_whole = min(place for (_, _, whole), place in places.items() if whole)
    for timbre in (HERE, SOFT):
        for pitch in range(LOWEST, HIGHEST + 1):
            assert places[timbre.latent_key, pitch, False] < first_whole


def test_whole_notes_are_wished_for_the_last_notes_then_near_the_hand_then_everywhere():
    places = _places(_plan(recent=(84,)))
    assert places[b"here", 84, True] < places[b"here", 60, True] < places[b"soft", 60, True] < places[b"here", 24, True]
    assert (b"soft", 60 + NEAR_SEMITONES, True) in places
    assert (b"soft", 60 + NEAR_SEMITONES + 1, True) not in places


def test_the_direction_of_travel_is_looked_at_before_whole_notes():
    places = _places(_plan(recent=(72,)))
    assert places[b"next", 72, False] < places[b"further", 72, False] < places[b"here", 72, True]


def test_while_the_timbre_moves_only_what_the_hand_may_strike_is_wished():
    wishes = _plan(recent=tuple(range(40, 60)), moving=True)
    assert len(wishes) <= 2 * RECENT_WHOLE + 2 * NEAR_SEMITONES + 1
    assert not any(w.whole for w in wishes)
    assert {w.timbre.latent_key for w in wishes} == {b"here", b"next"}


def test_without_timbres_there_is_nothing_to_wish():
    assert list(plan([], [NEXT], (60,), 60, LOWEST, HIGHEST)) == []


@given(
    recent=st.lists(st.integers(LOWEST, HIGHEST), max_size=24, unique=True),
    centre=st.integers(-20, 140),
    zones=st.integers(1, 4),
    steps=st.integers(0, 3),
    moving=st.booleans(),
)
def test_a_plan_is_always_sane(recent: list[int], centre: int, zones: int, steps: int, moving: bool):
    timbres = [_timbre(f"z{i}") for i in range(zones)]
    travel = [_timbre(f"t{i}") for i in range(steps)]
    wishes = list(plan(timbres, travel, recent, centre, LOWEST, HIGHEST, moving=moving))
    assert len(_places(wishes)) == len(wishes)
    assert all(LOWEST <= w.pitch <= HIGHEST for w in wishes)
    assert wishes[0].timbre.latent_key == b"z0"
    assert wishes[0].pitch == (recent[0] if recent else min(max(centre, LOWEST), HIGHEST))

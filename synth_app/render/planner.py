"""What to render before it is asked for: the hand's neighbourhood first, in the timbres it is likely to meet.

A pure function from what the performer knows to an ordered list. First slices come before whole notes, since a first
slice is what makes a key sound at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import LatentKey, NoteKey

RECENT_WHOLE = 8
"""How many of the notes played last are rendered whole again after a morph."""

NEAR_SEMITONES = 12
"""Keys this near to the hand are rendered whole ahead of time."""


@dataclass(frozen=True, slots=True, eq=False)
class Timbre:
    """A latent that notes may soon be struck with."""

    latent: NDArray[np.float32]
    latent_key: LatentKey


@dataclass(frozen=True, slots=True)
class Wish:
    """Render ``key`` (whole, or its first slice only)."""

    key: NoteKey
    timbre: Timbre
    whole: bool


def outward(centre: int, lowest: int, highest: int) -> Iterator[int]:
    """Every pitch of a range, from ``centre`` outward, upward first."""
    centre = min(max(centre, lowest), highest)
    yield centre
    for distance in range(1, highest - lowest + 1):
        if centre + distance <= highest:
            yield centre + distance
        if centre - distance >= lowest:
            yield centre - distance


def plan(
    model_id: str,
    timbres: Sequence[Timbre],
    travel: Sequence[Timbre],
    recent: Sequence[int],
    centre: int,
    lowest: int,
    highest: int,
    *,
    moving: bool = False,
) -> list[Wish]:
    """Order what to render ahead.

    Args:
        timbres: of the present morph position, one a velocity zone, likeliest first.
        travel: of the positions the morph is moving towards, nearest first.
        recent: pitches played lately, newest first, within the range.
        centre: pitch under the hand (brought into the model's range).
        lowest, highest: the model's range.
        moving: the timbre is on its way: only what the hand may strike before it arrives.

    Returns:
        Wishes, each (key, whole) once.
    """
    centre = min(max(centre, lowest), highest)
    keyboard = list(outward(centre, lowest, highest))
    near = [p for p in keyboard if abs(p - centre) <= NEAR_SEMITONES]
    wishes: dict[tuple[LatentKey, int, bool], Wish] = {}

    def add(timbre: Timbre, pitches: Sequence[int], whole: bool) -> None:
        for pitch in pitches:
            wish = Wish(NoteKey(model_id, timbre.latent_key, pitch), timbre, whole)
            wishes.setdefault((timbre.latent_key, pitch, whole), wish)

    if not timbres:
        return []
    add(timbres[0], list(recent)[:RECENT_WHOLE], whole=False)
    if moving:
        for timbre in travel[:1]:
            add(timbre, list(recent)[:RECENT_WHOLE], whole=False)
        add(timbres[0], near, whole=False)
        return list(wishes.values())
    add(timbres[0], keyboard, whole=False)
    for timbre in timbres[1:]:
        add(timbre, keyboard, whole=False)
    for timbre in travel:
        add(timbre, list(recent)[:RECENT_WHOLE], whole=False)
    add(timbres[0], list(recent)[:RECENT_WHOLE], whole=True)
    add(timbres[0], near, whole=True)
    for timbre in travel:
        add(timbre, near, whole=False)
    for timbre in timbres[1:]:
        add(timbre, near, whole=True)
    add(timbres[0], keyboard, whole=True)
    return list(wishes.values())

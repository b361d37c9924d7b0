"""What to render before it is asked for: the hand's neighbourhood first, in the timbres it is likely to meet.

A pure function from what the performer knows to wishes in their order, made one at a time: who has enough stops asking.
First slices come before whole notes, since a first slice is what makes a key sound at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import LatentKey

RECENT_WHOLE = 8
"""How many of the notes played last are rendered whole again after a morph."""

NEAR_SEMITONES = 12
"""Keys this near to the hand are rendered whole ahead of time."""


@dataclass(frozen=True, slots=True, eq=False)
class Timbre:
    """A latent that notes may soon be struck with."""

    latent: NDArray[np.float32]
    latent_key: LatentKey


class Wish(NamedTuple):
    """Render ``pitch`` of ``timbre`` (whole, or its first slice only)."""

    timbre: Timbre
    pitch: int
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
    timbres: Sequence[Timbre],
    travel: Sequence[Timbre],
    recent: Sequence[int],
    centre: int,
    lowest: int,
    highest: int,
    *,
    moving: bool = False,
) -> Iterator[Wish]:
    """Order what to render ahead.

    Args:
        timbres: of the present morph position, one a velocity zone, likeliest first.
        travel: of the positions the morph is moving towards, nearest first.
        recent: pitches played lately, newest first, within the range.
        centre: pitch under the hand (brought into the model's range).
        lowest, highest: the model's range.
        moving: the timbre is on its way: only what the hand may strike before it arrives.

    Yields:
        Each wish once.
    """
    seen: set[tuple[LatentKey, int, bool]] = set()
    for timbre, pitches, whole in _groups(timbres, travel, recent, centre, lowest, highest, moving):
        address = timbre.latent_key
        for pitch in pitches:
            wish = address, pitch, whole
            if wish not in seen:
                seen.add(wish)
                yield Wish(timbre, pitch, whole)


def _groups(
    timbres: Sequence[Timbre],
    travel: Sequence[Timbre],
    recent: Sequence[int],
    centre: int,
    lowest: int,
    highest: int,
    moving: bool,
) -> Iterator[tuple[Timbre, Sequence[int], bool]]:
    """(timbre, pitches, whole) in order; the same wish may come twice."""
    if not timbres:
        return
    centre = min(max(centre, lowest), highest)
    keyboard = list(outward(centre, lowest, highest))
    near = [p for p in keyboard if abs(p - centre) <= NEAR_SEMITONES]
    latest = list(recent)[:RECENT_WHOLE]
    here, zones = timbres[0], timbres[1:]
    yield here, latest, False
    if moving:
        yield from ((timbre, latest, False) for timbre in travel[:1])
        yield here, near, False
        return
    yield from ((timbre, keyboard, False) for timbre in timbres)
    yield from ((timbre, latest, False) for timbre in travel)
    yield here, latest, True
    yield here, near, True
    yield from ((timbre, near, False) for timbre in travel)
    yield from ((timbre, near, True) for timbre in zones)
    yield here, keyboard, True

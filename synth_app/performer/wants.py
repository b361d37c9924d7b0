"""What is likely to be played next: the performer's advice to whoever renders ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import LatentKey
from synth_app.timbre.morph import MorphState, Steps, Weights, quantise, steps_to_weights
from synth_app.timbre.palette import Palette

_MIDDLE_C = 60
_USUAL_VELOCITY = 80
_REMEMBERED_PITCHES = 24
_HAND_PITCHES = 8
_STEPS_AHEAD = 3


@dataclass(frozen=True, slots=True, eq=False)
class WantedLatent:
    """A timbre worth having: the velocity in the middle of its zone, the latent ``[latent_size]`` and its address."""

    velocity: int
    latent: NDArray[np.float32]
    latent_key: LatentKey


@dataclass(frozen=True, slots=True, eq=False)
class Wants:
    """What the planner should make of the present moment. All pitches are the model's own (transposed, within range).

    Attributes:
        model_id: whose notes these are.
        latents: one for each velocity zone at the sounding weights, the likeliest zone first.
        ahead: the same zone's latents where the morph will be next, nearest first.
        sounding: pitches held now, newest first.
        recent: pitches played lately, newest first, without repeats.
        hand_pitch: centre of the hands.
        lowest_pitch, highest_pitch: the model's range, inclusive.
    """

    model_id: str
    latents: tuple[WantedLatent, ...]
    ahead: tuple[WantedLatent, ...]
    sounding: tuple[int, ...]
    recent: tuple[int, ...]
    hand_pitch: int
    lowest_pitch: int
    highest_pitch: int


class Hands:
    """Remembers where and how hard the player plays."""

    def __init__(self) -> None:
        self._pitches: deque[int] = deque(maxlen=_REMEMBERED_PITCHES)
        self._velocities: deque[int] = deque((_USUAL_VELOCITY,), maxlen=_REMEMBERED_PITCHES)

    def play(self, pitch: int, velocity: int) -> None:
        """A key was struck; ``pitch`` is the transposed one, even outside the model's range."""
        self._pitches.appendleft(pitch)
        self._velocities.appendleft(velocity)

    @property
    def recent(self) -> tuple[int, ...]:
        """Pitches, newest first, without repeats."""
        return tuple(dict.fromkeys(self._pitches))

    @property
    def centre(self) -> int:
        """Mean of the last few pitches; middle C before anything was played."""
        latest = list(self._pitches)[:_HAND_PITCHES]
        return round(sum(latest) / len(latest)) if latest else _MIDDLE_C

    def zones(self, palette: Palette) -> list[int]:
        """The palette's zones, the most lately used first, then by distance from the last stroke."""
        used = dict.fromkeys(palette.zone(velocity) for velocity in self._velocities)
        last = self._velocities[0]
        rest = sorted(
            range(len(palette.zone_velocities)), key=lambda zone: (abs(palette.zone_velocities[zone] - last), zone)
        )
        return list(dict.fromkeys((*used, *rest)))


def steps_ahead(steps: Steps, former: Steps, morph: MorphState) -> list[Weights]:
    """Where the morph goes next, nearest first: along its glide, or on in the direction in which it moved last."""
    here = steps_to_weights(steps)
    if quantise(morph.target, sum(steps), steps) != steps:
        course = [goal - w for goal, w in zip(morph.target, here, strict=True)]
    else:
        course = [w - before for w, before in zip(here, steps_to_weights(former), strict=True)]
    longest = max(map(abs, course), default=0.0)
    if longest == 0.0:
        return []
    stride = 1.0 / (sum(steps) * longest)
    found: dict[Steps, None] = {}
    for count in range(1, _STEPS_AHEAD + 1):
        place = [max(0.0, w + move * stride * count) for w, move in zip(here, course, strict=True)]
        found[quantise(place, sum(steps))] = None
    found.pop(steps, None)
    return [steps_to_weights(place) for place in found]


def make_wants(
    palette: Palette, hands: Hands, weights: Weights, ahead: Sequence[Weights], sounding: Sequence[int]
) -> Wants:
    """Gather the advice (``sounding`` newest first)."""
    zones = hands.zones(palette)
    info = palette.model_info
    return Wants(
        model_id=info.model_id,
        latents=tuple(_wanted(palette, weights, zone) for zone in zones),
        ahead=tuple(_wanted(palette, place, zones[0]) for place in ahead),
        sounding=tuple(dict.fromkeys(sounding)),
        recent=tuple(dict.fromkeys(palette.clamp(pitch) for pitch in hands.recent)),
        hand_pitch=palette.clamp(hands.centre),
        lowest_pitch=info.lowest_pitch,
        highest_pitch=info.highest_pitch,
    )


def _wanted(palette: Palette, weights: Weights, zone: int) -> WantedLatent:
    latent, address = palette.latent(weights, zone)
    return WantedLatent(palette.zone_velocities[zone], latent, address)

"""How hands and controllers become level, place and pitch. Pure formulas."""

from __future__ import annotations

import math

from synth_app.core.units import DEFAULT_A4_HZ, db_to_gain, semitones_to_ratio
from synth_app.midi.channel import Channel
from synth_app.performer.actions import EnvelopeTimes
from synth_app.timbre.patch import Patch

SOFT_PEDAL_VELOCITIES = 16
"""How much softer a stroke counts under the soft pedal: 5 dB at the default velocity range, and a darker layer."""


def stroke_velocity(velocity: int, soft: bool) -> int:
    """The velocity that a stroke counts as, 1..127."""
    return max(1, velocity - SOFT_PEDAL_VELOCITIES) if soft else velocity


def velocity_gain(velocity: int, range_db: float) -> float:
    """Linear gain of a stroke: 127 is 0 dB, 1 is ``-range_db``, a straight line in dB between."""
    return db_to_gain(-range_db * (127 - velocity) / 126.0)


def controller_gain(value: int) -> float:
    """Linear gain of controller 7 or 11: the squared law ``(value/127)^2``, that is ``40 log10(value/127)`` dB.

    This is the curve that General MIDI level 2 and DLS recommend.
    """
    return (value / 127.0) ** 2


def pan_gains(pan: int) -> tuple[float, float]:
    """Left and right gain of controller 10 at constant power: 64 is the centre, 0 and 1 are both hard left (GM 2)."""
    angle = (max(1, pan) - 1) / 126.0 * math.pi / 2.0
    return math.cos(angle), math.sin(angle)


def voice_gains(stroke: float, volume_db: float, channel: Channel) -> tuple[float, float]:
    """Left and right gain of a voice: the stroke's gain, the patch's volume and the channel's controllers."""
    gain = stroke * db_to_gain(volume_db) * controller_gain(channel.volume) * controller_gain(channel.expression)
    left, right = pan_gains(channel.pan)
    return gain * left, gain * right


def envelope(patch: Patch) -> EnvelopeTimes:
    """The patch's envelope over the note's own."""
    return EnvelopeTimes(
        patch.param("attack_ms"),
        patch.param("decay_ms"),
        db_to_gain(patch.param("sustain_db")),
        patch.param("release_ms"),
    )


def voice_rate(semitones: float, bend_range_semitones: float, a4_hz: float, channel: Channel) -> float:
    """Playback-rate ratio of a voice.

    Args:
        semitones: from the rendered pitch to the played one.
        bend_range_semitones: the patch's, used unless the channel was told its own (RPN 0).
        a4_hz: the instrument's tuning.
        channel: bend and tuning.
    """
    own_range = channel.rpn.bend_range_semitones
    reach = bend_range_semitones if own_range is None else own_range
    bend = channel.bend / (8191.0 if channel.bend > 0 else 8192.0) * reach
    return semitones_to_ratio(semitones + channel.rpn.tuning_semitones + bend) * a4_hz / DEFAULT_A4_HZ


def vibrato_depth(pitch: int, full_cents: float, channel: Channel) -> float:
    """Depth of a voice's vibrato as a ratio: mod wheel, channel pressure and the key's own pressure together."""
    wheel = min(127, channel.modulation + channel.pressure + channel.key_pressure.get(pitch, 0))
    return semitones_to_ratio(full_cents / 100.0 * wheel / 127.0) - 1.0

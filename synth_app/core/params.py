"""The table of parameters: one row each, from which validation, the panel's controls and the help are made."""

from __future__ import annotations

from dataclasses import dataclass

from synth_app.core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One continuous parameter.

    Attributes:
        name: as used in presets and :class:`~synth_app.core.events.SetParam`; the suffix carries the unit.
        label: for people.
        lowest, highest, default: its range, inclusive.
        unit: shown after the value.
        in_patch: whether presets keep it (otherwise it belongs to the instrument's settings).
        help: one sentence.
    """

    name: str
    label: str
    lowest: float
    highest: float
    default: float
    unit: str
    in_patch: bool
    help: str


_TABLE = (
    ParamSpec("volume_db", "Volume", -60.0, 12.0, 0.0, "dB", True, "Level of the patch."),
    ParamSpec(
        "attack_ms", "Attack", 0.0, 5000.0, 0.0, "ms", True, "Fade in over the note's own attack; 0 leaves it be."
    ),
    ParamSpec(
        "decay_ms", "Decay", 1.0, 10000.0, 500.0, "ms", True, "Time to fall from full level to the sustain level."
    ),
    ParamSpec(
        "sustain_db",
        "Sustain",
        -60.0,
        0.0,
        0.0,
        "dB",
        True,
        "Level held while the key is down; 0 leaves the note's own.",
    ),
    ParamSpec(
        "release_ms",
        "Release",
        0.0,
        10000.0,
        0.0,
        "ms",
        True,
        "Time to fall by 60 dB; 0 leaves the note's own release.",
    ),
    ParamSpec(
        "velocity_range_db",
        "Velocity range",
        0.0,
        80.0,
        40.0,
        "dB",
        True,
        "Level between the softest and the hardest stroke; linear in dB.",
    ),
    ParamSpec("bend_range_semitones", "Bend range", 0.0, 48.0, 2.0, "semitones", True, "Reach of the pitch wheel."),
    ParamSpec(
        "vibrato_cents",
        "Vibrato depth",
        0.0,
        200.0,
        50.0,
        "cents",
        True,
        "Depth of the mod wheel's vibrato at full wheel.",
    ),
    ParamSpec("vibrato_hz", "Vibrato rate", 0.1, 12.0, 5.5, "Hz", True, "Speed of the mod wheel's vibrato."),
    ParamSpec("transpose_semitones", "Transpose", -24.0, 24.0, 0.0, "semitones", True, "Shifts every note."),
    ParamSpec(
        "glide_ms", "Morph glide", 0.0, 5000.0, 0.0, "ms", True, "Time the morph takes to reach where it is sent."
    ),
    ParamSpec(
        "morph_cc",
        "Morph controller",
        0.0,
        119.0,
        16.0,
        "",
        True,
        "MIDI controller that moves the morph from the first anchor to the last.",
    ),
    ParamSpec("polyphony", "Polyphony", 1.0, 64.0, 64.0, "voices", False, "Most voices that sound at once."),
    ParamSpec(
        "switch_follow",
        "Follow a patch switch",
        0.0,
        1.0,
        0.0,
        "",
        False,
        "0: held notes end as they began, new ones play the new patch; 1: they follow into it.",
    ),
    ParamSpec("master_db", "Master volume", -60.0, 12.0, 6.0, "dB", False, "Level of the whole instrument."),
    ParamSpec("a4_hz", "Tuning A4", 400.0, 480.0, 440.0, "Hz", False, "Frequency of the A above middle C."),
)

PARAMS: dict[str, ParamSpec] = {spec.name: spec for spec in _TABLE}
"""Every parameter by name. Treat as constant."""


def check_param(name: str, value: float) -> float:
    """Return ``value`` when ``name`` is a parameter and the value lies in its range.

    A time under a millisecond is no time: 0, which leaves the note's own. (A release of 0.01 ms, a slider's lowest step
    once, reads "0 ms" and cuts a note dead.)

    Raises:
        SettingsError: otherwise, naming the parameter and its range.
    """
    spec = PARAMS.get(name)
    if spec is None:
        raise SettingsError(f"There is no parameter named {name!r}; known ones are {', '.join(sorted(PARAMS))}.")
    if not spec.lowest <= value <= spec.highest:
        raise SettingsError(
            f"{name} must lie between {spec.lowest:g} and {spec.highest:g} {spec.unit}, not {value:g}.".replace(
                " ,", ","
            )
        )
    return 0.0 if spec.unit == "ms" and value < 1.0 else float(value)


def default_patch_params() -> dict[str, float]:
    """The defaults of the parameters that presets keep."""
    return {spec.name: spec.default for spec in _TABLE if spec.in_patch}


def default_settings_params() -> dict[str, float]:
    """The defaults of the parameters that belong to the instrument."""
    return {spec.name: spec.default for spec in _TABLE if not spec.in_patch}

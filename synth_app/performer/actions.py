"""What the performer decides. The engine carries these out; offline and tests read them like a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import NoteKey


@dataclass(frozen=True, slots=True)
class EnvelopeTimes:
    """The patch's envelope over the note's own: times in ms, ``sustain`` as linear gain. All open = 0, any, 1."""

    attack_ms: float
    decay_ms: float
    sustain: float
    release_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class StartVoice:
    """Begin a voice.

    Attributes:
        time_ns: when the key was struck.
        voice_id: unique for the life of the program, rising.
        channel, pitch, velocity: as played.
        note_key: the note to sound (its pitch lies within the model's range).
        latent: float32 ``[latent_size]``, the latent behind ``note_key``.
        rate: playback-rate ratio that turns the rendered pitch into the sounding one (transposition, A4, bend).
        vibrato: depth of the vibrato as a ratio (0.03 = half a semitone).
        gain_left, gain_right: linear.
        envelope: over the note's own envelope.
        may_bridge: whether another note may stand in while this one is rendered; else it is waited for.
    """

    time_ns: int
    voice_id: int
    channel: int
    pitch: int
    velocity: int
    note_key: NoteKey
    latent: NDArray[np.float32]
    rate: float
    vibrato: float
    gain_left: float
    gain_right: float
    envelope: EnvelopeTimes
    may_bridge: bool = True


@dataclass(frozen=True, slots=True)
class ReleaseVoice:
    """Let a voice go: it ends musically. A voice that has not sounded yet still sounds once."""

    time_ns: int
    voice_id: int


@dataclass(frozen=True, slots=True)
class KillVoice:
    """Take a voice away: a 5 ms fade. For stealing, all-sound-off and panic. A pending voice never sounds."""

    time_ns: int
    voice_id: int


@dataclass(frozen=True, slots=True)
class TuneVoice:
    """Change a sounding voice's playback rate and vibrato depth."""

    time_ns: int
    voice_id: int
    rate: float
    vibrato: float


@dataclass(frozen=True, slots=True)
class GainVoice:
    """Change a sounding voice's gains."""

    time_ns: int
    voice_id: int
    gain_left: float
    gain_right: float


@dataclass(frozen=True, slots=True, eq=False)
class RetimbreVoice:
    """A held voice should follow the morph to another note (same pitch, new latent)."""

    time_ns: int
    voice_id: int
    note_key: NoteKey
    latent: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SetMaster:
    """Master gain (linear) and vibrato rate, which belong to no voice."""

    time_ns: int
    gain: float
    vibrato_hz: float


@dataclass(frozen=True, slots=True)
class WantsChanged:
    """The timbre or the hands moved: the planner should look again at what to render ahead."""

    time_ns: int


@dataclass(frozen=True, slots=True)
class ChooseProgram:
    """A program was chosen by MIDI: the engine looks for its preset. ``bank`` is 14 bits, ``program`` 0..127."""

    time_ns: int
    channel: int
    bank: int
    program: int


Action = (
    StartVoice
    | ReleaseVoice
    | KillVoice
    | TuneVoice
    | GainVoice
    | RetimbreVoice
    | SetMaster
    | WantsChanged
    | ChooseProgram
)

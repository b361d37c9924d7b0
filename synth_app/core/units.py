"""Conversions between musical and physical units. Pure functions; equal temperament, A4 = MIDI note 69."""

from __future__ import annotations

import math

A4_PITCH = 69
DEFAULT_A4_HZ = 440.0
SILENCE_DB = -120.0


def pitch_to_hz(pitch: float, a4_hz: float = DEFAULT_A4_HZ) -> float:
    """Frequency of a (possibly fractional) MIDI note."""
    return float(a4_hz * 2.0 ** ((pitch - A4_PITCH) / 12.0))


def hz_to_pitch(hz: float, a4_hz: float = DEFAULT_A4_HZ) -> float:
    """Fractional MIDI note of a frequency above 0."""
    return A4_PITCH + 12.0 * math.log2(hz / a4_hz)


def semitones_to_ratio(semitones: float) -> float:
    """Playback-rate ratio of a transposition."""
    return float(2.0 ** (semitones / 12.0))


def db_to_gain(db: float) -> float:
    """Linear amplitude of a level in dB."""
    return float(10.0 ** (db / 20.0))


def gain_to_db(gain: float) -> float:
    """Level in dB of a linear amplitude; silence reads as ``SILENCE_DB``."""
    return 20.0 * math.log10(gain) if gain > 1e-6 else SILENCE_DB


def ms_to_samples(ms: float, rate_hz: int) -> int:
    """Whole samples in a time, rounded."""
    return round(ms * rate_hz / 1000.0)

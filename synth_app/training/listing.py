"""Which instruments make up a data set: no sound twice, and a first choice that every family has its share of.

General MIDI soundfonts descend from each other, so two of them hold many of the same recordings. A twin would be an
anchor that nobody can tell from another, and a held-out instrument's twin would give it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from synth_app.training.data import Dataset, InstrumentEntry

TWIN_DB = 1.0
TWIN_SEMITONES = 1.0
COMPARED_PITCHES = (36, 44, 52, 60, 68, 76)
COMPARED_FRAMES = 10
RANGE_DB = 60.0
_FRAME = 2048


def levels_db(wave: NDArray[np.float32], frames: int = 0) -> NDArray[np.float32]:
    """Levels of a wave in dB, [frames, 1025]: frames of 128 ms, all of them or so many, evenly spread."""
    starts = np.arange(0, len(wave) - _FRAME, _FRAME)
    if frames:
        starts = starts[np.linspace(0, len(starts) - 1, frames).astype(int)]
    window = np.hanning(_FRAME).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(wave[starts[:, None] + np.arange(_FRAME)] * window))
    return np.asarray(20.0 * np.log10(spectrum + 1e-9), np.float32)


def levels_distance_db(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Log-spectral distance of two ``levels_db`` over 60 dB of range: RMS over bins, mean over frames."""
    floor = max(float(a.max()), float(b.max())) - RANGE_DB
    difference = np.maximum(a, floor) - np.maximum(b, floor)
    return float(np.sqrt((difference**2).mean(axis=1)).mean())


def timbre_distance_db(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Log-spectral distance of two waves, see ``levels_distance_db``."""
    return levels_distance_db(levels_db(a), levels_db(b))


def brightness_semitones(wave: NDArray[np.float32]) -> float:
    """The centre of gravity of a wave's power spectrum over two seconds, in semitones above 1 Hz."""
    power = np.abs(np.fft.rfft(wave[:32_000].astype(np.float64))) ** 2
    hz = np.arange(len(power)) * 16_000.0 / 32_000.0
    return float(12.0 * np.log2(max((power * hz).sum() / max(power.sum(), 1e-12), 1.0)))


def distinct(dataset: Dataset) -> tuple[InstrumentEntry, ...]:
    """The instruments that sound like none before them, by their loudest layers."""
    kept: list[InstrumentEntry] = []
    sounds: list[dict[int, tuple[NDArray[np.float16], float]]] = []
    for entry in dataset.instruments:
        sound = _sound(dataset, entry)
        if not any(_same(sound, other) for other in sounds):
            kept.append(entry)
            sounds.append(sound)
    return tuple(kept)


def balanced(entries: Sequence[InstrumentEntry], count: int) -> tuple[InstrumentEntry, ...]:
    """The first ``count`` instruments for training, one of each family after another, and all that are held out.

    They stay in the data set's order. ``count`` 0 is all. Within a family the data set's order counts: curated lists
    begin with what players look for first, and a first choice of any size contains every smaller one.
    """
    trained = [entry for entry in entries if not entry.held_out]
    families: dict[str, list[InstrumentEntry]] = {}
    for entry in trained:
        families.setdefault(entry.family, []).append(entry)
    turns = [entry for turn in zip_longest(*families.values()) for entry in turn if entry is not None]
    chosen = {entry.folder for entry in turns[: count or len(turns)]}
    return tuple(entry for entry in entries if entry.held_out or entry.folder in chosen)


def _sound(dataset: Dataset, entry: InstrumentEntry) -> dict[int, tuple[NDArray[np.float16], float]]:
    waves, loudest = dataset.waves(entry), len(entry.velocities) - 1
    rows = {note.pitch: note.row for note in entry.notes if note.layer == loudest and note.pitch in COMPARED_PITCHES}
    notes = {pitch: waves[row].astype(np.float32) / 32_767.0 for pitch, row in rows.items()}
    return {
        pitch: (levels_db(wave, COMPARED_FRAMES).astype(np.float16), brightness_semitones(wave))
        for pitch, wave in notes.items()
    }


def _same(a: dict[int, tuple[NDArray[np.float16], float]], b: dict[int, tuple[NDArray[np.float16], float]]) -> bool:
    shared = sorted(set(a) & set(b))
    if len(shared) < 2 or float(np.median([abs(a[pitch][1] - b[pitch][1]) for pitch in shared])) > TWIN_SEMITONES:
        return False
    levels = [(a[pitch][0].astype(np.float32), b[pitch][0].astype(np.float32)) for pitch in shared]
    return float(np.median([levels_distance_db(one, other) for one, other in levels])) < TWIN_DB

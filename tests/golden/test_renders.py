"""The whole instrument against recordings kept in the repository, made with the generator that needs no model.

From the performer to the limiter, nothing may change what a piece sounds like unless someone meant it to. Who did:
``make golden`` writes the recordings anew; listen to them, and commit them with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synth_app.app.library import PARTIALS, Library
from synth_app.app.offline import render_events
from synth_app.core.events import ControlChange, Event, NoteOff, NoteOn, PitchBend, SetMorph
from tests.helpers import listen

KEPT = Path(__file__).parent / "kept"
RATE_HZ = 48_000
LEAST_SNR_DB = 40.0  # kept in 16 bits; other processors round a little differently
SUSTAIN = 64


def at(seconds: float) -> int:
    return round(seconds * 1e9)


def note(start_s: float, length_s: float, pitch: int, velocity: int = 90) -> list[Event]:
    return [NoteOn(at(start_s), 0, pitch, velocity), NoteOff(at(start_s + length_s), 0, pitch)]


PIECES: dict[str, list[Event]] = {
    "steps and strokes": [
        event
        for i, pitch in enumerate((36, 48, 60, 67, 72, 84, 96))
        for event in note(0.3 * i, 0.25, pitch, 30 + 16 * i)
    ],
    "chord under the pedal": [
        ControlChange(at(0.0), 0, SUSTAIN, 127),
        *(event for i, pitch in enumerate((48, 55, 60, 64)) for event in note(0.05 * i, 0.3, pitch)),
        ControlChange(at(1.2), 0, SUSTAIN, 0),
    ],
    "bend and wheel": [
        *note(0.0, 1.6, 57),
        *(PitchBend(at(0.2 + 0.02 * i), 0, 300 * i) for i in range(20)),
        *(ControlChange(at(0.8 + 0.05 * i), 0, 1, 12 * i) for i in range(10)),
    ],
    "a held note, morphing": [
        *note(0.0, 2.0, 52),
        *(SetMorph(at(0.4 + 0.1 * i), (1.0 - i / 10, i / 10)) for i in range(11)),
    ],
}


def render(events: Sequence[Event], path: Path) -> np.ndarray:
    """The piece through the offline path, as mono float32."""
    ordered = sorted(events, key=lambda event: event.time_ns)
    with Library(PARTIALS) as library:
        patch = library.patch()
        patch = type(patch)(patch.name, patch.anchors[:2], patch.params)
        render_events(library, patch, ordered, ordered[-1].time_ns, path, RATE_HZ)
    return listen.mono(soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize("name", PIECES)
def test_it_sounds_as_it_did(name: str, tmp_path: Path) -> None:
    heard = render(PIECES[name], tmp_path / "now.wav")
    kept = KEPT / f"{name.replace(',', '').replace(' ', '_')}.flac"
    if os.environ.get("SYNTH_APP_GOLDEN") == "write":
        kept.parent.mkdir(exist_ok=True)
        soundfile.write(kept, heard, RATE_HZ, "PCM_16")
    then = listen.mono(soundfile.read(kept, dtype="float32")[0])
    assert abs(len(heard) - len(then)) <= RATE_HZ // 10
    length = min(len(heard), len(then))
    difference = heard[:length] - then[:length]
    assert listen.level_db(then) - listen.level_db(difference) > LEAST_SNR_DB

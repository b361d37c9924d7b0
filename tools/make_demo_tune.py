"""Writes presets/demo/bach_bwv1007_prelude.mid: an excerpt from the prelude of Bach's first suite for cello alone.

The music (composed about 1720) is in the public domain. It was written out here note by note, bars 1 to 4 and their
return in bars 15 to 18, closed with the tonic chord; no one's edition or sequence was copied. The weight of each note
and the spread of the last chord are this project's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mido

TICKS_PER_BEAT = 480
SIXTEENTH = TICKS_PER_BEAT // 4
TEMPO = mido.bpm2tempo(66)
PATH = Path(__file__).resolve().parents[1] / "presets" / "demo" / "bach_bwv1007_prelude.mid"

# Half a bar a line: eight sixteenths. A bar repeats its half unless two are given.
BARS = (
    ("G2 D3 B3 A3 B3 D3 B3 D3",),
    ("G2 E3 C4 B3 C4 E3 C4 E3",),
    ("G2 F#3 C4 B3 C4 F#3 C4 F#3",),
    ("G2 G3 B3 A3 B3 G3 B3 G3", "G2 G3 B3 A3 B3 G3 B3 F#3"),
    ("F#2 C3 D3 C3 D3 C3 D3 C3",),
    ("G2 B2 F3 E3 F3 B2 F3 B2",),
    ("G2 C3 E3 D3 E3 C3 E3 C3",),
    ("G2 F#3 C4 B3 C4 F#3 C4 F#3",),
)
LAST_CHORD = "G2 D3 B3 G4"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def pitch(name: str) -> int:
    """MIDI note of a name such as F#3 (C4 is middle C, 60)."""
    return STEPS[name[0]] + ("#" in name) + 12 * (int(name[-1]) + 1)


def events() -> list[tuple[int, mido.Message]]:
    """All messages with their absolute ticks."""
    out, now = [], 0
    for bar in BARS:
        for half in bar if len(bar) == 2 else bar * 2:
            for index, name in enumerate(half.split()):
                # The bass note leans a little; the line breathes with the height of its notes.
                velocity = 90 if index == 0 else 78 + (pitch(name) - 43) // 2
                out += _note(now, SIXTEENTH - 6, pitch(name), velocity)
                now += SIXTEENTH
    for index, name in enumerate(LAST_CHORD.split()):
        spread = index * SIXTEENTH // 3
        out += _note(now + spread, 3 * TICKS_PER_BEAT - spread, pitch(name), 88)
    return out


def song() -> mido.MidiFile:
    """The whole file."""
    track, now = mido.MidiTrack(), 0
    track.append(mido.MetaMessage("track_name", name="J. S. Bach, BWV 1007, from the Prelude"))
    track.append(mido.MetaMessage("set_tempo", tempo=TEMPO))
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    track.append(mido.MetaMessage("key_signature", key="G"))
    for tick, message in sorted(events(), key=lambda event: (event[0], event[1].type == "note_on", event[1].note)):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=TICKS_PER_BEAT))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    return file


def _note(start: int, length: int, note: int, velocity: int) -> list[tuple[int, mido.Message]]:
    return [
        (start, mido.Message("note_on", note=note, velocity=velocity)),
        (start + length, mido.Message("note_off", note=note, velocity=0)),
    ]


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    song().save(path)

"""A MIDI player that knows nothing of the program: mido, over JACK."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido

from tests.helpers import jack

BACKEND = "mido.backends.rtmidi/UNIX_JACK"


@dataclass(frozen=True, slots=True)
class Note:
    """One note of a test tune, times in seconds from its beginning."""

    start_s: float
    length_s: float
    pitch: int
    velocity: int = 100


def write_song(path: Path, notes: Sequence[Note], end_s: float = 0.0) -> Path:
    """Write ``notes`` as a standard MIDI file (960 ticks a second) and return ``path``."""
    ticks_per_s = 960
    moments = [(note.start_s, 1, note) for note in notes] + [(note.start_s + note.length_s, 0, note) for note in notes]
    track, now = mido.MidiTrack(), 0
    for time_s, is_on, note in sorted(moments, key=lambda moment: moment[:2]):
        tick = round(time_s * ticks_per_s)
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, note=note.pitch, velocity=note.velocity if is_on else 0, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, round(end_s * ticks_per_s) - now)))
    song = mido.MidiFile(type=0, ticks_per_beat=480)  # at 120 beats a minute, MIDI's default
    song.tracks.append(track)
    song.save(path)
    return path


def play_song(path: Path, port: str, timeout_s: float = 120.0) -> None:
    """Play a file to a port with mido's own command-line player, in real time, and wait for its end."""
    command = [sys.executable, "-m", "mido.scripts.mido_play", "-q", "-o", port, str(path)]
    env = {**os.environ, **jack.ENVIRONMENT, "MIDO_BACKEND": BACKEND}
    subprocess.run(command, check=True, timeout=timeout_s, env=env, capture_output=True, text=True)


@contextlib.contextmanager
def connection(port: str, timeout_s: float = 20.0) -> Iterator[Any]:
    """An open mido output that is connected to the JACK MIDI port whose name contains ``port``."""
    backend = mido.Backend(BACKEND, load=True)
    end = time.monotonic() + timeout_s
    while not (names := [name for name in backend.get_output_names() if port in name]):
        if time.monotonic() > end:
            raise TimeoutError(f"no MIDI input with {port!r} in its name; there are {backend.get_output_names()}")
        time.sleep(0.05)
    output = backend.open_output(names[0])
    try:
        yield output
    finally:
        output.close()

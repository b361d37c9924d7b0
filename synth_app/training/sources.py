"""Where notes come from: soundfonts, an NSynth folder, or a folder of WAV files named by pitch.

Every source offers instruments, and every instrument yields raw notes: pitch, velocity, and 4 s of mono at 16 kHz.
What happens to a note afterwards (is it good enough, how loud, which layer) is the same for all and lies in ``data``.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.io import wavfile

from synth_app.core.errors import FileFormatError
from synth_app.training.instruments import Instrument
from synth_app.training.soundfont import NOTE_SAMPLES, SAMPLE_RATE_HZ, SoundfontRenderer

PITCHES = range(24, 85)
_NOTE_NAMES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_PITCH_IN_NAME = re.compile(r"(?:^|[^a-z0-9])(?:([a-g])(#|b)?(-?\d)|(\d{2,3}))(?:[^0-9]|$)", re.IGNORECASE)
_VELOCITY_IN_NAME = re.compile(r"(?:^|[^a-z])v(?:el)?[_-]?(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawNote:
    """One note as its source gives it: float32 wave of shape [64000] at 16 kHz, velocity 1..127.

    ``bent`` plays the same note so many cents higher, where the source can.
    """

    pitch: int
    velocity: int
    wave: NDArray[np.float32]
    bent: Callable[[float], NDArray[np.float32]] | None = None


class InstrumentSource(Protocol):
    """An instrument that can play all its notes. ``origin`` says where from and changes when the sound would."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def origin(self) -> str: ...
    def notes(self) -> Iterator[RawNote]: ...


@dataclass(frozen=True, slots=True)
class SoundfontInstrument:
    """A preset of a soundfont, played at every pitch and at each of the given velocities."""

    renderer: SoundfontRenderer
    instrument: Instrument
    velocities: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.instrument.name

    @property
    def family(self) -> str:
        return self.instrument.family

    @property
    def origin(self) -> str:
        return f"{self.renderer.name} {self.instrument.bank}:{self.instrument.program} velocities {self.velocities}"

    def notes(self) -> Iterator[RawNote]:
        for velocity in self.velocities:
            for pitch in PITCHES:
                play = partial(self.renderer.render, self.instrument.bank, self.instrument.program, pitch, velocity)
                yield RawNote(pitch, velocity, play(), play)


@dataclass(frozen=True, slots=True)
class WaveFiles:
    """An instrument that lies on disk: (pitch, velocity, file) for every note."""

    name: str
    family: str
    files: tuple[tuple[int, int, Path], ...]

    @property
    def origin(self) -> str:
        return f"{len(self.files)} files in {self.files[0][2].parent.name}"

    def notes(self) -> Iterator[RawNote]:
        for pitch, velocity, path in self.files:
            yield RawNote(pitch, velocity, read_wave(path))


def read_wave(path: Path) -> NDArray[np.float32]:
    """A WAV file as 4 s of mono at 16 kHz, cut or filled with silence.

    Raises:
        FileFormatError: the file is no WAV file that can be read.
    """
    try:
        rate, data = wavfile.read(path)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} cannot be read as a WAV file ({error}): replace or remove it.") from error
    scale = float(np.iinfo(data.dtype).max) if data.dtype.kind in "iu" else 1.0
    mono = (data if data.ndim == 1 else data.mean(axis=1)).astype(np.float32) / scale
    if rate != SAMPLE_RATE_HZ:
        mono = soxr.resample(mono, rate, SAMPLE_RATE_HZ, quality="HQ")
    wave = np.zeros(NOTE_SAMPLES, np.float32)
    wave[: len(mono)] = mono[:NOTE_SAMPLES]
    return wave


def nsynth_instruments(folder: Path) -> list[WaveFiles]:
    """The instruments of an unpacked NSynth json/wav set (``examples.json`` beside ``audio/``), pitches 24..84 only.

    Raises:
        FileFormatError: the folder is not laid out so.
    """
    try:
        examples = json.loads((folder / "examples.json").read_text())
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{folder} has no readable examples.json: name an unpacked NSynth folder.") from error
    files: dict[tuple[str, str], list[tuple[int, int, Path]]] = defaultdict(list)
    for key, entry in sorted(examples.items()):
        pitch = int(entry["pitch"])
        if pitch in PITCHES:
            place = (str(entry["instrument_str"]), str(entry["instrument_family_str"]))
            files[place].append((pitch, int(entry["velocity"]), folder / "audio" / f"{key}.wav"))
    return [WaveFiles(name, family, tuple(notes)) for (name, family), notes in files.items()]


def wave_folder_instruments(folder: Path) -> list[WaveFiles]:
    """Instruments from WAV files named by pitch: one for each sub-folder, or one for the folder itself.

    A name carries the pitch as a MIDI number (``piano-060.wav``) or as a note (``C4.wav``, ``f#3 soft.wav``; C4 is 60),
    and may carry a velocity (``v90``); 100 is taken if it does not.

    Raises:
        FileFormatError: there are no such files.
    """
    places = [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    found = []
    for place in places or [folder]:
        notes = tuple(note for path in sorted(place.glob("*.wav")) if (note := _named_note(path)) is not None)
        if notes:
            found.append(WaveFiles(place.name, "recorded", notes))
    if not found:
        raise FileFormatError(f"{folder} holds no WAV files named by pitch (such as C4.wav or 060.wav): rename them.")
    return found


def _named_note(path: Path) -> tuple[int, int, Path] | None:
    velocity = _VELOCITY_IN_NAME.search(path.stem)
    text = path.stem if velocity is None else path.stem.replace(velocity.group(0), " ")
    match = _PITCH_IN_NAME.search(text)
    if match is None:
        return None
    letter, accidental, octave, number = match.groups()
    if number is not None:
        pitch = int(number)
    else:
        shift = {"#": 1, "b": -1}.get((accidental or "").lower(), 0)
        pitch = 12 * (int(octave) + 1) + _NOTE_NAMES[letter.lower()] + shift
    return (pitch, int(velocity.group(1)) if velocity else 100, path) if pitch in PITCHES else None

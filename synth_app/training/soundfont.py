"""Soundfonts as a source of notes: what a file holds, and how one note of it sounds.

A preset is rendered by FluidSynth at 48 kHz, dry (no reverb, no chorus), and brought down to 16 kHz by one clean
decimation: FluidSynth does not band-limit samples that it reads faster than they were recorded, so rendering at 16 kHz
directly would fold the upper octaves back into the note.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soxr
from numpy.typing import NDArray

from synth_app.core.errors import FileFormatError, SettingsError

RENDER_RATE_HZ = 48_000
SAMPLE_RATE_HZ = 16_000
NOTE_SAMPLES = 64_000
HELD_SAMPLES = 48_000
DRUM_BANK = 128
BEND_STEPS_A_CENT = 8192 / 200.0
"""Of MIDI's pitch bend over its range of two semitones."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One playable sound of a soundfont: its place (bank, program) and the name its author gave it."""

    bank: int
    program: int
    name: str


def list_presets(path: Path) -> list[Preset]:
    """All presets of an .sf2 or .sf3 file, ordered by bank and program.

    Reads only the ``phdr`` chunk of the RIFF file (SoundFont 2.04, section 7.2).

    Raises:
        FileFormatError: the file is missing or no soundfont.
    """
    try:
        with path.open("rb") as file:
            riff, _, form = struct.unpack("<4sI4s", file.read(12))
            if riff != b"RIFF" or form != b"sfbk":
                raise FileFormatError(f"{path} is not a soundfont: name an .sf2 or .sf3 file.")
            headers = _preset_headers(memoryview(file.read()))
    except (OSError, struct.error) as error:
        raise FileFormatError(f"The soundfont {path} cannot be read ({error}): check the path.") from error
    records = [struct.unpack_from("<20sHH", headers, offset) for offset in range(0, len(headers) - 38, 38)]
    presets = [Preset(bank, program, _text(name)) for name, program, bank in records]
    return sorted(presets, key=lambda preset: (preset.bank, preset.program))


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The chunks of a RIFF body, in order: (name, content).

    RIFF pads odd chunks with a zero byte; the .sf3 writers of MuseScore forget it, so the pad is skipped only if it is
    there (no chunk's name begins with a zero).
    """
    position = 0
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size
        if size % 2 and position < len(data) and data[position] == 0:
            position += 1


def _preset_headers(data: memoryview) -> memoryview:
    """The content of the ``phdr`` chunk, which lies in the ``pdta`` list."""
    for name, body in _chunks(data):
        if name == b"LIST" and bytes(body[:4]) == b"pdta":
            return next((inner for kind, inner in _chunks(body[4:]) if kind == b"phdr"), body[:0])
    return data[:0]


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("latin-1").strip()


class SoundfontRenderer:
    """Renders single notes of one soundfont: 3 s held, 1 s released, mono, 16 kHz. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            import fluidsynth  # here, since the package looks for the C library when it is imported
        except ImportError as error:
            raise SettingsError(
                "Rendering soundfonts needs pyfluidsynth and the FluidSynth library: install the extra [train], and "
                "libfluidsynth3 (Debian) or fluid-synth (Homebrew)."
            ) from error
        self._synth = fluidsynth.Synth(samplerate=float(RENDER_RATE_HZ), gain=0.5)
        self._synth.setting("synth.reverb.active", 0)
        self._synth.setting("synth.chorus.active", 0)
        self._font = self._synth.sfload(str(path))
        if self._font < 0:
            raise FileFormatError(f"FluidSynth cannot load {path}: name an .sf2 or .sf3 file.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._synth.delete()

    @property
    def name(self) -> str:
        """The soundfont's file name."""
        return self._path.name

    def render(self, bank: int, program: int, pitch: int, velocity: int, cents: float = 0.0) -> NDArray[np.float32]:
        """One note, bent by so many cents (at most 199), shape [64000], linear amplitude as the soundfont gives it."""
        synth = self._synth
        synth.system_reset()
        if synth.program_select(0, self._font, bank, program) != 0:
            raise FileFormatError(f"{self._path} has no preset at bank {bank}, program {program}: list its presets.")
        synth.pitch_bend(0, round(BEND_STEPS_A_CENT * cents))
        synth.noteon(0, pitch, velocity)
        factor = RENDER_RATE_HZ // SAMPLE_RATE_HZ
        held = synth.get_samples(HELD_SAMPLES * factor)
        synth.noteoff(0, pitch)
        released = synth.get_samples((NOTE_SAMPLES - HELD_SAMPLES) * factor)
        stereo = np.concatenate([held, released]).reshape(-1, 2).astype(np.float32)
        mono = stereo.mean(axis=1) / 32_768.0
        wave = soxr.resample(mono, RENDER_RATE_HZ, SAMPLE_RATE_HZ, quality="HQ")
        return np.asarray(wave[:NOTE_SAMPLES], np.float32)

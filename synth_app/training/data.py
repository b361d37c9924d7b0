"""The data set: notes that are good enough, at one loudness, in a few velocity layers, cached on disk.

A data set is a folder. Each instrument has its own sub-folder with ``wave.npy`` (int16, [notes, 64000], 16 kHz) and
``notes.json``, which is written last: what has it is finished, so an interrupted build goes on where it stopped.
``dataset.json`` lists the instruments in order. The same options and seed give the same data set.

The recipe: a note must sound (peak above 1e-3), repeat itself (clarity above 0.6) and be in tune, octaves aside (30
cents); a soundfont plays it again with what it is out of tune bent away, so that the voice that learns from it is not;
its first two seconds get an RMS of 0.1 with the peak kept under 0.9, since soundfonts differ by 20 to 30 dB
and the player applies velocity; a softer layer is kept only where it has another timbre than the louder one. Which of
the instruments then make up the data set is the business of ``listing``.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synth_app.core.errors import FileFormatError, SettingsError
from synth_app.training.instruments import Instrument, by_rule, curated
from synth_app.training.listing import balanced, brightness_semitones, distinct, timbre_distance_db
from synth_app.training.pitch import read_mean, read_near
from synth_app.training.procedural import patches
from synth_app.training.soundfont import SoundfontRenderer, list_presets
from synth_app.training.sources import (
    InstrumentSource,
    RawNote,
    SoundfontInstrument,
    nsynth_instruments,
    wave_folder_instruments,
)

Progress = Callable[[str, int, int], None]
"""Called with (what, done, of how many)."""

TARGET_RMS = 0.1
PEAK_LIMIT = 0.9
LOUDNESS_SAMPLES = 32_000
MIN_PEAK = 1e-3
MIN_CLARITY = 0.6
MAX_CENTS = 30.0
IN_TUNE_CENTS = 1.0
MIN_NOTES = 24
LAYER_DISTANCE_DB = 1.7
LAYER_BRIGHTNESS_SEMITONES = 1.0
"""What a stroke must change to be a layer: the spectrum on the whole, or its centre of gravity by about what is heard.
A soft vibraphone differs from a hard one by half a decibel over all bins, and by ten semitones in its centre."""
MAX_LAYERS = 4


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to build a data set from.

    Attributes:
        out_dir: the folder to fill; it may hold an unfinished build with the same options.
        soundfonts: .sf2 or .sf3 files. ``choice`` says which of their presets: the curated list (its places are those
            of MuseScore_General and of most General MIDI fonts) or every melodic preset. Of two presets with the
            same sound the first is taken.
        nsynth: unpacked NSynth json/wav folders.
        wave_folders: folders of WAV files named by pitch, or of such folders.
        procedural: add the made-up instruments of ``synth_app.training.procedural``.
        velocities: played on soundfonts; other sources' velocities go to the nearest of these.
        held_out_pitches: notes of each instrument that training never sees.
        held_out_instruments: names of instruments that training never sees at all.
        keep_tuning: leave a soundfont's notes as far out of tune as they are.
        instruments: how many instruments to list for training, taken from all families alike; 0 lists all.
        seed: draws the held-out notes.
    """

    out_dir: Path
    soundfonts: tuple[Path, ...] = ()
    choice: Literal["curated", "all"] = "curated"
    nsynth: tuple[Path, ...] = ()
    wave_folders: tuple[Path, ...] = ()
    procedural: bool = False
    velocities: tuple[int, ...] = (45, 112)
    held_out_pitches: int = 4
    held_out_instruments: tuple[str, ...] = ("Mellow Piano", "English Horn", "Fiddle", "Koto")
    keep_tuning: bool = False
    instruments: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= len(self.velocities) <= MAX_LAYERS:
            raise SettingsError(f"Name 1 to {MAX_LAYERS} velocities, not {len(self.velocities)}.")
        if not (self.soundfonts or self.nsynth or self.wave_folders or self.procedural):
            raise SettingsError("Name at least one soundfont, NSynth folder or folder of WAV files to learn from.")


@dataclass(frozen=True, slots=True)
class NoteEntry:
    """A note of the data set: its row in the instrument's arrays, what it is, and whether training may see it."""

    row: int
    pitch: int
    layer: int
    cents: float
    clarity: float
    held_out: bool


@dataclass(frozen=True, slots=True)
class InstrumentEntry:
    """An instrument of the data set with the velocities of its layers and its notes."""

    name: str
    family: str
    origin: str
    folder: str
    velocities: tuple[int, ...]
    held_out: bool
    notes: tuple[NoteEntry, ...]


def normalise_loudness(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """RMS 0.1 over the first two seconds, or as near as a peak of 0.9 allows. Silence stays silence."""
    rms = float(np.sqrt(np.mean(wave[:LOUDNESS_SAMPLES].astype(np.float64) ** 2)))
    peak = float(np.abs(wave).max(initial=0.0))
    if rms <= 0.0 or peak <= 0.0:
        return wave
    return wave * np.float32(min(TARGET_RMS / rms, PEAK_LIMIT / peak))


def good_note(wave: NDArray[np.float32], pitch: int) -> tuple[float, float] | None:
    """(cents off the wanted pitch, octaves aside; clarity) of a note that is fit to learn from, else ``None``."""
    if float(np.abs(wave).max(initial=0.0)) <= MIN_PEAK:
        return None
    reading = read_near(wave, pitch)
    cents = reading.cents_from(pitch)
    return (cents, reading.clarity) if reading.clarity > MIN_CLARITY and abs(cents) < MAX_CENTS else None


def build_dataset(options: BuildOptions, progress: Progress | None = None) -> "Dataset":
    """Render, filter, level and store every note of every source; goes on with an unfinished build.

    Raises:
        FileFormatError: a source cannot be read.
        SettingsError: nothing usable was found, or the folder holds a build with other options.
    """
    options.out_dir.mkdir(parents=True, exist_ok=True)
    _check_same_build(options)
    with ExitStack() as stack:
        sources = list(_sources(options, stack))
        entries = []
        for index, source in enumerate(sources):
            if progress is not None:
                progress(source.name, index, len(sources))
            entry = _build_instrument(options, index, source)
            if entry is not None:
                entries.append(entry)
        if progress is not None:
            progress("done", len(sources), len(sources))
    if not entries:
        raise SettingsError("No instrument had enough notes in tune to learn from: check the sources.")
    rendered = Dataset(options.out_dir, tuple(entries))
    write_list(rendered, balanced(distinct(rendered), options.instruments), _plain_options(options))
    return Dataset.open(options.out_dir)


def take_from(source: Path, out_dir: Path, instruments: int) -> "Dataset":
    """A data set that lists some of another's instruments, from all families alike; their notes stay where they are.

    Raises:
        FileFormatError: there is no data set at ``source``.
        SettingsError: ``out_dir`` holds rendered notes.
    """
    if (out_dir / "build.json").exists():
        raise SettingsError(f"{out_dir} holds a data set with notes of its own: name another folder.")
    whole = Dataset.open(source)
    kept = balanced(whole.instruments, instruments)
    out_dir.mkdir(parents=True, exist_ok=True)
    there = Path(os.path.relpath(source.resolve(), out_dir.resolve()))
    moved = tuple(replace(entry, folder=(there / entry.folder).as_posix()) for entry in kept)
    write_list(Dataset(out_dir, moved), moved, whole.options)
    return Dataset.open(out_dir)


def write_list(dataset: "Dataset", kept: Sequence["InstrumentEntry"], options: dict[str, object]) -> None:
    """Write ``dataset.json``: the instruments that count, in order."""
    document = {"options": options, "instruments": [entry.folder for entry in kept]}
    (dataset.root / "dataset.json").write_text(json.dumps(document, indent=1))


def _sources(options: BuildOptions, stack: ExitStack) -> Iterable[InstrumentSource]:
    used: set[str] = set()
    for path in options.soundfonts:
        renderer = stack.enter_context(SoundfontRenderer(path))
        for instrument in _presets(options, path):
            name = instrument.name if instrument.name not in used else f"{instrument.name} ({path.stem.split('_')[0]})"
            used.add(name)
            yield SoundfontInstrument(renderer, replace(instrument, name=name), options.velocities)
    if options.procedural:
        yield from (replace(patch, velocities=options.velocities) for patch in patches())
    for folder in options.nsynth:
        yield from nsynth_instruments(folder)
    for folder in options.wave_folders:
        yield from wave_folder_instruments(folder)


def _presets(options: BuildOptions, path: Path) -> list[Instrument]:
    """The presets of a soundfont to learn from."""
    presets = list_presets(path)
    places = {(preset.bank, preset.program) for preset in presets}
    chosen = curated() if options.choice == "curated" else by_rule(presets)
    return [instrument for instrument in chosen if (instrument.bank, instrument.program) in places]


def _build_instrument(options: BuildOptions, index: int, source: InstrumentSource) -> InstrumentEntry | None:
    folder = options.out_dir / f"{index:03d}-{_slug(source.name)}"
    done = folder / "notes.json"
    if done.exists():
        return _read_entry(done)
    shutil.rmtree(folder, ignore_errors=True)
    velocities, notes = _layers(source.notes(), options)
    if len(notes) < MIN_NOTES:
        return None
    rng = np.random.default_rng([options.seed, index])
    pitches = sorted({pitch for pitch, *_ in notes})
    hidden = set(rng.choice(pitches, min(options.held_out_pitches, len(pitches) // 4), replace=False).tolist())
    folder.mkdir()
    waves = np.stack([wave for *_, wave in notes])
    np.save(folder / "wave.npy", np.round(waves * 32_767.0).astype(np.int16))
    entry = InstrumentEntry(
        source.name, source.family, source.origin, folder.name, velocities,
        source.name in options.held_out_instruments,
        tuple(
            NoteEntry(row, pitch, layer, round(cents, 2), round(clarity, 4), pitch in hidden)
            for row, (pitch, layer, (cents, clarity), _) in enumerate(notes)
        ),
    )  # fmt: skip
    done.write_text(json.dumps(asdict(entry)))
    return entry


Prepared = tuple[int, int, tuple[float, float], NDArray[np.float32]]


def _prepared(note: RawNote, keep_tuning: bool) -> tuple[tuple[float, float], NDArray[np.float32]] | None:
    """((cents, clarity), levelled wave) of a note that is fit to learn from, in tune if its source can bend it."""
    quality = good_note(note.wave, note.pitch)
    if quality is None:
        return None
    if note.bent is not None and not keep_tuning:
        off = read_mean(note.wave, note.pitch)
        bent = note.bent(-off) if abs(off) > IN_TUNE_CENTS else note.wave
        in_tune = good_note(bent, note.pitch)
        if in_tune is not None:
            return in_tune, normalise_loudness(bent)
    return quality, normalise_loudness(note.wave)


def _layers(raw: Iterable[RawNote], options: BuildOptions) -> tuple[tuple[int, ...], list[Prepared]]:
    """Good, levelled notes as (pitch, layer, (cents, clarity), wave), and the velocities of the layers that remain."""
    by_velocity: dict[int, dict[int, tuple[tuple[float, float], NDArray[np.float32]]]] = {}
    for note in raw:
        prepared = _prepared(note, options.keep_tuning)
        if prepared is not None:
            velocity = min(options.velocities, key=lambda wanted: abs(wanted - note.velocity))
            by_velocity.setdefault(velocity, {})[note.pitch] = prepared
    kept: list[int] = []
    for velocity in sorted(by_velocity, reverse=True):
        layer = by_velocity[velocity]
        if len(layer) >= MIN_NOTES and (not kept or _differs(layer, by_velocity[kept[-1]])):
            kept.append(velocity)
    kept.sort()
    notes = [
        (pitch, layer, *by_velocity[velocity][pitch])
        for layer, velocity in enumerate(kept)
        for pitch in sorted(by_velocity[velocity])
    ]
    return tuple(kept), notes


def _differs(
    layer: dict[int, tuple[tuple[float, float], NDArray[np.float32]]],
    other: dict[int, tuple[tuple[float, float], NDArray[np.float32]]],
) -> bool:
    """Whether two layers are two timbres: by their spectra on the whole, or by how bright they are."""
    shared = [(layer[pitch][1], other[pitch][1]) for pitch in sorted(set(layer) & set(other))[::6]]
    if not shared:
        return False
    distance = float(np.median([timbre_distance_db(soft, loud) for soft, loud in shared]))
    brighter = float(np.median([brightness_semitones(loud) - brightness_semitones(soft) for soft, loud in shared]))
    return distance > LAYER_DISTANCE_DB or abs(brighter) > LAYER_BRIGHTNESS_SEMITONES


@dataclass(frozen=True, slots=True)
class Dataset:
    """A finished data set on disk."""

    root: Path
    instruments: tuple[InstrumentEntry, ...]

    @classmethod
    def open(cls, root: Path) -> "Dataset":
        """Read the lists of a finished build (no audio yet).

        Raises:
            FileFormatError: there is no finished data set in the folder.
        """
        try:
            document = json.loads((root / "dataset.json").read_text())
            entries = tuple(
                replace(_read_entry(root / folder / "notes.json"), folder=folder) for folder in document["instruments"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{root} holds no finished data set ({error}): build it first.") from error
        return cls(root, entries)

    def waves(self, instrument: InstrumentEntry) -> NDArray[np.int16]:
        """The instrument's notes, int16 [notes, 64000], mapped from disk."""
        waves: NDArray[np.int16] = np.load(self.root / instrument.folder / "wave.npy", mmap_mode="r")
        return waves

    @property
    def summary(self) -> str:
        """How much there is, in a line for people."""
        trained = [entry for entry in self.instruments if not entry.held_out]
        layers = sum(len(entry.velocities) > 1 for entry in trained)
        notes = sum(len(entry.notes) for entry in trained)
        return (
            f"{len(trained)} instruments ({layers} of them with soft and loud layers, {notes} notes) "
            f"and {len(self.instruments) - len(trained)} that training never sees"
        )

    @property
    def options(self) -> dict[str, Any]:
        """What it was built from, as plain values."""
        return dict(json.loads((self.root / "dataset.json").read_text())["options"])

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the files and folders that the notes came from."""
        options = self.options
        made_up = ["made-up patches"] if options.get("procedural") else []
        return tuple(options["soundfonts"] + options["nsynth"] + options["wave_folders"] + made_up)

    def named(self, names: Sequence[str]) -> "Dataset":
        """Only these instruments, in the data set's own order."""
        return Dataset(self.root, tuple(entry for entry in self.instruments if entry.name in set(names)))


def _read_entry(path: Path) -> InstrumentEntry:
    fields = json.loads(path.read_text())
    notes = tuple(NoteEntry(**note) for note in fields.pop("notes"))
    return InstrumentEntry(**{**fields, "velocities": tuple(fields["velocities"])}, notes=notes)


def _plain_options(options: BuildOptions) -> dict[str, object]:
    plain = asdict(options)
    for chosen_later in ("out_dir", "instruments"):
        plain.pop(chosen_later)
    text = json.loads(json.dumps(plain, default=lambda path: path.name))
    return dict(text)


def _check_same_build(options: BuildOptions) -> None:
    path = options.out_dir / "build.json"
    text = json.dumps(_plain_options(options), indent=1)
    if path.exists() and path.read_text() != text:
        raise SettingsError(f"{options.out_dir} holds a data set built with other options: name another folder.")
    path.write_text(text)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")

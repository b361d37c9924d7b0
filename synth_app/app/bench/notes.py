"""What a note costs: whole and in slices, against the plain export; a new timbre; a file; how the closest peer does.

All generators are measured in turns within one loop, so that their ratios hold while the machine's speed wanders.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.frame_store import FrameStore
from synth_app.adapters.generator_kept import KeptGenerator
from synth_app.adapters.generator_onnx import cuda_missing, open_generator
from synth_app.adapters.generator_reference import ReferenceGenerator
from synth_app.app.bench.rows import MEDIAN, P95, WORST, Reach, Row, measured, single, skip
from synth_app.app.bench.setting import CannotMeasureError, Setting, Subject
from synth_app.app.bench.subjects import open_subject, random_latents
from synth_app.app.compose import build_core, fallback_patch
from synth_app.app.library import Library
from synth_app.app.offline import RenderReport, render_events
from synth_app.app.paths import DEMO_TUNE, bundled
from synth_app.core.events import SetMorph
from synth_app.core.keys import NoteKey, latent_key
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.timing import FileClock
from synth_app.midi.smf import read_midi_file
from synth_app.render.finish import Finisher
from synth_app.render.ports import Generator
from synth_app.timbre.palette import Palette

RENDER = "Rendering a note (generator, CPU)"
TIMBRE = "A new timbre, a whole piece"
PEER = "The closest live peer, re-made"
GPU = "GPU"
RATE_HZ = 48_000
PEER_NOTES = 11
_KEPT_BYTES = 100 << 20
_WHOLE, _SLICES = (0, 128), ((3, 16), (16, 32), (42, 54))

Work = Callable[[NDArray[np.float32], NDArray[np.int64]], object]


def note_times(setting: Setting) -> Sequence[Row]:
    """Whole notes and slices of every subject, beside its plain whole-note export with as many threads."""
    rows: list[Row] = []
    for subject in setting.subjects:
        setting.say(f"{RENDER}: {subject.name}")
        rows.extend(_note_times(setting, subject))
    return rows


def _note_times(setting: Setting, subject: Subject) -> list[Row]:
    generator, _ = open_subject(subject)
    threads = int(generator.info.provider.split()[1])
    reference = ReferenceGenerator(subject.directory, threads)
    finisher = Finisher(generator.info, RATE_HZ)
    work: dict[str, Work] = {
        "plain export": reference.render_whole,
        "whole": lambda z, p: generator.render(z, p, *_WHOLE),
        "sound": lambda z, p: _sound(finisher, generator, z, p),
        **{_slice_name(frames): partial(_slice, generator, frames) for frames in _SLICES},
    }
    times = _in_turns(work, setting, setting.times(25, 4))
    generator.close()
    plain, whole = times["plain export"], times["whole"]

    def row(what: str, values: NDArray[np.float64], unit: str = "ms", reach: Reach | None = None) -> Row:
        return measured(RENDER, f"{subject.name}: {what}", values, unit, reach if subject.judged else None)

    return [
        row(f"plain export, whole note, {threads} threads", plain),
        row(f"whole note, {threads} threads", whole),
        row("whole note over plain export", whole / plain, "ratio", Reach(MEDIAN, 0.55) if subject.wide else None),
        row("whole note, latent to sound at 48 kHz", times["sound"]),
        *[row(name, times[name]) for name in map(_slice_name, _SLICES)],
        *[row(f"{name} over whole note", times[name] / whole, "ratio") for name in map(_slice_name, _SLICES[:2])],
    ]


def _slice(
    generator: Generator, frames: tuple[int, int], latents: NDArray[np.float32], pitches: NDArray[np.int64]
) -> object:
    return generator.render(latents, pitches, *frames)


def _slice_name(frames: tuple[int, int]) -> str:
    return f"slice, frames {frames[0]}..{frames[1]}"


def _in_turns(work: dict[str, Work], setting: Setting, turns: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each piece of work, each on a new note: what is kept from one would help the next.

    One turn more goes first to warm up.
    """
    rng = np.random.default_rng(setting.seed)
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(turns + 1):
        for name, do in work.items():
            latent, pitch = random_latents(rng, 1), rng.integers(24, 85, 1)
            began = time.perf_counter()
            do(latent, pitch)
            if turn:
                times[name].append(1e3 * (time.perf_counter() - began))
    return {name: np.array(values) for name, values in times.items()}


def _sound(finisher: Finisher, generator: Generator, latents: NDArray[np.float32], pitches: NDArray[np.int64]) -> None:
    """One whole note as the instrument makes it for a note that nobody waits for: rendered and decoded in one go."""
    note = finisher.new_note(NoteKey("bench", latent_key(latents[0]), int(pitches[0])), latents[0])
    finisher.extend(note, generator, finisher.frames)


def whole_note_ms(setting: Setting, subject: Subject) -> float:
    """Latent to sound of a whole note, the median of a few."""
    generator, _ = open_subject(subject)
    finisher = Finisher(generator.info, RATE_HZ)
    times = _in_turns({"sound": lambda z, p: _sound(finisher, generator, z, p)}, setting, setting.times(9, 2))
    generator.close()
    return float(np.median(times["sound"]))


def new_timbre(setting: Setting) -> Sequence[Row]:
    """From a moved morph to the first slice of every key, through planner and worker, nothing else to do.

    Then once more as after a restart: the same timbre as that of a preset that was loaded before.
    """
    rows = []
    for subject in setting.subjects:
        setting.say(f"{TIMBRE}: {subject.name}")
        generator, anchors = open_subject(subject)
        palette = Palette(fallback_patch(anchors), anchors, generator.info)
        rng = np.random.default_rng(setting.seed)
        turns = setting.times(5, 1)
        seconds = np.array([_first_slices(generator, palette, _somewhere(palette, rng)) for _ in range(turns)])
        again = np.array(_from_disk(setting, generator, palette, _somewhere(palette, rng), turns))
        generator.close()
        reach = Reach(MEDIAN, 1.0 if subject.wide else 0.3) if subject.judged else None
        name = f"{subject.name}: first slices of all 61 keys, decoded"
        rows += [
            measured(TIMBRE, name, seconds, "s", reach),
            measured(TIMBRE, f"{subject.name}: the same from disk, a preset's second time", again, "s"),
            single(
                TIMBRE, f"{subject.name}: the second time over the first", float(np.median(again / seconds)), "ratio"
            ),
        ]
    return rows


def _somewhere(palette: Palette, rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(float(weight) for weight in rng.uniform(0.1, 1.0, len(palette.patch.anchors)))


def _from_disk(
    setting: Setting, generator: Generator, palette: Palette, weights: tuple[float, ...], turns: int
) -> list[float]:
    """Seconds for each of some starts after one in which the timbre was rendered and kept."""
    latents = [palette.latent(weights, zone)[0] for zone in range(len(palette.zone_velocities))]
    seconds = []
    for _ in range(turns + 1):
        store = FrameStore(setting.folder / "notes", _KEPT_BYTES)
        kept = KeptGenerator(generator, store)
        kept.keep(latents)
        seconds.append(_first_slices(kept, palette, weights))
        store.close()
    return seconds[1:]


def _first_slices(generator: Generator, palette: Palette, weights: tuple[float, ...]) -> float:
    memory = MixerMemory(RATE_HZ)
    core = build_core(generator, palette, {}, memory, FileClock(memory), Inbox(), delay_frames=0, live=True)
    core.control.step(0, ())
    began = time.perf_counter()
    core.control.step(1_000_000_000, [SetMorph(1_000_000_000, weights)])
    core.control.step(2_000_000_000, ())  # the plan is due by now
    wants = core.control.performer.wants()
    keys = wants.highest_pitch - wants.lowest_pitch + 1
    now_ns = 2_000_000_000
    while True:
        family = core.control.cache.family(wants.model_id, wants.latents[0].latent_key)
        if sum(note.available > 0 for note in family.values()) == keys:
            return time.perf_counter() - began
        worked = core.worker.step()
        now_ns += 20_000_000 if worked else 1_000_000_000
        core.control.step(now_ns, ())  # plans come in portions
        if not worked and not core.worker.step():
            raise AssertionError("the plan left keys cold")


def whole_piece(setting: Setting) -> Sequence[Row]:
    """The demo tune to a WAV, every note rendered for it."""
    rows = []
    song = bundled(DEMO_TUNE)
    for subject in setting.subjects:
        setting.say(f"The demo tune: {subject.name}")
        name = f"{subject.name}: the demo tune to a WAV, cold cache"
        if not song.exists():
            rows.append(skip(TIMBRE, name, "the demo tune is not installed"))
            continue
        reports = [_play_to_file(setting, subject, song) for _ in range(setting.times(2, 1))]
        report, speeds = reports[0], [report.speed for report in reports]
        reach = Reach(MEDIAN, 4.0 if subject.wide else 15.0, at_least=True) if subject.judged else None
        note = f"{report.notes} notes, {report.seconds:.0f} s of sound"
        rows.append(measured(TIMBRE, name, speeds, "times real time", reach, note))
    return rows


def _play_to_file(setting: Setting, subject: Subject, song: Path) -> RenderReport:
    """The piece (its first seconds in a quick run) as ``synth-app render`` plays it."""
    score = read_midi_file(song)
    end_ns = min(score.end_ns, setting.times(600, 2) * 1_000_000_000)
    events = [event for event in score.events if event.time_ns < end_ns]
    with Library(str(subject.directory), "cpu") as library:
        return render_events(library, library.patch(), events, end_ns, setting.folder / "demo.wav")


def closest_peer(setting: Setting) -> Sequence[Row]:
    """Eleven whole notes one after the other, on one core, before the first key sounds; beside our first slice."""
    subject = setting.subjects[0]
    setting.say(PEER)
    generator, _ = open_subject(subject)
    finisher = Finisher(generator.info, RATE_HZ)
    reference = ReferenceGenerator(subject.directory, 1)
    rng = np.random.default_rng(setting.seed)
    waits, firsts = [], []
    for turn in range(setting.times(3, 1) + 1):
        latents = random_latents(rng, PEER_NOTES)
        began = time.perf_counter()
        for i in range(PEER_NOTES if turn else 1):
            reference.render_whole(latents[i : i + 1], np.array([60 + i]))
        peer_s = time.perf_counter() - began
        began = time.perf_counter()
        note = finisher.new_note(NoteKey("bench", latent_key(latents[0]), 60), latents[0])
        finisher.extend(note, generator, finisher.first_stop)
        if turn:
            waits.append(peer_s)
            firsts.append(time.perf_counter() - began)
    generator.close()
    ratio = np.array(waits) / np.array(firsts)
    what = f"{subject.name}: {PEER_NOTES} whole notes in a row on one core, before the first key sounds"
    note_text = (
        "GANSynth_for_MIDISynthesizer (2026) renders its eleven notes so when asked to, and its keys are silent "
        "before; here with our plain export, its inverse transform left out in its favour"
    )
    return [
        measured(PEER, what, waits, "s", note=note_text),
        measured(PEER, f"{subject.name}: our first slice of a cold key, decoded", 1e3 * np.array(firsts), "ms"),
        measured(PEER, f"{subject.name}: the peer's wait over ours", ratio, "times"),
    ]


def gpu(setting: Setting) -> Sequence[Row]:
    """One note and a keyboard of notes on CUDA, and what a minute of idleness does to the next notes."""
    subject = setting.subjects[0]
    names = (
        "one note, latent to samples",
        "61 notes, latents to samples",
        "one note after a minute idle, worst of ten, over continuous",
    )
    reaches = (Reach(P95, 2.0), Reach(P95, 30.0), Reach(WORST, 2.0))
    units = ("ms", "ms", "times")
    why = cuda_missing()
    if why:
        skipped = f"no GPU at hand: {why}"
        return [skip(GPU, n, skipped, u, r) for n, u, r in zip(names, units, reaches, strict=True)]
    try:
        generator = open_generator(subject.directory, "cuda")
    except Exception as error:
        raise CannotMeasureError(f"CUDA could not be started ({error})") from error
    rng = np.random.default_rng(setting.seed)
    keyboard = np.arange(24, 85)

    def sound(pitches: NDArray[np.int64]) -> float:
        latents = random_latents(rng, len(pitches))
        return _timed_ms(lambda: generator.sound(latents, pitches, RATE_HZ // generator.info.sample_rate_hz))

    def one_note() -> float:
        return sound(rng.integers(24, 85, 1))

    _repeat(one_note, 10)
    one = _repeat(one_note, setting.times(200, 5))
    sound(keyboard)
    many = _repeat(lambda: sound(keyboard), setting.times(30, 2))
    time.sleep(setting.times(60, 1))
    after = max(_repeat(one_note, 10))
    generator.close()
    values = (one, many, [after / float(np.percentile(one, 99))])
    return [
        measured(GPU, f"{subject.name}: {n}", v, u, r if subject.judged else None)
        for n, v, u, r in zip(names, values, units, reaches, strict=True)
    ]


def _repeat(measure: Callable[[], float], times: int) -> list[float]:
    gc.collect()
    return [measure() for _ in range(times)]


def _timed_ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


def published(setting: Setting) -> Sequence[Row]:
    """Figures that others published, on their machines: for the eye, not for ratios."""
    group = "Published elsewhere, on other machines"
    return [
        single(group, "GANSynth (Engel et al. 2019): one 4 s note on a Titan X GPU", 20.0, "ms"),
        single(group, "WaveNet baseline in the same paper: one 4 s note", 1077.53, "s"),
        single(group, "GANSpaceSynth (2021): batch of 8 notes of 4 s on a GTX 1080 Ti GPU", 65.0, "ms"),
        single(group, "GANSpaceSynth (2021): the same on an i7 CPU", 1.2, "s"),
    ]

"""Files to files: the same engine, stepped by a clock that waits for every note.

Nothing here mixes or decides; it feeds a score to the control loop, lets the worker finish what sounds, and writes what
the mixer puts out. The result depends on the score, the patch and the model only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.audio_file import WavFile
from synth_app.app.compose import Core, build_core
from synth_app.core.events import Event, NoteOff, NoteOn
from synth_app.core.keys import NoteKey
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.protocol import look_ahead_frames
from synth_app.engine.timing import FileClock
from synth_app.midi.smf import read_midi_file
from synth_app.performer.actions import Action, KillVoice, ReleaseVoice, RetimbreVoice, StartVoice
from synth_app.performer.performer import Performer
from synth_app.render.finish import Finisher
from synth_app.render.read_ahead import Ahead, ReadAhead
from synth_app.timbre.patch import Patch

if TYPE_CHECKING:
    from synth_app.app.library import Library

TAIL_LIMIT_S = 20.0
DEFAULT_RATE_HZ = 48_000
BLOCK_S = 0.005
"""Mixed at a time. Well below a stream's lead, so that streams decide as they do live; otherwise of no consequence."""
BLOCKS_WRITTEN = 50
"""Blocks that go to the file together."""


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a render did: length of the file, time it took, notes begun, highest sample."""

    path: Path
    seconds: float
    elapsed_s: float
    notes: int
    peak: float

    @property
    def speed(self) -> float:
        """Times faster than real time."""
        return self.seconds / self.elapsed_s if self.elapsed_s else 0.0


def block_frames(rate_hz: int) -> int:
    """Frames mixed at a time."""
    return round(BLOCK_S * rate_hz)


def play_score(core: Core, events: Sequence[Event], end_ns: int) -> Iterator[NDArray[np.float32]]:
    """Play events through a core, yielding float32 ``[frames, 2]`` blocks until everything has died away.

    The limiter's delay is taken off the front, so an event at time 0 sounds at the first frame.
    """
    skip = look_ahead_frames(core.memory.rate_hz)
    block = block_frames(core.memory.rate_hz)
    frame, at = 0, 0
    end_frame = round(end_ns * core.memory.rate_hz / 1e9) + skip
    limit = end_frame + round(TAIL_LIMIT_S * core.memory.rate_hz)
    while frame < limit:
        stop_ns = round((frame + block) * 1e9 / core.memory.rate_hz)
        due: list[Event] = []
        while at < len(events) and events[at].time_ns < stop_ns:
            due.append(events[at])
            at += 1
        _settle(core, stop_ns, due, block)
        out = np.empty((block, 2), np.float32)
        core.memory.mix(out)
        frame += block
        if skip:
            dropped = min(skip, len(out))
            out, skip = out[dropped:], skip - dropped
        yield out
        if frame >= end_frame and at >= len(events) and not core.control.voices:
            return


def _settle(core: Core, now_ns: int, events: Sequence[Event], frames: int) -> None:
    """Step control, worker and streams until every voice has the samples of the coming block.

    Events come one at a time, and each finds the notes of those before it rendered, as if they had been cached. The
    worker goes before the streams: a stream never has to make do with less than it asked for.
    """
    control, worker = core.control, core.worker
    for event in events:
        control.step(event.time_ns, (event,))
        while control.ensemble.waiting and worker.step():
            control.step(event.time_ns, ())
    control.step(now_ns, ())
    while (control.needs_samples(frames) and worker.step()) or core.streams.step():
        control.step(now_ns, ())


def notes_ahead(library: Library, patch: Patch, events: Sequence[Event], finisher: Finisher) -> list[Ahead]:
    """The notes that a score needs, each once and with all frames that will be heard of it, in order of need.

    Empty where the score moves the morph under held notes: what those need depends on where they are by then.
    """
    performer, actions = Performer(library.palette(patch), {}), list[Action]()
    for event in events:
        while (tick_ns := performer.next_tick_ns) is not None and tick_ns <= event.time_ns:
            actions += performer.tick(tick_ns)
        actions += performer.handle(event)
    begun: dict[int, StartVoice] = {}
    held_s: dict[NoteKey, float] = {}
    for action in actions:
        if isinstance(action, RetimbreVoice):
            return []
        if isinstance(action, StartVoice):
            begun[action.voice_id] = action
            held_s.setdefault(action.note_key, 0.0)
        elif isinstance(action, (ReleaseVoice, KillVoice)) and (start := begun.pop(action.voice_id, None)):
            seconds = start.rate * (action.time_ns - start.time_ns) / 1e9
            held_s[start.note_key] = max(held_s[start.note_key], seconds)
    for start in begun.values():  # never let go
        held_s[start.note_key] = math.inf
    latents = {action.note_key: action.latent for action in actions if isinstance(action, StartVoice)}
    return [Ahead(latents[key], key.pitch, finisher.ranges_heard(seconds)) for key, seconds in held_s.items()]


def render_events(
    library: Library,
    patch: Patch,
    events: Sequence[Event],
    end_ns: int,
    out_path: Path,
    rate_hz: int = DEFAULT_RATE_HZ,
    progress: Callable[[float], None] = lambda share: None,
) -> RenderReport:
    """Play events with a patch into a WAV.

    Args:
        progress: called with the share (0..1) that is done.

    Raises:
        FileFormatError: the file cannot be written.
        PresetError: the patch does not fit the model.
    """
    began = time.perf_counter()
    memory = MixerMemory(rate_hz)
    generator, reader = library.generator, None
    if generator.info.lanes > 1:
        ahead = notes_ahead(library, patch, events, Finisher(generator.info, rate_hz))
        generator = reader = ReadAhead(generator, ahead)
    core = build_core(
        generator, library.palette(patch), {}, memory, FileClock(memory), Inbox(), delay_frames=0, live=False
    )
    file = WavFile(out_path, rate_hz)
    frames, peak = 0, 0.0
    try:
        blocks = play_score(core, events, end_ns)
        while some := list(islice(blocks, BLOCKS_WRITTEN)):
            sound = np.concatenate(some)
            file.write(sound)
            frames += len(sound)
            peak = max(peak, float(np.abs(sound).max(initial=0.0)))
            progress(min(1.0, frames * 1e9 / rate_hz / max(1, end_ns)))
    except BaseException:
        file.discard()
        raise
    finally:
        if reader is not None:
            reader.close()
    file.close()
    notes = sum(isinstance(event, NoteOn) for event in events)
    return RenderReport(out_path, frames / rate_hz, time.perf_counter() - began, notes, peak)


def render_midi(
    song: Path,
    out_path: Path,
    *,
    preset: str = "",
    model: str = "",
    provider: str = "auto",
    rate_hz: int = DEFAULT_RATE_HZ,
    progress: Callable[[float], None] = lambda share: None,
) -> RenderReport:
    """Play a MIDI file into a WAV.

    Raises:
        FileFormatError, PresetError, ModelError: with a sentence for the player.
    """
    from synth_app.app.library import Library

    score = read_midi_file(song)
    with Library(model, provider) as library:
        patch = library.patch(preset)
        return render_events(library, patch, score.events, score.end_ns, out_path, rate_hz, progress)


def render_note(
    out_path: Path,
    pitch: int,
    velocity: int = 100,
    seconds: float = 3.0,
    *,
    anchor: str = "",
    preset: str = "",
    seed: int | None = None,
    model: str = "",
    provider: str = "auto",
    rate_hz: int = DEFAULT_RATE_HZ,
) -> RenderReport:
    """Play one note into a WAV: of an anchor, of a preset, or of a random latent drawn from ``seed``.

    Raises:
        FileFormatError, PresetError, ModelError: with a sentence for the player.
    """
    from synth_app.app.library import Library

    with Library(model, provider) as library:
        if anchor:
            patch = library.anchor_patch(anchor)
        elif seed is not None:
            patch = library.random_patch(seed)
        else:
            patch = library.patch(preset)
        end_ns = round(seconds * 1e9)
        events = (NoteOn(0, 0, pitch, velocity), NoteOff(end_ns, 0, pitch))
        return render_events(library, patch, events, end_ns, out_path, rate_hz)

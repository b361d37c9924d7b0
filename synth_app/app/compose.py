"""The only place that builds everything: a core from a generator and a patch, for a rate and a clock.

Live, offline and the benchmarks all play the same :class:`Core`; they differ in who calls its steps and by which clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from synth_app.core.errors import PresetError
from synth_app.engine.callback import MixerMemory
from synth_app.engine.control import ControlLoop
from synth_app.engine.inbox import Inbox
from synth_app.engine.reporter import Reporter
from synth_app.engine.stage import Stage
from synth_app.engine.timing import FrameClock
from synth_app.performer.performer import Performer
from synth_app.render.board import DemandBoard
from synth_app.render.cache import NoteCache
from synth_app.render.finish import Finisher
from synth_app.render.ports import Generator
from synth_app.render.sketch import Sketcher
from synth_app.render.streams import StreamWorker
from synth_app.render.worker import RenderWorker
from synth_app.timbre.anchors import Anchor
from synth_app.timbre.palette import Palette
from synth_app.timbre.patch import Patch, PatchAnchor

DELAY_BLOCKS = 2
"""The designed delay from an event to its frame, in blocks: one for the hand-over and one for the block being mixed."""

GREETING = "Welcome"
"""The factory preset that greets a player who has none yet."""


@dataclass(frozen=True, slots=True)
class Core:
    """One engine, ready to step. ``memory`` is what the audio callback mixes from."""

    memory: MixerMemory
    clock: FrameClock
    control: ControlLoop
    worker: RenderWorker
    streams: StreamWorker
    board: DemandBoard
    reporter: Reporter


def build_core(
    generator: Generator,
    palette: Palette,
    settings: Mapping[str, float],
    memory: MixerMemory,
    clock: FrameClock,
    inbox: Inbox,
    *,
    delay_frames: int,
    live: bool,
    on_program: Callable[[int, int], None] = lambda bank, program: None,
) -> Core:
    """Wire an engine together.

    Args:
        generator: renders notes.
        palette: the patch, resolved against the generator's anchors.
        settings: the instrument's parameters.
        memory: of the mixer, at the output's rate.
        clock: times to frames of that mixer.
        inbox: where events will come from.
        delay_frames: designed delay from an event to its frame.
        live: render ahead of the hands and bridge late notes; otherwise only what is played is rendered.
        on_program: what to do when MIDI chooses a program.
    """
    finisher = Finisher(generator.info, memory.rate_hz)
    board = DemandBoard()
    streams = StreamWorker(
        finisher,
        lambda voice_id, chunk: control.take_chunk(voice_id, chunk),
        late=live,
        sketcher=Sketcher(generator, finisher) if live else None,
    )
    control = ControlLoop(
        Performer(palette, settings),
        Stage(memory),
        NoteCache(finisher.new_note, first_slice=(finisher.first_stop, finisher.samples_after(finisher.first_stop))),
        board,
        finisher,
        streams,
        clock,
        delay_frames,
        inbox,
        memory.rate_hz,
        prefetch=live,
        on_program=on_program,
    )
    worker = RenderWorker(generator, finisher, board, inbox.wake)
    return Core(memory, clock, control, worker, streams, board, Reporter(memory, control))


def fallback_patch(anchors: tuple[Anchor, ...]) -> Patch:
    """A patch for when no preset can be had: up to four anchors of different families, the first at full weight.

    Raises:
        PresetError: the model names no anchor.
    """
    if not anchors:
        raise PresetError("The model names no anchors, so there is nothing to play; choose another model.")
    chosen: dict[str, Anchor] = {}
    for anchor in anchors:
        chosen.setdefault(anchor.family, anchor)
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    places = tuple(
        PatchAnchor(anchor.name, x, y, 1.0 if i == 0 else 0.0)
        for i, (anchor, (x, y)) in enumerate(zip(chosen.values(), corners, strict=False))
    )
    return Patch("Untitled", places)

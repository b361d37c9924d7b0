"""The engine room: one core behind one open output, and the threads that step it.

``control`` decides, ``render`` calls the generator (a thread for each of its lanes), ``stream`` keeps held notes ahead
of their playheads, ``sketch`` has at hand what a morph makes of them; the audio callback is called by a thread of
PortAudio's. A core is taken from its threads under all their locks, so what uses it may be changed between two steps
and never within one.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from synth_app.adapters.audio_portaudio import PortAudioStream, choose_output, rescan
from synth_app.adapters.generator_onnx import render_threads
from synth_app.adapters.niceness import ask_for_real_time, keep_to_core
from synth_app.app.compose import DELAY_BLOCKS, Core
from synth_app.app.library import Library
from synth_app.core.errors import DeviceError, SynthAppError
from synth_app.core.events import Event, Panic
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.ports import AudioSettings
from synth_app.engine.reporter import Surroundings
from synth_app.engine.telemetry import Telemetry
from synth_app.engine.timing import LiveClock
from synth_app.performer.actions import SetMaster
from synth_app.timbre.patch import Patch

log = logging.getLogger(__name__)

STREAM_POLL_S = 0.003
CONTROL_WAIT_S = 0.02
SNAPSHOT_NS = 20_000_000
FADE_OUT_S = 0.08
HUSH_TIMEOUT_NS = 1_000_000_000


class EngineRoom:
    """Where the sound is made.

    Args:
        library: the model that plays.
        params: the instrument's parameters; from then on those last set.
        inbox: where events come from.
        build: makes a core (:func:`synth_app.app.compose.build_core`).
        on_program: what to do when MIDI chooses a program.
        say: takes a sentence for the player.

    Attributes:
        library, audio: what plays, and on what.
        core, stream: running, or ``None`` while no output is open.
        patch, telemetry: as last published by the control thread.
        surroundings: what the snapshots are to say of devices.
        changing: held by whoever changes the output or the model, so that one change ends before the next begins.
    """

    def __init__(
        self,
        library: Library,
        params: dict[str, float],
        inbox: Inbox,
        build: Callable[..., Core],
        on_program: Callable[[int, int], None],
        say: Callable[[str], None],
    ) -> None:
        self.library = library
        self.audio = AudioSettings()
        self.core: Core | None = None
        self.stream: PortAudioStream | None = None
        self.patch = Patch("", ())
        self.telemetry = Telemetry()
        self.surroundings = Surroundings()
        self._params, self._inbox, self._build, self._on_program, self._say = params, inbox, build, on_program, say
        self.changing = threading.RLock()
        self._running = True
        self._last_trouble = ""
        self._control_lock, self._stream_lock, self._sketch_lock = (threading.Lock() for _ in range(3))
        self._lane_locks = [threading.Lock() for _ in range(render_threads(os.cpu_count() or 1))]
        self._lost_streams: list[PortAudioStream] = []  # they did not give their memory back
        self._threads: list[threading.Thread] = []

    # -- output --------------------------------------------------------------------------------------------------

    def open(self, settings: AudioSettings, patch: Patch) -> None:
        """Open the output and put an engine behind it.

        Raises:
            DeviceError: the output cannot be opened.
            PresetError: the patch does not fit the model.
        """
        output = choose_output(settings)
        palette = self.library.palette(patch)
        memory = MixerMemory(output.rate_hz)
        clock = LiveClock(memory, time.monotonic_ns)
        stream = PortAudioStream(output, memory)
        core = self._build(
            self.library.generator, palette, self._params, memory, clock, self._inbox,
            delay_frames=DELAY_BLOCKS * stream.block_frames, live=True, on_program=self._on_program,
        )  # fmt: skip
        core.control.set_palette(palette, time.monotonic_ns())
        self.stream, self.audio, self.patch = stream, settings, patch
        self.core = core

    def shut(self) -> None:
        """Fade out, take the engine away from its threads, and close the output."""
        self.fade_out()
        self._take_core()
        self.close_stream()

    def close_stream(self) -> None:
        """Close the output at once."""
        stream, self.stream = self.stream, None
        if stream is not None and not stream.close():
            self._lost_streams.append(stream)

    def reopen(self, settings: AudioSettings) -> None:
        """Switch the output; when the new one cannot be had the former plays on.

        Raises:
            SynthAppError: it cannot be opened.
        """
        with self.changing:
            former, patch = self.audio, self.patch
            self.shut()
            try:
                self.open(settings, patch)
            except SynthAppError:
                self.open(former, patch)
                raise

    def revive(self) -> str:
        """Open the same output again, never another one in its place; what keeps it from being opened, or ""."""
        if self._lost_streams:
            return f"{self._lost_streams[-1].output.name} is gone; start the instrument again once it is back."
        rescan()
        try:
            self.open(self.audio, self.patch)
        except DeviceError as error:
            return str(error)
        return ""

    def fade_out(self) -> None:
        """Bring the master down to silence, for an end without a click."""
        core = self.core
        if core is not None:
            core.control.call(lambda: [SetMaster(time.monotonic_ns(), 0.0, 5.0)])
            time.sleep(FADE_OUT_S)

    def _take_core(self) -> Core | None:
        """From now on no thread steps it; what the player set in it is kept."""
        with ExitStack() as stack:
            for lock in (self._control_lock, *self._lane_locks, self._sketch_lock, self._stream_lock):
                stack.enter_context(lock)
            core, self.core = self.core, None
        if core is not None:
            self._params = core.control.performer.settings
        return core

    # -- model ---------------------------------------------------------------------------------------------------

    def set_patch(self, patch: Patch) -> None:
        """Make ``patch`` the working one.

        Raises:
            PresetError: it does not fit the model.
        """
        palette = self.library.palette(patch)
        self.patch = patch
        if self.core is not None:
            self.core.control.set_palette(palette, time.monotonic_ns())

    def change_library(self, library: Library, patch: Patch) -> Library:
        """Play ``patch`` on another model from now on, through the open output; returns the model that played.

        What sounds is faded out first, so that no slot of the mixer reads a note of the former engine any more.

        Raises:
            PresetError: the patch does not fit that model; nothing has changed.
        """
        palette = library.palette(patch)
        with self.changing:
            core, former = self._take_core(), self.library
            self.library, self.patch = library, patch
            if core is None:
                return former
            _hush(core)
            successor = self._build(
                library.generator, palette, self._params, core.memory, core.clock, self._inbox,
                delay_frames=core.control.ensemble.delay_frames, live=True, on_program=self._on_program,
            )  # fmt: skip
            successor.control.set_palette(palette, time.monotonic_ns())
            self.core = successor
        return former

    # -- threads -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Set the threads going."""
        loops: dict[str, Callable[[], None]] = {"stream": self._stream_loop, "control": self._control_loop}
        loops["sketch"] = self._sketch_loop
        loops |= {f"render {lane}": partial(self._render_loop, lane) for lane in range(len(self._lane_locks))}
        for name, loop in loops.items():
            thread = threading.Thread(target=loop, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End the threads; the output stays open."""
        self._running = False
        self._inbox.wake()
        for thread in self._threads:
            thread.join(timeout=5.0)
        self.library.generator.close()

    def _render_loop(self, lane: int) -> None:
        keep_to_core(lane, len(self._lane_locks))
        while self._running:
            with self._lane_locks[lane]:
                core = self.core if lane < self.library.info.lanes else None
                seen = core.board.changes if core is not None else 0
                worked = core is not None and self._guarded("rendering", partial(core.worker.step, lane > 0))
            if not worked:
                if core is not None:
                    core.board.wait(CONTROL_WAIT_S, seen)
                else:
                    time.sleep(CONTROL_WAIT_S)

    def _guarded(self, what: str, step: Callable[[], bool]) -> bool:
        """A step of a thread, and whether it did something. One that fails is told of, and the thread lives on: what is
        cached goes on playing."""
        try:
            return step()
        except SynthAppError as error:
            self._say(str(error))
        except Exception as error:
            if repr(error) != self._last_trouble:
                log.exception("%s failed", what)
            self._last_trouble = repr(error)
            self._say(f"Something went wrong in {what} ({error}); the instrument plays on. Please report it.")
        time.sleep(CONTROL_WAIT_S)  # what fails will fail again: not a thousand times a second
        return False

    def _stream_loop(self) -> None:
        ask_for_real_time()
        while self._running:
            with self._stream_lock:
                core = self.core
                if core is not None:
                    self._guarded("the streams of held notes", core.streams.step)
            time.sleep(STREAM_POLL_S)

    def _sketch_loop(self) -> None:
        ask_for_real_time()
        while self._running:
            with self._sketch_lock:
                core = self.core
                worked = core is not None and self._guarded("a morph", core.streams.draw)
            if core is None:
                time.sleep(CONTROL_WAIT_S)
            elif not worked:
                core.streams.wait_for_wishes(CONTROL_WAIT_S)

    def _control_loop(self) -> None:
        ask_for_real_time()
        snapshot_due = 0
        while self._running:
            core = self.core
            now = time.monotonic_ns()
            wake = core.control.next_wake_ns(now) if core is not None else None
            wait_s = CONTROL_WAIT_S if wake is None else min(CONTROL_WAIT_S, max(0.0, (wake - now) * 1e-9))
            events = self._inbox.take(wait_s)
            with self._control_lock:
                if self.core is None:
                    continue
                now = time.monotonic_ns()
                due = now >= snapshot_due
                if due:
                    snapshot_due = now + SNAPSHOT_NS
                self._guarded("control", partial(self._control, self.core, now, events, due))

    def _control(self, core: Core, now_ns: int, events: Sequence[Event], snapshot: bool) -> bool:
        """One step, and a snapshot for the panel where it is due."""
        core.control.step(now_ns, events)
        self.patch = core.control.performer.patch
        if snapshot:
            self.telemetry = core.reporter.snapshot(now_ns, self.surroundings)
        return True


def _hush(core: Core) -> None:
    """Silence every voice of a core that no thread steps any more, until the mixer has let go of all of them."""
    end_ns = time.monotonic_ns() + HUSH_TIMEOUT_NS
    core.control.step(time.monotonic_ns(), (Panic(time.monotonic_ns()),))
    while core.control.stage.slots_in_use and time.monotonic_ns() < end_ns:
        time.sleep(CONTROL_WAIT_S / 10)
        core.control.step(time.monotonic_ns(), ())

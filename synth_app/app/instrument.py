"""The running instrument: threads around one core, and the face that the panel and the command line see.

Threads: ``midi`` polls the inputs, ``control`` steps the control loop, ``render`` calls the generator, ``stream`` keeps
held notes ahead of their playheads, ``steward`` looks after devices once a second. The audio callback runs on
PortAudio's own thread. Who writes what is in docs/threads.md.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from synth_app.adapters.audio_file import Recorder
from synth_app.adapters.audio_portaudio import JACK, PortAudioStream, choose_output, list_outputs, rescan
from synth_app.adapters.frame_store import FrameStore
from synth_app.adapters.midi_rtmidi import MidiInputs
from synth_app.adapters.niceness import ask_for_real_time, lower_own_priority
from synth_app.app.compose import DELAY_BLOCKS, Core, build_core
from synth_app.app.library import Library
from synth_app.app.paths import notes_dir, recordings_dir
from synth_app.core.errors import DeviceError, SynthAppError
from synth_app.core.events import Panic, PlayerEvent
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.ports import AudioDevice, AudioSettings
from synth_app.engine.reporter import Surroundings
from synth_app.engine.telemetry import Telemetry
from synth_app.engine.timing import LiveClock
from synth_app.performer.actions import SetMaster
from synth_app.render.finish import Finisher
from synth_app.timbre.anchors import Anchor
from synth_app.timbre.patch import Patch, PatchAnchor

log = logging.getLogger(__name__)

MIDI_POLL_S = 0.001
STREAM_POLL_S = 0.003
CONTROL_WAIT_S = 0.02
SNAPSHOT_NS = 20_000_000
STEWARD_S = 1.0
FADE_OUT_S = 0.08
RENDER_NICENESS = 10
WARM_UP_RATE_HZ = 48_000


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How to start.

    Attributes:
        preset: name or path; "" = the one that greets.
        model, provider: what generates.
        audio: the output.
        midi_inputs: hardware inputs to listen to; ``None`` = all.
        record: record to this file from the start.
        headless: without the panel.
        params: the instrument's parameters (settings).
        cache_mb: how much of presets' notes to keep on disk; 0 = none.
    """

    preset: str = ""
    model: str = ""
    provider: str = "auto"
    audio: AudioSettings = field(default_factory=AudioSettings)
    midi_inputs: tuple[str, ...] | None = None
    record: Path | None = None
    headless: bool = False
    params: tuple[tuple[str, float], ...] = ()
    cache_mb: int = 300


class LiveInstrument:
    """See :class:`synth_app.engine.ports.Instrument`, whose face this is.

    Raises:
        SynthAppError: no output, no model, no such preset: with a sentence for the player.
    """

    def __init__(self, options: LiveOptions) -> None:
        self._options = options
        self._inbox = Inbox()
        self._running = True
        self._core: Core | None = None
        self._control_lock = threading.Lock()
        self._render_lock = threading.Lock()
        self._stream_lock = threading.Lock()
        self._chores: deque[Callable[[], None]] = deque()
        self._chore_ready = threading.Event()
        self._recorder: Recorder | None = None
        self._telemetry = Telemetry()
        self._surroundings = Surroundings()
        self._banner = ""
        self._stream: PortAudioStream | None = None
        self._lost_streams: list[PortAudioStream] = []  # they did not give their memory back
        self._midi = MidiInputs(self._inbox.post)
        self._library: Library | None = None
        self._failure: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self.preset_path: Path | None = None
        self._audio = options.audio
        choose_output(options.audio)  # fail before the model is read
        opener = threading.Thread(target=self._open_library, name="opener")
        opener.start()
        opener.join()
        if self._failure is not None:
            raise self._failure
        try:
            self._patch = self._first_patch(options.preset)
            self._start_core(options.audio, self._patch)
            self._midi.open()
            self._midi.want(options.midi_inputs)
            if options.record is not None:
                self.start_recording(options.record)
        except BaseException:
            self.close()
            raise
        self._banner = self._banner or self.library.notice
        try:
            self._check_block(options.audio)
        except DeviceError as error:
            self._banner = str(error)
        self._survey()
        self._spawn("render", self._render_loop)
        self._spawn("stream", self._stream_loop)
        self._spawn("control", self._control_loop)
        self._spawn("midi", self._midi_loop)
        self._spawn("steward", self._steward_loop)

    def _first_patch(self, preset: str) -> Patch:
        """The preset asked for, which must fit the model."""
        patch = self.library.patch(preset)
        self.library.keep(patch)
        self.preset_path = self.library.presets.find(preset) if preset else None
        return patch

    # -- the face ------------------------------------------------------------------------------------------------

    def post(self, event: PlayerEvent) -> None:
        self._inbox.post(event)

    def telemetry(self) -> Telemetry:
        return self._telemetry

    @property
    def library(self) -> Library:
        """The model and the presets."""
        assert self._library is not None
        return self._library

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        return self.library.anchors

    @property
    def patch(self) -> Patch:
        return self._patch

    def set_patch(self, patch: Patch) -> None:
        palette = self.library.palette(patch)
        self._patch = patch
        if self._core is not None:
            self._core.control.set_palette(palette, time.monotonic_ns())

    def presets(self) -> Sequence[tuple[str, Path]]:
        return [(entry.name, entry.path) for entry in self.library.presets.list_presets()]

    def load_preset(self, path: Path) -> Patch:
        patch = self.library.presets.load(path)
        self.library.keep(patch)
        self.set_patch(patch)
        self.preset_path = path
        return patch

    def save_preset(self, patch: Patch, path: Path | None = None, *, overwrite: bool = False) -> Path:
        self.preset_path = self.library.presets.save(patch, path, overwrite=overwrite)
        return self.preset_path

    @property
    def preset_folder(self) -> Path:
        return self.library.presets.user_dir

    def read_preset(self, path: Path) -> Patch:
        return self.library.presets.load(path)

    def delete_preset(self, path: Path) -> Path:
        return self.library.presets.delete(path)

    def preview(self, anchor: PatchAnchor, pitch: int, velocity: int) -> None:
        palette = self.library.palette(Patch("preview", (replace(anchor, weight=1.0),)))
        if self._core is not None:
            self._core.control.preview(palette, pitch, velocity, time.monotonic_ns())

    def audio_devices(self) -> Sequence[AudioDevice]:
        return list_outputs()

    def open_audio(self, settings: AudioSettings) -> None:
        self._check_block(settings)
        former, patch = self._audio, self._patch
        self.stop_recording()
        self._stop_core()
        try:
            self._start_core(settings, patch)
        except SynthAppError:
            self._start_core(former, patch)
            raise

    def midi_inputs(self) -> Sequence[str]:
        return self._midi.available()

    def connect_midi(self, names: Sequence[str] | None) -> None:
        self._midi.want(names)

    def start_recording(self, path: Path | None = None) -> Path:
        if self._core is None:
            raise DeviceError("There is no sound to record; choose an audio output first.")
        self.stop_recording()
        where = path or recordings_dir() / f"synth_app {datetime.now():%Y-%m-%d %H.%M.%S}.wav"
        self._recorder = Recorder(self._core.memory, where)
        return where

    def stop_recording(self) -> Path | None:
        recorder, self._recorder = self._recorder, None
        return recorder.stop() if recorder is not None else None

    def close(self) -> None:
        if self._core is not None and self._running:
            self.post(Panic(time.monotonic_ns()))
            time.sleep(FADE_OUT_S)
        self._running = False
        self._inbox.wake()
        self._chore_ready.set()
        for thread in self._threads:
            thread.join(timeout=5.0)
        self._close_recording_quietly()
        self._close_stream()
        self._midi.close()

    def fade_out(self) -> None:
        """Bring the master down to silence, for an end without a click."""
        core = self._core
        if core is not None:
            core.control.call(lambda: [SetMaster(time.monotonic_ns(), 0.0, 5.0)])
            time.sleep(FADE_OUT_S)

    def wait_ready(self) -> Telemetry:
        """The first snapshot."""
        while self._telemetry.rate_hz == 0:
            time.sleep(0.002)
        return self._telemetry

    def say(self, sentence: str) -> None:
        """Put a sentence before the player."""
        self._banner = sentence
        if self._library is not None:
            self._survey()

    # -- cores ---------------------------------------------------------------------------------------------------

    def _start_core(self, settings: AudioSettings, patch: Patch) -> None:
        """Open the output and put an engine behind it."""
        output = choose_output(settings)
        memory = MixerMemory(output.rate_hz)
        clock = LiveClock(memory, time.monotonic_ns)
        palette = self.library.palette(patch)
        stream = PortAudioStream(output, memory)
        core = build_core(
            self.library.generator, palette, dict(self._options.params), memory, clock, self._inbox,
            delay_frames=DELAY_BLOCKS * stream.block_frames, live=True, on_program=self._on_program,
        )  # fmt: skip
        self._stream, self._audio = stream, settings
        self._core = core
        core.control.set_palette(palette, time.monotonic_ns())

    def _check_block(self, settings: AudioSettings) -> None:
        """Raise a DeviceError for a block that the JACK server would not give: it decides, for everyone."""
        asked, stream = settings.block_frames, self._stream
        ours = stream is not None and stream.block_frames == asked
        if asked and not ours and choose_output(settings).host_api == JACK:
            raise DeviceError(f"The JACK server decides the block; restart it with -p {asked}, and start again.")

    def _stop_core(self) -> None:
        """Fade out, take the engine away from its threads, and close the output."""
        self.fade_out()
        with self._control_lock, self._render_lock, self._stream_lock:
            self._core = None
        self._close_stream()

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and not stream.close():
            self._lost_streams.append(stream)

    def _close_recording_quietly(self) -> None:
        try:
            self.stop_recording()
        except SynthAppError as error:
            log.warning("%s", error)

    def _on_program(self, bank: int, program: int) -> None:
        def choose() -> None:
            paths = [path for _name, path in self.presets()]
            place = bank * 128 + program
            if place < len(paths):
                self.load_preset(paths[place])

        self._chores.append(choose)
        self._chore_ready.set()

    # -- threads -------------------------------------------------------------------------------------------------

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _midi_loop(self) -> None:
        ask_for_real_time()
        while self._running:
            if not self._midi.poll():
                time.sleep(MIDI_POLL_S)

    def _open_library(self) -> None:
        """Open the model, on a thread of its own: the generator's pool inherits this thread's low priority."""
        lower_own_priority(RENDER_NICENESS)
        try:
            options = self._options
            store = FrameStore(notes_dir(), options.cache_mb << 20, self.say) if options.cache_mb else None
            self._library = Library(options.model, options.provider, self.say, store)
            Finisher(self._library.info, WARM_UP_RATE_HZ).warm_up(self._library.generator)
        except BaseException as error:
            self._failure = error

    def _render_loop(self) -> None:
        while self._running:
            with self._render_lock:
                core = self._core
                worked = core is not None and self._render(core)
            if not worked:
                if core is not None:
                    core.board.wait(CONTROL_WAIT_S)
                else:
                    time.sleep(CONTROL_WAIT_S)
        self.library.generator.close()

    def _stream_loop(self) -> None:
        ask_for_real_time()
        while self._running:
            with self._stream_lock:
                core = self._core
                if core is not None:
                    core.streams.step()
            time.sleep(STREAM_POLL_S)

    def _render(self, core: Core) -> bool:
        """One slice; a generator that fails says so, and what is cached goes on playing."""
        try:
            return core.worker.step()
        except SynthAppError as error:
            self.say(str(error))
            return False

    def _control_loop(self) -> None:
        ask_for_real_time()
        snapshot_due = 0
        while self._running:
            core = self._core
            now = time.monotonic_ns()
            wake = core.control.next_wake_ns(now) if core is not None else None
            wait_s = CONTROL_WAIT_S if wake is None else min(CONTROL_WAIT_S, max(0.0, (wake - now) * 1e-9))
            events = self._inbox.take(wait_s)
            with self._control_lock:
                if self._core is None:
                    continue
                now = time.monotonic_ns()
                self._core.control.step(now, events)
                self._patch = self._core.control.performer.patch
                if now >= snapshot_due:
                    snapshot_due = now + SNAPSHOT_NS
                    self._telemetry = self._core.reporter.snapshot(now, self._surroundings)

    def _steward_loop(self) -> None:
        calls = 0
        while self._running:
            self._chore_ready.wait(STEWARD_S)
            self._chore_ready.clear()
            try:
                while self._chores:
                    self._chores.popleft()()
                self._midi.rescan()
                calls = self._look_after_audio(calls)
            except SynthAppError as error:
                self._banner = str(error)
            self._survey()

    def _look_after_audio(self, calls_before: int) -> int:
        """Notice a changed block or a dead stream; returns the callbacks so far."""
        core, stream = self._core, self._stream
        if core is None or stream is None:
            return self._revive()
        calls = int(core.memory.state[0]["callbacks"])
        if calls == calls_before or not stream.active:
            self._banner = f"{stream.output.name} stopped; trying to open it again."
            log.info("%s", self._banner)
            self._stop_core()
            return self._revive()
        core.control.ensemble.delay_frames = DELAY_BLOCKS * stream.block_frames
        return calls

    def _revive(self) -> int:
        """Open the output again by name, never another one in its place."""
        if self._lost_streams:
            self._banner = f"{self._lost_streams[-1].output.name} is gone; start the instrument again once it is back."
            return -1
        rescan()
        try:
            self._start_core(self._audio, self._patch)
        except DeviceError as error:
            self._banner = str(error)
            return -1
        self._banner = ""
        return 0

    def _survey(self) -> None:
        """Bring what the snapshot says about devices up to date."""
        stream, core, recorder = self._stream, self._core, self._recorder
        if recorder is not None and recorder.error is not None:
            self._banner = str(recorder.error)
            self._recorder = None
        self._surroundings = Surroundings(
            provider=self.library.info.provider,
            model=self.library.info.name,
            audio_device=stream.output.name if stream is not None else "",
            block_frames=stream.block_frames if stream is not None else 0,
            cpu_load=stream.cpu_load if stream is not None else 0.0,
            xruns=int(core.memory.state[0]["underflows"]) if core is not None else 0,
            midi_inputs=tuple(self._midi.connected()),
            midi_events=self._midi.received,
            recording=str(self._recorder.path) if self._recorder is not None else "",
            banner=self._banner,
        )

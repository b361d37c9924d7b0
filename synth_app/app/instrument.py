"""The running instrument: the face that the panel and the command line see.

Beside the engine room's threads it has two of its own: ``midi`` polls the inputs, ``steward`` looks after devices once
a second. Who writes what is in docs/threads.md.
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
from synth_app.adapters.audio_portaudio import JACK, choose_output, list_outputs
from synth_app.adapters.frame_store import FrameStore
from synth_app.adapters.midi_rtmidi import MidiInputs
from synth_app.adapters.model_store import require_model
from synth_app.adapters.niceness import ask_for_real_time, lower_own_priority
from synth_app.adapters.preset_store import PresetStore
from synth_app.app.compose import DELAY_BLOCKS, build_core
from synth_app.app.engine_room import FADE_OUT_S, EngineRoom
from synth_app.app.library import PARTIALS, Library
from synth_app.app.paths import notes_dir, recordings_dir
from synth_app.core.errors import DeviceError, PresetError, SynthAppError
from synth_app.core.events import Panic, PlayerEvent
from synth_app.engine.inbox import Inbox
from synth_app.engine.ports import AudioDevice, AudioSettings
from synth_app.engine.reporter import Surroundings
from synth_app.engine.telemetry import Telemetry
from synth_app.render.finish import Finisher
from synth_app.timbre.anchors import Anchor
from synth_app.timbre.patch import Patch, PatchAnchor

log = logging.getLogger(__name__)

MIDI_POLL_S = 0.001
STEWARD_S = 1.0
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
        midi_channels: channels to listen to, 1..16; ``()`` = all.
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
    midi_channels: tuple[int, ...] = ()
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
        self._inbox = Inbox()
        self._running = True
        self._chores: deque[Callable[[], None]] = deque()
        self._chore_ready = threading.Event()
        self._recorder: Recorder | None = None
        self._banner = ""
        self._room: EngineRoom | None = None
        self._cache_mb = options.cache_mb
        self._midi = MidiInputs(self._inbox.post)
        self._threads: list[threading.Thread] = []
        self.preset_path: Path | None = None
        _check_names(options)  # what was mistyped is said even where nothing can sound
        choose_output(options.audio)  # fail before the model is read
        self._cache_mb = options.cache_mb
        library = _open_library(options.model, options.provider, self.say, self._cache_mb)
        self._room = EngineRoom(library, dict(options.params), self._inbox, build_core, self._on_program, self.say)
        try:
            self._room.open(options.audio, self._first_patch(options.preset))
            self._midi.open()
            self._midi.want(options.midi_inputs)
            if options.midi_channels:
                self.listen_to_channels(options.midi_channels)
            if options.record is not None:
                self.start_recording(options.record)
        except BaseException:
            self.close()
            raise
        self._banner = self._banner or library.notice
        try:
            self._check_block(options.audio)
        except DeviceError as error:
            self._banner = str(error)
        self._survey()
        self._room.start()
        self._spawn("midi", self._midi_loop)
        self._spawn("steward", self._steward_loop)

    def _first_patch(self, preset: str) -> Patch:
        """The preset asked for, which must fit the model."""
        patch = self.library.patch(preset)
        self.library.keep(patch)
        self.preset_path = self.library.presets.find(preset) if preset else dict(self.presets()).get(patch.name)
        return patch

    # -- the face ------------------------------------------------------------------------------------------------

    def post(self, event: PlayerEvent) -> None:
        self._inbox.post(event)

    def telemetry(self) -> Telemetry:
        return self.room.telemetry

    @property
    def room(self) -> EngineRoom:
        """Where the sound is made."""
        assert self._room is not None
        return self._room

    @property
    def library(self) -> Library:
        """The model and the presets."""
        return self.room.library

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        return self.library.anchors

    @property
    def patch(self) -> Patch:
        return self.room.patch

    def set_patch(self, patch: Patch) -> None:
        if patch.name != self.room.patch.name:  # another preset by undo or redo: the one to come back with
            paths = dict(self.presets())
            self.preset_path = paths.get(patch.name, self.preset_path)
        self.room.set_patch(patch)

    def open_model(self, model: str, provider: str) -> None:
        library = _open_library(model, provider, self.say, self._cache_mb)
        patch = self.room.patch
        try:
            library.palette(patch)
        except PresetError:  # its timbres are unknown to this model
            patch = library.patch()
            self.preset_path = None
        library.keep(patch)
        former = self.room.change_library(library, patch)
        former.generator.close()
        self._banner = library.notice
        self._survey()

    def presets(self) -> Sequence[tuple[str, Path]]:
        return [(entry.name, entry.path) for entry in self.library.presets.list_presets()]

    def load_preset(self, path: Path) -> Patch:
        patch = self.library.presets.load(path)
        self.library.keep(patch)
        self.room.set_patch(patch)
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
        if self.room.core is not None:
            self.room.core.control.preview(palette, pitch, velocity, time.monotonic_ns())

    def audio_devices(self) -> Sequence[AudioDevice]:
        return list_outputs()

    def open_audio(self, settings: AudioSettings) -> None:
        self._check_block(settings)
        self.room.reopen(settings)
        self._survey()

    def midi_inputs(self) -> Sequence[str]:
        return self._midi.available()

    def connect_midi(self, names: Sequence[str] | None) -> None:
        self._midi.want(names)

    def listen_to_channels(self, channels: Sequence[int]) -> None:
        self._midi.listen_to_channels(frozenset(channel - 1 for channel in channels) or None)

    def start_recording(self, path: Path | None = None) -> Path:
        core = self.room.core
        if core is None:
            raise DeviceError("There is no sound to record; choose an audio output first.")
        self.stop_recording()
        where = path or recordings_dir() / f"synth_app {datetime.now():%Y-%m-%d %H.%M.%S}.wav"
        self._recorder = Recorder(core.memory, where)
        return where

    def stop_recording(self) -> Path | None:
        recorder, self._recorder = self._recorder, None
        return recorder.stop() if recorder is not None else None

    def close(self) -> None:
        if self.room.core is not None and self._running:
            self.post(Panic(time.monotonic_ns()))
            time.sleep(FADE_OUT_S)
        self._running = False
        self._chore_ready.set()
        self.room.stop()
        for thread in self._threads:
            thread.join(timeout=5.0)
        self._close_recording_quietly()
        self.room.close_stream()
        self._midi.close()

    def fade_out(self) -> None:
        """Bring the master down to silence, for an end without a click."""
        self.room.fade_out()

    def wait_ready(self) -> Telemetry:
        """The first snapshot."""
        while self.telemetry().rate_hz == 0:
            time.sleep(0.002)
        return self.telemetry()

    def say(self, sentence: str) -> None:
        """Put a sentence before the player."""
        self._banner = sentence
        if self._room is not None:
            self._survey()

    # -- helpers -------------------------------------------------------------------------------------------------

    def _check_block(self, settings: AudioSettings) -> None:
        """Raise a DeviceError for a block that the JACK server would not give: it decides, for everyone."""
        asked, stream = settings.block_frames, self.room.stream
        present = stream.block_frames if stream is not None else 0
        if asked and asked != present and choose_output(settings).host_api == JACK:
            raise DeviceError(
                f"JACK's server sets the block for every program, {present} frames now. Restart it with -p {asked} "
                f"(with PipeWire: pw-metadata -n settings 0 clock.force-quantum {asked}), or name another output."
            )

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

    def _steward_loop(self) -> None:
        calls = 0
        while self._running:
            self._chore_ready.wait(STEWARD_S)
            self._chore_ready.clear()
            try:
                while self._chores:
                    self._chores.popleft()()
                self._midi.rescan()
                with self.room.changing:
                    calls = self._look_after_audio(calls)
            except SynthAppError as error:
                self._banner = str(error)
            self._survey()

    def _look_after_audio(self, calls_before: int) -> int:
        """Notice a changed block or a dead stream; returns the callbacks so far."""
        core, stream = self.room.core, self.room.stream
        if core is None or stream is None:
            return self._revive()
        calls = int(core.memory.state[0]["callbacks"])
        if calls == calls_before or not stream.active:
            self._banner = f"{stream.output.name} stopped; trying to open it again."
            log.info("%s", self._banner)
            self.room.shut()
            return self._revive()
        core.control.ensemble.delay_frames = DELAY_BLOCKS * stream.block_frames
        return calls

    def _revive(self) -> int:
        """Open the output again."""
        self._banner = self.room.revive()
        return -1 if self._banner else 0

    def _survey(self) -> None:
        """Bring what the snapshot says about devices up to date."""
        stream, core, recorder = self.room.stream, self.room.core, self._recorder
        if recorder is not None and recorder.error is not None:
            self._banner = str(recorder.error)
            self._recorder = None
        elif recorder is not None and core is not None:
            recorder.follow(core.memory)
        self.room.surroundings = Surroundings(
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


def _check_names(options: LiveOptions) -> None:
    """Look whether preset and model are there, without reading the model.

    Raises:
        PresetError, ModelError: there is no such thing.
    """
    if options.preset:
        store = PresetStore()
        store.load(store.find(options.preset))
    if options.model not in ("", PARTIALS):
        require_model(options.model)


def _open_library(model: str, provider: str, say: Callable[[str], None], cache_mb: int) -> Library:
    """Open a model on a thread of its own: the generator's pool inherits this thread's low priority.

    Raises:
        ModelError: it cannot be opened.
    """
    opened: list[Library] = []
    failed: list[BaseException] = []

    def open_it() -> None:
        lower_own_priority(RENDER_NICENESS)
        try:
            library = Library(model, provider, say, FrameStore(notes_dir(), cache_mb << 20, say) if cache_mb else None)
            Finisher(library.info, WARM_UP_RATE_HZ).warm_up(library.generator)
            opened.append(library)
        except BaseException as error:
            failed.append(error)

    opener = threading.Thread(target=open_it, name="opener")
    opener.start()
    opener.join()
    if failed:
        raise failed[0]
    return opened[0]

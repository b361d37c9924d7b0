"""Playing live: the instrument with its panel, or without one, from the ``ready`` line to the fade-out."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

from synth_app.adapters.memory import return_freed_memory
from synth_app.app.instrument import LiveInstrument, LiveOptions
from synth_app.app.settings import Settings, SettingsFile
from synth_app.core.errors import SettingsError, SynthAppError
from synth_app.engine.ports import AudioSettings

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0002
"""Python's default of 5 ms lets one busy thread hold up a note by as much (docs/threads.md)."""

HEADLESS_POLL_S = 0.2


def prepare_process() -> None:
    """What holds for the whole process that plays: how often Python's lock changes hands, and what memory it keeps."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return_freed_memory()


def run(options: LiveOptions) -> int:
    """Play until told to stop; returns the exit code.

    Raises:
        SynthAppError: what keeps it from starting, with a sentence for the player.
    """
    prepare_process()
    file = SettingsFile()
    loaded = file.load()
    for notice in loaded.notices:
        log.warning("%s", notice)
    settings = loaded.settings
    stop = threading.Event()
    previous = {number: signal.signal(number, _stopper(stop)) for number in (signal.SIGTERM, signal.SIGINT)}
    instrument = _start(options, settings)
    try:
        sys.stdout.write(ready_line(instrument) + "\n")
        sys.stdout.flush()
        if options.headless:
            _wait(instrument, stop)
        else:
            from synth_app.app.panel import show

            show(instrument, settings, file, stop)
    finally:
        instrument.fade_out()
        _end_recording(instrument)
        instrument.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
        _remember(instrument, settings, file)
    return 0


def _end_recording(instrument: LiveInstrument) -> None:
    try:
        path = instrument.stop_recording()
    except SynthAppError as error:
        sys.stderr.write(f"{error}\n")
        return
    if path is not None:
        sys.stdout.write(f"Recorded to {path}\n")


def _wait(instrument: LiveInstrument, stop: threading.Event) -> None:
    """Until told to stop; what the panel would show on its banner goes to stderr."""
    said = ""
    while not stop.wait(HEADLESS_POLL_S):
        banner = instrument.telemetry().banner
        if banner and banner != said:
            sys.stderr.write(banner + "\n")
            sys.stderr.flush()
        said = banner


def _stopper(stop: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    return handle


def _with_settings(options: LiveOptions, settings: Settings) -> LiveOptions:
    """What the command line leaves open is as it was last time."""
    chosen = settings.audio
    audio = options.audio
    if not audio.device:
        audio = replace(audio, device=chosen.device)
    audio = AudioSettings(audio.device, audio.rate_hz or chosen.rate_hz, audio.block_frames or chosen.block_frames)
    inputs = options.midi_inputs
    if inputs is None and not settings.midi.all_inputs:
        inputs = tuple(settings.midi.inputs)
    return replace(
        options,
        preset=options.preset or settings.last_preset,
        model=options.model or settings.model,
        provider=options.provider if options.provider != "auto" else settings.provider,
        audio=audio,
        midi_inputs=inputs,
        midi_channels=options.midi_channels or tuple(settings.midi.channels),
        params=tuple(settings.params.items()),
        cache_mb=settings.cache_mb,
    )


def _start(asked: LiveOptions, settings: Settings) -> LiveInstrument:
    """Open the instrument. What was asked for must work; what was only remembered may not keep it from starting."""
    remembered = _with_settings(asked, settings)
    plain = replace(asked, params=remembered.params, cache_mb=remembered.cache_mb)
    try:
        return LiveInstrument(remembered)
    except SynthAppError as error:
        if remembered == plain:
            raise
        instrument = LiveInstrument(plain)
        instrument.say(f"{error} Until then it plays with what is at hand.")
        return instrument


def ready_line(instrument: LiveInstrument) -> str:
    """One line that says the instrument can be played, on what, and how late it sounds."""
    t = instrument.wait_ready()
    inputs = ", ".join(t.midi_inputs) or "no MIDI input"
    return (
        f"ready: {t.patch_name!r} on {t.audio_device}, {t.rate_hz} Hz, {t.block_frames} frames, "
        f"{t.latency_ms:.1f} ms; {t.model} ({t.provider}); {inputs}"
    )


def _remember(instrument: LiveInstrument, settings: Settings, file: SettingsFile) -> None:
    if instrument.preset_path is not None:
        settings.last_preset = str(instrument.preset_path)
    try:
        file.save(settings)
    except SettingsError as error:
        log.warning("%s", error)

"""The line of the application that opens the panel, and the settings it keeps for it."""

from __future__ import annotations

import logging
import threading

from synth_app.adapters.generator_onnx import PROVIDERS
from synth_app.adapters.model_store import list_models
from synth_app.app.instrument import LiveInstrument
from synth_app.app.library import PARTIALS
from synth_app.app.settings import AudioChoice, MidiChoice, Settings, SettingsFile
from synth_app.core.errors import SettingsError
from synth_app.engine.ports import AudioSettings
from synth_app.ui.main import run_panel
from synth_app.ui.settings import PanelSettings

log = logging.getLogger(__name__)


def show(instrument: LiveInstrument, settings: Settings, file: SettingsFile, stop: threading.Event) -> int:
    """Show the panel until the player closes it or ``stop`` is set; what the player chose lands in ``settings``."""

    def keep(chosen: PanelSettings) -> None:
        take_from_panel(settings, chosen)
        try:
            file.save(settings)
        except SettingsError as error:
            instrument.say(str(error))

    return run_panel(
        instrument,
        settings_for_panel(settings),
        keep,
        models=(*(entry.name for entry in list_models()), PARTIALS),
        providers=PROVIDERS,
        preset=instrument.preset_path,
        should_stop=stop.is_set,
    )


def settings_for_panel(settings: Settings) -> PanelSettings:
    """The panel's view of the settings."""
    audio, midi = settings.audio, settings.midi
    known = PanelSettings(
        audio=AudioSettings(audio.device, audio.rate_hz, audio.block_frames),
        midi_inputs=None if midi.all_inputs else tuple(midi.inputs),
        midi_channels=tuple(midi.channels),
        model=settings.model,
        provider=settings.provider,
        params=dict(settings.params),
    )
    return known.with_table(settings.panel)


def take_from_panel(settings: Settings, chosen: PanelSettings) -> None:
    """Bring ``settings`` up to what the player chose."""
    audio = chosen.audio
    settings.audio = AudioChoice(device=audio.device, rate_hz=audio.rate_hz, block_frames=audio.block_frames)
    settings.midi = MidiChoice(
        all_inputs=chosen.midi_inputs is None,
        inputs=list(chosen.midi_inputs or ()),
        channels=list(chosen.midi_channels),
    )
    settings.model = chosen.model
    if chosen.provider in PROVIDERS:
        settings.provider = chosen.provider  # type: ignore[assignment]
    settings.params = {**settings.params, **chosen.params}
    settings.panel = {**settings.panel, **chosen.to_table()}

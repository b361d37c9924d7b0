"""The engine's ports: what it needs from devices, and the face it shows to the panel and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from synth_app.core.events import PlayerEvent
from synth_app.engine.telemetry import Telemetry
from synth_app.timbre.anchors import Anchor
from synth_app.timbre.patch import Patch, PatchAnchor


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """An output device. ``name`` identifies it across restarts ("JACK Audio Connection Kit: system"), not an index."""

    name: str
    host_api: str
    channels: int
    default_rate_hz: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """What to open: ``device`` "" = the best at hand, ``rate_hz`` and ``block_frames`` 0 = the device's or server's."""

    device: str = ""
    rate_hz: int = 0
    block_frames: int = 0


class Instrument(Protocol):
    """The running instrument, as the panel and the command line see it. Every call returns at once unless it says so.

    Calls that can fail for a reason the player can mend raise a :class:`~synth_app.core.errors.SynthAppError`, and the
    sound that was playing goes on.
    """

    def post(self, event: PlayerEvent) -> None:
        """Hand over an event, from any thread."""
        ...

    def telemetry(self) -> Telemetry:
        """The latest snapshot."""
        ...

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """The model's anchors."""
        ...

    @property
    def patch(self) -> Patch:
        """The working patch, as last published by the control thread (its weights as asked)."""
        ...

    def set_patch(self, patch: Patch) -> None:
        """Make ``patch`` the working patch (anchors chosen, moved, renamed, or a preset loaded)."""
        ...

    def presets(self) -> Sequence[tuple[str, Path]]:
        """(name, path) of every preset, factory first, then the player's own."""
        ...

    def load_preset(self, path: Path) -> Patch:
        """Read a preset and make it the working patch.

        Raises:
            PresetError: unreadable or not fitting the model; the working patch stays.
        """
        ...

    def save_preset(self, patch: Patch, path: Path | None = None, *, overwrite: bool = False) -> Path:
        """Write a preset atomically (``None``: under its name in the player's folder) and return where.

        Raises:
            PresetError: not writable, or it exists and ``overwrite`` is False.
        """
        ...

    @property
    def preset_folder(self) -> Path:
        """Where the player's own presets live; sub-folders are the player's. Everything elsewhere is factory."""
        ...

    def read_preset(self, path: Path) -> Patch:
        """Read a preset without touching the working patch (for browsing, duplicating and importing).

        Raises:
            PresetError: unreadable.
        """
        ...

    def delete_preset(self, path: Path) -> Path:
        """Move one of the player's presets to the bin beside the preset folder and return where it lies now.

        Raises:
            PresetError: a factory preset, or it cannot be moved.
        """
        ...

    def preview(self, anchor: PatchAnchor, pitch: int, velocity: int) -> None:
        """Sound one short note of an anchor on top of what plays, leaving the working patch alone.

        A preview asked for while another waits replaces it.
        """
        ...

    def audio_devices(self) -> Sequence[AudioDevice]:
        """The output devices at hand. May take a moment."""
        ...

    def open_audio(self, settings: AudioSettings) -> None:
        """Switch the output. May take a moment; on failure the former output is opened again.

        Raises:
            DeviceError: it could not be opened.
        """
        ...

    def open_model(self, model: str, provider: str) -> None:
        """Play on another model ("" = the default one) from now on. Takes a moment, during which the present one plays.

        A working patch whose timbres that model lacks gives way to the preset that greets.

        Raises:
            ModelError: it could not be opened; the present one plays on.
        """
        ...

    def midi_inputs(self) -> Sequence[str]:
        """Names of the MIDI inputs at hand, connected or not."""
        ...

    def connect_midi(self, names: Sequence[str] | None) -> None:
        """Listen to these inputs only (``None``: to all hardware inputs, also those plugged in later)."""
        ...

    def listen_to_channels(self, channels: Sequence[int]) -> None:
        """Listen to these MIDI channels, 1 to 16, only (none named: to all); what the others were holding is released.

        The panel's own keys are heard in any case.
        """
        ...

    def start_recording(self, path: Path | None = None) -> Path:
        """Record the output to a WAV (``None``: a new dated file in the player's music folder) and return where.

        Raises:
            FileFormatError: the file cannot be created.
        """
        ...

    def stop_recording(self) -> Path | None:
        """End the recording and return where it is, or ``None`` when none was running."""
        ...

    def close(self) -> None:
        """Fade out, stop every thread, close every device. May take a moment."""
        ...

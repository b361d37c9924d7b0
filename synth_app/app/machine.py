"""What this machine offers: outputs, MIDI, a screen, a graphics card. Asked quietly, changing nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from synth_app.adapters.quiet import quiet_libraries
from synth_app.engine.ports import AudioDevice


@dataclass(frozen=True, slots=True)
class MidiAtHand:
    """Our own ports, one for each MIDI system that works here, and the hardware inputs behind them."""

    own_ports: tuple[str, ...]
    inputs: tuple[str, ...]


def screen_at_hand() -> bool:
    """Whether a window could open: always on macOS and Windows; elsewhere when a display server is named."""
    if sys.platform in ("darwin", "win32") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def audio_outputs() -> Sequence[AudioDevice]:
    """Output devices, the one that would be taken first.

    Raises:
        DeviceError: PortAudio itself is missing.
    """
    with quiet_libraries():
        from synth_app.adapters.audio_portaudio import list_outputs

        return list_outputs()


def midi_at_hand() -> MidiAtHand:
    """MIDI systems and inputs. Opens our own ports for a moment to find out."""
    with quiet_libraries():
        from synth_app.adapters.midi_rtmidi import MidiInputs

        midi = MidiInputs(lambda _event: None)
        try:
            return MidiAtHand(tuple(midi.open()), tuple(midi.available()))
        finally:
            midi.close()

"""What the panel remembers between sessions. The application keeps it; the panel only passes new values on."""

from __future__ import annotations

from dataclasses import dataclass, field

from synth_app.engine.ports import AudioSettings


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """The panel's part of the settings; every field has a safe default.

    Attributes:
        theme: "dark" or "light". zoom: 0.8 to 2.
        window: x, y, width, height of the window, or () to let the system place it.
        audio: what to open. midi_inputs: inputs to listen to, or ``None`` for all hardware.
        model, provider: used from the next start; "" and "auto" let the program choose.
        params: instrument parameters by name (:mod:`synth_app.core.params`), those not kept in presets.
        favourite_timbres, favourite_presets: names and paths.
        timbre_tags: words the player gave to anchors, by anchor name.
        first_run: whether the welcome page should still greet.
        computer_keys: whether the computer's keyboard plays.
        frames_per_second: how often the panel looks at the instrument.
    """

    theme: str = "dark"
    zoom: float = 1.0
    window: tuple[int, ...] = ()
    audio: AudioSettings = field(default_factory=AudioSettings)
    midi_inputs: tuple[str, ...] | None = None
    model: str = ""
    provider: str = "auto"
    params: dict[str, float] = field(default_factory=dict)
    favourite_timbres: frozenset[str] = frozenset()
    favourite_presets: frozenset[str] = frozenset()
    timbre_tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first_run: bool = True
    computer_keys: bool = True
    frames_per_second: int = 30

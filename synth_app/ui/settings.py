"""What the panel remembers between sessions. The application keeps it; the panel only passes new values on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from synth_app.engine.ports import AudioSettings


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """The panel's part of the settings; every field has a safe default.

    Attributes:
        theme: "dark" or "light". zoom: 0.8 to 2.
        window: x, y, width, height of the window, or () to let the system place it.
        audio: what to open. midi_inputs: inputs to listen to, or ``None`` for all hardware.
        midi_channels: channels to listen to, 1 to 16; () = all.
        model, provider: what generates; "" and "auto" let the program choose.
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
    midi_channels: tuple[int, ...] = ()
    model: str = ""
    provider: str = "auto"
    params: dict[str, float] = field(default_factory=dict)
    favourite_timbres: frozenset[str] = frozenset()
    favourite_presets: frozenset[str] = frozenset()
    timbre_tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first_run: bool = True
    computer_keys: bool = True
    frames_per_second: int = 30

    def to_table(self) -> dict[str, Any]:
        """What belongs to the panel alone, as plain values for a settings file."""
        return {
            "theme": self.theme,
            "zoom": self.zoom,
            "window": list(self.window),
            "favourite_timbres": sorted(self.favourite_timbres),
            "favourite_presets": sorted(self.favourite_presets),
            "timbre_tags": {name: list(words) for name, words in self.timbre_tags.items() if words},
            "first_run": self.first_run,
            "computer_keys": self.computer_keys,
            "frames_per_second": self.frames_per_second,
        }

    def with_table(self, table: Mapping[str, Any]) -> PanelSettings:
        """These settings with the values of :meth:`to_table`; whatever makes no sense is left out."""
        known = {f.name for f in fields(self)}
        found = self
        for name, read in _READERS.items():
            if name in table and name in known:
                try:
                    found = replace(found, **{name: read(table[name])})
                except (TypeError, ValueError, AttributeError):
                    continue
        return found


def _window(value: Any) -> tuple[int, ...]:
    numbers = tuple(int(v) for v in value)
    return numbers if len(numbers) == 4 and numbers[2] > 0 and numbers[3] > 0 else ()


def _zoom(value: Any) -> float:
    return min(2.0, max(0.8, float(value)))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _names(value: Any) -> frozenset[str]:
    return frozenset(str(v) for v in value) if not isinstance(value, str) else frozenset()


_READERS = {
    "theme": lambda value: value if value in ("dark", "light") else "dark",
    "zoom": _zoom,
    "window": _window,
    "favourite_timbres": _names,
    "favourite_presets": _names,
    "timbre_tags": lambda value: {str(k): tuple(str(w) for w in v) for k, v in value.items()},
    "first_run": _flag,
    "computer_keys": _flag,
    "frames_per_second": lambda value: min(60, max(10, int(value))),
}

"""Parameters as controls: how a value sits on a slider and how it reads. Made from the table in ``core.params``."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from synth_app.core.params import PARAMS, ParamSpec

STEPS = 1000

SHORTEST_MS = 1.0
"""Between nothing and this a time does not lie: it would read 0 ms, which for a release means the note's own, and cut
every note off."""

OWN_RELEASE = QT_TRANSLATE_NOOP("params", "the note's own")
ON, OFF = QT_TRANSLATE_NOOP("params", "on"), QT_TRANSLATE_NOOP("params", "off")

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Level", ("volume_db", "transpose_semitones")),
    ("Envelope", ("attack_ms", "decay_ms", "sustain_db", "release_ms")),
    ("Touch", ("velocity_range_db", "bend_range_semitones", "vibrato_cents", "vibrato_hz")),
    ("Morph", ("glide_ms", "morph_cc")),
)
"""How the panel groups the patch's parameters; what a later table adds comes under "More"."""


def grouped_params() -> tuple[tuple[str, tuple[ParamSpec, ...]], ...]:
    """(heading, parameters) for every parameter that presets keep, none left out."""
    known = {name for _, names in GROUPS for name in names}
    groups = [(title, tuple(PARAMS[n] for n in names if n in PARAMS)) for title, names in GROUPS]
    rest = tuple(spec for spec in PARAMS.values() if spec.in_patch and spec.name not in known)
    return tuple((tr_param(title), specs) for title, specs in (*groups, ("More", rest)) if specs)


def tr_param(text: str) -> str:
    """A label or a help sentence of the table in the player's language."""
    return QCoreApplication.translate("params", text)


@dataclass(frozen=True, slots=True)
class ParamScale:
    """How a parameter lies on a slider of 0..``steps``: whole numbers one by one, times cubed, the rest straight."""

    spec: ParamSpec

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return self.spec.name.endswith("_semitones") or self.spec.unit in ("", "voices")

    @property
    def steps(self) -> int:
        """The slider's highest position."""
        return round(self.spec.highest - self.spec.lowest) if self.whole else STEPS

    @property
    def power(self) -> float:
        """The curve: long times leave room for the short ones."""
        return 3.0 if self.spec.unit == "ms" else 1.0

    @property
    def _shortest(self) -> float:
        """The value one step above the lowest: for times a millisecond."""
        return SHORTEST_MS if self.spec.unit == "ms" else self.spec.lowest

    def position(self, value: float) -> int:
        """Where a value lies."""
        if self.spec.unit == "ms" and value < SHORTEST_MS:
            return 0
        share = min(1.0, max(0.0, (value - self._shortest) / (self.spec.highest - self._shortest)))
        first = 1 if self.spec.unit == "ms" else 0
        return first + round((self.steps - first) * share ** (1.0 / self.power))

    def value(self, position: int) -> float:
        """The value at a position; the ends and the default are exact."""
        if position == self.position(self.spec.default):
            return self.spec.default
        first = 1 if self.spec.unit == "ms" else 0
        if position < first:
            return self.spec.lowest
        share = ((position - first) / (self.steps - first)) ** self.power
        value = self._shortest + share * (self.spec.highest - self._shortest)
        return float(round(value)) if self.whole else value

    def text(self, value: float) -> str:
        """A value for people."""
        if self.spec.name == "release_ms" and value < SHORTEST_MS:
            return tr_param(OWN_RELEASE)
        if self.spec.unit == "ms" and value >= 1000.0:
            return f"{value / 1000.0:.2f} s"
        if (self.spec.lowest, self.spec.highest) == (0.0, 1.0):
            return tr_param(ON) if value >= 0.5 else tr_param(OFF)
        if self.whole:
            sign = "+" if self.spec.lowest < 0.0 < value else ""
            unit = "st" if self.spec.unit == "semitones" else tr_param(self.spec.unit) if self.spec.unit else ""
            return f"{sign}{value:.0f} {unit}".rstrip()
        digits = 0 if self.spec.unit in ("ms", "cents") else 1
        return f"{value:.{digits}f} {tr_param(self.spec.unit)}"

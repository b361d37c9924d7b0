"""What a MIDI channel remembers between notes: controllers, pedals, wheels, bank and tuning.

Pure bookkeeping: it turns no sound on or off. :meth:`Channel.control` says whether anything changed, so that the
performer knows when to look at its voices again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from synth_app.midi import rpn
from synth_app.midi.rpn import Rpn

BANK_MSB, BANK_LSB = 0, 32
MODULATION, VOLUME, PAN, EXPRESSION = 1, 7, 10, 11
SUSTAIN, SOSTENUTO, SOFT = 64, 66, 67
ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123
MODE_CHANGES = range(124, 128)
"""Omni off, omni on, mono, poly: each is also an all-notes-off."""

RESERVED = frozenset({BANK_MSB, BANK_LSB, SUSTAIN, SOSTENUTO, SOFT}) | rpn.CONTROLLERS
"""Controllers that always keep their own meaning: handing a pedal to another use could leave it down for ever."""

_PEDAL_DOWN = 64


@dataclass(slots=True)
class Channel:
    """One channel's state, at its power-up defaults.

    Attributes:
        modulation, volume, pan, expression: controllers 1, 7, 10, 11.
        sustain, sostenuto, soft: pedals; ``pedal_source`` remembers who pressed each last, for a port that vanishes.
        bank_msb, bank_lsb, program: what was last chosen.
        bend: -8192..8191.
        pressure: of the channel; ``key_pressure`` by pitch.
        rpn: registered parameters.
    """

    modulation: int = 0
    volume: int = 100
    pan: int = 64
    expression: int = 127
    sustain: bool = False
    sostenuto: bool = False
    soft: bool = False
    bank_msb: int = 0
    bank_lsb: int = 0
    program: int = 0
    bend: int = 0
    pressure: int = 0
    key_pressure: dict[int, int] = field(default_factory=dict)
    rpn: Rpn = field(default_factory=Rpn)
    pedal_source: dict[int, str] = field(default_factory=dict)

    @property
    def bank(self) -> int:
        """The 14-bit bank number."""
        return 128 * self.bank_msb + self.bank_lsb

    def control(self, controller: int, value: int, source: str = "") -> bool:
        """Take in a controller below 120 and say whether it changed anything that a voice could hear."""
        match controller:
            case 1:
                self.modulation, before = value, self.modulation
            case 7:
                self.volume, before = value, self.volume
            case 10:
                self.pan, before = value, self.pan
            case 11:
                self.expression, before = value, self.expression
            case 64 | 66 | 67:
                return self._pedal(controller, value >= _PEDAL_DOWN, source)
            case 0:
                self.bank_msb = value
                return False
            case 32:
                self.bank_lsb = value
                return False
            case _ if controller in rpn.CONTROLLERS:
                former, self.rpn = self.rpn, self.rpn.control(controller, value)
                return former.values != self.rpn.values or former.bend_range_set != self.rpn.bend_range_set
            case _:
                return False
        return before != value

    def reset_controllers(self) -> None:
        """Controller 121 as RP-015 defines it: performance back to rest; volume, pan, bank, program, tuning stay."""
        self.modulation, self.expression, self.bend, self.pressure = 0, 127, 0, 0
        self.sustain = self.sostenuto = self.soft = False
        self.key_pressure.clear()
        self.pedal_source.clear()
        self.rpn = self.rpn.deselected()

    def lost(self, source: str) -> None:
        """A port that played on this channel vanished: let go of its wheels and of the pedals it pressed last."""
        for controller in [c for c, holder in self.pedal_source.items() if holder == source]:
            self._pedal(controller, False, source)
        self.modulation, self.expression, self.bend, self.pressure = 0, 127, 0, 0
        self.key_pressure.clear()
        self.rpn = self.rpn.deselected()

    def _pedal(self, controller: int, down: bool, source: str) -> bool:
        names = {SUSTAIN: "sustain", SOSTENUTO: "sostenuto", SOFT: "soft"}
        before = bool(getattr(self, names[controller]))
        setattr(self, names[controller], down)
        if down:
            self.pedal_source[controller] = source
        else:
            self.pedal_source.pop(controller, None)
        return before != down

"""Registered parameters: which one is selected on a channel, and what data entry does to it.

Known are RPN 0 (bend range), 1 (fine tuning) and 2 (coarse tuning). Non-registered parameters are noticed only so that
their data entry does not land on a registered one. Increment and decrement follow RP-018.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

BEND_RANGE = 0
FINE_TUNING = 1
COARSE_TUNING = 2

DATA_MSB, DATA_LSB = 6, 38
INCREMENT, DECREMENT = 96, 97
NRPN_LSB, NRPN_MSB = 98, 99
RPN_LSB, RPN_MSB = 100, 101
CONTROLLERS = frozenset({DATA_MSB, DATA_LSB, INCREMENT, DECREMENT, NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB})

_DEFAULTS = ((2, 0), (64, 0), (64, 0))


@dataclass(frozen=True, slots=True)
class Rpn:
    """The registered parameters of one channel.

    Attributes:
        msb, lsb: the selected number; 127, 127 is none.
        values: (MSB, LSB) of the parameters 0, 1 and 2.
        bend_range_set: whether the channel has been told a bend range of its own.
    """

    msb: int = 127
    lsb: int = 127
    values: tuple[tuple[int, int], ...] = field(default=_DEFAULTS)
    bend_range_set: bool = False

    @property
    def bend_range_semitones(self) -> float | None:
        """Reach of the bend wheel, or ``None`` when the channel leaves it to the patch."""
        semitones, cents = self.values[BEND_RANGE]
        return semitones + cents / 100.0 if self.bend_range_set else None

    @property
    def tuning_semitones(self) -> float:
        """Coarse and fine tuning together: +-64 semitones, +-1 semitone in 14 bits."""
        msb, lsb = self.values[FINE_TUNING]
        return self.values[COARSE_TUNING][0] - 64 + (128 * msb + lsb - 8192) / 8192.0

    def deselected(self) -> Rpn:
        """No parameter selected; values stay."""
        return replace(self, msb=127, lsb=127)

    def without_bend_range(self) -> Rpn:
        """The bend range left to the patch again."""
        return replace(self, values=(_DEFAULTS[BEND_RANGE], *self.values[1:]), bend_range_set=False)

    def control(self, controller: int, value: int) -> Rpn:
        """The state after one of :data:`CONTROLLERS`; anything else changes nothing."""
        match controller:
            case 101:
                return replace(self, msb=value)
            case 100:
                return replace(self, lsb=value)
            case 98 | 99:
                return self.deselected()
            case _:
                return self._enter(controller, value)

    def _enter(self, controller: int, value: int) -> Rpn:
        """Data entry, increment or decrement on the selected parameter."""
        if self.msb != 0 or self.lsb >= len(self.values):
            return self
        msb, lsb = self.values[self.lsb]
        match controller:
            case 6:
                entered = (value, 0)  # a coarse value takes its fine part back to zero until one arrives
            case 38:
                entered = (msb, value)
            case 96:
                entered = _stepped(self.lsb, msb, lsb, 1)
            case 97:
                entered = _stepped(self.lsb, msb, lsb, -1)
            case _:
                return self
        values = (*self.values[: self.lsb], entered, *self.values[self.lsb + 1 :])
        return replace(self, values=values, bend_range_set=self.bend_range_set or self.lsb == BEND_RANGE)


def _stepped(number: int, msb: int, lsb: int, step: int) -> tuple[int, int]:
    """One step of RP-018: a cent of bend range, the 14-bit value of fine tuning, a semitone of coarse tuning."""
    if number == COARSE_TUNING:
        return min(127, max(0, msb + step)), lsb
    base = 100 if number == BEND_RANGE else 128
    value = min(127 * base + base - 1, max(0, msb * base + min(lsb, base - 1) + step))
    return value // base, value % base

"""The on-screen keyboard and the computer's keys: geometry, velocity, and which notes the panel itself is holding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_BLACK = frozenset((1, 3, 6, 8, 10))
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
BLACK_HEIGHT = 0.62
BLACK_WIDTH = 0.62
VELOCITY_STEPS = (16, 32, 48, 64, 80, 96, 112, 127)

COMPUTER_ROW = "awsedftgyhujkolp;"
"""Two rows of a QWERTY keyboard laid out like piano keys, from C up. The letters stand for places: on a French keyboard
the key at the place "a" is labelled Q, and plays the same C."""

_SCAN_CODES = dict(
    zip((30, 17, 31, 18, 32, 33, 20, 34, 21, 35, 22, 36, 37, 24, 38, 25, 39), COMPUTER_ROW, strict=True),
) | {44: "z", 45: "x", 46: "c", 47: "v"}  # of PC keyboards (set 1), which Linux's own codes agree with
_MAC_CODES = dict(
    zip((0, 13, 1, 14, 2, 3, 17, 5, 16, 4, 32, 38, 40, 31, 37, 35, 41), COMPUTER_ROW, strict=True),
) | {6: "z", 7: "x", 8: "c", 9: "v"}
_X_OFFSET = 8  # X and Wayland count from 8


def is_black(pitch: int) -> bool:
    """Whether a MIDI note is a black key."""
    return pitch % 12 in _BLACK


def note_name(pitch: int) -> str:
    """A note's name: 60 is "C4"."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the keyboard in units of its size: left edge, width and height in 0..1."""

    pitch: int
    black: bool
    left: float
    width: float
    height: float


def key_layout(lowest: int, highest: int) -> tuple[Key, ...]:
    """The keys from ``lowest`` to ``highest`` inclusive, white ones first so that black ones are drawn upon them."""
    pitches = range(lowest, highest + 1)
    whites = [pitch for pitch in pitches if not is_black(pitch)]
    unit = 1.0 / max(1, len(whites))
    left_of = {pitch: i * unit for i, pitch in enumerate(whites)}
    keys = [Key(pitch, False, left_of[pitch], unit, 1.0) for pitch in whites]
    for pitch in pitches:
        if is_black(pitch):
            border = left_of[pitch - 1] + unit if pitch - 1 in left_of else left_of[pitch + 1]
            width = unit * BLACK_WIDTH
            keys.append(Key(pitch, True, border - width / 2, width, BLACK_HEIGHT))
    return tuple(keys)


def key_at(keys: Sequence[Key], x: float, y: float) -> Key | None:
    """The key under a place (0..1), black ones first because they lie on top."""
    for key in reversed(keys):
        if key.left <= x < key.left + key.width and 0.0 <= y <= key.height:
            return key
    return None


def velocity_at(key: Key, y: float) -> int:
    """Velocity by the height of a click: soft at the top of a key, hard at its lower edge."""
    share = min(1.0, max(0.0, y / key.height))
    return round(20 + 107 * share)


def place_of(platform: str, scan_code: int, virtual_key: int, letter: str) -> str:
    """The place of a key of the computer's keyboard, named by the letter that QWERTY has there; "" = none of ours.

    Args:
        platform: Qt's name for the window system. scan_code, virtual_key: native codes of the event (0 = unknown).
        letter: what the key types, the answer where the window system does not tell places.
    """
    if scan_code and platform == "cocoa":
        return _MAC_CODES.get(virtual_key, "")
    if scan_code and platform == "windows":
        return _SCAN_CODES.get(scan_code, "")
    if scan_code and platform in ("xcb", "wayland"):
        return _SCAN_CODES.get(scan_code - _X_OFFSET, "")
    return letter


class ComputerKeys:
    """Plays with the keys of a computer keyboard, remembering which key started which note.

    A note ends with the key that started it even when the octave changed in between. What is printed on a key is
    learned when it is pressed: no window system tells it beforehand.
    """

    def __init__(self) -> None:
        self.octave = 4
        self.velocity = 96
        self._held: dict[str, int] = {}
        self._printed: dict[str, str] = {}

    def learn(self, place: str, letter: str) -> bool:
        """Note what is printed on the key at a place; whether that is news."""
        if len(letter) != 1 or not letter.isprintable() or self.printed(place) == letter.upper():
            return False
        self._printed[place] = letter.upper()
        return True

    def printed(self, place: str) -> str:
        """What is printed on the key at a place, as far as is known."""
        return self._printed.get(place, place.upper())

    def letters(self) -> dict[int, str]:
        """What is printed on the key that plays each pitch."""
        base = 12 * (self.octave + 1)
        return {base + offset: self.printed(place) for offset, place in enumerate(COMPUTER_ROW)}

    def press(self, key: str) -> int | None:
        """The pitch that a key starts, or ``None`` when it plays nothing or is already down."""
        offset = COMPUTER_ROW.find(key.lower()) if len(key) == 1 else -1
        pitch = 12 * (self.octave + 1) + offset
        if offset < 0 or key.lower() in self._held or not 0 <= pitch <= 127:
            return None
        self._held[key.lower()] = pitch
        return pitch

    @staticmethod
    def plays(key: str) -> bool:
        """Whether a key is one of those that play."""
        return len(key) == 1 and key.lower() in COMPUTER_ROW

    def holds(self, key: str) -> bool:
        """Whether a key sounds a note now."""
        return key.lower() in self._held

    def release(self, key: str) -> int | None:
        """The pitch that a key ends, or ``None``."""
        return self._held.pop(key.lower(), None)

    def release_all(self) -> list[int]:
        """Forget every key and return what they held."""
        pitches = list(self._held.values())
        self._held.clear()
        return pitches

    def shift_octave(self, steps: int) -> int:
        """Move up or down and return the new octave (C4 is 60)."""
        self.octave = min(8, max(0, self.octave + steps))
        return self.octave

    def shift_velocity(self, steps: int) -> int:
        """Louder or softer by steps and return the new velocity."""
        nearest = min(range(len(VELOCITY_STEPS)), key=lambda i: abs(VELOCITY_STEPS[i] - self.velocity))
        self.velocity = VELOCITY_STEPS[min(len(VELOCITY_STEPS) - 1, max(0, nearest + steps))]
        return self.velocity


class HeldNotes:
    """Counts who holds a note (mouse, computer key), so that it starts once and ends with the last of them."""

    def __init__(self) -> None:
        self._count: dict[int, int] = {}

    def press(self, pitch: int) -> bool:
        """Whether this is the first finger on the note."""
        self._count[pitch] = self._count.get(pitch, 0) + 1
        return self._count[pitch] == 1

    def release(self, pitch: int) -> bool:
        """Whether the last finger left the note."""
        count = self._count.pop(pitch, 0)
        if count > 1:
            self._count[pitch] = count - 1
        return count == 1

    def release_all(self) -> list[int]:
        """Every note that was held, which is now held by none."""
        pitches = sorted(self._count)
        self._count.clear()
        return pitches

    @property
    def pitches(self) -> frozenset[int]:
        """What is held now."""
        return frozenset(self._count)

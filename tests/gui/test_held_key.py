"""A computer key held under X, whose keyboard repeats it: one note, as long as the finger is down."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from synth_app.adapters.preset_store import PresetStore
from tests.gui import overheard
from tests.gui.hand import Hand
from tests.gui.test_end_to_end import WORLDS
from tests.helpers.program import Program

HELD_S = 1.5
"""X begins to repeat after 0.66 s, 25 times a second."""


class Overheard(Program):
    """The program, and what its panel heard and said."""

    def __init__(self, preset: Path, home: Path, display: str, file: Path) -> None:
        shown = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        super().__init__(["play", "--preset", preset], home, shown)
        self._arguments[1:3] = [overheard.__file__, str(file)]
        self._file = file

    def lines(self, last: str, count: int, seconds: float = 20.0) -> list[str]:
        """All lines, once there are so many of this one."""
        end = time.monotonic() + seconds
        while (found := self._read_lines()).count(last) < count and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def _read_lines(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []


@pytest.mark.usefixtures("jack_server")
def test_a_held_key_is_one_note_however_often_x_repeats_it(screen: str, home: Path, tmp_path: Path) -> None:
    preset = PresetStore().save(WORLDS, tmp_path / "Two Worlds.synthpreset")
    hand = Hand(screen)
    with Overheard(preset, home, screen, tmp_path / "heard") as program:
        program.wait_ready()
        hand.wait_window("Two Worlds")
        time.sleep(1.0)
        hand.hold_key("a", HELD_S)
        lines = program.lines("NoteOff 60", 1)
        assert lines.count("key down") > 10, "X repeated the key"
        assert [line for line in lines if line.startswith("Note")] == ["NoteOn 60", "NoteOff 60"]

        hand.do("key", "--delay", 25, "s", "s", "s")  # a quick finger is no repeat
        lines = program.lines("NoteOff 62", 3)
        assert [line for line in lines if line.endswith("62")] == ["NoteOn 62", "NoteOff 62"] * 3
        assert program.interrupt() == 0

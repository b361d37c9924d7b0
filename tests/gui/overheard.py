"""The real program with an ear at its inbox: ``python overheard.py FILE ARGUMENTS`` is ``synth-app ARGUMENTS``.

FILE takes a line for each note that begins or ends, and one ("key down", "key up") for each of the computer's keys that
the panel was told of, X's repeats included.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtGui import QKeyEvent, QWindow

from synth_app.app.cli import main
from synth_app.app.instrument import LiveInstrument
from synth_app.core.events import NoteOff, NoteOn, PlayerEvent
from synth_app.ui.play import Player

KEYS = {QEvent.Type.KeyPress: "key down", QEvent.Type.KeyRelease: "key up"}


def overhear(file: Path) -> None:
    """Write down from now on what the panel hears and says."""
    post, hears = LiveInstrument.post, Player.eventFilter

    def say(line: str) -> None:
        with file.open("a") as book:
            book.write(line + "\n")

    def posted(self: LiveInstrument, event: PlayerEvent) -> None:
        if isinstance(event, (NoteOn, NoteOff)):
            say(f"{type(event).__name__} {event.pitch}")
        post(self, event)

    def heard(self: Player, watched: QObject | None, event: QEvent | None) -> bool:
        if isinstance(event, QKeyEvent) and isinstance(watched, QWindow) and event.type() in KEYS:
            say(KEYS[event.type()])
        return hears(self, watched, event)

    LiveInstrument.post, Player.eventFilter = posted, heard


if __name__ == "__main__":
    overhear(Path(sys.argv[1]))
    sys.argv = ["synth-app", *sys.argv[2:]]
    main()

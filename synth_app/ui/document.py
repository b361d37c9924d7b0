"""The sound being edited, with its whole history. One frozen state at a time; every change is one step back and forth.

A step keeps the state before and after it and nothing else, so whatever the panel can change (anchors, morph,
parameters, the preset itself) can be undone without the undo knowing what it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QUndoCommand, QUndoStack

from synth_app.timbre.patch import Patch
from synth_app.ui.view_models.morph import Point, handle_for

MERGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sound:
    """What is on the table: the patch, the file it came from (``None`` = none yet) and where the pad's handle is."""

    patch: Patch
    path: Path | None
    handle: Point


def places_of(patch: Patch) -> tuple[Point, ...]:
    """Where the patch's anchors sit on the pad."""
    return tuple((anchor.x, anchor.y) for anchor in patch.anchors)


def _unmorphed(patch: Patch) -> Patch:
    return patch.with_weights((0.0,) * len(patch.anchors))


def natural_handle(patch: Patch) -> Point:
    """Where the handle belongs when only the weights are known."""
    return handle_for(patch.weights, places_of(patch))


class Document(QObject):
    """The sound being edited.

    Signals:
        changed(Sound, Sound): before and after, whatever changed it.
        saved(): the file on disk now holds what is on the table.
    """

    changed = pyqtSignal(object, object)
    saved = pyqtSignal()

    def __init__(self, patch: Patch, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self._sound = Sound(patch, path, natural_handle(patch))
        self._on_disk: dict[Path | None, Patch] = {path: patch}
        self._gesture = 0
        self._in_gesture = False

    @property
    def sound(self) -> Sound:
        """What is on the table now."""
        return self._sound

    @property
    def patch(self) -> Patch:
        """Its patch."""
        return self._sound.patch

    @property
    def dirty(self) -> bool:
        """Whether closing now would lose something."""
        return self._on_disk.get(self._sound.path) != self._sound.patch

    @property
    def edited(self) -> bool:
        """Whether closing would lose more than where the morph was left: to play the pad is not to edit the sound."""
        on_disk = self._on_disk.get(self._sound.path)
        return on_disk is None or _unmorphed(on_disk) != _unmorphed(self._sound.patch)

    def edit(self, patch: Patch, text: str, handle: Point | None = None, merge: str = "") -> None:
        """Change the sound as one undoable step.

        Args:
            patch: the new patch. text: what was done, for the undo menu.
            handle: the pad's handle, by default where it was.
            merge: steps with the same word join while a gesture lasts, or when less than a second lies between them.
        """
        after = replace(self._sound, patch=patch, handle=handle or self._sound.handle)
        self._push(after, text, merge)

    def open(self, patch: Patch, path: Path | None, text: str) -> None:
        """Put another sound on the table; the one before can be had back by undo."""
        self._on_disk[path] = patch
        self._push(Sound(patch, path, natural_handle(patch)), text, "")

    def mark_saved(self, patch: Patch, path: Path) -> None:
        """Note that ``path`` now holds ``patch`` and is where the sound lives."""
        self._on_disk[path] = patch
        before, self._sound = self._sound, Sound(patch, path, self._sound.handle)
        self.changed.emit(before, self._sound)
        self.saved.emit()

    def mark_renamed(self, patch: Patch, on_disk: Patch, path: Path) -> None:
        """Note that the sound's file is ``path`` now and holds ``on_disk``; unsaved edits in ``patch`` stay unsaved."""
        self._on_disk[path] = on_disk
        before, self._sound = self._sound, Sound(patch, path, self._sound.handle)
        self.changed.emit(before, self._sound)

    def begin_gesture(self) -> None:
        """What follows is one movement of the hand, so one step to undo."""
        self._gesture += 1
        self._in_gesture = True

    def end_gesture(self) -> None:
        """The hand let go."""
        self._in_gesture = False
        self._gesture += 1

    def _push(self, after: Sound, text: str, merge: str) -> None:
        if after != self._sound:
            key = (merge, self._gesture) if merge else None
            self.stack.push(_Step(self, self._sound, after, text, key, self._in_gesture))

    def _show(self, sound: Sound) -> None:
        before, self._sound = self._sound, sound
        if before != sound:
            self.changed.emit(before, sound)


class _Step(QUndoCommand):
    """From one state to another."""

    def __init__(
        self, document: Document, before: Sound, after: Sound, text: str, key: tuple[str, int] | None, held: bool
    ) -> None:
        super().__init__(text)
        self._document, self._before, self._after = document, before, after
        self._key, self._held, self._time_s = key, held, time.monotonic()

    def undo(self) -> None:
        self._document._show(self._before)

    def redo(self) -> None:
        self._document._show(self._after)

    def id(self) -> int:
        return 1 if self._key else -1

    def mergeWith(self, other: QUndoCommand | None) -> bool:
        if not isinstance(other, _Step) or other._key != self._key:
            return False
        if not other._held and other._time_s - self._time_s > MERGE_SECONDS:
            return False
        self._after, self._time_s = other._after, other._time_s
        return True

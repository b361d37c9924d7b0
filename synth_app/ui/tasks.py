"""What the player does to the sound beyond moving the morph: anchors, parameters and preset files.

Each method is one undoable step of the document or one call to the instrument; questions to the player are asked by the
window, through the callables it passes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QObject, pyqtSignal

from synth_app.timbre.patch import Patch, PatchAnchor
from synth_app.ui.bridge import Bridge
from synth_app.ui.document import Document, places_of
from synth_app.ui.morphing import Morphing
from synth_app.ui.view_models.invention import (
    Layers,
    captured,
    fresh_name,
    layers_of,
    mutated,
    random_layers,
)
from synth_app.ui.view_models.morph import free_place

PREVIEW_PITCH, PREVIEW_VELOCITY = 60, 96
MOST_ANCHORS = 12


class Tasks(QObject):
    """The player's doings.

    Signals:
        said(str): news for the banner. files_changed(): presets were written.
    """

    said = pyqtSignal(str)
    files_changed = pyqtSignal()

    def __init__(
        self, document: Document, bridge: Bridge, morphing: Morphing, rng: np.random.Generator, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._document, self._bridge, self._morphing, self._rng = document, bridge, morphing, rng

    # ------------------------------------------------------------------ anchors
    def toggle_anchor(self, name: str) -> None:
        """Put a model's anchor on the pad, or take it off."""
        names = [anchor.name for anchor in self._document.patch.anchors]
        if name in names:
            self.remove_anchor(names.index(name))
        else:
            self.add_anchor(name)

    def add_anchor(self, name: str, x: float | None = None, y: float | None = None) -> None:
        """Put a model's anchor on the pad, at a free place unless one is given."""
        if any(anchor.name == name for anchor in self._document.patch.anchors):
            self.said.emit(self.tr("{0} is on the pad already.").format(name))
            return
        self._place(PatchAnchor(name, 0.0, 0.0, 0.0), x, y, self.tr("Add {0}").format(name))

    def remove_anchor(self, index: int) -> None:
        """Take an anchor off the pad; the last one stays."""
        if len(self._document.patch.anchors) < 2:
            self.said.emit(self.tr("A sound needs at least one anchor; add another before removing this one."))
            return
        name = self._document.patch.anchors[index].name
        patch = self._morphing.without_anchor(index)
        self._document.edit(patch, self.tr("Remove {0}").format(name))

    def rename_anchor(self, index: int, name: str) -> None:
        """Give an anchor another name; it then carries its own latents, since the model does not know the name."""
        anchors = list(self._document.patch.anchors)
        others = [anchor.name for i, anchor in enumerate(anchors) if i != index]
        wanted = name.strip()
        if not wanted or wanted == anchors[index].name:
            return
        layers = layers_of(anchors[index], self._bridge.instrument.anchors)
        taken = [*others, *(anchor.name for anchor in self._bridge.instrument.anchors)]
        anchors[index] = replace(anchors[index], name=fresh_name(wanted, taken), latents=layers)
        before, after = self._document.patch.anchors[index].name, anchors[index].name
        scenes = tuple(
            tuple((after if who == before else who, weight) for who, weight in scene)
            for scene in self._document.patch.scenes
        )
        patch = replace(self._document.patch, anchors=tuple(anchors), scenes=scenes)
        self._document.edit(patch, self.tr("Rename anchor"))

    def random_anchor(self) -> None:
        """A new timbre from the model's neighbourhood."""
        self._invent(self.tr("Random"), random_layers(self._bridge.instrument.anchors, self._rng))

    def mutate(self, index: int | None = None) -> None:
        """A relative of an anchor, by default of the heaviest."""
        patch = self._document.patch
        chosen = index if index is not None else int(np.argmax(patch.weights))
        layers = layers_of(patch.anchors[chosen], self._bridge.instrument.anchors)
        self._invent(self.tr("{0} kin").format(patch.anchors[chosen].name), mutated(layers, self._rng))

    def capture(self) -> None:
        """The present in-between as an anchor of its own, where the handle is."""
        patch = self._document.patch
        layers = captured(patch.anchors, self._bridge.instrument.anchors, patch.weights)
        heaviest = sorted(patch.anchors, key=lambda anchor: -anchor.weight)[:2]
        name = "–".join(anchor.name for anchor in heaviest if anchor.weight > 0.05) or self.tr("Capture")
        self._invent(name, layers, self._document.sound.handle)

    def preview(self, name: str) -> None:
        """Let a model's anchor or one of the pad be heard."""
        placed = next((a for a in self._document.patch.anchors if a.name == name), None)
        anchor = placed or PatchAnchor(name, 0.5, 0.5, 1.0)
        self._bridge.attempt(self._bridge.instrument.preview, anchor, PREVIEW_PITCH, PREVIEW_VELOCITY)

    def _invent(self, name: str, layers: Layers, place: tuple[float, float] | None = None) -> None:
        if not layers:
            self.said.emit(self.tr("The model's anchors carry no latents to make this from."))
            return
        taken = [anchor.name for anchor in (*self._document.patch.anchors, *self._bridge.instrument.anchors)]
        anchor = PatchAnchor(fresh_name(name, taken), 0.0, 0.0, 0.0, layers)
        x, y = place if place is not None else (None, None)
        if self._place(anchor, x, y, self.tr("Add {0}").format(anchor.name)):
            self._bridge.attempt(self._bridge.instrument.preview, anchor, PREVIEW_PITCH, PREVIEW_VELOCITY)

    def _place(self, anchor: PatchAnchor, x: float | None, y: float | None, text: str) -> bool:
        patch = self._document.patch
        if len(patch.anchors) >= MOST_ANCHORS:
            self.said.emit(self.tr("The pad holds {0} anchors; remove one first.").format(MOST_ANCHORS))
            return False
        free = free_place(places_of(patch))
        spot = (min(1.0, max(0.0, free[0] if x is None else x)), min(1.0, max(0.0, free[1] if y is None else y)))
        self._document.edit(self._morphing.with_anchor(replace(anchor, x=spot[0], y=spot[1])), text)
        return True

    # ------------------------------------------------------------------ parameters
    def set_param(self, name: str, value: float) -> None:
        """A parameter's slider."""
        self._document.edit(self._document.patch.with_param(name, value), self.tr("Change a control"), merge=name)

    # ------------------------------------------------------------------ presets
    def load(self, path: Path) -> bool:
        """Put a preset on the table; one that does not fit leaves the table as it is and says why."""
        patch = self._bridge.attempt(self._bridge.instrument.load_preset, path)
        if patch is None:
            return False
        self._document.open(patch, path, self.tr("Load {0}").format(patch.name))
        return True

    def save(self, own_folder: Callable[[Path], bool]) -> bool | None:
        """Save where the sound came from; ``None`` when it needs a name and place of its own first."""
        path = self._document.sound.path
        if path is None or not own_folder(path):
            return None
        return self._write(self._document.patch, path)

    def save_as(self, patch: Patch, path: Path | None, overwrite: bool = False) -> bool:
        """Save under the patch's name (``path`` ``None``) or in a given file."""
        return self._write(patch, path, overwrite)

    def _write(self, patch: Patch, path: Path | None, overwrite: bool = True) -> bool:
        written = self._bridge.attempt(
            self._bridge.instrument.save_preset, patch, path, overwrite=overwrite and path is not None
        )
        if written is None:
            return False
        self._document.mark_saved(patch, written)
        self.said.emit(self.tr("Saved {0}.").format(patch.name))
        self.files_changed.emit()
        return True

"""The hand on the morph: pad, sliders, scenes and looped gestures, all of them edits of one document.

Whatever moves the morph ends in :meth:`Morphing.show`, so pad and sliders are in step both ways and the instrument
hears of it once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from PyQt6.QtCore import QObject, pyqtSignal

from synth_app.timbre.patch import SCENES, Patch, PatchAnchor, Scene
from synth_app.ui.document import Document, Sound, places_of
from synth_app.ui.view_models.morph import (
    SNAP_RADIUS,
    GestureRecorder,
    Point,
    Weights,
    blended,
    clamp_point,
    constrained,
    handle_for,
    path_between,
    snapped,
    weights_at,
    with_weight,
)

SCENE_NAMES = "ABCD"


class Morphing(QObject):
    """Moves the document's handle, weights and anchors' places.

    Signals:
        tools_changed(): a lock, snap, latch or the recorder's state changed. said(str): news for the banner.
    """

    tools_changed = pyqtSignal()
    said = pyqtSignal(str)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.snap = True
        self.lock_x = self.lock_y = False
        self.latch = True
        self.locked_weights: frozenset[int] = frozenset()
        self.recorder = GestureRecorder()
        self._start: Sound = document.sound

    # ------------------------------------------------------------------ the handle
    def press(self) -> None:
        """The hand takes the handle."""
        self._start = self._document.sound
        self._document.begin_gesture()

    def move(self, x: float, y: float) -> None:
        """The hand is at a place of the pad."""
        patch = self._document.patch
        point = constrained((x, y), self._start.handle, self.lock_x, self.lock_y)
        if self.snap:
            point = snapped(point, places_of(patch))
        before = self.recorder.state
        self.recorder.moved(time.monotonic(), point)
        if self.recorder.state != before:
            self.tools_changed.emit()
        self._go(point, "morph")

    def release(self) -> None:
        """The hand lets go; without latch the handle springs back to where it was."""
        before = self.recorder.state
        self.recorder.released(time.monotonic())
        if not self.latch and self.recorder.state != "looping":
            self.show(self._start.patch.weights, self._start.handle, "morph")
        self._document.end_gesture()
        if self.recorder.state != before:
            self.tools_changed.emit()

    def nudge(self, dx: float, dy: float) -> None:
        """An arrow key: one step, past the magnets."""
        x, y = self._document.sound.handle
        self._start = self._document.sound
        self._go(constrained((x + dx, y + dy), (x, y), self.lock_x, self.lock_y), "nudge")

    def place(self, x: float | None = None, y: float | None = None) -> None:
        """The edge sliders: one coordinate."""
        now = self._document.sound.handle
        self._go(clamp_point((now[0] if x is None else x, now[1] if y is None else y)), "edge")

    def jump(self, index: int) -> None:
        """A digit key: to an anchor."""
        places = places_of(self._document.patch)
        if 0 <= index < len(places):
            self._go(places[index], "")

    def _go(self, point: Point, merge: str) -> None:
        self.show(weights_at(point, places_of(self._document.patch)), point, merge)

    def show(self, weights: Weights, handle: Point, merge: str, text: str = "") -> None:
        """Make these weights the document's, with the handle there."""
        if len(weights) == len(self._document.patch.anchors):
            patch = self._document.patch.with_weights(weights)
            self._document.edit(patch, text or self.tr("Morph"), handle, merge)

    def follow(self, weights: Sequence[float]) -> None:
        """MIDI or automation moved the morph: the panel goes along."""
        places = places_of(self._document.patch)
        if len(weights) == len(places):
            self.show(tuple(weights), handle_for(weights, places), "midi", self.tr("Morph by MIDI"))

    # ------------------------------------------------------------------ sliders
    def set_weight(self, index: int, value: float) -> None:
        """A weight slider: the others make room."""
        weights = with_weight(self._document.patch.weights, index, value, self.locked_weights)
        self.show(weights, handle_for(weights, places_of(self._document.patch)), f"weight{index}", self.tr("Weight"))

    # ------------------------------------------------------------------ anchors' places
    def move_anchor(self, index: int, x: float, y: float) -> None:
        """Drag an anchor; the handle stays and the weights follow."""
        patch, (px, py) = self._document.patch, clamp_point((x, y))
        anchors = list(patch.anchors)
        anchors[index] = replace(anchors[index], x=px, y=py)
        moved = replace(patch, anchors=tuple(anchors))
        weights = weights_at(self._document.sound.handle, places_of(moved))
        self._document.edit(moved.with_weights(weights), self.tr("Move anchor"), merge=f"anchor{index}")

    def with_anchor(self, anchor: PatchAnchor) -> Patch:
        """The patch with one more anchor. The blend stays as it is until the handle moves, unless the anchor is put
        where the handle is."""
        patch, handle = self._document.patch, self._document.sound.handle
        more = replace(patch, anchors=(*patch.anchors, anchor))
        under = math.dist(handle, (anchor.x, anchor.y)) < SNAP_RADIUS
        return more.with_weights(weights_at(handle, places_of(more)) if under else (*patch.weights, 0.0))

    def without_anchor(self, index: int) -> Patch:
        """The patch with one anchor less, the others sharing its weight."""
        kept = tuple(a for i, a in enumerate(self._document.patch.anchors) if i != index)
        patch = replace(self._document.patch, anchors=kept)
        weights = patch.weights if sum(patch.weights) > 1e-6 else tuple(1.0 for _ in kept)
        total = sum(weights)
        return patch.with_weights(tuple(w / total for w in weights))

    # ------------------------------------------------------------------ scenes and gestures
    def store_scene(self, index: int) -> None:
        """Keep the present weights as a scene of the patch."""
        text = self.tr("Store scene {0}").format(SCENE_NAMES[index])
        self._document.edit(self._document.patch.with_scene(index), text)

    def recall_scene(self, index: int) -> None:
        """Go to a scene, or store it when it is empty; say which of its timbres are not on the pad."""
        scene, weights = self._stored(index), self.scene_weights(index)
        if not scene:
            self.store_scene(index)
            return
        here = {anchor.name for anchor in self._document.patch.anchors}
        missing = ", ".join(name for name, weight in scene if weight > 0.005 and name not in here)
        if weights is None:
            text = self.tr("Scene {0} is made of {1}, not on the pad now. Right click stores a new one.")
            self.said.emit(text.format(SCENE_NAMES[index], missing))
            return
        self._scene(weights, "")
        if missing:
            text = self.tr("Scene {0} without {1}, which is not on the pad now.")
            self.said.emit(text.format(SCENE_NAMES[index], missing))

    def _stored(self, index: int) -> Scene:
        scenes = self._document.patch.scenes
        return scenes[index] if index < len(scenes) else ()

    def scene_weights(self, index: int) -> Weights | None:
        """A scene's weights for the anchors there are now; ``None`` when it is empty or none of them is left."""
        scene = dict(self._stored(index))
        weights = tuple(scene.get(anchor.name, 0.0) for anchor in self._document.patch.anchors)
        total = sum(weights)
        return tuple(w / total for w in weights) if total > 1e-6 else None

    def crossfade(self, position: float) -> None:
        """Travel through the stored scenes in order: 0 is the first, 1 the last."""
        stored = [w for w in map(self.scene_weights, range(SCENES)) if w is not None]
        if len(stored) >= 2:
            first, second, share = path_between(position, len(stored))
            self._scene(blended(stored[first], stored[second], share), "crossfade")

    def _scene(self, weights: Weights, merge: str) -> None:
        self.show(weights, handle_for(weights, places_of(self._document.patch)), merge, self.tr("Scene"))

    def toggle_record(self) -> None:
        """Arm the recorder, or end what it does."""
        if self.recorder.state == "idle":
            self.recorder.arm()
        else:
            self.recorder.stop()
        self.tools_changed.emit()

    def toggle_loop(self) -> None:
        """Loop the last gesture, or stop."""
        if self.recorder.state == "looping":
            self.recorder.stop()
        else:
            self.recorder.play(time.monotonic())
        self.tools_changed.emit()

    def tick(self) -> None:
        """Once a frame: a looping gesture moves on."""
        point = self.recorder.position(time.monotonic())
        if point is not None:
            self._go(clamp_point(point), "loop")

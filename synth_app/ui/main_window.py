"""The window: it lays the parts out and ties them together. What they decide is decided elsewhere."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QPoint, QRect, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QGuiApplication, QKeySequence, QMouseEvent, QResizeEvent, QShortcut
from PyQt6.QtWidgets import (
    QApplication,
    QLineEdit,
    QMainWindow,
)

from synth_app.engine.ports import Instrument
from synth_app.engine.telemetry import Telemetry
from synth_app.ui.anchor_menu import show_anchor_menu
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialog_desk import DialogDesk
from synth_app.ui.document import Document, Sound, places_of
from synth_app.ui.face import Face
from synth_app.ui.morphing import Morphing
from synth_app.ui.panes import EDGE_STEPS
from synth_app.ui.play import Player
from synth_app.ui.preset_desk import PresetDesk
from synth_app.ui.settings import PanelSettings
from synth_app.ui.stylesheet import stylesheet
from synth_app.ui.tasks import Tasks
from synth_app.ui.theme import Theme, anchor_slots, make_theme
from synth_app.ui.view_models.library import TimbreLibrary
from synth_app.ui.view_models.presets import PresetShelf
from synth_app.ui.view_models.status import input_activity
from synth_app.ui.widgets.base import theme_all

PICTURES_AFTER_MS = 9
"""The pictures of the sound come so long after the rest of a frame; at 60 frames a second they still are within it."""


class MainWindow(QMainWindow):
    """The panel.

    Signals:
        settings_changed(PanelSettings): to be kept by the application.
    """

    settings_changed = pyqtSignal(object)

    def __init__(
        self,
        instrument: Instrument,
        settings: PanelSettings,
        *,
        models: tuple[str, ...] = (),
        providers: tuple[str, ...] = ("auto", "cpu", "cuda"),
        preset: Path | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.theme: Theme = make_theme(settings.theme, settings.zoom)
        self.bridge = Bridge(instrument, settings.frames_per_second, self)
        self.document = Document(instrument.patch, preset, self)
        self.morphing = Morphing(self.document, self)
        self.player = Player(self.bridge, self)
        self.player.enabled = settings.computer_keys
        self.tasks = Tasks(self.document, self.bridge, self.morphing, rng or np.random.default_rng(), self)
        self.library = TimbreLibrary(instrument.anchors, settings.favourite_timbres, settings.timbre_tags)
        self.shelf = PresetShelf(instrument, settings.favourite_presets)
        self._recording_since_s = 0.0
        self._last_banner = ""
        self._keep_soon = QTimer(self, singleShot=True, interval=400)  # a dragged slider is one change
        self._keep_soon.timeout.connect(self._keep_settings)
        self._pictures_soon = QTimer(self, singleShot=True, interval=PICTURES_AFTER_MS)
        self._pictures_soon.timeout.connect(self._show_pictures)
        self.setObjectName("root")
        face = self.face = Face(self.theme, self.library, self.shelf, self.bridge)
        self.top, self.keys, self.status, self.banner = face.top, face.keys, face.status, face.banner
        self.pad_pane, self.pictures, self.left, self.right = face.pad_pane, face.pictures, face.left, face.right
        self.weights, self.params, self.timbres, self.presets = face.weights, face.params, face.timbres, face.presets
        self.setCentralWidget(face)
        self.banner.setParent(self)
        self.desk = PresetDesk(self, self.document, self.bridge, self.tasks, self.shelf, self.presets)
        self.dialogs = DialogDesk(
            self, self.bridge, self.player, lambda: self.settings, lambda: self.theme, (models, providers)
        )
        self._connect_document()
        self._connect_pad()
        self._connect_bars()
        self._connect_browsers()
        self._make_shortcuts()
        self.apply_theme()
        self._show_sound(None, self.document.sound)
        self._show_keys()
        QApplication.instance().installEventFilter(self.player)
        self._place_window()

    # ------------------------------------------------------------------ layout
    def apply_theme(self) -> None:
        """Dress everything in the theme."""
        theme = self.theme
        self.setFont(theme.font())
        QApplication.instance().setFont(theme.font())
        self.setStyleSheet(stylesheet(theme))
        theme_all(self, theme)
        self.face.apply_theme(theme)
        self.face.fit(self.width(), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.face.fit(self.width(), self.height())

    def _place_window(self) -> None:
        """Where it was, when that is still on a screen; else a size that fits."""
        screen = QGuiApplication.primaryScreen().availableGeometry()
        if len(self.settings.window) == 4:
            wanted = QRect(*self.settings.window)
            if any(s.availableGeometry().intersects(wanted) for s in QGuiApplication.screens()):
                self.setGeometry(wanted)
                return
        self.resize(min(self.theme.px(1360), screen.width()), min(self.theme.px(860), screen.height()))

    # ------------------------------------------------------------------ ties: the document
    def _connect_document(self) -> None:
        self.document.changed.connect(self._document_changed)
        self.document.saved.connect(self._show_title)
        stack = self.document.stack
        stack.undoTextChanged.connect(self._show_undo)  # bound methods: a lambda would outlive the window's widgets
        stack.redoTextChanged.connect(self._show_redo)
        for button, able, call in (
            (self.top.undo, stack.canUndoChanged, stack.undo),
            (self.top.redo, stack.canRedoChanged, stack.redo),
        ):
            button.setEnabled(False)
            able.connect(button.setEnabled)
            button.clicked.connect(call)
        self.bridge.morphed.connect(self.morphing.follow)
        self.bridge.trouble.connect(lambda text: self.banner.say(text, trouble=True))
        self.bridge.snapshot.connect(self._on_snapshot)
        self.tasks.said.connect(self.banner.say)
        self.morphing.said.connect(self.banner.say)
        self.desk.said.connect(lambda text, button: self.banner.say(text, button=button))
        self.dialogs.said.connect(self.banner.say)
        self.dialogs.changed.connect(self.change_settings)
        self.dialogs.model_opened.connect(self._model_opened)
        self.player.said.connect(self.banner.say)

    def _document_changed(self, before: Sound, after: Sound) -> None:
        self.bridge.follow(before, after)
        self._show_sound(before, after)

    def _show_sound(self, before: Sound | None, after: Sound) -> None:
        """Bring every widget to the document; only what changed is touched."""
        old, patch = (before.patch if before else None), after.patch
        names = [anchor.name for anchor in patch.anchors]
        slots = anchor_slots(names)
        if old is None or [a.name for a in old.anchors] != names:
            self.weights.set_anchors(names, slots)
            self.timbres.set_on_pad(dict(zip(names, slots, strict=True)))
            self.face.order_focus()
        self.pad_pane.pad.set_anchors(names, places_of(patch), slots)
        jumped = before is None or before.path != after.path or len(before.patch.anchors) != len(names)
        self.pad_pane.pad.set_morph(after.handle, patch.weights, jump=jumped)
        self.pad_pane.show_handle(after.handle)
        self.weights.set_weights(patch.weights)
        if old is None or old.params != patch.params:
            self.params.set_values(patch.param)
        self.presets.set_present(after.path)
        self._show_title()
        if before is None or before.path != after.path:
            self.pad_pane.rest_fader()
        if old is None or [a.name for a in old.anchors] != names or old.scenes != patch.scenes:
            self.pad_pane.show_tools(self.morphing)

    def _show_title(self) -> None:
        star = " *" if self.document.dirty else ""
        text = f"{self.document.patch.name}{star}"
        if text != self.top.name.text():
            self.top.name.setText(text)
            state = self.tr("changed") if star else self.tr("saved")
            self.top.name.setAccessibleName(self.tr("Preset {0}, {1}").format(self.document.patch.name, state))
            self.setWindowTitle(f"{text} – synth_app")

    def _show_undo(self, text: str) -> None:
        self.top.undo.setToolTip(self.tr("Undo: {0}").format(text) if text else self.tr("Undo"))

    def _show_redo(self, text: str) -> None:
        self.top.redo.setToolTip(self.tr("Redo: {0}").format(text) if text else self.tr("Redo"))

    # ------------------------------------------------------------------ ties: the pad
    def _connect_pad(self) -> None:
        pane, pad, morphing = self.pad_pane, self.pad_pane.pad, self.morphing
        pad.handle_pressed.connect(morphing.press)
        pad.handle_moved.connect(morphing.move)
        pad.handle_released.connect(morphing.release)
        pad.anchor_pressed.connect(lambda _: self.document.begin_gesture())
        pad.anchor_moved.connect(morphing.move_anchor)
        pad.anchor_released.connect(lambda _: self.document.end_gesture())
        pad.nudged.connect(morphing.nudge)
        pad.jumped.connect(morphing.jump)
        pad.dropped.connect(self.tasks.add_anchor)
        pad.menu_wanted.connect(self._pad_menu)
        pane.across.valueChanged.connect(lambda value: morphing.place(x=value / EDGE_STEPS))
        pane.down.valueChanged.connect(lambda value: morphing.place(y=value / EDGE_STEPS))
        for name in ("snap", "lock_x", "lock_y", "latch"):
            getattr(pane, name).toggled.connect(lambda on, name=name: setattr(morphing, name, on))
        pane.record_gesture.connect(morphing.toggle_record)
        pane.loop_gesture.connect(morphing.toggle_loop)
        pane.scene_recalled.connect(morphing.recall_scene)
        pane.scene_stored.connect(morphing.store_scene)
        pane.crossfaded.connect(morphing.crossfade)
        morphing.tools_changed.connect(lambda: pane.show_tools(morphing))
        weights = self.weights
        for slider in (pane.across, pane.down, pane.fader):
            slider.sliderPressed.connect(self.document.begin_gesture)
            slider.sliderReleased.connect(self.document.end_gesture)
        weights.pressed.connect(self.document.begin_gesture)
        weights.released.connect(self.document.end_gesture)
        weights.moved.connect(morphing.set_weight)
        weights.removed.connect(self.tasks.remove_anchor)
        weights.locked.connect(lambda *_: setattr(morphing, "locked_weights", weights.locked_indices()))
        weights.menu_wanted.connect(self._pad_menu)
        self.params.pressed.connect(self.document.begin_gesture)
        self.params.released.connect(self.document.end_gesture)
        self.params.moved.connect(self.tasks.set_param)

    def _pad_menu(self, index: int, at: QPoint) -> None:
        show_anchor_menu(self, index, at, self.morphing, self.tasks, self.document.patch)

    # ------------------------------------------------------------------ ties: bars and keys
    def _connect_bars(self) -> None:
        top, keys, player = self.top, self.keys, self.player
        top.before.clicked.connect(lambda: self.desk.step(-1))
        top.after.clicked.connect(lambda: self.desk.step(1))
        top.name.clicked.connect(self.face.show_presets)
        top.save.clicked.connect(self.desk.save)
        top.save_as.clicked.connect(self.desk.save_as)
        top.record.clicked.connect(self.toggle_recording)
        top.panic.clicked.connect(self.panic)
        top.settings.clicked.connect(self.dialogs.show_settings)
        top.first_steps.triggered.connect(self.dialogs.show_welcome)
        top.keys.triggered.connect(self.dialogs.show_keys)
        keys.keyboard.pressed.connect(player.press)
        keys.keyboard.released.connect(player.release)
        keys.bend.valueChanged.connect(self.bridge.bend)
        keys.modulation.valueChanged.connect(self.bridge.modulation)
        keys.sustain.toggled.connect(player.sustain)
        for button, call in (
            (keys.octave_down, lambda: player.keys.shift_octave(-1)),
            (keys.octave_up, lambda: player.keys.shift_octave(1)),
            (keys.softer, lambda: player.keys.shift_velocity(-1)),
            (keys.louder, lambda: player.keys.shift_velocity(1)),
        ):
            button.clicked.connect(lambda _=False, call=call: (call(), self._show_keys()))
        player.setting_changed.connect(self._show_keys)
        player.panic_wanted.connect(self.panic)
        self.status.safe_wanted.connect(self.dialogs.make_safe)
        self.banner.acted.connect(self.desk.remedy)

    def _show_keys(self) -> None:
        self.keys.show_computer_keys(self.player.keys, self.player.enabled)

    def _connect_browsers(self) -> None:
        self.timbres.chosen.connect(self.tasks.toggle_anchor)
        self.timbres.preview_wanted.connect(self.tasks.preview)
        self.timbres.random_wanted.connect(self.tasks.random_anchor)
        self.timbres.mutate_wanted.connect(lambda: self.tasks.mutate())
        self.timbres.capture_wanted.connect(self.tasks.capture)
        self.timbres.changed.connect(self._keep_browsers)
        self.presets.changed.connect(self._keep_browsers)

    def _keep_browsers(self) -> None:
        self.change_settings(
            replace(
                self.settings,
                favourite_timbres=self.library.favourites,
                favourite_presets=self.shelf.favourites,
                timbre_tags=dict(self.library.tags),
            )
        )

    def _make_shortcuts(self) -> None:
        for keys, call in (
            (QKeySequence(Qt.Key.Key_Escape), self.escape),
            (QKeySequence.StandardKey.Undo, self.document.stack.undo),
            (QKeySequence.StandardKey.Redo, self.document.stack.redo),
            (QKeySequence.StandardKey.Save, self.desk.save),
            (QKeySequence("Ctrl+Shift+S"), self.desk.save_as),
            (QKeySequence("Ctrl+R"), self.toggle_recording),
            (QKeySequence("Ctrl+F"), self.face.focus_search),
            (QKeySequence("Ctrl+,"), self.dialogs.show_settings),
            (QKeySequence("Ctrl+0"), lambda: self._zoom_to(1.0)),
            (QKeySequence.StandardKey.ZoomIn, lambda: self._zoom_to(self.settings.zoom + 0.1)),
            (QKeySequence.StandardKey.ZoomOut, lambda: self._zoom_to(self.settings.zoom - 0.1)),
            (QKeySequence("Ctrl+PgUp"), lambda: self.desk.step(-1)),
            (QKeySequence("Ctrl+PgDown"), lambda: self.desk.step(1)),
            (QKeySequence("F1"), self.dialogs.show_keys),
            (QKeySequence("F6"), self.pad_pane.pad.setFocus),
            (QKeySequence("F7"), self.keys.keyboard.setFocus),
        ):
            shortcut = QShortcut(keys, self)
            if call == self.escape:
                shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
            shortcut.activated.connect(call)

    def _zoom_to(self, zoom: float) -> None:
        self.change_settings(replace(self.settings, zoom=min(2.0, max(0.8, round(zoom, 2)))))

    # ------------------------------------------------------------------ once a frame
    def _on_snapshot(self, now: Telemetry, before: Telemetry) -> None:
        now_s = time.monotonic()
        self.morphing.tick()
        self.pad_pane.pad.set_sounding(now.sounding_weights)
        self.pad_pane.pad.tick()
        lit = {voice.pitch: voice.level for voice in now.voices if voice.phase not in ("releasing", "dying")}
        self.keys.keyboard.set_lit(lit | dict.fromkeys(self.player.held.pitches, 1.0))
        self.top.meter.update_levels(now_s, now.peak_left, now.peak_right)
        self.top.lamp.tick(input_activity(now, before))
        self.status.update_status(now)
        self._pictures_soon.start()
        if now.banner and now.banner != self._last_banner:
            self.banner.say(now.banner, trouble=True)
        self._last_banner = now.banner
        self._show_recording(now)

    def _show_pictures(self) -> None:
        """The sound's pictures, as a task of their own: a long one would hold up the hand and, with it, notes."""
        self.pictures.rainbow.update_sound(self.bridge.now)
        self.pictures.scope.update_sound(self.bridge.now)

    def _show_recording(self, now: Telemetry) -> None:
        if bool(now.recording) != self.top.record.isChecked() and time.monotonic() - self._recording_since_s > 1.5:
            self.top.record.setChecked(bool(now.recording))
            self._recording_since_s = time.monotonic()  # begun (or ended) elsewhere: by --record, by a device that went
        seconds = int(time.monotonic() - self._recording_since_s)
        on = self.top.record.isChecked()
        text = self.top.record.clock(seconds) if on else self.top.record.idle_text
        if text != self.top.record.text():
            self.top.record.setText(text)

    # ------------------------------------------------------------------ what the player asks of the window
    def panic(self) -> None:
        """Silence everything, and lift the panel's own keys and pedal."""
        self.keys.keyboard.release_all()
        self.keys.sustain.blockSignals(True)
        self.keys.sustain.setChecked(False)
        self.keys.sustain.blockSignals(False)
        self.player.panic()

    def toggle_recording(self) -> None:
        """Start or end a recording and say where it is."""
        if self.bridge.now.recording or self.top.record.text() != self.top.record.idle_text:
            path = self.bridge.attempt(self.bridge.instrument.stop_recording)
            self.top.record.setChecked(False)
            if path is not None:
                self.banner.say(self.tr("Recorded to {0}.").format(path))
        else:
            path = self.bridge.attempt(self.bridge.instrument.start_recording)
            self.top.record.setChecked(path is not None)
        self._recording_since_s = time.monotonic()

    def escape(self) -> None:
        """Esc: close the dialog that is in front, or else silence everything. (Modal ones close themselves.)

        The first steps say that Esc closes them, and their reader has clicked on the panel meanwhile. A search is left,
        so that the letters play again.
        """
        if not self.dialogs.close_active():
            self.dialogs.close_welcome()
            if isinstance(QApplication.focusWidget(), QLineEdit):
                self.pad_pane.pad.setFocus()
            self.panic()

    def _model_opened(self) -> None:
        """Another model plays: its timbres in the browser, and the sound that the instrument now has on the table."""
        instrument = self.bridge.instrument
        self.library = TimbreLibrary(instrument.anchors, self.settings.favourite_timbres, self.settings.timbre_tags)
        self.timbres.set_library(self.library)
        self.desk.go_along(instrument.patch, self.tr("Another model"))

    def change_settings(self, settings: PanelSettings) -> None:
        """Take new settings: show what they change and pass them on."""
        before, self.settings = self.settings, settings
        if self.dialogs.settings_dialog is not None:
            self.dialogs.settings_dialog.settings = settings
        if (before.theme, before.zoom) != (settings.theme, settings.zoom):
            self.theme = make_theme(settings.theme, settings.zoom)
            self.apply_theme()
            self.dialogs.fit()
        if before.computer_keys != settings.computer_keys:
            self.player.enabled = settings.computer_keys
            self.player.let_go()
            self._show_keys()
        if before.frames_per_second != settings.frames_per_second:
            self.bridge.set_rate(settings.frames_per_second)
        if before != settings:
            self._keep_soon.start()

    def _keep_settings(self) -> None:
        self._keep_soon.stop()
        self.settings_changed.emit(self.settings)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on nothing in particular: whoever was typing is done, and the letters play."""
        typing = QApplication.focusWidget()
        if isinstance(typing, QLineEdit):
            typing.clearFocus()
        super().mousePressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.desk.may_leave():
            event.ignore()
            return
        self.player.let_go()
        QApplication.instance().removeEventFilter(self.player)
        self.bridge.stop()
        geometry = self.geometry()
        window = (geometry.x(), geometry.y(), geometry.width(), geometry.height())
        self.change_settings(replace(self.settings, window=window))
        self._keep_settings()
        event.accept()

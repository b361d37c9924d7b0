"""The window: it lays the parts out and ties them together. What they decide is decided elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QPoint, QRect, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction, QCloseEvent, QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PyQt6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QInputDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from synth_app.engine.ports import AudioSettings, Instrument
from synth_app.engine.telemetry import Telemetry
from synth_app.timbre.patch import Patch
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.help import HelpDialog
from synth_app.ui.dialogs.save_dialog import SaveDialog
from synth_app.ui.dialogs.settings_dialog import SettingsDialog
from synth_app.ui.dialogs.welcome import WelcomeDialog
from synth_app.ui.document import Document, Sound, places_of
from synth_app.ui.morphing import Morphing
from synth_app.ui.panes import EDGE_STEPS, KeysPane, PadPane, PicturesPane, TopBar, side
from synth_app.ui.play import Player
from synth_app.ui.settings import PanelSettings
from synth_app.ui.stylesheet import stylesheet
from synth_app.ui.tasks import Tasks
from synth_app.ui.theme import Theme, anchor_slots, make_theme
from synth_app.ui.view_models.library import TimbreLibrary
from synth_app.ui.view_models.presets import PresetShelf
from synth_app.ui.view_models.status import input_activity, safer_block
from synth_app.ui.widgets.base import theme_all
from synth_app.ui.widgets.flow import PlainColumn
from synth_app.ui.widgets.notices import Banner, StatusLine
from synth_app.ui.widgets.preset_browser import PresetBrowser
from synth_app.ui.widgets.sliders import ParamsPanel, WeightsPanel
from synth_app.ui.widgets.timbre_browser import TimbreBrowser

PRESET_SUFFIX = ".synthpreset"
_SIDE_WIDTH = 292
_NARROW = 1080  # design pixels below which the side columns give way to the pad

_SHORT = 680  # design pixels below which the pictures give way to it too


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
        self._choices = (models, providers)
        self.theme: Theme = make_theme(settings.theme, settings.zoom)
        self.bridge = Bridge(instrument, settings.frames_per_second, self)
        self.document = Document(instrument.patch, preset, self)
        self.morphing = Morphing(self.document, self)
        self.player = Player(self.bridge, self)
        self.player.enabled = settings.computer_keys
        self.tasks = Tasks(self.document, self.bridge, self.morphing, rng or np.random.default_rng(), self)
        self.library = TimbreLibrary(instrument.anchors, settings.favourite_timbres, settings.timbre_tags)
        self.shelf = PresetShelf(instrument, settings.favourite_presets)
        self._narrow: bool | None = None
        self._recording_since_s = 0.0
        self._last_panic = self.bridge.now.last_panic
        self._last_banner = ""
        self._dialog: SettingsDialog | None = None
        self._keep_soon = QTimer(self, singleShot=True, interval=400)  # a dragged slider is one change
        self._keep_soon.timeout.connect(self._keep_settings)
        self.setObjectName("root")
        self._lay_out()
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
    def _lay_out(self) -> None:
        theme = self.theme
        self.top, self.pad_pane, self.pictures, self.keys = (
            TopBar(theme),
            PadPane(theme),
            PicturesPane(theme),
            KeysPane(theme),
        )
        self.banner, self.status = Banner(), StatusLine()
        self.weights, self.params = WeightsPanel(theme), ParamsPanel()
        self.timbres, self.presets = TimbreBrowser(theme, self.library), PresetBrowser(theme, self.shelf, self.bridge)
        self.tabs = QTabWidget()
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.timbres, self.tr("Timbres"))
        self.tabs.addTab(self.presets, self.tr("Presets"))
        self.left = side("", self.tabs)
        self.right = QScrollArea()
        self.right.setWidgetResizable(True)
        self.right.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QWidget()
        right_layout = QVBoxLayout(column)
        right_layout.setContentsMargins(0, 0, 4, 0)
        right_layout.setSpacing(8)
        right_layout.addWidget(side(self.tr("Blend"), self.weights))
        right_layout.addWidget(side(self.tr("Sound"), self.params))
        right_layout.addStretch(1)
        self.right.setWidget(column)
        middle = QVBoxLayout()
        middle.setSpacing(8)
        middle.addWidget(self.pad_pane, 1)
        middle.addWidget(self.pictures)
        body = QHBoxLayout()
        body.setSpacing(8)
        body.addWidget(self.left)
        body.addLayout(middle, 1)
        body.addWidget(self.right)
        root = QWidget()
        root.setObjectName("root")
        layout = PlainColumn(root)
        layout.setContentsMargins(10, 8, 10, 6)
        layout.setSpacing(8)
        for part, stretch in ((self.top, 0), (body, 1), (self.keys, 0), (self.status, 0)):
            if isinstance(part, QWidget):
                layout.addWidget(part, stretch)
            else:
                layout.addLayout(part, stretch)
        self.outer = QScrollArea()  # the last resort at a large zoom on a small screen: scroll, never cut off
        self.outer.setWidgetResizable(True)
        self.outer.setWidget(root)
        self.setCentralWidget(self.outer)
        self.banner.setParent(self)  # it lies over the window: news must not move what the hand is on
        self.banner.resized.connect(self._place_banner)

    def apply_theme(self) -> None:
        """Dress everything in the theme."""
        theme = self.theme
        self.setFont(theme.font())
        QApplication.instance().setFont(theme.font())
        self.setStyleSheet(stylesheet(theme))
        theme_all(self, theme)
        for column in (self.left, self.right):
            column.setFixedWidth(theme.px(_SIDE_WIDTH))
        self.pictures.setFixedHeight(theme.px(104))
        self.keys.setFixedHeight(theme.px(128))
        self.status.warming.setFixedWidth(theme.px(64))
        self.pad_pane.fader.setMinimumWidth(theme.px(120))
        self._fit_columns(force=True)
        self.pictures.setVisible(self.height() >= theme.px(_SHORT))

    def _order_focus(self) -> None:
        """Tab goes as the eye does: the top bar, the browsers, the pad, the controls, the keys, the status line."""
        groups = (self.top, self.left, self.pad_pane, self.right, self.keys, self.status)
        chain: list[QWidget] = []
        for group in groups:
            inside = (w for w in group.findChildren(QWidget) if w.window() is self)  # not the lists of combo boxes
            chain += [w for w in inside if w.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for before, after in pairwise(chain):
            QWidget.setTabOrder(before, after)

    def _fit_columns(self, force: bool = False) -> None:
        """In a narrow window the side columns fold away; the player can still open each."""
        narrow = self.width() < self.theme.px(_NARROW)
        if narrow != self._narrow or force:
            self._narrow = narrow
            self.top.browser.setChecked(not narrow)
            self.top.controls.setChecked(not narrow)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()
        self._place_banner()
        self.pictures.setVisible(self.height() >= self.theme.px(_SHORT))

    def _place_banner(self) -> None:
        """In the middle, below the top bar."""
        theme = self.theme
        width = min(theme.px(680), self.width() - theme.px(40))
        self.banner.resize(width, max(theme.px(38), self.banner.heightForWidth(width)))
        self.banner.move((self.width() - width) // 2, self.top.height() + theme.px(22))
        self.banner.raise_()

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
        self.bridge.patched.connect(self._patched_elsewhere)
        self.bridge.trouble.connect(lambda text: self.banner.say(text, trouble=True))
        self.bridge.snapshot.connect(self._on_snapshot)
        self.tasks.said.connect(self.banner.say)
        self.tasks.files_changed.connect(lambda: self.presets.reload())
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
            self._order_focus()
        self.pad_pane.pad.set_anchors(names, places_of(patch), slots)
        jumped = before is None or before.path != after.path or len(before.patch.anchors) != len(names)
        self.pad_pane.pad.set_morph(after.handle, patch.weights, jump=jumped)
        self.pad_pane.show_handle(after.handle)
        self.weights.set_weights(patch.weights)
        if old is None or old.params != patch.params:
            self.params.set_values(patch.param)
        self.presets.set_present(after.path)
        self._show_title()
        if old is None or old.anchors != patch.anchors:
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

    def _patched_elsewhere(self, patch: Patch) -> None:
        """A program change: the panel goes along, and says so when it covers unsaved work (undo brings it back)."""
        if patch == self.document.patch:
            return
        dirty = self.document.dirty
        path = next((row.path for row in self.shelf.rows() if row.name == patch.name), None)
        self.document.open(patch, path, self.tr("Program change"))
        if dirty:
            self.banner.say(self.tr("A program change loaded {0}. Undo brings your changes back.").format(patch.name))

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
        """What can be done with an anchor, or with the pad."""
        menu = QMenu(self)
        entries: list[tuple[str, Callable[[], object]]] = []
        if index >= 0:
            name = self.document.patch.anchors[index].name
            entries = [
                (self.tr("Go to {0}").format(name), lambda: self.morphing.jump(index)),
                (self.tr("Hear {0}").format(name), lambda: self.tasks.preview(name)),
                (self.tr("Rename …"), lambda: self.rename_anchor(index)),
                (self.tr("Mutate"), lambda: self.tasks.mutate(index)),
                (self.tr("Remove"), lambda: self.tasks.remove_anchor(index)),
            ]
        entries += [
            (self.tr("Capture the in-between"), self.tasks.capture),
            (self.tr("Add a random timbre"), self.tasks.random_anchor),
        ]
        for text, call in entries:
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, call=call: call())
            menu.addAction(action)
        menu.popup(at)

    def rename_anchor(self, index: int) -> None:
        """Ask for another name."""
        present = self.document.patch.anchors[index].name
        name, ok = QInputDialog.getText(self, self.tr("Rename anchor"), self.tr("New name:"), text=present)
        if ok:
            self.tasks.rename_anchor(index, name)

    # ------------------------------------------------------------------ ties: bars and keys
    def _connect_bars(self) -> None:
        top, keys, player = self.top, self.keys, self.player
        top.browser.toggled.connect(self.left.setVisible)
        top.controls.toggled.connect(self.right.setVisible)
        top.before.clicked.connect(lambda: self._step_preset(-1))
        top.after.clicked.connect(lambda: self._step_preset(1))
        top.name.clicked.connect(self._show_presets)
        top.save.clicked.connect(self.save)
        top.save_as.clicked.connect(self.save_as)
        top.record.clicked.connect(self.toggle_recording)
        top.panic.clicked.connect(self.panic)
        top.settings.clicked.connect(self.open_settings)
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
        self.status.safe_wanted.connect(self.make_safe)
        self.banner.acted.connect(self._restore_binned)

    def _show_keys(self) -> None:
        self.keys.show_computer_keys(self.player.keys.octave, self.player.keys.velocity, self.player.enabled)

    def _show_presets(self) -> None:
        self.top.browser.setChecked(True)
        self.tabs.setCurrentWidget(self.presets)
        self.presets.search.setFocus()

    def _connect_browsers(self) -> None:
        self.timbres.chosen.connect(self.tasks.toggle_anchor)
        self.timbres.preview_wanted.connect(self.tasks.preview)
        self.timbres.random_wanted.connect(self.tasks.random_anchor)
        self.timbres.mutate_wanted.connect(lambda: self.tasks.mutate())
        self.timbres.capture_wanted.connect(self.tasks.capture)
        self.timbres.changed.connect(self._keep_browsers)
        self.presets.chosen.connect(self.load)
        self.presets.changed.connect(self._keep_browsers)
        self.presets.said.connect(self.banner.say)
        self.presets.renamed.connect(self._preset_renamed)
        self.presets.deleted.connect(self._preset_deleted)
        self._binned: Path | None = None

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
            (QKeySequence(Qt.Key.Key_Escape), self.panic),
            (QKeySequence.StandardKey.Undo, self.document.stack.undo),
            (QKeySequence.StandardKey.Redo, self.document.stack.redo),
            (QKeySequence.StandardKey.Save, self.save),
            (QKeySequence("Ctrl+Shift+S"), self.save_as),
            (QKeySequence("Ctrl+R"), self.toggle_recording),
            (QKeySequence("Ctrl+F"), self._focus_search),
            (QKeySequence("Ctrl+,"), self.open_settings),
            (QKeySequence("Ctrl+0"), lambda: self._zoom_to(1.0)),
            (QKeySequence.StandardKey.ZoomIn, lambda: self._zoom_to(self.settings.zoom + 0.1)),
            (QKeySequence.StandardKey.ZoomOut, lambda: self._zoom_to(self.settings.zoom - 0.1)),
            (QKeySequence("Ctrl+PgUp"), lambda: self._step_preset(-1)),
            (QKeySequence("Ctrl+PgDown"), lambda: self._step_preset(1)),
            (QKeySequence("F1"), self.show_help),
            (QKeySequence("F6"), self.pad_pane.pad.setFocus),
            (QKeySequence("F7"), self.keys.keyboard.setFocus),
        ):
            shortcut = QShortcut(keys, self)
            if call == self.panic:
                shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
            shortcut.activated.connect(call)

    def _focus_search(self) -> None:
        self.top.browser.setChecked(True)
        (self.timbres if self.tabs.currentWidget() is self.timbres else self.presets).search.setFocus()

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
        self.pictures.rainbow.update_sound(now)
        self.pictures.scope.update_sound(now)
        self.status.update_status(now)
        if now.banner and now.banner != self._last_banner:
            self.banner.say(now.banner, trouble=True)
        self._last_banner = now.banner
        self._show_recording(now)

    def _show_recording(self, now: Telemetry) -> None:
        if bool(now.recording) != self.top.record.isChecked() and time.monotonic() - self._recording_since_s > 1.5:
            self.top.record.setChecked(bool(now.recording))
        seconds = int(time.monotonic() - self._recording_since_s)
        on = self.top.record.isChecked()
        text = f"● {seconds // 60}:{seconds % 60:02d}" if on else self.tr("● Record")
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
        if self.bridge.now.recording or self.top.record.text() != self.tr("● Record"):
            path = self.bridge.attempt(self.bridge.instrument.stop_recording)
            self.top.record.setChecked(False)
            if path is not None:
                self.banner.say(self.tr("Recorded to {0}.").format(path))
        else:
            path = self.bridge.attempt(self.bridge.instrument.start_recording)
            self.top.record.setChecked(path is not None)
        self._recording_since_s = time.monotonic()

    def make_safe(self) -> None:
        """Take the next larger block, and say so."""
        block = safer_block(self.bridge.now, self.settings.audio)
        if block is None:
            self.banner.say(self.tr("The block is as large as it gets. Close other programs or lower the polyphony."))
            return
        audio = replace(self.settings.audio, block_frames=block)
        self._open_audio(audio, self.tr("Block raised to {0} frames: steadier, and a little later.").format(block))

    def _open_audio(self, audio: AudioSettings, text: str) -> None:
        def opened(_: object) -> None:
            self.change_settings(replace(self.settings, audio=audio))
            self.banner.say(text)

        self.bridge.in_background(lambda: self.bridge.instrument.open_audio(audio), opened)

    def open_settings(self) -> None:
        """Show the settings."""
        if self._dialog is None:
            self._dialog = SettingsDialog(self, self.bridge, self.settings, *self._choices, self.theme)
            self._dialog.changed.connect(self.change_settings)
            self._dialog.finished.connect(lambda _: setattr(self, "_dialog", None))
            self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self._dialog.resize(self.theme.px(600), self.theme.px(520))
        self._dialog.show()
        self._dialog.raise_()

    def show_help(self) -> None:
        """Show the keys."""
        dialog = HelpDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()

    def show_welcome(self) -> None:
        """Show the first-run page, once."""
        dialog = WelcomeDialog(self, self.bridge, self.player)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.settings_wanted.connect(self.open_settings)
        dialog.finished.connect(lambda _: self.change_settings(replace(self.settings, first_run=False)))
        dialog.show()  # not modal: the keys play while it is open

    def change_settings(self, settings: PanelSettings) -> None:
        """Take new settings: show what they change and pass them on."""
        before, self.settings = self.settings, settings
        if (before.theme, before.zoom) != (settings.theme, settings.zoom):
            self.theme = make_theme(settings.theme, settings.zoom)
            self.apply_theme()
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

    # ------------------------------------------------------------------ presets
    def load(self, path: Path) -> None:
        """Load a preset, asking first when edits would be covered."""
        if path != self.document.sound.path and not self._may_leave():
            return
        if self.tasks.load(path):
            self.banner.say(self.tr("Loaded {0}.").format(self.document.patch.name))

    def _step_preset(self, step: int) -> None:
        row = self.shelf.neighbour(self.document.sound.path, step, self.presets.rows())
        if row is not None:
            self.load(row.path)

    def save(self) -> bool:
        """Save in place; a factory preset or a new sound asks for a name of its own."""
        folder = self.bridge.instrument.preset_folder
        saved = self.tasks.save(lambda path: path.is_relative_to(folder))
        return self.save_as() if saved is None else saved

    def save_as(self) -> bool:
        """Save under another name."""
        patch = self.document.patch
        dialog = SaveDialog(self, patch, [row.name for row in self.shelf.rows()], self.shelf.free_name(patch.name))
        if dialog.exec() != SaveDialog.DialogCode.Accepted:
            return False
        named, folder = dialog.result_patch, dialog.result_folder
        path = self.bridge.instrument.preset_folder / folder / f"{named.name}{PRESET_SUFFIX}" if folder else None
        return self.tasks.save_as(named, path)

    def _may_leave(self) -> bool:
        """Ask before edits are lost; true when the player may go on."""
        if not self.document.dirty:
            return True
        box = QMessageBox(self)
        box.setWindowTitle(self.tr("Unsaved changes"))
        box.setText(self.tr("{0} has changes that are not saved.").format(self.document.patch.name))
        save = box.addButton(self.tr("Save"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Discard"), QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(save)
        box.exec()
        if box.clickedButton() is save:
            return self.save()
        return box.clickedButton() is not cancel

    def _preset_renamed(self, before: Path, after: Path) -> None:
        if self.document.sound.path == before:
            patch = self.bridge.attempt(self.bridge.instrument.read_preset, after)
            if patch is not None:
                self.document.mark_saved(replace(self.document.patch, name=patch.name), after)

    def _preset_deleted(self, path: Path, binned: Path) -> None:
        self._binned = binned
        self.banner.say(self.tr("Moved {0} to the bin.").format(path.stem), button=self.tr("Bring it back"))

    def _restore_binned(self) -> None:
        if self._binned is not None:
            self.bridge.attempt(self.shelf.restore, self._binned)
            self._binned = None
            self.presets.reload()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_leave():
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

"""The window's parts as they are laid out: the bar above, the pad with its tools, and the bar with the keys below."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from synth_app.timbre.patch import SCENES
from synth_app.ui.morphing import SCENE_NAMES, Morphing
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.keyboard import ComputerKeys, note_name
from synth_app.ui.view_models.morph import Point
from synth_app.ui.widgets.base import RecordButton, Themed, TitleButton, caption, card, tool
from synth_app.ui.widgets.flow import FlowLayout
from synth_app.ui.widgets.keyboard import KeyboardWidget, Wheel
from synth_app.ui.widgets.meters import Lamp, LevelMeter, Oscilloscope, Rainbowgram
from synth_app.ui.widgets.morph_pad import MorphPad
from synth_app.ui.widgets.sliders import CalmSlider
from synth_app.ui.widgets.touch import HeldFinger

EDGE_STEPS = 1000


class TopBar(Themed, QFrame):
    """Preset, history, recording, panic, level."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.browser = tool("panels", self.tr("Show or hide the browsers"), checkable=True)
        self.controls = tool("panels_right", self.tr("Show or hide the controls"), checkable=True)
        self.browser.setChecked(True)
        self.controls.setChecked(True)
        self.before = tool("left", self.tr("Preset before"))
        self.after = tool("right", self.tr("Preset after"))
        self.name = TitleButton()
        self.name.setToolTip(self.tr("Open the preset browser"))
        self.name.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.save = QPushButton(self.tr("Save"))
        self.save_as = QPushButton(self.tr("Save as …"))
        self.undo = tool("undo", self.tr("Undo"))
        self.redo = tool("redo", self.tr("Redo"))
        self.record = RecordButton()
        self.record.setText(self.record.idle_text)
        self.record.setCheckable(True)
        self.record.setProperty("role", "record")
        self.record.setToolTip(self.tr("Record the output to a WAV file"))
        self.panic = QPushButton(self.tr("Panic"))
        self.panic.setProperty("role", "danger")
        self.panic.setToolTip(self.tr("Silence everything (Esc, from anywhere)"))
        self.lamp = Lamp(theme, self.tr("MIDI activity"))
        self.midi = caption(self.tr("MIDI"))
        self.meter = LevelMeter(theme)
        self.settings = tool("gear", self.tr("Settings"))
        self.help = tool("help", self.tr("Help"))
        menu = QMenu(self.help)
        self.first_steps = menu.addAction(self.tr("First steps …"))
        self.keys = menu.addAction(self.tr("Keys … (F1)"))
        self.help.setMenu(menu)
        self.help.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        flow = FlowLayout(self, gap=10)
        for group in (
            (self.browser, self.before, self.name, self.after, self.save, self.save_as),
            (self.undo, self.redo, self.record, self.panic),
            (self.lamp, self.midi, self.meter, self.controls, self.help, self.settings),
        ):
            holder = QWidget()
            row = QHBoxLayout(holder)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(6)
            for widget in group:
                row.addWidget(widget, 1 if widget is self.name else 0)
            flow.addWidget(holder)


class PadPane(Themed, QWidget):
    """The pad with its edge sliders and its tools."""

    record_gesture = pyqtSignal()
    loop_gesture = pyqtSignal()
    scene_recalled = pyqtSignal(int)
    scene_stored = pyqtSignal(int)
    crossfaded = pyqtSignal(float)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.pad = MorphPad(theme)
        self.across = CalmSlider(self.tr("Morph, left to right"), EDGE_STEPS)
        self.down = CalmSlider(self.tr("Morph, top to bottom"), EDGE_STEPS, vertical=True)
        self.across.filled = self.down.filled = False
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(self.pad, 0, 0)
        grid.addWidget(self.down, 0, 1)
        grid.addWidget(self.across, 1, 0)
        grid.setRowStretch(0, 1)
        grid.setColumnStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(grid, 1)
        layout.addWidget(self._tools())

    def _tools(self) -> QWidget:
        bar = QWidget()
        flow = FlowLayout(bar, gap=6)
        self.snap = tool("snap", self.tr("Snap to anchors"), checkable=True)
        self.lock_x = tool("lock_y", self.tr("Lock left and right: move up and down only"), checkable=True)
        self.lock_y = tool("lock_x", self.tr("Lock up and down: move left and right only"), checkable=True)
        self.latch = tool("pin", self.tr("Latch: the ring stays where you let go"), checkable=True)
        self.record = tool("record", self.tr("Record a gesture: it starts with your next touch and then loops"),
                           checkable=True)  # fmt: skip
        self.loop = tool("loop", self.tr("Loop the recorded gesture"), checkable=True)
        self.record.clicked.connect(self.record_gesture)
        self.loop.clicked.connect(self.loop_gesture)
        for widget in (self.snap, self.lock_x, self.lock_y, self.latch, self.record, self.loop):
            flow.addWidget(widget)
        self.scenes = [self._scene_button(index) for index in range(SCENES)]
        together = QWidget()
        row = QHBoxLayout(together)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (caption(self.tr("Scenes")), *self.scenes):
            row.addWidget(widget)
        flow.addWidget(together)
        self.fader = CalmSlider(self.tr("Crossfade through the scenes"), EDGE_STEPS)
        self.fader.setToolTip(self.tr("Glide from scene to scene; it needs two that are kept"))
        self.fader.setMinimumWidth(120)
        self.fader.valueChanged.connect(lambda value: self.crossfaded.emit(value / EDGE_STEPS))
        flow.addWidget(self.fader)
        return bar

    def _scene_button(self, index: int) -> QPushButton:
        button = QPushButton(SCENE_NAMES[index])
        button.setAccessibleName(self.tr("Scene {0}").format(SCENE_NAMES[index]))
        button.setToolTip(
            self.tr(
                "A place for a blend you like. Click: keep the present blend here, or go back to the one kept. "
                "Right click: keep the present one instead. Scenes are saved with the preset."
            )
        )
        HeldFinger(button)
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        button.customContextMenuRequested.connect(lambda _: self.scene_stored.emit(index))
        button.clicked.connect(lambda: self.scene_recalled.emit(index))
        return button

    def show_handle(self, handle: Point) -> None:
        """Bring the edge sliders to the handle."""
        for slider, value in ((self.across, handle[0]), (self.down, handle[1])):
            slider.blockSignals(True)
            slider.setValue(round(EDGE_STEPS * value))
            slider.blockSignals(False)

    def show_tools(self, morphing: Morphing) -> None:
        """Bring the buttons to what the morphing is doing."""
        for button, on in (
            (self.snap, morphing.snap),
            (self.lock_x, morphing.lock_x),
            (self.lock_y, morphing.lock_y),
            (self.latch, morphing.latch),
            (self.record, morphing.recorder.state in ("armed", "recording")),
            (self.loop, morphing.recorder.state == "looping"),
        ):
            button.show_checked(on)
        self.loop.setEnabled(morphing.recorder.gesture is not None)
        stored = [morphing.scene_weights(index) is not None for index in range(SCENES)]
        for button, full in zip(self.scenes, stored, strict=True):
            button.setProperty("role", "primary" if full else "")
            button.style().unpolish(button)
            button.style().polish(button)
        self.fader.setEnabled(sum(stored) >= 2)
        if sum(stored) < 2:
            self.rest_fader()

    def rest_fader(self) -> None:
        """The crossfader back to its beginning, moving nothing."""
        self.fader.blockSignals(True)
        self.fader.setValue(0)
        self.fader.blockSignals(False)


class PicturesPane(QWidget):
    """Rainbowgram and oscilloscope side by side."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.rainbow, self.scope = Rainbowgram(theme), Oscilloscope(theme)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.rainbow, 3)
        layout.addWidget(self.scope, 1)


class KeysPane(Themed, QFrame):
    """Wheels, keyboard, pedal, octave and velocity."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.setProperty("card", "true")
        self.bend = Wheel(theme, self.tr("Pitch wheel"), -8191, 8191, sprung=True)
        self.modulation = Wheel(theme, self.tr("Modulation wheel"), 0, 127, sprung=False)
        self.keyboard = KeyboardWidget(theme)
        self.sustain = QPushButton(self.tr("Sustain"))
        self.sustain.setCheckable(True)
        self.octave_down, self.octave_up = tool("left", ""), tool("right", "")
        self.softer, self.louder = tool("left", ""), tool("right", "")
        self.octave, self.velocity = QLabel(), QLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(10)
        for wheel, text in ((self.bend, self.tr("Pitch")), (self.modulation, self.tr("Mod"))):
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(wheel, 1, Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(caption(text), 0, Qt.AlignmentFlag.AlignHCenter)
            layout.addLayout(column)
        layout.addWidget(self.keyboard, 1)
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(self.sustain, 0, 0, 1, 3)
        for row, (less, label, more) in enumerate(
            ((self.octave_down, self.octave, self.octave_up), (self.softer, self.velocity, self.louder)), start=1
        ):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            grid.addWidget(less, row, 0)
            grid.addWidget(label, row, 1)
            grid.addWidget(more, row, 2)
        layout.addLayout(grid)

    def show_computer_keys(self, keys: ComputerKeys, enabled: bool) -> None:
        """Show where the letters play."""
        self.octave.setText(self.tr("Keys {0}").format(note_name(12 * (keys.octave + 1))))
        self.velocity.setText(self.tr("Vel {0}").format(keys.velocity))
        self.keyboard.set_letters(keys.letters() if enabled else {})
        for button, place, words in (
            (self.octave_down, "z", self.tr("Octave down ({0})")),
            (self.octave_up, "x", self.tr("Octave up ({0})")),
            (self.softer, "c", self.tr("Softer ({0})")),
            (self.louder, "v", self.tr("Louder ({0})")),
        ):
            button.set_name(words.format(keys.printed(place)))


def side(title: str, *widgets: QWidget) -> QFrame:
    """A titled card for the side columns."""
    frame, layout = card(name=title)
    if title:
        head = QLabel(title)
        head.setProperty("role", "title")
        layout.addWidget(head)
    for widget in widgets:
        layout.addWidget(widget)
    return frame

"""MIDI: which keyboards are heard, on which channels, and where other programs can send to."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from synth_app.engine.telemetry import Telemetry
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.page import Page
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.status import keyboards_and_ports
from synth_app.ui.widgets.base import CheckBox, caption

CHANNELS = tuple(range(1, 17))
_COLUMNS = 8


class MidiPage(Page):
    """Inputs by name, several at once, with those remembered that are not here now; and the channels."""

    def __init__(self, theme: Theme, bridge: Bridge, settings: PanelSettings) -> None:
        super().__init__(theme, bridge, settings)
        self.all_inputs = CheckBox(theme, self.tr("Play from every MIDI keyboard, also those plugged in later"))
        self.inputs: dict[str, CheckBox] = {}
        self.none = caption(self.tr("No MIDI keyboard is plugged in. One that you plug in shows here by itself."))
        self.all_channels = CheckBox(theme, self.tr("Listen on every MIDI channel"))
        self.channels = {number: CheckBox(theme, str(number)) for number in CHANNELS}
        self.ports = caption("")
        self._list, self._row = QWidget(), QWidget()
        self._lay_out()
        self.show_settings()
        self.all_inputs.toggled.connect(self._choose_inputs)
        self.all_channels.toggled.connect(self._choose_channels)
        for box in self.channels.values():
            box.toggled.connect(self._choose_channels)
        bridge.snapshot.connect(self._notice)  # a bound method, which ends with the page

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 12, 4, 4)
        layout.setSpacing(8)
        for label in (self.none, self.ports):
            label.setWordWrap(True)
        refresh = QPushButton(self.tr("Look again"))
        refresh.clicked.connect(self.reload_inputs)
        QVBoxLayout(self._list).setContentsMargins(20, 0, 0, 0)
        grid = QGridLayout(self._row)
        grid.setContentsMargins(20, 0, 0, 0)
        for index, (number, box) in enumerate(self.channels.items()):
            box.setAccessibleName(self.tr("Channel {0}").format(number))
            grid.addWidget(box, index // _COLUMNS, index % _COLUMNS)
        for title, widgets in (
            (self.tr("Keyboards"), (self.all_inputs, self._list, self.none, refresh)),
            (self.tr("Channels"), (self.all_channels, self._row)),
            (self.tr("Other programs"), (self.ports,)),
        ):
            head = QLabel(title)
            head.setProperty("role", "title")
            layout.addWidget(head)
            for widget in widgets:
                left = Qt.AlignmentFlag.AlignLeft if widget is refresh else Qt.AlignmentFlag(0)
                layout.addWidget(widget, 0, left)
            layout.addSpacing(6)
        layout.addStretch(1)

    # ------------------------------------------------------------------ what it shows
    def show_settings(self) -> None:
        self._quietly(self.all_inputs, self.settings.midi_inputs is None)
        self.reload_inputs()
        chosen = self.settings.midi_channels
        self._quietly(self.all_channels, not chosen)
        for number, box in self.channels.items():
            self._quietly(box, not chosen or number in chosen)
            box.setEnabled(bool(chosen))

    def reload_inputs(self) -> None:
        """List the inputs again, with those remembered that are not here now."""
        present = list(self.bridge.attempt(self.bridge.instrument.midi_inputs) or ())
        wanted = self.settings.midi_inputs
        for box in self.inputs.values():
            box.setParent(None)
            box.deleteLater()
        self.inputs = {}
        for name in (*present, *(name for name in wanted or () if name not in present)):
            words = name if name in present else self.tr("{0} (not here now)").format(name)
            box = self.inputs[name] = CheckBox(self.theme, words)
            box.setChecked(wanted is None or name in wanted)
            box.setEnabled(wanted is not None)
            box.toggled.connect(self._choose_inputs)
            self._list.layout().addWidget(box)
        self._list.setVisible(bool(self.inputs))
        self.none.setVisible(not self.inputs)
        self._show_ports()

    def _notice(self, now: Telemetry, before: Telemetry) -> None:
        if now.midi_inputs != before.midi_inputs:
            self.reload_inputs()

    def _show_ports(self) -> None:
        _keyboards, ports = keyboards_and_ports(self.bridge.now)
        self.ports.setText(
            self.tr("Sequencers and other programs can send to {0}.").format(", ".join(ports))
            if ports
            else self.tr("This system has no MIDI ports for other programs.")
        )

    @staticmethod
    def _quietly(box: CheckBox, on: bool) -> None:
        box.blockSignals(True)
        box.setChecked(on)
        box.blockSignals(False)

    # ------------------------------------------------------------------ what the player chooses
    def _choose_inputs(self, *_: object) -> None:
        chosen = tuple(name for name, box in self.inputs.items() if box.isChecked())
        names = None if self.all_inputs.isChecked() else chosen
        for box in self.inputs.values():
            box.setEnabled(names is not None)
        self.bridge.attempt(self.bridge.instrument.connect_midi, names)
        self.choose(midi_inputs=names)

    def _choose_channels(self, *_: object) -> None:
        every = self.all_channels.isChecked()
        chosen = () if every else tuple(number for number, box in self.channels.items() if box.isChecked())
        if not every and not chosen:  # deaf on every channel would be a trap
            self._quietly(self.all_channels, True)
        self.bridge.attempt(self.bridge.instrument.listen_to_channels, chosen)
        self.choose(midi_channels=chosen)
        for number, box in self.channels.items():
            box.setEnabled(not self.all_channels.isChecked())
            if self.all_channels.isChecked():
                self._quietly(box, True)
            elif chosen:
                self._quietly(box, number in chosen)

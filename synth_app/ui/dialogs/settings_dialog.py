"""Settings that cannot brick the instrument: what fails is undone, and one button brings everything back to safe."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from synth_app.core.params import PARAMS
from synth_app.engine.ports import AudioDevice, AudioSettings
from synth_app.engine.telemetry import Telemetry
from synth_app.ui.bridge import Bridge
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.params import tr_param
from synth_app.ui.widgets.base import Chooser, caption, theme_all
from synth_app.ui.widgets.sliders import ParamRow

RATES = (0, 44100, 48000, 96000)
BLOCKS = (0, 64, 128, 256, 512, 1024)
ZOOMS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
FRAME_RATES = (20, 30, 60)


class SettingsDialog(QDialog):
    """The settings.

    Signals:
        changed(PanelSettings): the player chose something; it holds from now on.
    """

    changed = pyqtSignal(object)

    def __init__(
        self,
        parent: QWidget,
        bridge: Bridge,
        settings: PanelSettings,
        models: tuple[str, ...],
        providers: tuple[str, ...],
        theme: Theme,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        self._bridge, self.settings = bridge, settings
        self._devices: list[AudioDevice] = []
        self._busy = False
        self._theme = theme
        self.tabs = QTabWidget()
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(_scrolled(self._audio_page()), self.tr("Audio"))
        self.tabs.addTab(_scrolled(self._midi_page()), self.tr("MIDI"))
        self.tabs.addTab(_scrolled(self._sound_page(models, providers)), self.tr("Sound"))
        self.tabs.addTab(_scrolled(self._look_page()), self.tr("Appearance"))
        safe = QPushButton(self.tr("Back to safe defaults"))
        safe.clicked.connect(self.restore_defaults)
        close = QPushButton(self.tr("Close"))
        close.setProperty("role", "primary")
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(safe)
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(buttons)
        bridge.snapshot.connect(self._show_latency)  # a bound method, which ends with the dialog
        self._show_latency(bridge.now, bridge.now)
        bridge.trouble.connect(self._failed)
        self.reload_devices()
        theme_all(self, theme)

    # ------------------------------------------------------------------ audio
    def _audio_page(self) -> QWidget:
        page = QWidget()
        form = _form(page)
        self.device, self.rate, self.block = (
            self._chooser(name) for name in (self.tr("Output device"), self.tr("Sample rate"), self.tr("Block"))
        )
        self.device.setMinimumContentsLength(28)
        for rate in RATES:
            self.rate.addItem(self.tr("{0} Hz").format(rate) if rate else self.tr("The device's own"), rate)
        for block in BLOCKS:
            self.block.addItem(self.tr("{0} frames").format(block) if block else self.tr("The server's own"), block)
        form.addRow(self.tr("Output"), self.device)
        form.addRow(self.tr("Sample rate"), self.rate)
        form.addRow(self.tr("Block"), self.block)
        self.apply = QPushButton(self.tr("Use this output"))
        self.apply.setProperty("role", "primary")
        self.apply.clicked.connect(self.open_audio)
        self.again = QPushButton(self.tr("Look again"))
        self.again.clicked.connect(self.reload_devices)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.apply)
        row.addWidget(self.again)
        row.addStretch(1)
        form.addRow("", row)
        self.latency = QLabel()
        self.latency.setWordWrap(True)
        form.addRow(self.tr("Now"), self.latency)
        self.answer = caption("")
        self.answer.setWordWrap(True)
        form.addRow("", self.answer)
        return page

    def reload_devices(self) -> None:
        """List the outputs again, without waiting for them."""
        self._bridge.in_background(self._bridge.instrument.audio_devices, self._fill_devices)

    def _fill_devices(self, devices: list[AudioDevice]) -> None:
        self._devices = list(devices)
        audio = self.settings.audio
        self.device.clear()
        self.device.addItem(self.tr("The best at hand"), "")
        for device in self._devices:
            default = self.tr(" (default)") if device.is_default else ""
            self.device.addItem(f"{device.name}{default}", device.name)
        if audio.device and self.device.findData(audio.device) < 0:
            self.device.addItem(self.tr("{0} (not here now)").format(audio.device), audio.device)
        for box, value in ((self.device, audio.device), (self.rate, audio.rate_hz), (self.block, audio.block_frames)):
            box.setCurrentIndex(max(0, box.findData(value)))

    def open_audio(self) -> None:
        """Open what is chosen; what fails leaves the former output open and the settings as they were."""
        if self._busy:
            return
        wanted = AudioSettings(self.device.currentData() or "", self.rate.currentData(), self.block.currentData())
        self._busy = True
        self.apply.setEnabled(False)
        self.answer.setText(self.tr("Opening …"))

        self._bridge.in_background(lambda: self._open(wanted), self._opened)

    def _open(self, wanted: AudioSettings) -> AudioSettings:
        """On the helper thread."""
        self._bridge.instrument.open_audio(wanted)
        return wanted

    def _opened(self, audio: AudioSettings) -> None:
        self._ready(self.tr("It is open."))
        self._choose(audio=audio)

    def _failed(self, text: str) -> None:
        if self._busy:
            self._ready(text)
            self._fill_devices(self._devices)

    def _ready(self, text: str) -> None:
        self._busy = False
        self.apply.setEnabled(True)
        self.answer.setText(text)

    def _show_latency(self, now: Telemetry, _before: Telemetry) -> None:
        text = self.tr("{0}: {1} Hz, blocks of {2} frames. Latency {3} ms, jitter {4} ms.")
        shown = text.format(
            now.audio_device or self.tr("No output"), now.rate_hz, now.block_frames,
            f"{now.latency_ms:.1f}", f"{now.jitter_ms:.1f}",
        )  # fmt: skip
        if shown != self.latency.text():
            self.latency.setText(shown)
            self._show_inputs()

    # ------------------------------------------------------------------ MIDI
    def _midi_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(4, 12, 4, 4)
        self.all_inputs = QCheckBox(self.tr("Listen to every keyboard, also those plugged in later"))
        self.inputs = QListWidget()
        self.inputs.setAccessibleName(self.tr("MIDI inputs"))
        self.connected = caption("")
        self.connected.setWordWrap(True)
        refresh = QPushButton(self.tr("Look again"))
        refresh.clicked.connect(self.reload_inputs)
        for widget in (self.all_inputs, self.inputs, self.connected, refresh):
            layout.addWidget(widget, 1 if widget is self.inputs else 0)
        self.all_inputs.setChecked(self.settings.midi_inputs is None)
        self.all_inputs.toggled.connect(self._connect_midi)
        self.inputs.itemChanged.connect(self._connect_midi)
        self.reload_inputs()
        return page

    def reload_inputs(self) -> None:
        """List the inputs again, with those remembered that are not here now."""
        present = list(self._bridge.attempt(self._bridge.instrument.midi_inputs) or ())
        wanted = self.settings.midi_inputs
        absent = [name for name in wanted or () if name not in present]
        self.inputs.blockSignals(True)
        self.inputs.clear()
        for name in (*present, *absent):
            item = QListWidgetItem(name if name in present else self.tr("{0} (not here now)").format(name))
            item.setData(Qt.ItemDataRole.UserRole, name)
            chosen = wanted is None or name in wanted
            item.setCheckState(Qt.CheckState.Checked if chosen else Qt.CheckState.Unchecked)
            self.inputs.addItem(item)
        self.inputs.blockSignals(False)
        self.inputs.setEnabled(wanted is not None)
        self._show_inputs()

    def _show_inputs(self) -> None:
        names = ", ".join(self._bridge.now.midi_inputs)
        self.connected.setText(
            self.tr("Connected: {0}").format(names) if names else self.tr("No MIDI keyboard is connected.")
        )

    def _connect_midi(self, *_: object) -> None:
        items = [self.inputs.item(i) for i in range(self.inputs.count())]
        chosen = tuple(i.data(Qt.ItemDataRole.UserRole) for i in items if i.checkState() == Qt.CheckState.Checked)
        names = None if self.all_inputs.isChecked() else chosen
        self.inputs.setEnabled(names is not None)
        self._bridge.attempt(self._bridge.instrument.connect_midi, names)
        self._choose(midi_inputs=names)

    # ------------------------------------------------------------------ sound
    def _sound_page(self, models: tuple[str, ...], providers: tuple[str, ...]) -> QWidget:
        page = QWidget()
        form = _form(page)
        self.model, self.provider = self._chooser(self.tr("Model")), self._chooser(self.tr("Computed on"))
        self.model.addItem(self.tr("The default model"), "")
        for name in models:
            self.model.addItem(name, name)
        for name in providers:
            self.provider.addItem(self.tr("The fastest at hand") if name == "auto" else name.upper(), name)
        self.model.setCurrentIndex(max(0, self.model.findData(self.settings.model)))
        self.provider.setCurrentIndex(max(0, self.provider.findData(self.settings.provider)))
        self.model.currentIndexChanged.connect(lambda: self._choose(model=self.model.currentData()))
        self.provider.currentIndexChanged.connect(lambda: self._choose(provider=self.provider.currentData()))
        form.addRow(self.tr("Model"), self.model)
        form.addRow(self.tr("Computed on"), self.provider)
        form.addRow("", caption(self.tr("Both hold from the next start.")))
        self.params: dict[str, ParamRow] = {}
        for spec in PARAMS.values():
            if spec.in_patch:
                continue
            row = ParamRow(spec)
            row.set_value(self.settings.params.get(spec.name, spec.default))
            row.moved.connect(self._set_param)
            row.slider.setToolTip(tr_param(spec.help))
            self.params[spec.name] = row
            form.addRow(row)
        return page

    def _set_param(self, name: str, value: float) -> None:
        self._bridge.param(name, value)
        self._choose(params={**self.settings.params, name: value})

    # ------------------------------------------------------------------ appearance
    def _look_page(self) -> QWidget:
        page = QWidget()
        form = _form(page)
        self.theme, self.zoom, self.frames = (
            self._chooser(name) for name in (self.tr("Theme"), self.tr("Zoom"), self.tr("Pictures"))
        )
        for name, value in ((self.tr("Dark"), "dark"), (self.tr("Light"), "light")):
            self.theme.addItem(name, value)
        for zoom in ZOOMS:
            self.zoom.addItem(f"{100 * zoom:.0f} %", zoom)
        for rate in FRAME_RATES:
            self.frames.addItem(self.tr("{0} a second").format(rate), rate)
        self.computer_keys = QCheckBox(self.tr("The computer's keyboard plays notes (A W S E D …)"))
        self._show_look()
        self.theme.currentIndexChanged.connect(lambda: self._choose(theme=self.theme.currentData()))
        self.zoom.currentIndexChanged.connect(lambda: self._choose(zoom=self.zoom.currentData()))
        self.frames.currentIndexChanged.connect(lambda: self._choose(frames_per_second=self.frames.currentData()))
        self.computer_keys.toggled.connect(lambda on: self._choose(computer_keys=on))
        form.addRow(self.tr("Theme"), self.theme)
        form.addRow(self.tr("Zoom"), self.zoom)
        form.addRow(self.tr("Pictures"), self.frames)
        form.addRow("", self.computer_keys)
        return page

    def _show_look(self) -> None:
        zooms = [abs(zoom - self.settings.zoom) for zoom in ZOOMS]
        for box, index in (
            (self.theme, max(0, self.theme.findData(self.settings.theme))),
            (self.zoom, zooms.index(min(zooms))),
            (self.frames, max(0, self.frames.findData(self.settings.frames_per_second))),
        ):
            box.blockSignals(True)
            box.setCurrentIndex(index)
            box.blockSignals(False)
        self.computer_keys.setChecked(self.settings.computer_keys)

    # ------------------------------------------------------------------ all of them
    def _chooser(self, name: str) -> Chooser:
        chooser = Chooser(self._theme, name)
        chooser.setMinimumContentsLength(18)
        return chooser

    def restore_defaults(self) -> None:
        """Everything back to what works everywhere; favourites and tags stay."""
        safe = PanelSettings()
        self.settings = replace(
            safe,
            favourite_timbres=self.settings.favourite_timbres,
            favourite_presets=self.settings.favourite_presets,
            timbre_tags=self.settings.timbre_tags,
            window=self.settings.window,
            first_run=False,
        )
        for name, row in self.params.items():
            row.set_value(PARAMS[name].default)
            self._bridge.param(name, PARAMS[name].default)
        self._show_look()
        self.all_inputs.setChecked(True)
        self.reload_inputs()
        self._fill_devices(self._devices)
        self.changed.emit(self.settings)
        self.open_audio()

    def _choose(self, **values: object) -> None:
        self.settings = replace(self.settings, **values)
        self.changed.emit(self.settings)


def _form(page: QWidget) -> QFormLayout:
    form = QFormLayout(page)
    form.setContentsMargins(4, 12, 4, 4)
    form.setVerticalSpacing(10)
    form.setHorizontalSpacing(16)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def _scrolled(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(page)
    return area

"""The output: what fails leaves the former one open and the settings as they were."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton

from synth_app.engine.ports import AudioDevice, AudioSettings
from synth_app.engine.telemetry import Telemetry
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.page import Page, show_choice
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.widgets.base import caption

RATES = (0, 44100, 48000, 96000)
BLOCKS = (0, 64, 128, 256, 512, 1024)


class AudioPage(Page):
    """Device, rate and block, with the latency that they give."""

    def __init__(self, theme: Theme, bridge: Bridge, settings: PanelSettings) -> None:
        super().__init__(theme, bridge, settings)
        self._devices: list[AudioDevice] = []
        self._busy = False
        self.device, self.rate, self.block = (
            self.chooser(name) for name in (self.tr("Output device"), self.tr("Sample rate"), self.tr("Block"))
        )
        self.device.setMinimumContentsLength(28)
        for rate in RATES:
            self.rate.addItem(self.tr("{0} Hz").format(rate) if rate else self.tr("The device's own"), rate)
        for block in BLOCKS:
            self.block.addItem(self.tr("{0} frames").format(block) if block else self.tr("The usual one"), block)
        self.apply = QPushButton(self.tr("Use this output"))
        self.apply.setProperty("role", "primary")
        self.apply.clicked.connect(self.open_audio)
        self.again = QPushButton(self.tr("Look again"))
        self.again.clicked.connect(self.reload_devices)
        self.latency, self.answer = QLabel(), caption("")
        self.silence = QLabel(
            self.tr("Choose the output that your speakers or headphones are on, then “Use this output”, and play. Does "
                    "the meter at the top of the panel move? Then the sound is on its way: turn that output up.")
        )  # fmt: skip
        self._lay_out()
        bridge.snapshot.connect(self._show_latency)  # a bound method, which ends with the page
        self._show_latency(bridge.now, bridge.now)
        bridge.trouble.connect(self._failed)
        self.reload_devices()

    def _lay_out(self) -> None:
        form = self.form()
        form.addRow(self.tr("Output"), self.device)
        form.addRow(self.tr("Sample rate"), self.rate)
        form.addRow(self.tr("Block"), self.block)
        hint = caption(
            self.tr("A smaller block answers sooner, a larger one crackles less. Under JACK its server sets the rate "
                    "and the block for every program.")
        )  # fmt: skip
        for label in (self.silence, hint, self.latency, self.answer):
            label.setWordWrap(True)
        self.silence.hide()
        form.insertRow(0, self.silence)
        form.addRow("", hint)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.apply)
        row.addWidget(self.again)
        row.addStretch(1)
        form.addRow("", row)
        form.addRow(self.tr("Now"), self.latency)
        form.addRow("", self.answer)

    def help_silence(self) -> None:
        """Say what to do for a player who hears nothing."""
        self.silence.show()

    def reload_devices(self) -> None:
        """List the outputs again, without waiting for them."""
        self.bridge.in_background(self.bridge.instrument.audio_devices, self._fill)

    def _fill(self, devices: Sequence[AudioDevice]) -> None:
        self._devices = list(devices)
        audio = self.settings.audio
        self.device.clear()
        self.device.addItem(self.tr("The best at hand"), "")
        for device in self._devices:
            default = self.tr(" (default)") if device.is_default else ""
            self.device.addItem(f"{device.name}{default}", device.name)
        if audio.device and self.device.findData(audio.device) < 0:
            self.device.addItem(self.tr("{0} (not here now)").format(audio.device), audio.device)
        self.show_settings()

    def show_settings(self) -> None:
        audio = self.settings.audio
        show_choice(self.device, audio.device)
        show_choice(self.rate, audio.rate_hz)
        show_choice(self.block, audio.block_frames)

    def open_audio(self) -> None:
        """Open what is chosen."""
        if self._busy:
            return
        wanted = AudioSettings(self.device.currentData() or "", self.rate.currentData(), self.block.currentData())
        self._busy = True
        self.apply.setEnabled(False)
        self.answer.setText(self.tr("Opening …"))
        self.bridge.in_background(lambda: self._open(wanted), self._opened)

    def _open(self, wanted: AudioSettings) -> AudioSettings:
        """On the helper thread."""
        self.bridge.instrument.open_audio(wanted)
        return wanted

    def _opened(self, audio: AudioSettings) -> None:
        self._ready(self.tr("It is open."))
        self.choose(audio=audio)

    def _failed(self, text: str) -> None:
        if self._busy:
            self._ready(text)
            self.show_settings()

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

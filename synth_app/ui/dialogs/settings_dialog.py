"""Settings that cannot brick the instrument: what fails is undone, and one button brings everything back to safe."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from synth_app.core.params import PARAMS
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.audio_page import AudioPage
from synth_app.ui.dialogs.look_page import LookPage
from synth_app.ui.dialogs.midi_page import MidiPage
from synth_app.ui.dialogs.page import Page
from synth_app.ui.dialogs.sound_page import SoundPage
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.widgets.base import theme_all


class SettingsDialog(QDialog):
    """The settings, page by page.

    Attributes:
        audio, midi, sound, look: the pages.

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
        self._bridge, self._settings = bridge, settings
        self.audio, self.midi = AudioPage(theme, bridge, settings), MidiPage(theme, bridge, settings)
        self.sound = SoundPage(theme, bridge, settings, models, providers)
        self.look = LookPage(theme, bridge, settings)
        self.pages: tuple[Page, ...] = (self.audio, self.midi, self.sound, self.look)
        self.tabs = QTabWidget()
        self.tabs.tabBar().setDrawBase(False)
        titles = (self.tr("Audio"), self.tr("MIDI"), self.tr("Sound"), self.tr("Appearance"))
        for page, title in zip(self.pages, titles, strict=True):
            self.tabs.addTab(_scrolled(page), title)
            page.chosen.connect(self._choose)
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
        theme_all(self, theme)

    @property
    def settings(self) -> PanelSettings:
        """What the pages show."""
        return self._settings

    @settings.setter
    def settings(self, settings: PanelSettings) -> None:
        self._settings = settings
        for page in self.pages:
            page.settings = settings

    def restore_defaults(self) -> None:
        """Everything back to what works everywhere; favourites, tags and the model stay."""
        kept = ("favourite_timbres", "favourite_presets", "timbre_tags", "window", "model", "provider")
        values = {name: getattr(self.settings, name) for name in kept}
        self.settings = replace(PanelSettings(first_run=False), **values)
        for spec in PARAMS.values():
            if not spec.in_patch:
                self._bridge.param(spec.name, spec.default)
        self._bridge.attempt(self._bridge.instrument.connect_midi, None)
        self._bridge.attempt(self._bridge.instrument.listen_to_channels, ())
        for page in self.pages:
            page.show_settings()
        self.changed.emit(self.settings)
        self.audio.open_audio()

    def _choose(self, values: dict[str, object]) -> None:
        self.settings = replace(self.settings, **values)
        self.changed.emit(self.settings)


def _scrolled(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(page)
    return area

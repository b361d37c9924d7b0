"""The window's dialogs: opened here, never twice at once, and told what the settings are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PyQt6.QtCore import QObject, QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QApplication, QDialog, QWidget

from synth_app.engine.ports import AudioSettings
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.help import HelpDialog
from synth_app.ui.dialogs.settings_dialog import SettingsDialog
from synth_app.ui.dialogs.welcome import WelcomeDialog
from synth_app.ui.play import Player
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.status import safer_block

_SHARE_OF_SCREEN = 0.92
_UPPER_BAR = 50  # design pixels


class DialogDesk(QObject):
    """Settings, keys, first steps; and the two changes of the instrument that take a moment: output and model.

    Signals:
        changed(PanelSettings): the player chose something. said(str): news for the banner.
        model_opened(): another model plays now.
    """

    changed = pyqtSignal(object)
    said = pyqtSignal(str)
    model_opened = pyqtSignal()

    def __init__(
        self,
        window: QWidget,
        bridge: Bridge,
        player: Player,
        settings: Callable[[], PanelSettings],
        theme: Callable[[], Theme],
        choices: tuple[tuple[str, ...], tuple[str, ...]],
    ) -> None:
        super().__init__(window)
        self._window, self._bridge, self._player = window, bridge, player
        self._settings, self._theme, self._choices = settings, theme, choices
        self._open: dict[type[QDialog], QDialog] = {}

    # ------------------------------------------------------------------ dialogs
    @property
    def settings_dialog(self) -> SettingsDialog | None:
        """The settings, while they are open."""
        dialog = self._open.get(SettingsDialog)
        return dialog if isinstance(dialog, SettingsDialog) else None

    def show_settings(self) -> None:
        """Open the settings."""
        self._show(SettingsDialog, self._make_settings)

    def help_silence(self) -> None:
        """Open the settings for a player who hears nothing."""
        self.show_settings()
        if self.settings_dialog is not None:
            self.settings_dialog.audio.help_silence()
            self._fit(self.settings_dialog)

    def show_keys(self) -> None:
        """Open the table of keys."""
        self._show(HelpDialog, lambda: HelpDialog(self._window))

    def show_welcome(self) -> None:
        """Open the first-run page."""
        dialog = self._show(WelcomeDialog, self._make_welcome)
        window, height = self._window.geometry(), self._theme().px(_UPPER_BAR)
        dialog.move(max(window.left(), window.right() - dialog.width()), window.top() + height)  # the pad stays in view

    def close_welcome(self) -> None:
        """Close the first-run page, if it is open."""
        dialog = self._open.get(WelcomeDialog)
        if dialog is not None:
            dialog.reject()

    def close_active(self) -> bool:
        """Close the dialog that has the keyboard; whether one has."""
        active = QApplication.activeWindow()
        if isinstance(active, QDialog):
            active.reject()
            return True
        return False

    def _show(self, kind: type[QDialog], make: Callable[[], QDialog]) -> QDialog:
        dialog = self._open.get(kind)
        if dialog is None:
            dialog = self._open[kind] = make()
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.finished.connect(lambda _: self._open.pop(kind, None))
            self._fit(dialog)
        dialog.show()  # not modal: the keys play while it is open
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def fit(self) -> None:
        """Give open dialogs the room that another zoom asks for."""
        for dialog in self._open.values():
            self._fit(dialog)

    def _fit(self, dialog: QDialog) -> None:
        wanted = dialog.sizeHint()
        if isinstance(dialog, SettingsDialog):
            wanted = wanted.expandedTo(QSize(self._theme().px(600), self._theme().px(560)))
        room = self._window.screen().availableSize() * _SHARE_OF_SCREEN
        dialog.resize(dialog.size().expandedTo(wanted).boundedTo(room))

    def _make_settings(self) -> QDialog:
        dialog = SettingsDialog(self._window, self._bridge, self._settings(), *self._choices, self._theme())
        dialog.changed.connect(self.changed)
        dialog.sound.model_wanted.connect(self.open_model)
        return dialog

    def _make_welcome(self) -> QDialog:
        dialog = WelcomeDialog(self._window, self._bridge, self._player)
        dialog.settings_wanted.connect(self.help_silence)
        dialog.keys_wanted.connect(self.show_keys)
        dialog.finished.connect(lambda _: self.changed.emit(replace(self._settings(), first_run=False)))
        return dialog

    # ------------------------------------------------------------------ changes that take a moment
    def make_safe(self) -> None:
        """Take the next larger block, and say so."""
        block = safer_block(self._bridge.now, self._settings().audio)
        if block is None:
            self.said.emit(self.tr("The block is as large as it gets. Close other programs or lower the polyphony."))
            return
        audio = replace(self._settings().audio, block_frames=block)
        text = self.tr("Block raised to {0} frames: steadier, and a little later.").format(block)
        self._bridge.in_background(lambda: self._bridge.instrument.open_audio(audio), lambda _: self._safe(audio, text))

    def _safe(self, audio: AudioSettings, text: str) -> None:
        self.changed.emit(replace(self._settings(), audio=audio))
        self.said.emit(text)

    def open_model(self, model: str, provider: str) -> None:
        """Play on another model; one that cannot be opened leaves the present one playing, and says why."""
        instrument = self._bridge.instrument
        self._bridge.in_background(
            lambda: instrument.open_model(model, provider), lambda _: self._opened(model, provider)
        )

    def _opened(self, model: str, provider: str) -> None:
        self.changed.emit(replace(self._settings(), model=model, provider=provider))
        self.model_opened.emit()
        if self.settings_dialog is not None:
            self.settings_dialog.sound.model_answered(self.tr("It plays now."))

"""How the panel looks, and whether the computer's keys play."""

from __future__ import annotations

from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.page import Page, show_choice
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.widgets.base import CheckBox

ZOOMS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
FRAME_RATES = (20, 30, 60)


class LookPage(Page):
    """Theme, zoom, pictures a second, computer keys."""

    def __init__(self, theme: Theme, bridge: Bridge, settings: PanelSettings) -> None:
        super().__init__(theme, bridge, settings)
        self.look, self.zoom, self.frames = (
            self.chooser(name) for name in (self.tr("Theme"), self.tr("Zoom"), self.tr("Pictures"))
        )
        for name, value in ((self.tr("Dark"), "dark"), (self.tr("Light"), "light")):
            self.look.addItem(name, value)
        for zoom in ZOOMS:
            self.zoom.addItem(f"{100 * zoom:.0f} %", zoom)
        for rate in FRAME_RATES:
            self.frames.addItem(self.tr("{0} a second").format(rate), rate)
        self.computer_keys = CheckBox(theme, self.tr("The computer's keyboard plays notes (A W S E D …)"))
        form = self.form()
        form.addRow(self.tr("Theme"), self.look)
        form.addRow(self.tr("Zoom"), self.zoom)
        form.addRow(self.tr("Pictures"), self.frames)
        form.addRow("", self.computer_keys)
        self.show_settings()
        self.look.currentIndexChanged.connect(lambda: self.choose(theme=self.look.currentData()))
        self.zoom.currentIndexChanged.connect(lambda: self.choose(zoom=self.zoom.currentData()))
        self.frames.currentIndexChanged.connect(lambda: self.choose(frames_per_second=self.frames.currentData()))
        self.computer_keys.toggled.connect(lambda on: self.choose(computer_keys=on))

    def show_settings(self) -> None:
        show_choice(self.look, self.settings.theme)
        show_choice(self.zoom, min(ZOOMS, key=lambda zoom: abs(zoom - self.settings.zoom)))
        show_choice(self.frames, self.settings.frames_per_second)
        self.computer_keys.blockSignals(True)
        self.computer_keys.setChecked(self.settings.computer_keys)
        self.computer_keys.blockSignals(False)

"""What the pages of the settings share."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QWidget

from synth_app.ui.bridge import Bridge
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.widgets.base import Chooser, Themed


class Page(Themed, QWidget):
    """One page. It shows ``settings``, which the dialog keeps up to date, and says what the player chose.

    Signals:
        chosen(dict): new values of fields of :class:`PanelSettings`.
    """

    chosen = pyqtSignal(dict)

    def __init__(self, theme: Theme, bridge: Bridge, settings: PanelSettings) -> None:
        super().__init__()
        self.theme, self.bridge, self.settings = theme, bridge, settings

    def show_settings(self) -> None:
        """Bring every widget to the settings, telling nobody."""

    def choose(self, **values: object) -> None:
        """Tell what the player chose."""
        self.chosen.emit(values)

    def chooser(self, name: str) -> Chooser:
        """A combo box of this name."""
        chooser = Chooser(self.theme, name)
        chooser.setMinimumContentsLength(18)
        return chooser

    def form(self) -> QFormLayout:
        """Labels beside fields, over the whole page."""
        form = QFormLayout(self)
        form.setContentsMargins(4, 12, 4, 4)
        form.setVerticalSpacing(10)
        form.setHorizontalSpacing(16)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        return form


def show_choice(box: Chooser, value: object) -> None:
    """Show the entry with this value, or the first one, telling nobody."""
    box.blockSignals(True)
    box.setCurrentIndex(max(0, box.findData(value)))
    box.blockSignals(False)

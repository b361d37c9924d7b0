"""The keys, in one table (F1)."""

from __future__ import annotations

from PyQt6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from synth_app.ui.widgets.base import caption


class HelpDialog(QDialog):
    """What the keyboard does."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys"))
        table = QWidget()
        grid = QGridLayout(table)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        for row, (keys, does) in enumerate(self._entries()):
            head = QLabel(keys)
            head.setProperty("role", "title")
            words = caption(does)
            words.setWordWrap(True)
            grid.addWidget(head, row, 0)
            grid.addWidget(words, row, 1)
        grid.setColumnStretch(1, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(table)
        close = QPushButton(self.tr("Close"))
        close.setProperty("role", "primary")
        close.clicked.connect(self.accept)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(area, 1)
        layout.addLayout(foot)
        unit = self.fontMetrics().height()
        self.resize(34 * unit, 30 * unit)

    def _entries(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Esc", self.tr("Silence everything; in a dialog, only close it")),
            (
                "A W S E D F …",
                self.tr("Play notes, like the keys of a piano: by their places, whatever is printed on them"),
            ),
            ("Z  X", self.tr("An octave down, up")),
            ("C  V", self.tr("Softer, louder")),
            ("F6", self.tr("Go to the pad")),
            (self.tr("Arrows on the pad"), self.tr("Move the ring; with Shift in larger steps")),
            (self.tr("1 to 9 on the pad"), self.tr("Jump to an anchor")),
            ("F7", self.tr("Go to the on-screen keys: arrows choose one, Return strikes it")),
            (self.tr("Delete on a control"), self.tr("Back to its default")),
            ("Return", self.tr("In a list: add or remove a timbre, load a preset")),
            ("Space", self.tr("In the timbre list: hear it")),
            ("*", self.tr("In a list: star")),
            ("Ctrl+Z  Ctrl+Shift+Z", self.tr("Undo, redo, without limit")),
            ("Ctrl+S  Ctrl+Shift+S", self.tr("Save, save as")),
            ("Ctrl+PgUp  Ctrl+PgDown", self.tr("Preset before, after")),
            ("Ctrl+F", self.tr("Search")),
            ("Ctrl+R", self.tr("Record")),
            ("Ctrl++  Ctrl+-  Ctrl+0", self.tr("Zoom")),
            ("Ctrl+,", self.tr("Settings")),
        )

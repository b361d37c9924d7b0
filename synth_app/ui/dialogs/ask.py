"""A question whose answer is a line of words."""

from __future__ import annotations

from PyQt6.QtWidgets import QInputDialog, QWidget

_LETTERS = 44  # as wide as a long name


def ask_text(parent: QWidget, title: str, label: str, present: str) -> str | None:
    """The words given, beginning with the present ones; ``None`` when the player thought better of it."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextValue(present)
    dialog.resize(_LETTERS * dialog.fontMetrics().averageCharWidth(), dialog.sizeHint().height())
    return dialog.textValue() if dialog.exec() == QInputDialog.DialogCode.Accepted else None

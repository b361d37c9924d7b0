"""Saving a preset under a name of its own, with what the browser will show of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from PyQt6.QtWidgets import (
    QCompleter,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from synth_app.timbre.patch import Patch
from synth_app.ui.widgets.base import caption

FACTORY_AUTHOR = "synth_app"


class SaveDialog(QDialog):
    """Asks for name, folder, author, tags and notes; ``result_patch`` is the patch with them."""

    def __init__(
        self, parent: QWidget, patch: Patch, taken: Collection[str], suggested: str, folders: Collection[str] = ()
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Save preset as"))
        self._patch = patch
        self._taken = {name.casefold() for name in taken}
        self.name = QLineEdit(suggested)
        ours = patch.author == FACTORY_AUTHOR  # what the player makes of a factory sound is the player's
        self.author = QLineEdit("" if ours else patch.author)
        self.tags = QLineEdit("" if ours else ", ".join(patch.tags))
        self.tags.setPlaceholderText(self.tr("warm, pad, slow …"))
        self.notes = QPlainTextEdit("" if ours else patch.notes)
        self.notes.setTabChangesFocus(True)
        self.notes.setMaximumHeight(4 * self.fontMetrics().height() + 16)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText(self.tr("My presets, or a folder in it such as Pads"))
        self.folder.setCompleter(QCompleter(sorted(folders), self.folder))
        form = QFormLayout()
        form.setVerticalSpacing(10)
        for label, field in (
            (self.tr("&Name"), self.name),
            (self.tr("&Folder"), self.folder),
            (self.tr("&Author"), self.author),
            (self.tr("&Tags"), self.tags),
            (self.tr("N&otes"), self.notes),
        ):
            form.addRow(label, field)
        self.problem = caption("")
        self.problem.setWordWrap(True)
        self.problem.setProperty("health", "warn")
        self.save = QPushButton(self.tr("Save"))
        self.save.setProperty("role", "primary")
        self.save.setDefault(True)
        self.save.clicked.connect(self.accept)
        cancel = QPushButton(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addLayout(row)
        self.setMinimumWidth(420)
        self.name.textChanged.connect(self._check)
        self.name.selectAll()
        self._check()

    def _check(self) -> None:
        name = self.name.text().strip()
        problem = ""
        if not name:
            problem = self.tr("Give it a name.")
        elif name.casefold() in self._taken:
            problem = self.tr("There is a preset of this name; choose another.")
        self.problem.setText(problem)
        self.save.setEnabled(not problem)

    @property
    def result_patch(self) -> Patch:
        """The patch with the words given here."""
        tags = tuple(dict.fromkeys(word.strip() for word in self.tags.text().split(",") if word.strip()))
        return replace(
            self._patch,
            name=self.name.text().strip(),
            author=self.author.text().strip(),
            notes=self.notes.toPlainText().strip(),
            tags=tags,
        )

    @property
    def result_folder(self) -> str:
        """The sub-folder, made harmless."""
        return "".join(c for c in self.folder.text().strip() if c.isalnum() or c in " -_")

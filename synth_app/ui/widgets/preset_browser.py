"""The preset browser: folders, words, tags and stars; rename, duplicate, delete, import and export by drag and drop."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QPoint, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.ask import ask_text
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.presets import PresetRow, PresetShelf
from synth_app.ui.widgets.base import Chooser, caption, tool
from synth_app.ui.widgets.lists import ListRow, RowList, SearchField


class PresetBrowser(QWidget):
    """The browser.

    Signals:
        chosen(Path): load this preset. renamed(Path, Path): a file has another name now.
        deleted(Path, Path): a file went to the bin (from, to). said(str): news for the banner. changed(): stars.
    """

    chosen = pyqtSignal(object)
    renamed = pyqtSignal(object, object)
    deleted = pyqtSignal(object, object)
    said = pyqtSignal(str)
    changed = pyqtSignal()

    def __init__(self, theme: Theme, shelf: PresetShelf, bridge: Bridge) -> None:
        super().__init__()
        self.shelf, self._bridge = shelf, bridge
        self._present: Path | None = None
        self.folder, self.tag = Chooser(theme, self.tr("Folder")), Chooser(theme, self.tr("Tag"))
        self.stars = tool("star", self.tr("Favourites only"), checkable=True)
        self.list = RowList(theme, self.tr("Presets"), "file")
        self.search = SearchField(
            self.list, self.tr("Search presets"), self.tr("Names, authors, notes, tags and timbres")
        )
        self.note = caption("")
        self.note.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(6)
        finding, filters = QHBoxLayout(), QHBoxLayout()
        for row, widgets in ((finding, (self.search, self.stars)), (filters, (self.folder, self.tag))):
            row.setSpacing(6)
            for widget in widgets:
                row.addWidget(widget, 0 if widget is self.stars else 1)
            layout.addLayout(row)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.note)
        self._fill_boxes()
        self._connect()
        self.refresh()

    def _connect(self) -> None:
        self.search.textChanged.connect(self.refresh)
        self.search.taken.connect(lambda key: self.chosen.emit(Path(key)))
        self.folder.currentIndexChanged.connect(self.refresh)
        self.tag.currentIndexChanged.connect(self.refresh)
        self.stars.toggled.connect(self.refresh)
        self.list.chosen.connect(lambda key: self.chosen.emit(Path(key)))
        self.list.starred.connect(self._star)
        self.list.menu_wanted.connect(self._menu)
        self.list.files_dropped.connect(self.import_files)

    # ------------------------------------------------------------------ what it shows
    def set_present(self, path: Path | None) -> None:
        """Mark the preset on the table."""
        if path != self._present:
            self._present = path
            self.refresh()

    def reload(self) -> None:
        """Look at the disk again and show it."""
        self.shelf.refresh()
        self._fill_boxes()
        self.refresh()

    def refresh(self) -> None:
        """Show what fits the filters."""
        rows = self.rows()
        self.list.set_rows([self._list_row(row) for row in rows])
        self.note.setText(self._about(len(rows)))

    def _about(self, count: int) -> str:
        """What is to be said below the list."""
        if count:
            return self.tr("Double-click loads. Drop a preset file here to import it; drag one out to export it.")
        asked = self.search.text().strip()
        none = self.tr("No preset matches “{0}”.").format(asked) if asked else self.tr("Nothing fits.")
        return none + " " + self.tr("Clear the search or choose all folders and tags.")

    def rows(self) -> list[PresetRow]:
        """What fits the filters."""
        return self.shelf.rows(
            self.search.text(), self.folder.currentData() or "", self.tag.currentData() or "", self.stars.isChecked()
        )

    def _fill_boxes(self) -> None:
        for box, first, values in (
            (self.folder, self.tr("All folders"), self.shelf.folders),
            (self.tag, self.tr("All tags"), self.shelf.tags),
        ):
            wanted = box.currentData()
            box.blockSignals(True)
            box.clear()
            box.addItem(first, "")
            for value in values:
                box.addItem(value, value)
            box.setCurrentIndex(max(0, box.findData(wanted)))
            box.blockSignals(False)

    def _list_row(self, row: PresetRow) -> ListRow:
        details = " · ".join(filter(None, (row.folder, row.author, ", ".join(row.tags))))
        return ListRow(
            key=str(row.path),
            title=row.name,
            subtitle=row.trouble or details,
            starred=row.favourite,
            marked=row.path == self._present,
            faint=bool(row.trouble),
            help="\n".join(filter(None, (row.name, row.notes, ", ".join(row.anchors), row.trouble))),
        )

    # ------------------------------------------------------------------ what it is asked
    def import_files(self, paths: list[Path]) -> None:
        """Take files into the player's presets; what is no preset is said and left alone."""
        taken = [path for path in paths if self._bridge.attempt(self.shelf.import_file, path)]
        self.reload()
        if taken:
            self.said.emit(self.tr("Imported {0}.").format(", ".join(path.name for path in taken)))

    def _star(self, key: str) -> None:
        self.shelf.toggle_favourite(Path(key))
        self.refresh()
        self.changed.emit()

    def _menu(self, key: str, at: QPoint) -> None:
        row = self.shelf.find(Path(key))
        if row is None:
            return
        menu = QMenu(self)
        entries = [
            (self.tr("Load"), lambda: self.chosen.emit(row.path), not row.trouble),
            (self.tr("Rename …"), lambda: self.rename(row), not row.factory and not row.trouble),
            (self.tr("Duplicate"), lambda: self.duplicate(row), not row.trouble),
            (self.tr("Export …"), lambda: self.export(row), not row.trouble),
            (self.tr("Remove star") if row.favourite else self.tr("Add star"), lambda: self._star(key), True),
            (self.tr("Move to the bin"), lambda: self.delete(row), not row.factory),
        ]
        for text, call, enabled in entries:
            action = QAction(text, menu)
            action.setEnabled(enabled)
            action.triggered.connect(call)
            menu.addAction(action)
        menu.popup(at)

    def rename(self, row: PresetRow, name: str | None = None) -> None:
        """Give a preset another name, asking for it when none is given."""
        if name is None:
            label = self.tr("New name of {0}:").format(row.name)
            name = ask_text(self, self.tr("Rename preset"), label, row.name)
        target = self._bridge.attempt(self.shelf.rename, row, name) if name is not None else None
        if target is not None:
            self.renamed.emit(row.path, target)
            self.reload()

    def duplicate(self, row: PresetRow) -> None:
        """Copy a preset."""
        path = self._bridge.attempt(self.shelf.duplicate, row)
        self.reload()
        if path is not None:
            self.said.emit(self.tr("Copied to {0}.").format(path.name))

    def export(self, row: PresetRow) -> None:
        """Write a copy anywhere."""
        target, _ = QFileDialog.getSaveFileName(self, self.tr("Export preset"), row.path.name)
        if target and self._bridge.attempt(self.shelf.export_file, row, Path(target)):
            self.said.emit(self.tr("Exported to {0}.").format(target))

    def delete(self, row: PresetRow) -> None:
        """Move a preset to the bin."""
        binned = self._bridge.attempt(self.shelf.delete, row)
        self.reload()
        if binned is not None:
            self.deleted.emit(row.path, binned)

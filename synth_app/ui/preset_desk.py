"""The player's dealings with preset files: questions are asked here, so that nothing is lost without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QMessageBox, QWidget

from synth_app.timbre.patch import Patch
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.save_dialog import SaveDialog
from synth_app.ui.document import Document
from synth_app.ui.tasks import Tasks
from synth_app.ui.view_models.presets import PresetShelf
from synth_app.ui.widgets.preset_browser import PresetBrowser


class PresetDesk(QObject):
    """Loads, saves, steps, and keeps document and browser in agreement.

    Signals:
        said(str, str): news for the banner, and the words of its button ("" = none).
    """

    said = pyqtSignal(str, str)

    def __init__(
        self,
        window: QWidget,
        document: Document,
        bridge: Bridge,
        tasks: Tasks,
        shelf: PresetShelf,
        browser: PresetBrowser,
    ) -> None:
        super().__init__(window)
        self._window, self._document, self._bridge = window, document, bridge
        self._tasks, self._shelf, self._browser = tasks, shelf, browser
        self._remedy: Callable[[], object] | None = None
        browser.chosen.connect(self.load)
        browser.said.connect(lambda text: self.said.emit(text, ""))
        browser.renamed.connect(self._renamed)
        browser.deleted.connect(self._deleted)
        tasks.files_changed.connect(browser.reload)
        bridge.patched.connect(self._patched_elsewhere)

    def load(self, path: Path) -> None:
        """Load a preset, asking first when edits would be covered."""
        if path != self._document.sound.path and not self.may_leave():
            return
        covered = self._document.patch.name if self._document.dirty else ""
        if self._tasks.load(path):
            text = self.tr("Loaded {0} over your changes to {1}.") if covered else self.tr("Loaded {0}.")
            text = text.format(self._document.patch.name, covered)
            self._say_undoable(text, self.tr("Bring them back")) if covered else self.said.emit(text, "")

    def step(self, by: int) -> None:
        """The preset after (1) or before (-1) the present one, among those the browser shows."""
        row = self._shelf.neighbour(self._document.sound.path, by, self._browser.rows())
        if row is not None:
            self.load(row.path)

    def save(self) -> bool:
        """Save in place; a factory preset or a new sound asks for a name of its own."""
        folder = self._bridge.instrument.preset_folder
        saved = self._tasks.save(lambda path: path.is_relative_to(folder))
        return self.save_as() if saved is None else saved

    def save_as(self) -> bool:
        """Save under another name."""
        patch, shelf = self._document.patch, self._shelf
        taken = [row.name for row in shelf.rows()]
        dialog = SaveDialog(self._window, patch, taken, shelf.free_name(patch.name), shelf.own_folders)
        if dialog.exec() != SaveDialog.DialogCode.Accepted:
            return False
        named, folder = dialog.result_patch, dialog.result_folder
        path = shelf.path_for(named.name, self._bridge.instrument.preset_folder / folder) if folder else None
        return self._tasks.save_as(named, path)

    def may_leave(self) -> bool:
        """Ask before edits are lost; true when the player may go on."""
        if not self._document.edited:
            return True
        box = QMessageBox(self._window)
        box.setWindowTitle(self.tr("Unsaved changes"))
        box.setText(self.tr("{0} has changes that are not saved.").format(self._document.patch.name))
        save = box.addButton(self.tr("Save"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Discard"), QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(save)
        box.exec()
        if box.clickedButton() is save:
            return self.save()
        return box.clickedButton() is not cancel

    def remedy(self) -> None:
        """The banner's button: undo what the banner told."""
        remedy, self._remedy = self._remedy, None
        if remedy is not None:
            remedy()

    def _say_undoable(self, text: str, button: str) -> None:
        """Tell of the step just taken, with a button that goes back before it."""
        stack = self._document.stack
        before = stack.index() - 1
        self._remedy = lambda: stack.setIndex(min(before, stack.index()))
        self.said.emit(text, button)

    def _restore(self, binned: Path) -> None:
        self._bridge.attempt(self._shelf.restore, binned)
        self._browser.reload()

    def _patched_elsewhere(self, patch: Patch) -> None:
        """A program change: the panel goes along, and says so when it covers unsaved work (undo brings it back)."""
        dirty = self._document.dirty
        if self.go_along(patch, self.tr("Program change")) and dirty:
            text = self.tr("A program change loaded {0} over your changes.").format(patch.name)
            self._say_undoable(text, self.tr("Bring them back"))

    def go_along(self, patch: Patch, why: str) -> bool:
        """Put what the instrument plays on the table, as an undoable step; whether that was anything new."""
        if patch == self._document.patch:
            return False
        path = next((row.path for row in self._shelf.rows() if row.name == patch.name), None)
        self._document.open(patch, path, why)
        return True

    def _renamed(self, before: Path, after: Path) -> None:
        if self._document.sound.path == before:
            patch = self._bridge.attempt(self._bridge.instrument.read_preset, after)
            if patch is not None:
                self._document.mark_renamed(replace(self._document.patch, name=patch.name), patch, after)

    def _deleted(self, path: Path, binned: Path) -> None:
        self._remedy = lambda: self._restore(binned)
        self.said.emit(self.tr("Moved {0} to the bin.").format(path.stem), self.tr("Bring it back"))

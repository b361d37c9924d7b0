"""The menu of an anchor, on the pad and beside its slider."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QCoreApplication, QPoint
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QWidget

from synth_app.timbre.patch import Patch
from synth_app.ui.dialogs.ask import ask_text
from synth_app.ui.morphing import Morphing
from synth_app.ui.tasks import Tasks

translate = QCoreApplication.translate


def show_anchor_menu(window: QWidget, index: int, at: QPoint, morphing: Morphing, tasks: Tasks, patch: Patch) -> None:
    """Show what can be done with anchor ``index`` (-1: with the pad) at a place of the screen."""
    entries: list[tuple[str, Callable[[], object]]] = []
    if index >= 0:
        name = patch.anchors[index].name
        entries = [
            (translate("anchor_menu", "Go to {0}").format(name), lambda: morphing.jump(index)),
            (translate("anchor_menu", "Hear {0}").format(name), lambda: tasks.preview(name)),
            (translate("anchor_menu", "Rename …"), lambda: _rename(window, index, name, tasks)),
            (translate("anchor_menu", "Mutate"), lambda: tasks.mutate(index)),
            (translate("anchor_menu", "Remove"), lambda: tasks.remove_anchor(index)),
        ]
    entries += [
        (translate("anchor_menu", "Capture the in-between"), tasks.capture),
        (translate("anchor_menu", "Add a random timbre"), tasks.random_anchor),
    ]
    menu = QMenu(window)
    for text, call in entries:
        action = QAction(text, menu)
        action.triggered.connect(lambda _=False, call=call: call())
        menu.addAction(action)
    menu.popup(at)


def _rename(window: QWidget, index: int, present: str, tasks: Tasks) -> None:
    title, label = translate("anchor_menu", "Rename anchor"), translate("anchor_menu", "New name of {0}:")
    name = ask_text(window, title, label.format(present), present)
    if name is not None:
        tasks.rename_anchor(index, name)

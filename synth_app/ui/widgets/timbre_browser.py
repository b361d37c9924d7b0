"""The timbre browser: the model's anchors, found by words, families, stars and what they sound like."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QPoint, QTimer, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from synth_app.ui.dialogs.ask import ask_text
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.library import Order, Row, TimbreLibrary, orders
from synth_app.ui.widgets.base import Chooser, caption, tool
from synth_app.ui.widgets.flow import FlowLayout
from synth_app.ui.widgets.lists import ListRow, RowList, SearchField

_BARS = ("brightness_hz", "attack_ms", "noisiness", "sustain_db")
_HOVER_MS = 260


class TimbreBrowser(QWidget):
    """The browser.

    Signals:
        chosen(name): add this anchor (or take it away when it is on the pad). preview_wanted(name): let it be heard.
        random_wanted(), mutate_wanted(), capture_wanted(): the buttons beneath.
        changed(): favourites or tags changed.
    """

    chosen = pyqtSignal(str)
    preview_wanted = pyqtSignal(str)
    random_wanted = pyqtSignal()
    mutate_wanted = pyqtSignal()
    capture_wanted = pyqtSignal()
    changed = pyqtSignal()

    def __init__(self, theme: Theme, library: TimbreLibrary) -> None:
        super().__init__()
        self._slots: Mapping[str, int] = {}
        self._like = ""
        self.family = Chooser(theme, self.tr("Family"))
        self.order = Chooser(theme, self.tr("Order"))
        self.stars = tool("star", self.tr("Favourites only"), checkable=True)
        self.hover = tool("wave", self.tr("Hear a timbre when the mouse rests on it"), checkable=True)
        self.list = RowList(theme, self.tr("Timbres"), "timbre")
        self.search = SearchField(
            self.list,
            self.tr("Search timbres"),
            self.tr("Names, families, tags, and words such as bright, soft attack or sustained"),
        )
        self.note = caption("")
        self._wait = QTimer(self, singleShot=True, interval=_HOVER_MS)
        self._lay_out()
        self._connect()
        self.set_library(library)

    def set_library(self, library: TimbreLibrary) -> None:
        """Show the timbres of this model."""
        self.library, self._orders = library, orders(library.anchors)
        entries = [(self.tr("All families"), ""), *((name, name) for name in library.families)]
        for box, words in ((self.family, entries), (self.order, [(order.label, order.key) for order in self._orders])):
            box.blockSignals(True)
            box.clear()
            for text, value in words:
                box.addItem(text, value)
            box.blockSignals(False)
        self.like.setChecked(False)
        self.refresh()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(6)
        finding, filters = QHBoxLayout(), QHBoxLayout()
        for row, widgets in ((finding, (self.search, self.stars, self.hover)), (filters, (self.family, self.order))):
            row.setSpacing(6)
            for widget in widgets:
                row.addWidget(widget, 0 if widget in (self.stars, self.hover) else 1)
            layout.addLayout(row)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.note)
        self.note.setWordWrap(True)
        self.note.hide()
        buttons = QWidget()
        flow = FlowLayout(buttons)
        for text, help_text, signal in (
            (self.tr("Random"), self.tr("Draw a new timbre near those the model knows"), self.random_wanted),
            (self.tr("Mutate"), self.tr("A relative of the strongest timbre on the pad"), self.mutate_wanted),
            (self.tr("Capture"), self.tr("Make the present in-between an anchor of its own"), self.capture_wanted),
        ):
            button = QPushButton(text)
            button.setToolTip(help_text)
            button.setAccessibleDescription(help_text)
            button.clicked.connect(signal)
            flow.addWidget(button)
        self.like = QPushButton(self.tr("Find similar"))
        self.like.setCheckable(True)
        self.like.setToolTip(self.tr("List all timbres, those most like the chosen one first"))
        flow.addWidget(self.like)
        layout.addWidget(buttons)

    def _connect(self) -> None:
        self.search.textChanged.connect(self.refresh)
        self.search.taken.connect(self._take)
        self.family.currentIndexChanged.connect(self.refresh)
        self.order.currentIndexChanged.connect(self._order_chosen)
        self.stars.toggled.connect(self.refresh)
        self.like.toggled.connect(self._like_toggled)
        self.list.chosen.connect(self.chosen)
        self.list.starred.connect(self._star)
        self.list.preview_wanted.connect(self.preview_wanted)
        self.list.menu_wanted.connect(self._menu)
        self.list.hovered.connect(self._hovered)
        self._wait.timeout.connect(lambda: self.preview_wanted.emit(self._resting))
        self._resting = ""

    # ------------------------------------------------------------------ what it shows
    def set_on_pad(self, slots: Mapping[str, int]) -> None:
        """Tell which anchors are on the pad, with their colour slots."""
        if dict(slots) != self._slots:
            self._slots = dict(slots)
            self.refresh()

    def refresh(self) -> None:
        """Show what fits the filters."""
        order: Order | None = self._orders[self.order.currentIndex()] if self.order.currentIndex() >= 0 else None
        rows = self.library.rows(
            self.search.text(), self.family.currentData() or "", order, self.stars.isChecked(), self._like
        )
        self.list.set_rows([self._list_row(row) for row in rows])
        self._say(self._about(len(rows)))

    def _about(self, count: int) -> str:
        """What is to be said about the list, or ""."""
        if not count:
            asked = self.search.text().strip()
            none = self.tr("No timbre matches “{0}”.").format(asked) if asked else self.tr("Nothing fits.")
            return none + " " + self.tr("Clear the search or choose all families.")
        return self.tr("Most like {0} first. Press the button again to end.").format(self._like) if self._like else ""

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _list_row(self, row: Row) -> ListRow:
        anchor = row.anchor
        shares = dict(row.bars)
        measured = anchor.descriptors
        words = (
            (self.tr("brightness {0:.0f} Hz"), "brightness_hz"),
            (self.tr("attack {0:.0f} ms"), "attack_ms"),
            (self.tr("noise {0:.2f}"), "noisiness"),
            (self.tr("after 2 s {0:.0f} dB"), "sustain_db"),
        )
        facts = " · ".join(text.format(measured[name]) for text, name in words if name in measured)
        tags = ", ".join((*anchor.tags, *self.library.tags.get(anchor.name, ())))
        return ListRow(
            key=anchor.name,
            title=anchor.name,
            subtitle=anchor.family if not self.library.tags.get(anchor.name) else f"{anchor.family} · {tags}",
            slot=self._slots.get(anchor.name, -1),
            starred=row.favourite,
            bars=tuple(shares[name] for name in _BARS if name in shares),
            marked=anchor.name in self._slots,
            help="\n".join(filter(None, (anchor.name, facts, tags))),
        )

    # ------------------------------------------------------------------ what it is asked
    def _take(self, name: str) -> None:
        """Return in the search field puts on the pad; it never takes away."""
        if name not in self._slots:
            self.chosen.emit(name)

    def _hovered(self, name: str) -> None:
        self._resting = name
        if name and self.hover.isChecked():
            self._wait.start()
        else:
            self._wait.stop()

    def _like_toggled(self, on: bool) -> None:
        name = self.list.current_key() if on else ""
        if on and not name:
            self.like.setChecked(False)
            self._say(self.tr("Choose a timbre in the list first: a click is enough."))
            return
        self._like = name
        self.like.setText(self.tr("Like {0}").format(name) if name else self.tr("Find similar"))
        if name:
            self._show_all()
        self.refresh()
        self.list.scrollToTop()

    def _show_all(self) -> None:
        """Nothing sought, no family, no stars: what is found must not be hidden by an earlier search."""
        for widget, clear in (
            (self.search, self.search.clear),
            (self.family, lambda: self.family.setCurrentIndex(0)),
            (self.stars, lambda: self.stars.show_checked(False)),
        ):
            widget.blockSignals(True)
            clear()
            widget.blockSignals(False)

    def _order_chosen(self) -> None:
        """An order of the player's own choice takes the place of likeness."""
        if self.like.isChecked():
            self.like.setChecked(False)  # which refreshes
        else:
            self.refresh()

    def show_like(self, name: str) -> None:
        """Sort by likeness to this anchor."""
        self.like.setChecked(False)
        self._show_all()
        self.refresh()
        for index in range(self.list.count()):
            if self.list.item(index).data(0x0100).key == name:
                self.list.setCurrentRow(index)
        self.like.setChecked(True)

    def _star(self, name: str) -> None:
        self.library.toggle_favourite(name)
        self.refresh()
        self.changed.emit()

    def _menu(self, name: str, at: QPoint) -> None:
        menu = QMenu(self)
        on_pad = name in self._slots
        star = name in self.library.favourites
        for text, call in (
            (self.tr("Remove from the pad") if on_pad else self.tr("Add to the pad"), lambda: self.chosen.emit(name)),
            (self.tr("Hear it"), lambda: self.preview_wanted.emit(name)),
            (self.tr("Find similar"), lambda: self.show_like(name)),
            (self.tr("Remove star") if star else self.tr("Add star"), lambda: self._star(name)),
            (self.tr("Edit tags …"), lambda: self._edit_tags(name)),
        ):
            action = QAction(text, menu)
            action.triggered.connect(call)
            menu.addAction(action)
        menu.popup(at)

    def _edit_tags(self, name: str) -> None:
        present = ", ".join(self.library.tags.get(name, ()))
        text = ask_text(self, self.tr("Tags"), self.tr("Tags of {0}, with commas:").format(name), present)
        if text is not None:
            self.library.set_tags(name, tuple(word.strip() for word in text.split(",")))
            self.refresh()
            self.changed.emit()

"""The face of the window: every part in its place, folding away what a small window or a large zoom has no room for."""

from __future__ import annotations

from itertools import pairwise

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QHBoxLayout, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from synth_app.ui.bridge import Bridge
from synth_app.ui.panes import KeysPane, PadPane, PicturesPane, TopBar, side
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.library import TimbreLibrary
from synth_app.ui.view_models.presets import PresetShelf
from synth_app.ui.widgets.flow import Halves, PlainColumn, ScrolledColumn
from synth_app.ui.widgets.notices import Banner, StatusLine
from synth_app.ui.widgets.preset_browser import PresetBrowser
from synth_app.ui.widgets.sliders import ParamsPanel, WeightsPanel
from synth_app.ui.widgets.timbre_browser import TimbreBrowser

_SIDE_WIDTH = 292
_NARROW = 1080  # design pixels below which the side columns give way to the pad
_SHORT = 680  # design pixels below which the pictures give way to it too


class Face(QScrollArea):
    """All parts, laid out. It scrolls as the last resort, so that nothing is ever cut off.

    Attributes:
        top, pad_pane, pictures, keys, status: the rows. left, right: the side columns.
        timbres, presets, tabs: in the left one. weights, params: in the right one.
        banner: lies over the window, since news must not move what the hand is on.
    """

    def __init__(self, theme: Theme, library: TimbreLibrary, shelf: PresetShelf, bridge: Bridge) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self._theme = theme
        self._narrow: bool | None = None
        self.top, self.status, self.banner = TopBar(theme), StatusLine(), Banner()
        self.pad_pane, self.pictures, self.keys = PadPane(theme), PicturesPane(theme), KeysPane(theme)
        self.weights, self.params = WeightsPanel(theme), ParamsPanel()
        self.timbres, self.presets = TimbreBrowser(theme, library), PresetBrowser(theme, shelf, bridge)
        self.tabs = QTabWidget()
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.timbres, self.tr("Timbres"))
        self.tabs.addTab(self.presets, self.tr("Presets"))
        self.left, self.right = side("", self.tabs), self._right_column()
        root = QWidget()
        root.setObjectName("root")
        layout = PlainColumn(root)
        layout.setContentsMargins(10, 8, 10, 6)
        layout.setSpacing(8)
        layout.addWidget(self.top)
        layout.addLayout(self._body(), 1)
        layout.addWidget(self.keys)
        layout.addWidget(self.status)
        self.setWidget(root)
        self.banner.resized.connect(self.place_banner)
        self.status.moved.connect(self.place_banner)
        self.top.browser.toggled.connect(self.left.setVisible)
        self.top.controls.toggled.connect(self.right.setVisible)

    def _right_column(self) -> QWidget:
        """Blend and sound; each scrolls for itself, so that a long blend does not push the sound away."""
        blend = side(self.tr("Blend"), ScrolledColumn(self.weights))
        return Halves(blend, side(self.tr("Sound"), ScrolledColumn(self.params)), 8)

    def _body(self) -> QHBoxLayout:
        middle = QVBoxLayout()
        middle.setSpacing(8)
        middle.addWidget(self.pad_pane, 1)
        middle.addWidget(self.pictures)
        body = QHBoxLayout()
        body.setSpacing(8)
        body.addWidget(self.left)
        body.addLayout(middle, 1)
        body.addWidget(self.right)
        return body

    def apply_theme(self, theme: Theme) -> None:
        """Take the lengths of a theme (the parts dress themselves)."""
        self._theme = theme
        for column in (self.left, self.right):
            column.setFixedWidth(theme.px(_SIDE_WIDTH))
        self.pictures.setFixedHeight(theme.px(104))
        self.keys.setFixedHeight(theme.px(128))
        self.status.warming.setFixedWidth(theme.px(64))
        self.pad_pane.fader.setMinimumWidth(theme.px(120))
        self._narrow = None

    def fit(self, width: int, height: int) -> None:
        """Fold what a window of this size has no room for; the player can still open each side column."""
        narrow = width < self._theme.px(_NARROW)
        if narrow != self._narrow:
            self._narrow = narrow
            self.top.browser.setChecked(not narrow)
            self.top.controls.setChecked(not narrow)
        self.pictures.setVisible(height >= self._theme.px(_SHORT))
        self.place_banner()

    def place_banner(self) -> None:
        """Over the figures of the status line, between the window's edge and the line's buttons: news must not lie on
        anything that the hand or the eye is on."""
        window, status = self.window(), self.status
        corner = status.mapTo(window, QPoint(0, 0))
        width = status.figures_width
        height = max(status.height(), self.banner.heightForWidth(width))
        foot = min(window.height(), corner.y() + status.height())
        self.banner.setGeometry(max(0, corner.x()), max(0, foot - height), width, height)
        self.banner.raise_()

    def order_focus(self) -> None:
        """Tab goes as the eye does: the top bar, the browsers, the pad, the controls, the keys, the status line."""
        chain: list[QWidget] = []
        for group in (self.top, self.left, self.pad_pane, self.right, self.keys, self.status):
            inside = (w for w in group.findChildren(QWidget) if w.window() is self.window())  # not combo boxes' lists
            chain += [w for w in inside if w.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for before, after in pairwise(chain):
            QWidget.setTabOrder(before, after)

    def show_presets(self) -> None:
        """Open the preset browser."""
        self.top.browser.setChecked(True)
        self.tabs.setCurrentWidget(self.presets)
        self.presets.search.setFocus()

    def focus_search(self) -> None:
        """To the search field of the browser that shows."""
        self.top.browser.setChecked(True)
        (self.timbres if self.tabs.currentWidget() is self.timbres else self.presets).search.setFocus()

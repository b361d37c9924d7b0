"""The style sheet: how Qt's own widgets wear a theme. Every length goes through the zoom."""

from __future__ import annotations

from string import Template

from synth_app.ui.theme import Theme

_SHEET = Template("""
* { outline: none; }
QWidget { color: $text; background: transparent; selection-background-color: $accent;
          selection-color: $on_accent; }
QMainWindow, QDialog, QWidget#root { background: $window; }
QFrame[card="true"] { background: $surface; border: 1px solid $line; border-radius: ${r10}px; }
QLabel[role="title"] { color: $text; font-weight: 600; }
QLabel[role="caption"], QLabel[role="muted"] { color: $muted; }
QLabel[health="warn"] { color: $warn; font-weight: 600; }
QLabel[health="good"] { color: $text; }
QToolTip { background: $raised; color: $text; border: 1px solid $outline; padding: ${p4}px ${p6}px; }

QPushButton, QToolButton { background: $raised; border: 1px solid transparent; border-radius: ${r6}px;
    padding: ${p5}px ${p12}px; min-height: ${p18}px; }
QToolButton { padding: ${p5}px ${p8}px; }
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:checked, QToolButton:checked { background: $accent; color: $on_accent; }
QPushButton:disabled, QToolButton:disabled { color: $outline; }
QPushButton:focus, QToolButton:focus { border: 2px solid $focus; padding: ${p4}px ${p11}px; }
QToolButton:focus { padding: ${p4}px ${p7}px; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; font-weight: 600; }
QPushButton[role="danger"] { color: $danger; border-color: $danger; font-weight: 600; }
QPushButton[role="danger"]:focus { border-color: $focus; }
QPushButton[role="record"]:checked { background: $danger; color: $window; }
QToolButton[flat="true"] { background: transparent; }
QToolButton[flat="true"]:hover { background: $hover; }
QToolButton[flat="true"]:checked { background: $raised; }
QToolButton[flat="true"]:checked:hover { background: $hover; }
QToolButton::menu-indicator, QPushButton::menu-indicator { image: none; width: 0; }

QLineEdit, QPlainTextEdit, QComboBox, QSpinBox, QDoubleSpinBox { background: $raised; border: 1px solid $outline;
    border-radius: ${r6}px; padding: ${p4}px ${p8}px; min-height: ${p18}px; }
QLineEdit, QPlainTextEdit { placeholder-text-color: $muted; }
QLineEdit:focus, QPlainTextEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus {
    border: 2px solid $focus; padding: ${p3}px ${p7}px; }
QComboBox { combobox-popup: 0; }
QComboBoxPrivateContainer { background: $raised; border: none; }
QComboBox::drop-down { border: none; width: ${p22}px; }
QComboBox::down-arrow { image: none; }
QComboBox QAbstractItemView { background: $raised; border: 1px solid $outline; padding: ${p4}px; }
QComboBox QAbstractItemView::item { padding: ${p4}px; border-radius: ${r4}px; }
QComboBox QAbstractItemView::item:selected { background: $accent; color: $on_accent; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {
    width: 0; border: none; }

QListView, QTreeView { background: transparent; border: 1px solid transparent; border-radius: ${r6}px; }
QListView:focus, QTreeView:focus { border: 1px solid $focus; }
QListView::item { border-radius: ${r6}px; padding: ${p4}px; }
QTabWidget::pane { border: none; }
QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: $muted; padding: ${p6}px ${p12}px; border: none;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar:focus { border: none; }
QTabBar::tab:focus { color: $focus; border-bottom: 2px solid $focus; }
QCheckBox { spacing: ${p8}px; min-height: ${p20}px; }
QCheckBox::indicator { width: ${p14}px; height: ${p14}px; border: 1px solid $outline;
    border-radius: ${r4}px; background: $raised; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; }
QCheckBox::indicator:checked:disabled { background: $outline; border-color: $outline; }
QCheckBox:disabled { color: $muted; }
QCheckBox:focus { color: $focus; }
QCheckBox::indicator:focus { border: 2px solid $focus; }
QScrollArea { border: none; background: transparent; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar:vertical { width: ${p10}px; background: transparent; margin: 0; }
QScrollBar:horizontal { height: ${p10}px; background: transparent; margin: 0; }
QScrollBar::handle { background: $outline; border-radius: ${r4}px; margin: ${p2}px; min-height: ${p24}px;
    min-width: ${p24}px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; }
QMenu { background: $raised; border: 1px solid $outline; border-radius: ${r6}px; padding: ${p4}px; }
QMenu::item { padding: ${p5}px ${p24}px ${p5}px ${p12}px; border-radius: ${r4}px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $outline; }
QMenu::separator { height: 1px; background: $line; margin: ${p4}px ${p8}px; }
QSplitter::handle { background: transparent; }
QProgressBar { background: $outline; border: none; border-radius: ${r2}px; height: ${p4}px;
    max-height: ${p4}px; }
QProgressBar::chunk { background: $accent; border-radius: ${r2}px; }
QFrame#banner { background: $raised; border: 1px solid $warn; border-radius: ${r8}px; }
QFrame#banner[tone="calm"] { border-color: $accent; }
""")


def stylesheet(theme: Theme) -> str:
    """The whole sheet for a theme."""
    palette = theme.palette
    roles = ("text", "muted", "window", "surface", "raised", "hover", "line", "outline", "accent", "on_accent",
             "danger", "warn", "good", "focus")  # fmt: skip
    values = {role: getattr(palette, role) for role in roles}
    lengths = {f"{letter}{n}": theme.px(n) for letter in "pr" for n in range(1, 25)}
    return _SHEET.substitute(values, **lengths)

"""Opening the panel: the one function the application calls."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QApplication

from synth_app.engine.ports import Instrument
from synth_app.ui.main_window import MainWindow
from synth_app.ui.settings import PanelSettings

_STOP_POLL_MS = 100


def create_window(
    instrument: Instrument,
    settings: PanelSettings,
    on_settings_changed: Callable[[PanelSettings], None],
    *,
    models: tuple[str, ...] = (),
    providers: tuple[str, ...] = ("auto", "cpu", "cuda"),
    preset: Path | None = None,
) -> MainWindow:
    """Build the window and begin to poll; the caller shows it. Needs a ``QApplication``.

    Args:
        instrument: what is played. settings: as kept from last time.
        on_settings_changed: called with new settings whenever the player changes one.
        models, providers: what the settings offer. preset: the file the working patch came from, if any.
    """
    window = MainWindow(instrument, settings, models=models, providers=providers, preset=preset)
    window.settings_changed.connect(on_settings_changed)
    window.bridge.start()
    return window


def run_panel(
    instrument: Instrument,
    settings: PanelSettings,
    on_settings_changed: Callable[[PanelSettings], None],
    *,
    models: tuple[str, ...] = (),
    providers: tuple[str, ...] = ("auto", "cpu", "cuda"),
    preset: Path | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> int:
    """Show the panel until the player closes it (or ``should_stop`` says so) and return the exit code.

    The instrument stays open: closing it is the caller's. See :func:`create_window` for the arguments.
    """
    app = make_application()
    window = create_window(instrument, settings, on_settings_changed, models=models, providers=providers, preset=preset)
    window.show()
    if settings.first_run:
        window.dialogs.show_welcome()
    gc.freeze()  # a full collection over all these widgets would hold up a note by 20 ms, and finds nothing to free
    watch = QTimer(window, interval=_STOP_POLL_MS)
    if should_stop is not None:
        watch.timeout.connect(lambda: _end(app, window) if should_stop() else None)
    watch.start()  # also lets Python see its signals
    code = app.exec()
    window.bridge.stop()
    _take_down(window)
    return int(code)


def make_application() -> QApplication:
    """The application, with the panel's names and exact scaling on dense screens."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    _do_without_a_session_bus()
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication(["synth_app"])
    app.setApplicationName("synth_app")
    app.setApplicationDisplayName("synth_app")
    app.setStyle("Fusion")
    return app


def _do_without_a_session_bus() -> None:
    """Where no D-Bus session runs, keep Qt from launching one: it asks for screen readers there, and the launcher was
    seen to hang for good while the instrument's threads were busy. With a session nothing changes."""
    at = os.environ.get("XDG_RUNTIME_DIR", "")
    if sys.platform.startswith("linux") and not (at and Path(at, "bus").exists()):
        os.environ.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")


def _take_down(window: MainWindow) -> None:
    """Leave nothing of the panel behind. PyQt deletes what is left when the interpreter ends, while it walks its own
    table of them, and one run in ten crashed there."""
    sip.delete(window)
    gc.unfreeze()
    gc.collect()


def _end(app: QApplication, window: MainWindow) -> None:
    """Told to stop from outside: no questions, since nobody may be there to answer."""
    window.player.let_go()
    app.exit(0)  # quit() would first ask every window, and a window with unsaved edits asks the player

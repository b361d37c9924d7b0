"""How long the panel's tasks take: ``python -m tests.gui.measure_panel [FRAMES_PER_SECOND]`` prints a small table.

A task is one event handled by Qt's loop, painting included. Wall time says what a player feels on this machine as it is
loaded now; processor time says what the panel itself costs.
"""

from __future__ import annotations

import gc
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtWidgets import QApplication

from synth_app.core.events import NoteOn
from synth_app.ui.main import create_window
from synth_app.ui.main_window import MainWindow
from synth_app.ui.settings import PanelSettings
from tests.gui.fake_instrument import FakeInstrument

SECONDS = 6.0


class TimedApplication(QApplication):
    """Times every task of the event loop, not the tasks within tasks."""

    def __init__(self) -> None:
        super().__init__(["measure"])
        self.tasks_ms: list[tuple[float, float]] = []
        self._inside = False

    def notify(self, receiver: QObject | None, event: QEvent | None) -> bool:
        if self._inside:
            return super().notify(receiver, event)
        self._inside, wall, cpu = True, time.perf_counter(), time.thread_time()
        try:
            return super().notify(receiver, event)
        finally:
            self.tasks_ms.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.thread_time() - cpu)))
            self._inside = False


def live(app: TimedApplication, seconds: float) -> None:
    """Let the loop run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        app.processEvents()
        time.sleep(0.0005)


def scenario(app: TimedApplication, window: MainWindow, name: str, drag: bool) -> str:
    """A line of the table."""
    app.tasks_ms.clear()
    start = time.monotonic()
    if drag:
        window.morphing.press()
    while (elapsed := time.monotonic() - start) < SECONDS:
        if drag:
            window.morphing.move(0.5 + 0.3 * math.cos(2 * elapsed), 0.5 + 0.3 * math.sin(2 * elapsed))
        live(app, 1 / 60)
    if drag:
        window.morphing.release()
    wall, cpu = np.array([task for task in app.tasks_ms if task[1] > 0.05]).T
    words = [f"{name:28s} {wall.size:6d}"]
    for times in (wall, cpu):
        words.append("  ".join(f"{value:7.2f}" for value in (*np.percentile(times, (50, 99)), times.max())))
    return " | ".join(words)


def main() -> None:
    """Print the table."""
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    app = TimedApplication()
    app.setStyle("Fusion")
    fake = FakeInstrument(Path(tempfile.mkdtemp()))
    for pitch in range(40, 72):
        fake.post(NoteOn(0, 0, pitch, 90))
    wave = fake._hum()
    fake._hum = lambda: np.roll(wave, fake._frame)  # the fake's own cost is not the panel's
    window = create_window(fake, PanelSettings(first_run=False, frames_per_second=rate), lambda _: None)
    window.resize(1360, 860)
    window.show()
    live(app, 1.5)
    gc.freeze()  # as run_panel does
    lines = [
        f"{rate} frames a second, 32 voices, tasks over 0.05 ms of processor time; ms",
        f"{'':28s} {'tasks':>6s} | wall: p50      p99      max | cpu: p50      p99      max",
        scenario(app, window, "playing", drag=False),
        scenario(app, window, "playing, ring dragged", drag=True),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    window.bridge.stop()


if __name__ == "__main__":
    main()

"""What a screen reader is told: opens the panel on a fake instrument and writes its AT-SPI tree to heard.json.

Run as ``dbus-run-session -- python -m tests.gui.read_aloud FOLDER`` with a DISPLAY; the panel itself is this module
again with ``--panel``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = "/org/a11y/atspi/accessible/root"
ACCESSIBLE = "org.a11y.atspi.Accessible"
LIVES_S = 120.0


def send(bus: str, target: str, path: str, method: str, *arguments: str) -> str:
    """One D-Bus call, its answer as text."""
    command = ["dbus-send", bus, "--print-reply", f"--dest={target}", path, method, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def strings(answer: str) -> list[str]:
    """The strings of an answer."""
    return re.findall(r'(?:string|object path) "(.*)"$', answer, flags=re.MULTILINE)


def _property(bus: str, target: str, path: str, name: str) -> str:
    arguments = (f"string:{ACCESSIBLE}", f"string:{name}")
    return next(iter(strings(send(bus, target, path, "org.freedesktop.DBus.Properties.Get", *arguments))), "")


def node(bus: str, target: str, path: str) -> dict:
    """Name, description, role and children of one accessible, and theirs."""
    said = {name.lower(): _property(bus, target, path, name) for name in ("Name", "Description")}
    role = strings(send(bus, target, path, f"{ACCESSIBLE}.GetRoleName"))
    found = strings(send(bus, target, path, f"{ACCESSIBLE}.GetChildren"))
    children = [node(bus, *pair) for pair in zip(found[::2], found[1::2], strict=True)]
    return {**said, "role": role[0] if role else "", "children": children}


def read(folder: Path) -> dict:
    """Open the panel, wait until it is announced, and read it."""
    address = strings(send("--session", "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus.GetAddress"))[0]
    bus = f"--bus={address}"
    send(bus, "org.a11y.atspi.Registry", ROOT, f"{ACCESSIBLE}.GetChildren")  # wakes the registry before Qt asks
    environment = {**os.environ, "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "QT_QPA_PLATFORM": "xcb"}
    panel = subprocess.Popen([sys.executable, "-m", "tests.gui.read_aloud", "--panel", str(folder)], env=environment)
    try:
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            found = strings(send(bus, "org.a11y.atspi.Registry", ROOT, f"{ACCESSIBLE}.GetChildren"))
            if found:
                time.sleep(1.0)
                return node(bus, found[0], found[1])
            time.sleep(0.1)
        raise TimeoutError("the panel was not announced over AT-SPI")
    finally:
        panel.terminate()
        panel.wait(20)


def show(folder: Path) -> int:
    """The panel on a fake instrument."""
    from synth_app.ui.main import run_panel
    from synth_app.ui.settings import PanelSettings
    from tests.gui.fake_instrument import FakeInstrument

    end = time.monotonic() + LIVES_S
    settings = PanelSettings(first_run=False)
    return run_panel(FakeInstrument(folder), settings, lambda _: None, should_stop=lambda: time.monotonic() > end)


if __name__ == "__main__":
    if sys.argv[1] == "--panel":
        sys.exit(show(Path(sys.argv[2])))
    here = Path(sys.argv[1])
    (here / "heard.json").write_text(json.dumps(read(here)), encoding="utf-8")

"""The panel as a screen reader is told of it, over the real AT-SPI bus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import jack

SPOKEN = {"push button", "check box", "slider", "combo box", "text", "list item", "page tab", "list"}
"""Roles that a player acts upon or listens to."""


def walk(node: dict) -> Iterator[dict]:
    """A node and all below it."""
    yield node
    for child in node["children"]:
        yield from walk(child)


def test_a_screen_reader_hears_every_control(screen: str, tmp_path: Path) -> None:
    command = [jack.tool("dbus-run-session"), "--", sys.executable, "-m", "tests.gui.read_aloud", str(tmp_path)]
    result = subprocess.run(
        command,
        env={**os.environ, "DISPLAY": screen, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    nodes = list(walk(json.loads((tmp_path / "heard.json").read_text(encoding="utf-8"))))
    names = {(node["role"], node["name"]) for node in nodes}
    for wanted in (
        ("slider", "Morph, left to right"),
        ("slider", "Morph, top to bottom"),
        ("slider", "Weight of Cello, 42 %"),
        ("slider", "Volume 0.0 dB"),
        ("slider", "Pitch wheel"),
        ("push button", "Panic"),
        ("push button", "Preset Welcome, saved"),
        ("list item", "Cello, Strings"),
        ("text", "Search timbres"),
    ):
        assert wanted in names
    pad = next(node for node in nodes if node["name"] == "Morph pad")
    assert "Cello 42 %" in pad["description"]
    assert {"Family", "Order", "Folder", "Tag"} <= {n["description"] for n in nodes if n["role"] == "combo box"}
    inner = {"push button", "list"}  # Qt's own parts of a search field, a tab bar and a combo box
    nameless = [node["role"] for node in nodes if node["role"] in SPOKEN - inner and not node["name"]]
    assert nameless == []

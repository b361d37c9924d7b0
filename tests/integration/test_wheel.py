"""What is installed with pip is whole: the default model, the presets, the demo tune and the licence come along."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_carries_what_the_program_plays(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.getinfo(name).file_size for name in archive.namelist()}
    for folder in ("models/default", "presets/factory", "presets/demo"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                assert inside.get(f"synth_app/_data/{path.relative_to(ROOT)}") == path.stat().st_size, path
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert any(name.endswith("licenses/NOTICE") for name in inside)
    assert any(name.startswith("synth_app/_data/models/default/") and name.endswith(".onnx") for name in inside)
    assert not any(name.startswith(("tests/", "runs/", "tools/")) for name in inside)

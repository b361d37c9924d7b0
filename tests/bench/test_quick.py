"""The whole benchmark in its quick form: every scenario is measured, or says why not. Times are not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from synth_app.app.bench import run
from synth_app.app.bench.rows import Row
from synth_app.app.bench.run import ENTRIES, run_bench
from synth_app.app.bench.setting import Setting
from synth_app.app.bench.subjects import FULL_WIDTH, HALF_WIDTH, make_subjects, random_arrays
from synth_app.core.errors import SynthAppError
from tests.helpers.program import environment, run_command

MEASURED_GROUPS = (
    "Audio callback", "Rendering a note", "A new timbre", "Start-up", "A cached key", "Cold keys", "A slider", "Memory",
    "The closest live peer", "Published elsewhere",
)  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.flaky(reruns=2)  # it plays in real time, as the tests that conftest marks do
def test_every_scenario_is_measured(tmp_path: Path) -> None:
    json_file, page = tmp_path / "bench.json", tmp_path / "bench.md"
    command = [sys.executable, "-m", "synth_app", "bench", "--quick", "--model", "partials"]
    command += ["--json", str(json_file), "--markdown", str(page)]
    env = environment(tmp_path / "home", XDG_CACHE_HOME=os.environ["XDG_CACHE_HOME"])  # compile once for all tests
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False, env=env)
    assert done.returncode == 0, done.stderr
    document = json.loads(json_file.read_text(encoding="utf-8"))
    rows = document["rows"]
    groups = {row["group"] for row in rows}
    for group in (*MEASURED_GROUPS, "GPU"):
        assert any(name.startswith(group) for name in groups), group
    for row in rows:
        if row["skipped"]:
            assert row["group"] == "GPU" or row["skipped"] == "left out of a quick run", row
            assert row["median"] is None
        else:
            assert row["median"] is not None, row
            assert row["count"] >= 1
            assert row["unit"], row
    assert document["quick"] is True
    for row in rows:
        assert row["name"][:24] in done.stdout
    text = page.read_text(encoding="utf-8")
    assert "A quick run" in text
    assert str(tmp_path) not in text


def test_without_jack_every_row_that_needs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    names = ["stream", "start", "cached", "cold", "held", "memory"]
    report = run_bench(quick=True, only=names, model="partials")
    assert len(report.rows) == len(names)
    for row in report.rows:
        assert "jackd is not installed" in row.skipped
        assert row.met is None


def test_stopped_by_hand_it_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def impatient(setting: Setting) -> list[Row]:
        raise KeyboardInterrupt

    published, stopped = ENTRIES[-1], replace(ENTRIES[0], scenario=impatient)
    monkeypatch.setattr(run, "ENTRIES", (published, stopped))
    report = run_bench(tmp_path / "bench.json", quick=True, model="partials")
    assert [bool(row.skipped) for row in report.rows] == [False] * 4 + [True]
    assert report.rows[-1].skipped == "stopped by hand"
    assert (tmp_path / "bench.json").exists()


def test_an_unknown_scenario_is_one_sentence() -> None:
    with pytest.raises(SynthAppError, match="There is no scenario 'tea'; choose from callback, "):
        run_bench(quick=True, only=["tea"])


def test_the_command_line_refuses_it_with_exit_code_2(tmp_path: Path) -> None:
    result = run_command("bench", "--quick", "--only", "tea", home=tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1


def test_scenarios_have_names_of_their_own() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)


def test_full_width_is_what_the_paper_says() -> None:
    import numpy as np

    def parameters(channels: tuple[int, ...]) -> int:
        arrays = dict(random_arrays(channels, np.random.default_rng(0)))
        return sum(a.size for name, a in arrays.items() if name.startswith(("block", "rgb")))

    assert 7.2e6 < parameters(FULL_WIDTH) < 8.5e6
    assert parameters(HALF_WIDTH) < 0.4 * parameters(FULL_WIDTH)


def test_the_same_seed_writes_the_same_generator(tmp_path: Path) -> None:
    first, second = (make_subjects(tmp_path / name, True, 5)[0] for name in ("a", "b"))
    assert (first.directory / "generator.onnx").read_bytes() == (second.directory / "generator.onnx").read_bytes()

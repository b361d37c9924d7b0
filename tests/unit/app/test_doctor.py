"""The doctor finds what is wrong, says how to mend it, and agrees with the bootstrap about what is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from synth_app.app import doctor
from synth_app.app.doctor import Finding, State
from synth_app.core.errors import DeviceError
from tests.helpers.program import run_command

BOOTSTRAP = Path(__file__).parents[3] / "tools" / "bootstrap.sh"


def packages(name: str) -> set[str]:
    """The words of one of the bootstrap's lists."""
    found = re.search(rf"^{name}=\(([^)]*)\)", BOOTSTRAP.read_text(), re.MULTILINE)
    assert found is not None
    return set(found.group(1).split())


def test_the_bootstrap_installs_what_the_doctor_looks_for() -> None:
    looked_for = {*doctor.SOUND_LIBRARIES.values(), *doctor.PANEL_LIBRARIES.values(), doctor.FONT_PACKAGE}
    assert packages("PLAY_PACKAGES") == {*looked_for, "ca-certificates"}


def test_a_missing_library_names_its_package() -> None:
    finding = doctor.check_libraries("sound libraries", {"libnothing.so.9": "libnothing9"}, State.FAIL)
    assert finding == Finding("sound libraries", State.FAIL, "missing: libnothing9", "sudo apt-get install libnothing9")


def test_every_finding_that_is_not_ok_has_a_cure() -> None:
    for finding in doctor.examine():
        assert finding.state is State.OK or finding.cure, finding
        assert finding.detail


def test_a_check_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbles() -> Finding:
        raise ZeroDivisionError

    def refuses() -> Finding:
        raise DeviceError("PortAudio is not installed; install it.")

    monkeypatch.setattr(
        doctor, "checks", lambda: {"a": stumbles, "b": refuses, "c": lambda: Finding("c", State.OK, "")}
    )
    states = {finding.topic: finding for finding in doctor.examine()}
    assert [states[name].state for name in "abc"] == [State.FAIL, State.FAIL, State.OK]
    assert "ZeroDivisionError" in states["a"].detail
    assert states["b"].detail == "PortAudio is not installed; install it."


def test_a_damaged_settings_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "synth_app").mkdir()
    (tmp_path / "synth_app" / "settings.toml").write_text("[")
    finding = doctor.check_settings()
    assert finding.state is State.WARN
    assert "damaged" in finding.detail


def test_too_little_room_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_FREE_BYTES", 1 << 62)
    assert doctor.check_disk().state is State.WARN


def test_exit_code_1_on_a_machine_that_cannot_play(tmp_path: Path) -> None:
    """With no JACK server of the name the tests give, and none started on demand, there is no output but real cards."""
    result = run_command("doctor", home=tmp_path)
    lines = result.stdout.splitlines()
    fails = [line for line in lines if line.startswith("fail")]
    assert result.returncode == (1 if fails else 0)
    assert any(" audio: " in line for line in lines)
    assert result.stderr == ""


# -- what runs the generator, and what is kept -----------------------------------------------------------------------


def _settings(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "synth_app").mkdir(exist_ok=True)
    (folder / "synth_app" / "settings.toml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))


def test_it_says_what_runs_the_generator_and_why_nothing_better(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _settings(tmp_path, monkeypatch, "")
    monkeypatch.setattr("synth_app.adapters.generator_onnx.cuda_missing", lambda: "no NVIDIA driver is installed")
    monkeypatch.setattr(doctor, "multiplies_in_bfloat16", lambda: True)
    monkeypatch.setattr(doctor, "openvino_missing", lambda: "OpenVINO is not installed")
    finding = doctor.check_provider()
    assert finding.state is State.OK
    assert finding.detail.startswith("CPU, ")
    assert "no NVIDIA driver is installed" in finding.detail
    assert "--provider openvino" in finding.detail
    assert "OpenVINO is not installed" in finding.detail
    monkeypatch.setattr(doctor, "multiplies_in_bfloat16", lambda: False)
    assert "openvino" not in doctor.check_provider().detail.lower()


def test_a_provider_that_is_not_to_be_had_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _settings(tmp_path, monkeypatch, 'provider = "cuda"')
    monkeypatch.setattr("synth_app.adapters.generator_onnx.cuda_missing", lambda: "no NVIDIA driver is installed")
    finding = doctor.check_provider()
    assert finding.state is State.WARN
    assert "cuda is not to be had: no NVIDIA driver" in finding.detail
    assert finding.cure


def test_it_says_what_is_kept_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _settings(tmp_path, monkeypatch, "cache_mb = 20")
    assert "none yet; up to 20 MB" in doctor.check_notes().detail
    (tmp_path / "synth_app" / "notes" / "ab").mkdir(parents=True)
    (tmp_path / "synth_app" / "notes" / "ab" / "x.frames").write_bytes(bytes(3 << 20))
    finding = doctor.check_notes()
    assert finding.state is State.OK
    assert "3 of 20 MB" in finding.detail
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert doctor.check_notes().state is State.WARN
    _settings(tmp_path, monkeypatch, "cache_mb = 0")
    assert "none are kept" in doctor.check_notes().detail

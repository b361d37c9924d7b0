"""The command line reads well, answers at once, and keeps bugs apart from mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from synth_app import __version__
from synth_app.app import cli
from synth_app.app.cli_options import parse_pitch
from synth_app.core.errors import FileFormatError
from tests.helpers.program import run_command, run_here

COMMANDS = [
    "play", "render", "note", "devices", "doctor", "bench", "dataset", "train", "evaluate", "export",
    "presets", "presets list", "presets show", "presets validate",
    "models", "models list", "models show", "models verify", "models import", "models fetch",
]  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(cli.build(), [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    for line in result.stdout.splitlines():
        option = line.strip(" │").split("  ")[0]
        assert not (option.startswith("--") and line.rstrip(" │").endswith(option)), f"an option without help: {line}"


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from synth_app.app import cli; cli.build();"
        "print([m for m in ('numba', 'numpy', 'onnxruntime', 'PyQt6', 'sounddevice', 'pydantic') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_version() -> None:
    assert CliRunner().invoke(cli.build(), ["--version"]).stdout == f"synth-app {__version__}\n"


def test_a_mistake_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    result = run_command("render", tmp_path / "missing.mid", tmp_path / "out.wav", home=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "missing.mid" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.wav").exists()


def test_a_mistyped_option_is_explained(tmp_path: Path) -> None:
    result = run_command("play", "--rate", "fast", home=tmp_path)
    assert result.returncode == 2
    assert "--rate" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--block", "7"), ("--block", "-16"), ("--rate", "44")])
def test_what_no_sound_card_does_is_refused(capfd: pytest.CaptureFixture[str], option: str, value: str) -> None:
    result = run_here(capfd, "play", "--headless", option, value)
    assert result.returncode == 2
    assert "say 0 or" in result.stderr and value in result.stderr


def test_an_option_of_play_needs_no_command_before_it(tmp_path: Path) -> None:
    result = run_command("--preset", "No Such Thing", home=tmp_path)
    assert result.returncode == 2
    assert "No Such Thing" in result.stderr


def test_nothing_is_reported_to_the_makers_of_the_runtime(tmp_path: Path) -> None:
    """ONNX Runtime would otherwise send its use away and leave a device id in the player's home."""
    assert "model" in run_command("doctor", home=tmp_path).stdout
    assert not [path for path in tmp_path.rglob("*") if path.name in ("onnxruntime.db", "deviceid", "intel")]


def test_the_sentence_of_an_error_stays_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> typer.Typer:
        raise FileFormatError("first\n  second")

    monkeypatch.setattr(cli, "build", broken)
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 2
    assert capsys.readouterr().err == "first second\n"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> typer.Typer:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "build", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(
    ("text", "pitch"),
    [
        ("60", 60),
        ("C4", 60),
        ("c4", 60),
        ("A4", 69),
        ("F#3", 54),
        ("Bb2", 46),
        ("bb2", 46),
        ("B2", 47),
        ("C-1", 0),
        ("G9", 127),
    ],
)
def test_pitches_by_number_and_name(text: str, pitch: int) -> None:
    assert parse_pitch(text) == pitch


@pytest.mark.parametrize("text", ["", "H4", "C", "C4.5", "128", "-1", "G#9", "Cb-1", "60 61"])
def test_what_is_no_pitch_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_pitch(text)


def test_one_timbre_only(tmp_path: Path) -> None:
    result = run_command("note", tmp_path / "x.wav", "--anchor", "Cello", "--seed", "3", home=tmp_path)
    assert result.returncode == 2
    assert "one timbre" in result.stderr


def test_training_without_its_libraries_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth_app.app import cli_training
    from synth_app.core.errors import SettingsError

    monkeypatch.setattr(cli_training.importlib.util, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(SettingsError, match=r"torch.*pip install 'synth-app\[train\]'"):
        cli_training.need("torch", "scipy")


@pytest.mark.parametrize("words", [("--velocity", "200"), ("--velocity", "loud"), ("--seconds", "nan")])
def test_a_number_out_of_bounds_is_named_for_what_it_is(tmp_path: Path, words: tuple[str, str]) -> None:
    result = CliRunner().invoke(cli.build(), ["note", str(tmp_path / "a.wav"), *words], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    what = {"--velocity": "a velocity", "--seconds": "a length in seconds"}[words[0]]
    assert f"{words[1]!r} is not {what}; say one from" in result.output


@pytest.mark.parametrize(
    "words", [("note", "cello.mp3"), ("render", "song.mid", "song.flac"), ("play", "--record", "take.ogg")]
)
def test_a_name_that_promises_another_kind_of_file_is_refused(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.build(), words)
    assert isinstance(result.exception, FileFormatError)
    assert "would hold a WAV" in str(result.exception)

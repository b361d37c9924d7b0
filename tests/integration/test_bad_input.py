"""Whatever is wrong outside the program costs one clear sentence and exit code 2, and nothing is lost or left."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synth_app.app.paths import DEMO_TUNE, bundled
from tests.helpers import jack
from tests.helpers.midi_client import Note, write_song
from tests.helpers.program import environment, run_command, run_here

Capture = pytest.CaptureFixture[str]
SONG = bundled(DEMO_TUNE)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def refuse(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """The answer must be a single sentence on stderr that holds ``words``, and exit code 2."""
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert result.stderr.strip().endswith((".", "?")), result.stderr
    for word in words:
        assert word in result.stderr


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_song(tmp_path / "song.mid", [Note(0.0, 0.2, 60)])


@pytest.mark.parametrize(
    "content",
    [b"", PNG, b"MThd", SONG.read_bytes()[:300], SONG.read_bytes().replace(b"MTrk", b"XTrk"), b"MThd" + b"\xff" * 60],
    ids=["empty", "a picture", "cut after 4 bytes", "cut in the middle", "no track", "absurd header"],
)
def test_a_broken_midi_file(capfd: Capture, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.mid"
    bad.write_bytes(content)
    refuse(run_here(capfd, "render", bad, tmp_path / "out.wav"), "bad.mid")
    assert not (tmp_path / "out.wav").exists()


def test_a_folder_or_nothing_in_place_of_a_midi_file(capfd: Capture, tmp_path: Path) -> None:
    refuse(run_here(capfd, "render", tmp_path / "none.mid", tmp_path / "out.wav"), "none.mid")
    folder = run_here(capfd, "render", tmp_path, tmp_path / "out.wav")
    assert folder.returncode == 2
    assert "Traceback" not in folder.stderr


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the default model, to be broken."""
    return Path(shutil.copytree(bundled("models/default"), tmp_path / "mine"))


def break_graph(model: Path) -> None:
    graph = model / "generator.onnx"
    graph.write_bytes(graph.read_bytes()[:10_000])


def swap_graph(model: Path) -> None:
    (model / "generator.onnx").write_bytes(PNG)


def lose_graph(model: Path) -> None:
    (model / "generator.onnx").unlink()


def break_manifest(model: Path) -> None:
    (model / "model.toml").write_text("schema_version = [")


def foreign_manifest(model: Path) -> None:
    (model / "model.toml").write_text('[package]\nname = "something else"\n')


def absurd_manifest(model: Path) -> None:
    manifest = model / "model.toml"
    text = manifest.read_text()
    assert "highest_pitch = 84" in text
    manifest.write_text(text.replace("highest_pitch = 84", "highest_pitch = 4000"))


@pytest.mark.parametrize(
    "harm", [break_graph, swap_graph, lose_graph, break_manifest, foreign_manifest, absurd_manifest]
)
@pytest.mark.parametrize("command", ["note", "verify"])
def test_a_broken_model(capfd: Capture, tmp_path: Path, model: Path, harm: object, command: str) -> None:
    harm(model)  # type: ignore[operator]
    if command == "note":
        result = run_here(capfd, "note", tmp_path / "out.wav", "--model", model)
        refuse(result)
        assert not (tmp_path / "out.wav").exists()
    else:
        result = run_here(capfd, "models", "verify", model)
        refuse(result, "1 of 1 models")
        assert result.stdout.startswith("wrong")


def test_a_model_or_provider_that_is_not_there(capfd: Capture, tmp_path: Path, song: Path) -> None:
    out = tmp_path / "out.wav"
    refuse(run_here(capfd, "render", song, out, "--model", "nobody"), "nobody")
    refuse(run_here(capfd, "render", song, out, "--model", tmp_path / "nowhere"), "nowhere")
    if not shutil.which("nvidia-smi"):
        refuse(run_here(capfd, "render", song, out, "--provider", "cuda"))
    assert not out.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        PNG,
        b"[preset\n",
        b"schema_version = 999\n",
        b'name = "x"\nschema_version = 1\nanchors = 3\n',
    ],
    ids=["empty", "a picture", "damaged", "of a later version", "of another shape"],
)
def test_a_broken_preset(capfd: Capture, tmp_path: Path, song: Path, content: bytes) -> None:
    bad = tmp_path / "bad.synthpreset"
    bad.write_bytes(content)
    refuse(run_here(capfd, "render", song, tmp_path / "out.wav", "--preset", bad), "bad.synthpreset")
    assert bad.read_bytes() == content
    refuse(run_here(capfd, "presets", "show", bad), "bad.synthpreset")


def test_names_that_nothing_has(capfd: Capture, tmp_path: Path, song: Path) -> None:
    out = tmp_path / "out.wav"
    refuse(run_here(capfd, "render", song, out, "--preset", "Nobody's"), "Nobody's")
    refuse(run_here(capfd, "note", out, "--anchor", "Nobody's"), "Nobody's")
    refuse(run_here(capfd, "presets", "show", "Nobody's"), "Nobody's")
    assert not out.exists()


def test_an_output_that_cannot_be_written(capfd: Capture, tmp_path: Path, song: Path) -> None:
    refuse(run_here(capfd, "render", song, tmp_path / "no" / "folder" / "out.wav"), "out.wav")
    (tmp_path / "taken.wav").mkdir()
    refuse(run_here(capfd, "render", song, tmp_path / "taken.wav"), "taken.wav")
    refuse(run_here(capfd, "note", "/proc/out.wav"), "/proc/out.wav")


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    """The system refuses to let any file grow beyond 1 MB, as it does when a disk is full."""
    out = tmp_path / "out.wav"
    out.write_bytes(b"the take of last night")
    result = subprocess.run(
        [sys.executable, "-m", "synth_app", "render", str(SONG), str(out), "--model", "partials"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    refuse(result, "out.wav", "disk")
    assert out.read_bytes() == b"the take of last night"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out.wav"]


def test_devices_that_are_not_there(jack_server: jack.JackServer, tmp_path: Path) -> None:
    play = ("play", "--headless", "--model", "partials")
    refuse(run_command(*play, "--audio-device", "Gramophone", home=tmp_path), "Gramophone", "JACK")
    refuse(run_command(*play, "--midi-in", "Barrel organ", home=tmp_path), "Barrel organ")
    refuse(run_command(*play, "--record", tmp_path / "no" / "folder.wav", home=tmp_path), "folder.wav")
    # What was asked in vain is not remembered.
    assert "Gramophone" not in "".join(path.read_text() for path in tmp_path.rglob("settings.toml"))


@pytest.mark.parametrize(
    ("words", "answer"), [(("--preset", "Welcom"), "did you mean Welcome"), (("--model", "defalt"), "models at hand")]
)
def test_what_is_mistyped_is_said_even_without_a_sound_card(
    tmp_path: Path, words: tuple[str, str], answer: str
) -> None:
    silent = {"JACK_DEFAULT_SERVER": "no-such-server", "PULSE_SERVER": "none", "ALSA_CONFIG_PATH": "/dev/null"}
    refuse(run_command("play", "--headless", *words, home=tmp_path, env=silent), answer)

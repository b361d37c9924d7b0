"""A MIDI file to a WAV: the right notes at the right times, the same file every time."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from synth_app.app import cli, cli_play, machine, paths
from synth_app.app.paths import DEMO_TUNE, bundled
from synth_app.core.units import pitch_to_hz
from synth_app.engine.ports import AudioDevice
from tests.helpers import listen
from tests.helpers.midi_client import Note, write_song
from tests.helpers.program import run_command, run_here

RATE_HZ = 48_000
Capture = pytest.CaptureFixture[str]


def notes_of(path: Path) -> list[Note]:
    """The notes of a MIDI file, by an independent reader."""
    now_s, held, notes = 0.0, {}, []
    for message in mido.MidiFile(path):
        now_s += message.time
        if message.type == "note_on" and message.velocity > 0:
            held[message.note] = (now_s, message.velocity)
        elif message.type in ("note_on", "note_off") and message.note in held:
            start_s, velocity = held.pop(message.note)
            notes.append(Note(start_s, now_s - start_s, message.note, velocity))
    return sorted(notes, key=lambda note: note.start_s)


def test_a_bach_prelude_has_every_note_in_its_place(tmp_path: Path) -> None:
    song = bundled(DEMO_TUNE)
    result = run_command("render", song, tmp_path / "bach.wav", home=tmp_path, timeout_s=240)
    assert result.returncode == 0, result.stderr
    wave, rate_hz = soundfile.read(tmp_path / "bach.wav", dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    sound = listen.mono(wave)
    line = [note for note in notes_of(song) if note.length_s < 0.5]  # all but the last chord
    assert len(line) == 128
    off_cents = []
    for note in line:
        half_s, end_s = (
            note.start_s + 0.55 * note.length_s,
            note.start_s + note.length_s,
        )  # the note before has died away
        heard = sound[int(half_s * RATE_HZ) : int(end_s * RATE_HZ)]
        expected_hz = pitch_to_hz(note.pitch)
        off_cents.append(abs(listen.cents_off(listen.pitch_hz(heard, RATE_HZ, 0.7 * expected_hz), expected_hz)))
    assert np.median(off_cents) < 5.0
    assert max(off_cents) < 10.0
    end_s = max(note.start_s + note.length_s for note in notes_of(song))
    assert len(sound) / RATE_HZ < end_s + 20.0
    assert listen.peak_db(wave) < 0.0


def test_an_event_sounds_at_its_own_sample(tmp_path: Path, capfd: Capture) -> None:
    starts_s = (0.0, 0.9, 1.9013, 3.0)
    song = write_song(tmp_path / "song.mid", [Note(start_s, 0.3, 60) for start_s in starts_s])
    result = run_here(capfd, "render", song, tmp_path / "out.wav", "--model", "partials")
    assert result.returncode == 0, result.stderr
    sound = listen.mono(soundfile.read(tmp_path / "out.wav", dtype="float32")[0])
    onsets_s = listen.onsets_s(sound, RATE_HZ, threshold_db=listen.peak_db(sound) - 30.0, quiet_s=0.2)
    assert np.array(onsets_s) - onsets_s[0] == pytest.approx(np.array(starts_s), abs=0.0025)
    assert onsets_s[0] < 0.02


def test_the_same_song_gives_the_same_file(tmp_path: Path, capfd: Capture) -> None:
    song = write_song(tmp_path / "song.mid", [Note(0.1 * i, 0.25, 48 + 5 * (i % 7)) for i in range(20)])
    files = []
    for name in ("one.wav", "two.wav"):
        result = run_here(capfd, "render", song, tmp_path / name)
        assert result.returncode == 0, result.stderr
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("rate_hz", [44_100, 96_000])
def test_a_note_at_other_rates_keeps_its_pitch(tmp_path: Path, capfd: Capture, rate_hz: int) -> None:
    result = run_here(capfd, "note", tmp_path / "note.wav", "--pitch", "A3", "--seconds", "1", "--rate", str(rate_hz))
    assert result.returncode == 0, result.stderr
    wave, found_hz = soundfile.read(tmp_path / "note.wav", dtype="float32")
    assert found_hz == rate_hz
    heard = listen.mono(wave)[rate_hz // 5 : rate_hz]
    assert abs(listen.cents_off(listen.pitch_hz(heard, rate_hz, 150.0), 220.0)) < 10.0


def test_a_seed_is_a_sound(tmp_path: Path, capfd: Capture) -> None:
    for name, seed in (("a.wav", "7"), ("b.wav", "7"), ("c.wav", "8")):
        result = run_here(capfd, "note", tmp_path / name, "--seed", seed, "--seconds", "0.5")
        assert result.returncode == 0, result.stderr
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.wav", "b.wav", "c.wav"))
    assert a == b
    assert a != c


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No screen, no sound card, no MIDI. The machine's facts are made up, everything else is real."""
    monkeypatch.setattr(machine, "screen_at_hand", lambda: False)
    monkeypatch.setattr(machine, "audio_outputs", lambda: [])
    monkeypatch.setattr(machine, "midi_at_hand", lambda: machine.MidiAtHand((), ()))
    monkeypatch.setattr(paths, "music_dir", lambda: tmp_path)
    return monkeypatch


def test_the_demo_plays_on_a_bare_machine(bare_machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.build(), ["play", "--or-demo"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "There is no screen here" in result.stderr
    assert "There is no sound card" in result.stderr
    told = Path(result.stdout.strip().splitlines()[-1].split("listen to ")[1])
    assert told.is_relative_to(tmp_path)
    assert listen.level_db(soundfile.read(told, dtype="float32")[0]) > -60.0


def test_what_is_missing_is_said(bare_machine: pytest.MonkeyPatch) -> None:
    assert "no sound card" in cli_play.what_is_missing(True, "")
    assert "no MIDI port" in cli_play.what_is_missing(True, "a named card")
    assert cli_play.what_is_missing(False, "a named card") == "", "the panel's own keyboard plays"
    card = AudioDevice("ALSA: card", "ALSA", 2, RATE_HZ, True)
    bare_machine.setattr(machine, "audio_outputs", lambda: [card])
    assert "no MIDI port" in cli_play.what_is_missing(True, "")

"""Sound files appear whole or not at all, except for a take, of which what fitted is kept."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synth_app.adapters.audio_file import Recorder, WavFile, write_wav
from synth_app.core.errors import FileFormatError
from synth_app.engine.callback import MixerMemory

RATE_HZ = 48_000
NOISE = np.random.default_rng(3).uniform(-0.5, 0.5, (RATE_HZ, 2)).astype(np.float32)


@contextlib.contextmanager
def full_disk(after_bytes: int) -> Iterator[None]:
    """While the block runs the system lets no file grow beyond ``after_bytes``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", NOISE, RATE_HZ)
    wave, rate_hz = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate_hz == RATE_HZ
    assert np.abs(wave - NOISE).max() < 2**-22


def test_nothing_is_seen_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    file = WavFile(path, RATE_HZ)
    file.write(NOISE)
    assert path.read_bytes() == b"old"
    file.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with full_disk(100_000), pytest.raises(FileFormatError, match="disk full"):
        write_wav(path, NOISE, RATE_HZ)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    assert path.read_bytes() == b"old"


def mix(memory: MixerMemory, blocks: int) -> None:
    out = np.empty((256, 2), np.float32)
    for _ in range(blocks):
        memory.mix(out)


def test_a_recording_holds_every_frame_from_its_beginning(tmp_path: Path) -> None:
    memory = MixerMemory(RATE_HZ)
    mix(memory, 10)
    recorder = Recorder(memory, tmp_path / "take.wav")
    mix(memory, 100)
    assert recorder.stop() == tmp_path / "take.wav"
    assert soundfile.info(tmp_path / "take.wav").frames == 25_600


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_a_take_outlives_its_output(tmp_path: Path, rate_hz: int) -> None:
    """A device went and came back, or the player chose another one, perhaps at another rate."""
    recorder = Recorder(before := MixerMemory(RATE_HZ), tmp_path / "take.wav")
    mix(before, 100)
    recorder.follow(before)
    after = MixerMemory(rate_hz)
    recorder.follow(after)
    mix(before, 50)  # nobody hears it any more
    mix(after, 200)
    recorder.stop()
    wanted = 256 * 100 + 256 * 200 * RATE_HZ / rate_hz
    assert soundfile.info(tmp_path / "take.wav").frames == pytest.approx(wanted, abs=3_000 if rate_hz != RATE_HZ else 0)


def test_a_take_that_fills_the_disk_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    memory = MixerMemory(RATE_HZ)
    with full_disk(300_000):
        recorder = Recorder(memory, tmp_path / "take.wav")
        for _ in range(300):
            mix(memory, 20)
            if recorder.error is not None:
                break
            time.sleep(0.02)
        with pytest.raises(FileFormatError, match="what was recorded is kept"):
            recorder.stop()
    assert 40_000 < soundfile.info(tmp_path / "take.wav").frames <= 50_000
    assert [p.name for p in tmp_path.iterdir()] == ["take.wav"]

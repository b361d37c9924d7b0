"""Frames kept on disk: what is read is what was written, or nothing; whatever happens to the folder, nothing breaks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_app.adapters import frame_store
from synth_app.adapters.frame_store import FrameAddress, FrameStore, make_room, size_of
from synth_app.adapters.generator_kept import KeptGenerator
from synth_app.render.ports import SpectralFrames
from tests.unit.render.recording import Recording

LATENT = np.array([-3.0, 0.5, 0.0, 1.0], np.float32)
LIMIT = 1 << 20


def address(pitch: int = 60, model: str = "m", latent: bytes = b"z", start: int = 3, stop: int = 10) -> FrameAddress:
    return FrameAddress(model, latent, pitch, start, stop)


def some_frames(seed: int, count: int = 7, bins: int = 16) -> SpectralFrames:
    rng = np.random.default_rng(seed)
    log_mel, inst_freq = rng.uniform(-13.0, 9.0, (2, 1, count, bins)).astype(np.float16).astype(np.float32)
    return SpectralFrames(log_mel, inst_freq)


def kept(folder: Path, *pitches: int) -> list[Path]:
    """A folder with some notes in it, written by a store that is closed again; their paths in order."""
    store = FrameStore(folder, LIMIT)
    for pitch in pitches:
        store.write(address(pitch), some_frames(pitch))
    store.close()
    return [store._path(address(pitch)) for pitch in pitches]


def test_what_is_read_after_a_restart_is_what_was_written(tmp_path: Path) -> None:
    kept(tmp_path, 60, 61)
    store = FrameStore(tmp_path, LIMIT)
    for pitch in (60, 61):
        frames, truth = store.read(address(pitch)), some_frames(pitch)
        assert frames is not None
        assert np.array_equal(frames.log_mel, truth.log_mel)
        assert np.array_equal(frames.inst_freq, truth.inst_freq)
        assert frames.log_mel.dtype == np.float32
    assert size_of(tmp_path).files == 2


@pytest.mark.parametrize(
    "other",
    [address(61), address(model="n"), address(latent=b"y"), address(start=4), address(stop=11),
     address(model="mz", latent=b""), address(model="", latent=b"mz")],
)  # fmt: skip
def test_another_address_is_another_file(tmp_path: Path, other: FrameAddress) -> None:
    kept(tmp_path, 60)
    assert FrameStore(tmp_path, LIMIT).read(other) is None


@settings(max_examples=25)
@given(data=st.data())
def test_a_damaged_file_is_never_played(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    [path] = kept(folder, 60)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.sampled_from([whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :], whole + b"x"])
    )
    path.write_bytes(damaged)
    told: list[str] = []
    store = FrameStore(folder, LIMIT, told.append)
    assert store.read(address(60)) is None
    assert not path.exists(), "it is written anew"
    assert store.read(address(60)) is None
    assert told == ["A note that was kept on disk is damaged; it is rendered again."]


def test_numbers_that_are_none_are_not_played_though_the_checksum_is_right(tmp_path: Path) -> None:
    frames = some_frames(1)
    frames.log_mel[0, 3, 3] = np.nan
    store = FrameStore(tmp_path, LIMIT)
    store.write(address(), frames)
    store.close()
    assert FrameStore(tmp_path, LIMIT).read(address()) is None


def test_a_file_under_another_name_is_not_played(tmp_path: Path) -> None:
    first, second = kept(tmp_path, 60, 61)
    second.write_bytes(first.read_bytes())
    assert FrameStore(tmp_path, LIMIT).read(address(61)) is None


def test_the_folder_stays_within_its_limit_and_what_was_not_read_for_longest_goes_first(tmp_path: Path) -> None:
    paths = kept(tmp_path, *range(40, 50))
    one = paths[0].stat().st_size
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (1e9 - age, 1e9 - age))
    store = FrameStore(tmp_path, 10 * one)
    assert store.read(address(40)) is not None, "now it was read last"
    store.write(address(80), some_frames(80))
    store.close()
    size = size_of(tmp_path)
    assert size.total_bytes <= 9 * one
    assert size.files == 9
    assert [path.exists() for path in paths[:3]] == [True, False, False]
    assert FrameStore(tmp_path, LIMIT).read(address(80)) is not None


def test_a_limit_smaller_than_one_file_keeps_nothing(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, 100)
    store.write(address(), some_frames(1))
    store.close()
    assert size_of(tmp_path).files == 0


def test_left_overs_of_a_crash_are_counted_and_go(tmp_path: Path) -> None:
    [path] = kept(tmp_path, 60)
    (path.parent / "x.part").write_bytes(bytes(5000))
    assert size_of(tmp_path).total_bytes > 5000
    assert make_room(tmp_path, 0) == 0
    assert size_of(tmp_path).files == 0


def test_the_folder_may_be_deleted_while_it_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    store = FrameStore(folder, LIMIT)
    for pitch in (60, 61):
        store.write(address(pitch), some_frames(pitch))
    store.close()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    store = FrameStore(folder, LIMIT)
    assert store.read(address(60)) is None
    store.write(address(60), some_frames(60))
    store.close()
    assert store.read(address(60)) is not None


# -- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "it is read-only"), (errno.EACCES, "may not be written to")],
)
def test_a_folder_that_takes_nothing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    kept(tmp_path, 60)
    monkeypatch.setattr(frame_store, "write_whole", refuse)
    told: list[str] = []
    store = FrameStore(tmp_path, LIMIT, told.append)
    for pitch in (61, 62, 63):
        store.write(address(pitch), some_frames(pitch))
    store.close()
    assert len(told) == 1
    assert words in told[0]
    assert "playing goes on" in told[0]
    assert store.read(address(60)) is not None, "what is there is still read"
    store.write(address(64), some_frames(64))
    assert len(told) == 1


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    told: list[str] = []
    store = FrameStore(tmp_path / "notes", LIMIT, told.append)
    assert store.read(address()) is None
    store.write(address(), some_frames(1))
    store.close()
    assert len(told) == 1
    assert "cannot be kept" in told[0]
    assert (tmp_path / "notes").read_text() == "mine"


def test_what_cannot_be_finished_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="full"):
        frame_store.write_whole(tmp_path / "ab" / "x.frames", b"data")
    assert list((tmp_path / "ab").iterdir()) == []


# -- the generator in front of it ------------------------------------------------------------------------------------


def ask(
    generator: KeptGenerator, start: int, stop: int, pitch: int = 60, latent: np.ndarray = LATENT
) -> SpectralFrames:
    return generator.render(latent[None], np.array([pitch]), start, stop)


def test_first_slices_of_kept_timbres_are_rendered_once_for_all_starts(tmp_path: Path) -> None:
    inner = Recording()
    generator = KeptGenerator(inner, FrameStore(tmp_path, LIMIT))
    generator.keep([LATENT])
    fresh = [ask(generator, 3, 10, pitch) for pitch in (60, 61)]
    generator.close()
    inner = Recording()
    generator = KeptGenerator(inner, FrameStore(tmp_path, LIMIT))
    generator.keep([LATENT])
    again = [ask(generator, 3, 10, pitch) for pitch in (60, 61)]
    assert inner.asked == []
    for a, b in zip(fresh, again, strict=True):
        assert np.array_equal(a.log_mel.astype(np.float16), b.log_mel.astype(np.float16))
        assert np.array_equal(a.inst_freq.astype(np.float16), b.inst_freq.astype(np.float16))


def test_nothing_else_is_kept(tmp_path: Path) -> None:
    inner = Recording()
    generator = KeptGenerator(inner, FrameStore(tmp_path, LIMIT))
    generator.keep([LATENT])
    ask(generator, 10, 26)
    ask(generator, 3, 10, latent=LATENT + 1.0)
    generator.render(np.stack([LATENT, LATENT]), np.array([60, 61]), 3, 10)
    generator.close()
    assert size_of(tmp_path).files == 0
    assert len(inner.asked) == 3


def test_the_timbres_of_the_last_presets_are_kept(tmp_path: Path) -> None:
    generator = KeptGenerator(Recording(), FrameStore(tmp_path, LIMIT))
    for preset in range(100):
        generator.keep([LATENT + np.float32(preset), LATENT])
    ask(generator, 3, 10, latent=LATENT)
    ask(generator, 3, 10, latent=LATENT + np.float32(99))
    ask(generator, 3, 10, latent=LATENT + np.float32(1))
    generator.close()
    assert size_of(tmp_path).files == 2

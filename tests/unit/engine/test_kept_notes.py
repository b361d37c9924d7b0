"""A preset's second start: every key is ready at once from disk, and sounds as it did; a bad folder changes nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from synth_app.adapters import frame_store
from synth_app.adapters.frame_store import FrameStore, size_of
from synth_app.adapters.generator_kept import KeptGenerator
from tests.unit.engine.rig import Rig, palette
from tests.unit.render.recording import Recording

LIMIT = 100 << 20


class Evening:
    """One start of the instrument with a preset that is kept: the whole keyboard gets warm, then a chord is played."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.inner = Recording()
        store = FrameStore(folder, LIMIT, self.told.append)
        generator, sounds = KeptGenerator(self.inner, store), palette()
        zones = range(len(sounds.zone_velocities))
        generator.keep(sounds.latent(sounds.patch.weights, zone)[0] for zone in zones)
        self.rig = Rig(sounds, live=True, generator=generator, slices_a_block=1000.0)
        self.rig.step()
        self.first_slices = sum(
            stop <= self.rig.control.ensemble.finisher.first_stop for _, _, stop in self.inner.asked
        )
        self.warm = self.rig.control.warm_share(10**12)
        self.rig.on(60, 64, 67)
        self.rig.run(0.5)
        self.rig.off(60, 64, 67)
        self.rig.run(0.2)
        generator.close()

    @property
    def heard(self) -> np.ndarray:
        return self.rig.played


def test_the_second_start_renders_no_first_slice_and_sounds_the_same(tmp_path: Path) -> None:
    first, second = Evening(tmp_path), Evening(tmp_path)
    assert first.first_slices == 61
    assert size_of(tmp_path).files == 61
    assert second.first_slices == 0
    assert first.warm == second.warm == 1.0
    assert np.array_equal(first.heard, second.heard)
    assert np.abs(second.heard).max() > 0.01
    assert first.told == second.told == []


@pytest.mark.parametrize("trouble", ["full", "read-only", "a file", "damaged", "deleted meanwhile"])
def test_whatever_is_wrong_with_the_folder_playing_goes_on(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Evening(tmp_path / "good").heard
    folder = tmp_path / "notes"
    if trouble in ("full", "read-only"):
        number = errno.ENOSPC if trouble == "full" else errno.EROFS

        def refuse(path: Path, data: bytes) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(frame_store, "write_whole", refuse)
    elif trouble == "a file":
        folder.write_text("mine")
    else:
        Evening(folder)
        for path in folder.rglob("*.frames"):
            path.unlink() if trouble == "deleted meanwhile" else path.write_bytes(path.read_bytes()[:-1] + b"?")
    evening = Evening(folder)
    assert evening.warm == 1.0
    assert np.array_equal(evening.heard, truth)
    assert len(evening.told) == (0 if trouble == "deleted meanwhile" else 1), evening.told

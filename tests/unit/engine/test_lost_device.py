"""A device that is lost while a chord is held: the processor goes on, and nobody hears where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.app.bench.subjects import TINY_WIDTH, write_random_model
from synth_app.app.compose import fallback_patch
from synth_app.timbre.palette import Palette
from tests.helpers.pretend_device import PretendSession, pretend
from tests.unit.engine.desk import steepest
from tests.unit.engine.rig import Rig

CHORD = (48, 55, 60)


class Losing(PretendSession):
    """Sessions of a device that takes so many runs, all together, and is then gone."""

    left = 0

    def run_with_iobinding(self, *arguments: object) -> None:
        if Losing.left <= 0:
            raise RuntimeError("CUDA error 700: an illegal memory access was encountered")
        Losing.left -= 1
        super().run_with_iobinding(*arguments)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "tiny", "tiny", TINY_WIDTH, 7).directory


def _play(generator: OnnxGenerator) -> tuple[Rig, np.ndarray]:
    """A chord, a morph under it, and its end."""
    anchors = generator.manifest.timbre_anchors()
    rig = Rig(
        Palette(fallback_patch(anchors), anchors, generator.info),
        live=False,
        generator=generator,
        block=160,
        rate_hz=16_000,
    )
    rig.on(*CHORD)
    rig.run(0.2)
    rig.morph(0.0, 0.5, 0.5, 0.0)
    rig.run(0.2)
    rig.off(*CHORD)
    rig.run(0.2)
    return rig, rig.played[:, 0].astype(float)


def test_wherever_it_is_lost_the_take_is_the_processors_own(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, truth = _play(OnnxGenerator(directory, "cpu", threads=1))
    level = float(np.sqrt(np.mean(truth**2)))
    assert level > 2e-5, "random weights are not loud, but they sound"
    pretend(monkeypatch, Losing)
    monkeypatch.setattr("synth_app.adapters.generator_onnx_device.KEEP_ALIVE_S", 1e6)
    lost = 0
    for runs in (1, 4, 9, 1000):
        Losing.left = 1000
        told: list[str] = []
        generator = OnnxGenerator(directory, "cuda", threads=1, on_fallback=told.append)
        Losing.left = runs
        rig, heard = _play(generator)
        assert rig.memory.state[0]["starved"] == 0
        assert np.sqrt(np.mean((heard - truth) ** 2)) < 0.01 * level, runs
        assert steepest(rig.played) < 1.05 * steepest(truth[:, None])
        if runs < 1000:
            lost += 1
            assert len(told) == 1
            assert "CUDA: device 0 failed (CUDA error 700" in told[0]
            assert generator.info.provider.startswith("CPU")
        else:
            assert told == []
        generator.close()
    assert lost == 3

"""Plans, wishes and what comes of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from synth_app.core.errors import CheckpointError, SettingsError
from synth_app.training.choose import Choice, choose_config
from synth_app.training.config import TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.loop import train
from synth_app.training.plans import FULL_WIDTH, PLANS, named_plan, paper_plan, plan
from synth_app.training.representation import Representation

from .test_training import STAGES, WITH_ONSET, options


@pytest.mark.parametrize("name", PLANS)
def test_every_named_plan_survives_its_text(name: str) -> None:
    config = named_plan(name)
    assert TrainConfig.from_json(config.to_json()) == config
    assert config.samples > 10_000


def test_the_paper_grows_through_seven_sizes_for_eleven_million_notes() -> None:
    config = paper_plan()
    assert config.samples == 11_000_000 and len(config.stages) == 13
    assert [stage.coarse for stage in config.stages] == [6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
    assert [stage.fade for stage in config.stages] == [False, *([True, False] * 6)]
    assert config.levels == (1, 2, 3, 4, 5, 6) and config.model.channels == FULL_WIDTH


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('seed = 4\n[model]\nchannels = [8, 8, 8, 8, 8, 8, 4]\n[[stages]]\nkind = "heads"\nsamples = 64\n')
    config = plan(str(path))
    assert (config.seed, config.samples, config.model.channels[-1]) == (4, 64, 4)
    (tmp_path / "mine.json").write_text('{"stages": [{"kind": "net", "samples": 8, "fade": true, "coarse": 2}]}')
    assert plan(str(tmp_path / "mine.json")).levels == (1, 2, 3)
    path.write_text("[[stages]]\nwrong = 1\n")
    with pytest.raises(SettingsError, match="does not fit"):
        plan(str(path))
    with pytest.raises(SettingsError, match="check the path"):
        plan(str(tmp_path / "absent.toml"))
    with pytest.raises(SettingsError, match="no plan 'best'"):
        plan("best")


def test_wishes_shape_a_new_run(tmp_path: Path) -> None:
    config = choose_config(Choice(width="full", representation="phase", low_resolution=True, seed=7), tmp_path)
    assert config.model.channels == FULL_WIDTH and config.seed == 7
    assert config.model.representation == Representation("phase", high_resolution=False)
    assert (config.model.spectral.frames, config.model.spectral.bins) == (256, 512)
    with pytest.raises(SettingsError, match="name one with --start"):
        choose_config(Choice(plan="adversarial"), tmp_path)
    with pytest.raises(SettingsError, match="model's sizes"):
        choose_config(Choice(start=tmp_path, width="full"), tmp_path)


def test_a_run_that_is_gone_on_with_keeps_its_plan(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(model=WITH_ONSET, stages=STAGES, seed=3)
    train(config, options(dataset, tmp_path, 4))
    saved = choose_config(Choice(), tmp_path)
    assert saved == replace(config, shards=saved.shards)
    assert choose_config(Choice(plan="heads"), tmp_path).stages == named_plan("heads").stages
    longer = choose_config(Choice(plan="adversarial"), tmp_path)
    assert longer.stages == STAGES + named_plan("adversarial").stages and longer.model == WITH_ONSET
    for choice in (Choice(width="full"), Choice(seed=9)):
        with pytest.raises(SettingsError, match="name another folder"):
            choose_config(choice, tmp_path)


def test_an_unknown_representation_is_refused() -> None:
    with pytest.raises(CheckpointError, match="does not fit"):
        TrainConfig.from_json('{"model": {"representation": {"kind": "wavelets"}}, "stages": []}')


def test_checkpoints_from_before_told_pitches_alone() -> None:
    old = '{"model": {"channels": [4, 4, 4]}, "stages": [{"kind": "net", "samples": 4, "adversarial": 0.1}]}'
    config = TrainConfig.from_json(old)
    assert not config.model.blur and config.model.representation == Representation()
    assert config.stages[0].recipe == "ns-r1" and not config.scratch

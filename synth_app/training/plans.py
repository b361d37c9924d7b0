"""Plans of training: the named ones, and plans that people write as TOML or JSON.

A plan file has the fields of ``TrainConfig``, of ``GeneratorConfig`` under ``model``, and of ``Stage`` in a list
``stages``; what it does not name keeps its default::

    seed = 3
    [model]
    channels = [128, 128, 128, 128, 64, 32, 16]
    [[stages]]
    kind = "heads"
    samples = 96000
    batch = 16
"""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from synth_app.core.errors import SettingsError
from synth_app.training.config import NET_STAGE, ONSET_STAGE, Stage, TrainConfig
from synth_app.training.model import GeneratorConfig

PLANS = ("default", "heads", "coarse", "net", "onset", "adversarial", "paper")
HALF_WIDTH = (128, 128, 128, 128, 64, 32, 16)
FULL_WIDTH = (256, 256, 256, 256, 128, 64, 32)
PAPER_STAGE_IMAGES = 800_000
PAPER_LAST_IMAGES = 1_400_000
NO_CLIPPING = 1e9


def named_plan(name: str) -> TrainConfig:
    """One of ``PLANS``.

    * default: the heads alone, the heads with the decoded wave, the net on what they leave, then the onset.
    * heads: the first two of these: minutes, and something to play.
    * coarse: default, with the net at a quarter and at half of its size first.
    * net: the net and then the onset, for a run that begins with a model whose heads are trained.
    * onset: the onset alone, for a run that begins with a model whose net is trained.
    * adversarial: stage B, for a run that begins with a trained model: the likeness to each note stays in the loss.
    * paper: GANSynth's own training, progressive and without anything of ours; 11 million notes.

    Raises:
        SettingsError: there is no such plan.
    """
    default = TrainConfig()
    if name == "heads":
        return replace(default, stages=default.stages[:2])
    if name == "coarse":
        small = replace(NET_STAGE, samples=32_000, batch=8, wave_weight=0.0, decay=0.2)
        coarse = (replace(small, coarse=2), replace(small, coarse=1, fade=True), NET_STAGE, ONSET_STAGE)
        return replace(default, stages=default.stages[:2] + coarse)
    if name == "net":
        return default.from_trained_heads()
    if name == "onset":
        return replace(default, stages=(ONSET_STAGE,))
    if name == "adversarial":
        return replace(default, stages=(adversarial_stage(),), code_noise=0.3)
    if name == "paper":
        return paper_plan()
    if name != "default":
        raise SettingsError(
            f"There is no plan {name!r}: choose one of {', '.join(PLANS)}, or name a TOML or JSON file."
        )
    return default


def adversarial_stage() -> Stage:
    """Stage B: half of what the discriminator sees is painted from random latents, half from the anchors', whose
    pictures and waves stay in the loss."""
    return Stage(
        "net", 48_000, batch=4, lr_net=5e-4, lr_heads=1e-4, lr_codes=1e-4, decay=0.3,
        wave_weight=0.1, ear_weight=1.0, loudness_weight=0.05, wave_notes=1,
        recon=4.0, adversarial=0.1, prior=True, label_weight=1.0, instrument_weight=1.0, lr_adversary=2e-3,
        momentum=0.0, fresh=True,
    )  # fmt: skip


def paper_plan(stage_images: int = PAPER_STAGE_IMAGES, last_images: int = PAPER_LAST_IMAGES) -> TrainConfig:
    """Magenta's ``mel_prog_hires``: seven sizes of 800,000 images each, six fades between them, WGAN-GP, batches of 8.

    Latents are random and pitches drawn as often as the notes have them; nothing is reconstructed. Adam's moments are
    forgotten at every change of stage, the average of the weights has the half-life of a decay of 0.999 a step.
    """
    model = GeneratorConfig(channels=FULL_WIDTH, heads=False, blur=False)
    base = Stage(
        "net", stage_images, batch=8, lr_net=8e-4, lr_heads=0.0, lr_codes=0.0, decay=0.0, recon=0.0, adversarial=1.0,
        recipe="wgan-gp", prior=True, label_weight=10.0, lr_adversary=8e-4, momentum=0.0, fresh=True,
    )  # fmt: skip
    stages = [replace(base, coarse=model.blocks - 1)]
    for level in range(model.blocks - 2, -1, -1):
        stages += [replace(base, coarse=level, fade=True), replace(base, coarse=level)]
    stages[-1] = replace(stages[-1], samples=last_images)
    return TrainConfig(
        model=model, stages=tuple(stages), clip_norm=NO_CLIPPING, average_half_life=5_542.0, scratch=True
    )


def read_plan(path: Path) -> TrainConfig:
    """A plan from a .toml or .json file.

    Raises:
        SettingsError: the file is missing, or something in it is no part of a plan.
    """
    try:
        text = path.read_text()
        plain: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return TrainConfig.from_plain(plain)
    except OSError as error:
        raise SettingsError(f"The plan {path} cannot be read ({error}): check the path.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(f"The plan {path} does not fit ({error}): see the fields in the documentation.") from error


def plan(name_or_path: str) -> TrainConfig:
    """A named plan, or a file's.

    Raises:
        SettingsError: there is neither.
    """
    if name_or_path not in PLANS and Path(name_or_path).suffix in (".toml", ".json"):
        return read_plan(Path(name_or_path))
    return named_plan(name_or_path)

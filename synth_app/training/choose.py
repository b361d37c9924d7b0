"""What to train, from what a person says about it and from what lies there already."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from synth_app.adapters.model_manifest import read_manifest
from synth_app.core.errors import SettingsError
from synth_app.training.checkpoint import saved_config
from synth_app.training.config import TrainConfig
from synth_app.training.loop import sizes_of_model
from synth_app.training.model import GeneratorConfig
from synth_app.training.plans import FULL_WIDTH, HALF_WIDTH, plan
from synth_app.training.representation import Kind, Representation

GO_ON = ("net", "onset", "adversarial")
"""Plans that go on from what is trained: a model that a run begins with, or the stages that a run has already."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The wishes of a command line; ``None`` is none.

    Attributes:
        plan: a named plan or a file. start: a model folder to begin with.
        width: of the net. representation, low_resolution: what is painted.
        seed: of everything drawn.
    """

    plan: str | None = None
    start: Path | None = None
    width: Literal["half", "full"] | None = None
    representation: Kind | None = None
    low_resolution: bool = False
    seed: int | None = None

    @property
    def shapes(self) -> bool:
        """Whether it says anything about the shape of the generator."""
        return self.width is not None or self.representation is not None or self.low_resolution


def choose_config(choice: Choice, run: Path) -> TrainConfig:
    """The configuration that fits: a run's own if it is gone on with, a model's sizes if it begins with a model.

    Raises:
        SettingsError: wishes contradict each other or what is there.
        CheckpointError, ModelError: what is there cannot be used.
    """
    going_on = saved_config(run)
    if going_on is not None:
        return _continued(choice, run, going_on)
    config = plan(choice.plan or ("default" if choice.start is None else "net"))
    if choice.start is not None:
        if choice.shapes:
            raise SettingsError("A run that begins with a model has the model's sizes: leave the other wishes out.")
        seen = int(read_manifest(choice.start).training.get("samples_seen", 0))
        config = replace(config, model=sizes_of_model(choice.start), before=seen)
    elif choice.plan in GO_ON:
        raise SettingsError(f"The plan {choice.plan} goes on from a trained model: name one with --start.")
    if choice.shapes:
        config = replace(config, model=_shaped(config, choice))
    return config if choice.seed is None else replace(config, seed=choice.seed)


def choose_device(wish: Literal["auto", "cpu", "cuda"]) -> str:
    """ "cuda" or "cpu".

    Raises:
        SettingsError: CUDA is wanted and not there.
    """
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise SettingsError("There is no CUDA device that torch can use: install its driver, or say --device cpu.")
    return "cuda" if there and wish != "cpu" else "cpu"


def _continued(choice: Choice, run: Path, saved: TrainConfig) -> TrainConfig:
    if choice.shapes and _shaped(saved, choice) != saved.model:
        raise SettingsError(f"{run} holds a run of another shape: name another folder.")
    if choice.seed is not None and choice.seed != saved.seed:
        raise SettingsError(f"{run} holds a run with seed {saved.seed}: name another folder.")
    if choice.plan is None:
        return saved
    wanted = plan(choice.plan)
    if choice.plan in GO_ON:
        added = () if saved.stages[-len(wanted.stages) :] == wanted.stages else wanted.stages
        return replace(saved, stages=saved.stages + added, code_noise=wanted.code_noise)
    return replace(wanted, model=saved.model, seed=saved.seed)


def _shaped(config: TrainConfig, choice: Choice) -> GeneratorConfig:
    model = config.model
    channels = {"half": HALF_WIDTH, "full": FULL_WIDTH, None: model.channels}[choice.width]
    painted = Representation(
        choice.representation or model.representation.kind,
        model.representation.high_resolution and not choice.low_resolution,
    )
    return replace(model, channels=channels, representation=painted)

"""One frozen value that says everything about a training run, and is saved inside its checkpoints."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from synth_app.core.errors import CheckpointError, SettingsError
from synth_app.training.growth import Growth
from synth_app.training.model import GeneratorConfig
from synth_app.training.onset import OnsetSizes
from synth_app.training.representation import Representation

StageKind = Literal["heads", "net", "onset"]
Recipe = Literal["ns-r1", "wgan-gp"]
COARSE_LEVELS = (1, 2)
"""The unfinished sizes that every voice has colour layers for, whether a plan uses them or not."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the training, measured in samples (notes seen).

    Attributes:
        kind: "heads" trains the bias map, the additive head and the codes without running a convolution; "net" trains
            everything; "onset" the onset net alone, on what the others have settled.
        samples: its length. batch: notes in a step.
        coarse: how many times the picture is halved (0 is 128 x 1024); only for "net".
        fade: whether this size is faded in from the next coarser one while the stage lasts.
        lr_net, lr_heads, lr_codes, lr_onset: Adam's step sizes; they fall linearly to a tenth over the last ``decay``
            share.
        frames: how many frames of a note a step looks at, the attack and some others; 0 is all. Only for "heads",
            whose frames do not depend on each other: more notes for the same work.
        wave_weight, ear_weight, loudness_weight: weights of the three losses that listen to the decoded wave (see
            ``losses``), and wave_notes: on how many notes of a batch.
        recon: weight of the picture loss; 0 for purely adversarial stages.
        adversarial: weight of what a discriminator says; only for "net". recipe: its losses, see ``adversary``.
        prior: whether the discriminator also sees, for each note of the batch, a note painted from a random latent; an
            "onset" learns so many more from the net, at latents between the anchors and elsewhere (see ``between``).
        label_weight, instrument_weight: of the discriminator's classifiers. lr_adversary: its step size.
        momentum: Adam's first beta. fresh: forget Adam's moments when the stage begins.
    """

    kind: StageKind
    samples: int
    batch: int = 8
    coarse: int = 0
    lr_net: float = 1e-3
    lr_heads: float = 2e-3
    lr_codes: float = 5e-3
    lr_onset: float = 2e-3
    decay: float = 0.3
    frames: int = 0
    wave_weight: float = 0.0
    ear_weight: float = 0.0
    loudness_weight: float = 0.0
    wave_notes: int = 2
    recon: float = 1.0
    adversarial: float = 0.0
    recipe: Recipe = "ns-r1"
    prior: bool = False
    label_weight: float = 1.0
    instrument_weight: float = 0.0
    lr_adversary: float = 2e-3
    momentum: float = 0.9
    fresh: bool = False
    fade: bool = False

    @property
    def listens(self) -> bool:
        """Whether the loss hears the decoded wave; only pictures of full size can be heard."""
        return self.coarse == 0 and max(self.wave_weight, self.ear_weight, self.loudness_weight) > 0.0

    def growth(self, done: float) -> Growth:
        """Where the growing stands when a share of the stage is done."""
        return Growth(self.coarse, done if self.fade else 1.0)


NET_STAGE = Stage(
    "net", 64_000, batch=4, lr_net=2e-3, lr_heads=3e-4, lr_codes=2e-4, decay=0.5,
    wave_weight=0.1, ear_weight=1.0, loudness_weight=0.05, wave_notes=1,
)  # fmt: skip
"""Everything together, with the decoded wave in the loss (at three times this weight it drowns the picture's): the long
stretch."""

ONSET_STAGE = Stage(
    "onset", 160_000, batch=12, decay=0.6, prior=True,
    wave_weight=0.1, ear_weight=1.0, loudness_weight=0.2, wave_notes=3,
)  # fmt: skip
"""The first frames, last of all: they follow from codes that no longer move."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole run. ``samples`` are notes seen; every schedule is a function of them and of nothing else.

    ``shards`` is how many threads share a step, a part of the batch each. With ``scratch`` a voice begins as GANSynth's
    did: nothing is measured on the notes beforehand, and the convolutions are heard from the first step. ``before`` is
    what the model that the run began with had seen already; it stands on the card and changes nothing. A plan that
    trains an onset has one in its model.
    """

    model: GeneratorConfig = field(default_factory=GeneratorConfig)
    stages: tuple[Stage, ...] = (
        Stage("heads", 96_000, batch=16, lr_codes=3e-3, frames=48),
        Stage("heads", 80_000, batch=16, lr_heads=1e-3, lr_codes=8e-4, decay=0.5, wave_weight=0.3),
        NET_STAGE,
        ONSET_STAGE,
    )
    seed: int = 1
    code_noise: float = 0.15
    if_weight: float = 0.25
    clip_norm: float = 1.0
    average_half_life: float = 8_000.0
    shards: int = 2
    scratch: bool = False
    before: int = 0

    def __post_init__(self) -> None:
        if self.model.onset is None and any(stage.kind == "onset" for stage in self.stages):
            sizes = OnsetSizes(min(OnsetSizes().frames, self.model.spectral.frames))
            object.__setattr__(self, "model", replace(self.model, onset=sizes))

    def from_trained_heads(self) -> "TrainConfig":
        """The plan for a run that begins with an exported model, whose heads are trained: net and onset."""
        return replace(self, stages=(NET_STAGE, ONSET_STAGE))

    @property
    def levels(self) -> tuple[int, ...]:
        """The unfinished sizes that the plan paints at, and those that every voice has, in order."""
        used = {stage.coarse for stage in self.stages} | {stage.coarse + 1 for stage in self.stages if stage.fade}
        return tuple(level for level in sorted({*used, *COARSE_LEVELS}) if 0 < level < self.model.blocks)

    @property
    def samples(self) -> int:
        """Length of the run."""
        return sum(stage.samples for stage in self.stages)

    def stage_at(self, samples_seen: int) -> tuple[int, float]:
        """(index of the stage, share of it that is done) at a moment of the run; the end belongs to the last stage."""
        start = 0
        for index, stage in enumerate(self.stages):
            if samples_seen < start + stage.samples:
                return index, (samples_seen - start) / stage.samples
            start += stage.samples
        return len(self.stages) - 1, 1.0

    def to_json(self) -> str:
        """For the checkpoint."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """Read back what ``to_json`` wrote.

        Raises:
            CheckpointError: the text is of another version of this program.
        """
        try:
            plain: dict[str, Any] = json.loads(text)
            model = {"blur": False, **plain["model"]}  # older checkpoints told pitches alone
            return cls.from_plain({**plain, "model": model, "stages": plain["stages"]})
        except (ValueError, TypeError, KeyError, SettingsError) as error:
            raise CheckpointError(f"The checkpoint's configuration does not fit this program ({error}).") from error

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "TrainConfig":
        """A configuration from nested dictionaries; what is not named keeps its default.

        Raises:
            SettingsError, TypeError, ValueError, KeyError: a name or a value does not fit.
        """
        rest = dict(plain)
        model = dict(rest.pop("model", {}))
        if "channels" in model:
            model["channels"] = tuple(model["channels"])
        model["representation"] = Representation(**model.get("representation", {}))
        if model.get("onset") is not None:
            model["onset"] = OnsetSizes(**model["onset"])
        stages = tuple(Stage(**stage) for stage in rest.pop("stages", ()))
        if stages:
            rest["stages"] = stages
        return cls(model=GeneratorConfig(**model), **rest)

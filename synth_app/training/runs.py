"""A run's folder, opened for measuring or for export: the averaged voice of its newest checkpoint."""

from pathlib import Path

import torch

from synth_app.core.errors import CheckpointError, SettingsError
from synth_app.training.checkpoint import Checkpoint, load_checkpoint, newest_checkpoint, restore_average
from synth_app.training.ema import Average
from synth_app.training.feed import NoteFeed
from synth_app.training.run import anchor_name
from synth_app.training.voice import Voice


def load_voice(run: Path, feed: NoteFeed) -> tuple[Voice, Checkpoint]:
    """The averaged voice of a run that was trained on a feed's anchors.

    Where the run has not yet come to train its convolutions at full size, they are silenced: the voice is its heads.

    Raises:
        CheckpointError: there is no usable checkpoint.
        SettingsError: it was trained on other instruments.
    """
    path = newest_checkpoint(run)
    if path is None:
        raise CheckpointError(f"{run} holds no checkpoint: train first.")
    checkpoint = load_checkpoint(path)
    if checkpoint.anchors != tuple(anchor_name(anchor) for anchor in feed.anchors):
        raise SettingsError(f"{run} was trained on other instruments than the data set holds: name the right one.")
    voice = Voice(checkpoint.config.model, len(feed.anchors), checkpoint.config.levels)
    average = Average(voice, 1.0)
    restore_average(checkpoint, average)
    average.copy_to(voice)
    if not net_is_trained(checkpoint):
        silence_net(voice)
    onset = voice.generator.onset
    if onset is not None and not onset.env.weight.any():  # its stage is still to come
        voice.generator.onset = None
    return voice.eval(), checkpoint


def net_is_trained(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint lies in or behind a full-size stage of its run's plan; the onset's comes after the net."""
    index, done = checkpoint.config.stage_at(checkpoint.samples_seen)
    past = checkpoint.config.stages[: index + 1 if done > 0.0 else index]
    return any(stage.kind in ("net", "onset") and stage.coarse == 0 for stage in past)


@torch.no_grad()
def silence_net(voice: Voice) -> None:
    """Let the convolutions add nothing: only the heads speak."""
    voice.generator.rgb.weight.zero_()
    voice.generator.rgb.bias.zero_()

"""Every note on the scales: what is painted is decoded, encoded again, and compared with the note it should be.

Measuring what is heard, not what is painted, puts the decoder's own loss into every figure; real notes through the
same codec are the ceiling beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from synth_app.training import metrics
from synth_app.training.codec import TorchCodec
from synth_app.training.evaluation.envelope import attack_ms, liveliness
from synth_app.training.evaluation.judging_net import JudgingNet, opinion_entropy
from synth_app.training.evaluation.modulation import modulation
from synth_app.training.features import LOG_MEL_FLOOR, MAG_A, MAG_B, denormalise, normalise
from synth_app.training.feed import Batch
from synth_app.training.harmonics import LOWEST_PITCH

SUMMARY_SHAPE = (16, 64)

Figures = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Heard:
    """Notes that were listened to.

    Attributes:
        figures: name -> [N] or, for spectra of modulation, [N, rates].
        level: the heard log-mel level, normalised and floored, [N, T, F]; empty once it is no longer wanted.
        features: of the judging net, [N, 64]. summary: coarse level pictures, [N, 1024].
    """

    figures: Figures
    level: Tensor
    features: NDArray[np.float64]
    summary: NDArray[np.float64]

    def without_level(self) -> "Heard":
        """The same, small."""
        return Heard(self.figures, self.level[:0], self.features, self.summary)


class Ear:
    """Listens to batches of notes.

    Args:
        codec: turns the pictures that are painted into sound.
        standard: the codec of the data set's own pictures, in which everything is heard; usually the same.
        judge: names what is heard.
    """

    def __init__(self, codec: TorchCodec, standard: TorchCodec, judge: JudgingNet) -> None:
        self.codec, self.standard, self.judge = codec, standard, judge

    @torch.no_grad()
    def perfect(self, batch: Batch) -> Tensor:
        """What a perfect generator would paint: the notes themselves, [B, 2, T, F]."""
        return batch.picture if self.codec is self.standard else normalise(*self.codec.encode(batch.wave))

    @torch.no_grad()
    def real(self, batch: Batch) -> Heard:
        """The notes of a data set themselves: what their likenesses are compared with."""
        return self._heard(batch.wave, batch.picture[:, 0], batch.pitch, {})

    @torch.no_grad()
    def compare(self, picture: Tensor, batch: Batch) -> Heard:
        """Pictures [B, 2, T, F] beside the notes that they should be."""
        log_mel, inst_freq = denormalise(picture)
        wave, heard = self._sound(log_mel, inst_freq)
        wanted, _ = denormalise(batch.picture)
        again = heard if self.codec is self.standard else self.codec.encode(wave)[0]
        figures = {
            "lsd_db": metrics.log_spectral_distance_db(heard, wanted),
            "convergence": metrics.spectral_convergence(wave, batch.wave),
            "level_db": metrics.level_error_db(wave, batch.wave),
            "consistency": metrics.consistency(self.codec.magnitude(log_mel), self.codec.magnitude(again)),
            "liveliness": liveliness(heard.clamp_min(LOG_MEL_FLOOR), wanted, LOG_MEL_FLOOR),
        }
        return self._heard(wave, level_of(heard), batch.pitch, _plain(figures))

    @torch.no_grad()
    def alone(self, picture: Tensor, pitch: Tensor) -> Heard:
        """Pictures that need be like nothing: random draws."""
        wave, heard = self._sound(*denormalise(picture))
        return self._heard(wave, level_of(heard), pitch, {})

    def _sound(self, log_mel: Tensor, inst_freq: Tensor) -> tuple[Tensor, Tensor]:
        wave = self.codec.decode(log_mel, inst_freq)
        return wave, self.standard.encode(wave)[0]

    def _heard(self, wave: Tensor, level: Tensor, pitch: Tensor, figures: Figures) -> Heard:
        moving = modulation(wave, pitch)
        features, opinion, _ = self.judge(level)
        tensors = {
            "attack_ms": attack_ms(wave), "peak": wave.abs().amax(dim=1), "rms": wave.square().mean(dim=1).sqrt(),
            "level_depth_db": moving.level_db, "pitch_depth_cents": moving.pitch_cents,
            "level_spectrum": moving.level_spectrum, "pitch_spectrum": moving.pitch_spectrum,
            "judged_pitch": (opinion.argmax(dim=1) == pitch).float(), "pitch_entropy": opinion_entropy(opinion),
        }  # fmt: skip
        cents = metrics.pitch_errors_cents(wave, pitch.numpy() + LOWEST_PITCH)
        all_figures = figures | _plain(tensors) | {"cents": cents}
        return Heard(all_figures, level, features.double().numpy(), summary_of(level))


def level_of(log_mel: Tensor) -> Tensor:
    """Log-mel power as the level half of a picture: floored, normalised."""
    return (log_mel.clamp_min(LOG_MEL_FLOOR) * MAG_A + MAG_B).clamp(-1.0, 1.0)


def summary_of(level: Tensor) -> NDArray[np.float64]:
    """Level pictures [N, T, F] as a few numbers, [N, 1024]: the space in which NDB puts notes into cells."""
    pooled = functional.adaptive_avg_pool2d(level[:, None], SUMMARY_SHAPE)
    return np.asarray(pooled.flatten(1).double().numpy())


def together(parts: Sequence[Heard]) -> Heard:
    """Several batches as one."""
    return Heard(
        {name: np.concatenate([part.figures[name] for part in parts]) for name in parts[0].figures},
        torch.cat([part.level for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.summary for part in parts]),
    )


def _plain(tensors: dict[str, Tensor]) -> Figures:
    return {name: np.asarray(value.double().numpy()) for name, value in tensors.items()}

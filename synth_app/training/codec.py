"""The spectral codec in torch: batched, differentiable, in float32, equal to ``synth_app.spectral.codec``.

``codec_for`` gives the codec of a representation; those without mel bands (``BinCodec``) are only the trainer's.

The trainer needs gradients from the decoded wave back to the picture, through the very decoder that the instrument
plays with, peak locking included. Gradients flow through the magnitudes and through the instantaneous frequencies;
the decisions of the lock (who follows whom, how firmly) are taken as constants.

Phases are counted in turns here: the step of a bin is half its ``inst_freq`` and wrapping is ``x - round(x)``.
Mixed precision is switched off inside: a phase summed in bfloat16 is noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.inst_freq import centre_signs
from synth_app.spectral.locking import PULL
from synth_app.spectral.mel import MelTable, mel_table
from synth_app.spectral.normaliser import Normaliser
from synth_app.spectral.stft import hann
from synth_app.training.representation import Representation

_POWER_FLOOR = 1e-6


class TorchCodec(nn.Module):
    """Batches of notes to pictures and back. Has buffers and no parameters, so ``.to(device)`` moves it.

    Args:
        config: the geometry.
        convention: what ``inst_freq`` means.
        normaliser: the map onto the generator's range.
    """

    _window: Tensor
    _signs: Tensor
    _inverse: Tensor
    _bands: Tensor
    _nearest: Tensor
    _by_band: Tensor
    _by_band_weights: Tensor

    def __init__(
        self, config: SpectralConfig, convention: PhaseConvention, normaliser: Normaliser | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.convention = convention
        self.normaliser = normaliser or Normaliser()
        table = mel_table(config)
        bands, weights = _by_band(table)
        self._keep("_window", hann(config.fft_size))
        self._keep("_signs", centre_signs(config.bins))
        self._keep("_inverse", table.inverse.T)
        self._keep("_by_band_weights", weights)
        self.register_buffer("_by_band", torch.from_numpy(bands), persistent=False)
        self.register_buffer("_bands", torch.from_numpy(table.band.T.astype(np.int64).copy()), persistent=False)
        self.register_buffer("_nearest", torch.from_numpy(table.nearest.astype(np.int64)), persistent=False)

    def encode(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Waves ``[B, samples]`` to ``log_mel`` and ``inst_freq``, float32 ``[B, frames, bins]``."""
        with torch.autocast(wave.device.type, enabled=False):
            return self._picture(self._stft(wave.float()))

    def level(self, wave: Tensor) -> Tensor:
        """The ``log_mel`` half of ``encode`` alone, which also has a gradient."""
        with torch.autocast(wave.device.type, enabled=False):
            return self._level(self._stft(wave.float()))

    def decode(self, log_mel: Tensor, inst_freq: Tensor) -> Tensor:
        """Pictures ``[B, frames, bins]`` to waves, float32 ``[B, (frames - 1) * hop + fft_size - pad]``."""
        with torch.autocast(log_mel.device.type, enabled=False):
            magnitude = self.magnitude(log_mel.float())
            angle = 2.0 * torch.pi * self._turns(magnitude.detach(), inst_freq.float())
            signed = magnitude if self.convention == "magenta" else magnitude * self._signs
            return self._istft(torch.complex(signed * angle.cos(), signed * angle.sin()))

    def magnitude(self, log_mel: Tensor) -> Tensor:
        """Linear magnitudes that the decoder gives to a log-mel picture, ``[B, frames, bins]``."""
        power = torch.exp(log_mel)
        first, second = self._bands
        linear = power[..., first] * self._inverse[0] + power[..., second] * self._inverse[1]
        return torch.sqrt(linear + _POWER_FLOOR)

    def normalise(self, log_mel: Tensor, inst_freq: Tensor) -> tuple[Tensor, Tensor]:
        """Physical units to -1..1, clipped."""
        n = self.normaliser
        return (
            torch.clamp(log_mel * n.log_mel_scale + n.log_mel_offset, -1.0, 1.0),
            torch.clamp(inst_freq * n.inst_freq_scale + n.inst_freq_offset, -1.0, 1.0),
        )

    def denormalise(self, log_mel: Tensor, inst_freq: Tensor) -> tuple[Tensor, Tensor]:
        """The generator's output to physical units."""
        n = self.normaliser
        return (
            (log_mel - n.log_mel_offset) / n.log_mel_scale,
            (inst_freq - n.inst_freq_offset) / n.inst_freq_scale,
        )

    def _picture(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        magenta = self.convention == "magenta"
        steps = self._magenta_inst_freq(spectrum) if magenta else self._centred_inst_freq(spectrum)
        return self._level(spectrum), steps

    def _level(self, spectrum: Tensor) -> Tensor:
        """Natural log of the power in each mel band."""
        return torch.log(self._lin_to_mel(torch.square(spectrum.abs() + _POWER_FLOOR)) + _POWER_FLOOR)

    def _keep(self, name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self.register_buffer(name, torch.from_numpy(values.astype(np.float32)), persistent=False)

    def _lin_to_mel(self, linear: Tensor) -> Tensor:
        """The forward mel table as gathers: each band collects the few linear bins it is made of."""
        mel = linear[..., self._by_band[0]] * self._by_band_weights[0]
        for bins, weights in zip(self._by_band[1:], self._by_band_weights[1:], strict=True):
            mel = mel + linear[..., bins] * weights
        return mel

    def _stft(self, wave: Tensor) -> Tensor:
        padded = functional.pad(wave, (self.config.pad_samples, 0))
        frames = padded.unfold(1, self.config.fft_size, self.config.hop_samples)
        spectrum: Tensor = torch.fft.rfft(frames * self._window)
        return spectrum[..., 1:]

    def _istft(self, spectrum: Tensor) -> Tensor:
        grains = torch.fft.irfft(functional.pad(spectrum, (1, 0)), n=self.config.fft_size) * (self._window / 1.5)
        hop, overlap = self.config.hop_samples, self.config.fft_size // self.config.hop_samples
        hops = torch.zeros_like(grains[:, :1, :hop])
        for part in range(overlap):
            piece = grains[..., part * hop : (part + 1) * hop]
            hops = hops + functional.pad(piece, (0, 0, part, overlap - 1 - part))
        return hops.flatten(1)[:, self.config.pad_samples :]

    def _magenta_inst_freq(self, spectrum: Tensor) -> Tensor:
        unwrapped = _unwrap(self._lin_to_mel(_unwrap(_safe_angle(spectrum.to(torch.complex128)))))
        steps = torch.diff(unwrapped, dim=1, prepend=torch.zeros_like(unwrapped[:, :1]))
        return (steps / torch.pi).float()

    def _centred_inst_freq(self, spectrum: Tensor) -> Tensor:
        centred = spectrum * self._signs
        before = functional.pad(centred[:, :-1], (0, 0, 1, 0))
        silent = before == 0
        safe = torch.where(silent, torch.ones_like(before), before)
        step = centred * (safe / safe.abs()).conj()
        return _safe_angle(torch.complex(self._lin_to_mel(step.real), self._lin_to_mel(step.imag))) / torch.pi

    def _turns(self, magnitude: Tensor, inst_freq: Tensor) -> Tensor:
        """Phase of every linear bin, in turns; see ``synth_app.spectral.codec``."""
        if self.convention == "magenta":
            first, second = self._bands
            step = 0.5 * (inst_freq[..., first] * self._inverse[0] + inst_freq[..., second] * self._inverse[1])
            return torch.cumsum(step.double(), dim=1).remainder(1.0).float()
        start = self.config.pad_frames
        step = 0.5 * inst_freq[:, start:, self._nearest]
        leader, share = plan_locking(magnitude[:, start:])
        return functional.pad(locked_sum(step, leader, share), (0, 0, start, 0))


class BinCodec(TorchCodec):
    """The paper's pictures without mel bands: log power of each Fourier bin, and an angle in units of pi.

    The angle is the bin's phase, or with ``steps`` its turn since the frame before, wrapped (Engel et al. 2019, section
    2.2; there the phase is unwrapped and differenced, which is the same). Nothing locks the bins to each other.

    Args:
        config: the geometry.
        steps: whether the second channel is the step.
    """

    def __init__(self, config: SpectralConfig, *, steps: bool) -> None:
        super().__init__(config, "magenta")
        self.steps = steps

    def magnitude(self, log_mel: Tensor) -> Tensor:
        """Linear magnitudes from the natural log of power, ``[B, frames, bins]``."""
        return torch.sqrt(torch.exp(log_mel) + _POWER_FLOOR)

    def _picture(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        turned = spectrum
        if self.steps:
            before = functional.pad(spectrum[:, :-1], (0, 0, 1, 0))
            turned = spectrum * torch.where(before == 0, torch.ones_like(before), before).conj()
        return self._level(spectrum), _safe_angle(turned) / torch.pi

    def _level(self, spectrum: Tensor) -> Tensor:
        return torch.log(spectrum.abs().square() + _POWER_FLOOR)

    def _turns(self, magnitude: Tensor, inst_freq: Tensor) -> Tensor:
        if not self.steps:
            return 0.5 * inst_freq
        return torch.cumsum(0.5 * inst_freq.double(), dim=1).remainder(1.0).float()


def codec_for(representation: Representation, config: SpectralConfig) -> TorchCodec:
    """The codec that makes and undoes a representation's pictures."""
    if representation.mel:
        return TorchCodec(config, "magenta" if representation.kind == "mel-magenta" else "centred")
    return BinCodec(config, steps=representation.kind == "if")


def plan_locking(magnitude: Tensor) -> tuple[Tensor, Tensor]:
    """``synth_app.spectral.locking.plan_locking`` for ``[B, frames, bins]``: leaders (int64) and shares."""
    bins = magnitude.shape[-1]
    padded = functional.pad(magnitude, (3, 3))
    at = [padded[..., i : i + bins] for i in range(7)]  # at[3 + offset]
    peak = {o: (at[3 + o] > at[2 + o]) & (at[3 + o] >= at[4 + o]) for o in (-2, -1, 1, 2)}
    up, down = at[4] > at[3], at[2] > at[3]
    one, two, zero = (torch.full((), float(o), device=magnitude.device) for o in (1, 2, 0))
    right = torch.where(up & peak[1], one, torch.where(up & (at[5] > at[4]) & peak[2], two, zero))
    left = torch.where(down & peak[-1], one, torch.where(down & (at[1] > at[2]) & peak[-2], two, zero))
    right_peak = torch.where(right == 0, -one, torch.where(right == 1, at[4], at[5]))
    left_peak = torch.where(left == 0, -one, torch.where(left == 1, at[2], at[1]))
    follows = torch.where(left_peak >= right_peak, -left, right)
    leader = torch.arange(bins, device=magnitude.device) + follows.long()
    power = padded[..., 2:-2].square()
    now = power[..., :-2] + power[..., 1:-1] + power[..., 2:]
    then = functional.pad(now[:, :-1], (0, 0, 1, 0))
    steadiness = torch.minimum(now, then) / torch.maximum(now, then).clamp_min(torch.finfo(now.dtype).tiny)
    share = PULL * steadiness.gather(-1, leader) * (follows != 0)
    return leader, share


def locked_sum(step: Tensor, leader: Tensor, share: Tensor) -> Tensor:
    """``synth_app.spectral.locking.accumulate`` in turns for ``[B, frames, bins]``, differentiable in ``step``."""
    turns: Tensor = _LockedSum.apply(step, leader, share)  # type: ignore[no-untyped-call]
    return turns


class _LockedSum(torch.autograd.Function):
    """The wrapped, pulled sum over frames. Given the plan it is linear, so its gradient is its transpose, run back."""

    @staticmethod
    def forward(ctx: Any, step: Tensor, leader: Tensor, share: Tensor) -> Tensor:
        ctx.save_for_backward(leader, share)
        turns = torch.empty_like(step)
        last = torch.zeros_like(step[:, 0])
        for frame in range(step.shape[1]):
            last = last + step[:, frame]
            last -= last.round()
            distance = last.gather(1, leader[:, frame]).sub_(last)
            distance -= distance.round()
            last.addcmul_(share[:, frame], distance)
            turns[:, frame] = last
        return turns

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        leader, share = ctx.saved_tensors
        to_step = torch.empty_like(gradient)
        carried = torch.zeros_like(gradient[:, 0])
        for frame in range(gradient.shape[1] - 1, -1, -1):
            carried = carried + gradient[:, frame]
            given = share[:, frame] * carried
            carried = carried.sub_(given).scatter_add_(1, leader[:, frame], given)
            to_step[:, frame] = carried
        return to_step, None, None


def _by_band(table: MelTable) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """The forward table by mel band: linear bins and weights ``[most, bins]``, padded with weight 0."""
    dense = table.dense_forward()
    most = int((dense > 0.0).sum(axis=0).max())
    order = np.argsort(dense == 0.0, axis=0, kind="stable")[:most]
    return order.astype(np.int64), np.take_along_axis(dense, order, axis=0)


def _safe_angle(z: Tensor) -> Tensor:
    """Angle of complex values, 0 with gradient 0 where the value is 0."""
    nothing = z == 0
    return torch.where(nothing, torch.ones_like(z), z).angle() * ~nothing


def _unwrap(phase: Tensor) -> Tensor:
    """``numpy.unwrap`` along dimension 1."""
    steps = torch.diff(phase, dim=1)
    turns = torch.round(steps.detach() / (2.0 * torch.pi)).cumsum(dim=1)
    return phase - 2.0 * torch.pi * functional.pad(turns, (0, 0, 1, 0))

"""Random generators for tests, and an independent numpy reading of what one computes.

The reference is written from the formulas, whole notes only, in float64, sharing no code with the ONNX writer.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.adapters.model_manifest import (
    AnchorTable,
    CheckTable,
    GraphTable,
    LayerTable,
    Manifest,
    write_manifest,
)
from synth_app.adapters.model_store import note_rms
from synth_app.adapters.onnx_writer import Arrays, GraphOptions, write_graph
from synth_app.spectral.mel import band_centres_hz

SMALL = (32, 32, 24, 16)  # 16 frames of 128 bins; 24 is no whole number of blocks
TINY_FULL = (16, 16, 16, 16, 16, 16, 16)  # 128 frames of 1024 bins
OPTIONS = GraphOptions(partials=5, cosines=4)
ONSET_FRAMES, ONSET_ALONE = 7, 4  # of small generators: the last three are shared with the net


def random_arrays(channels: tuple[int, ...], rng: np.random.Generator, heads: bool = True, latent: int = 20,
                  pitches: int = 61) -> dict[str, NDArray[np.float32]]:  # fmt: skip
    """A generator of random weights at sensible scales; with heads, every optional part is there and not zero."""
    blocks = len(channels)
    rows, frames, bins = latent + pitches, 2**blocks, 16 * 2 ** (blocks - 1)
    hidden, film, rank, basis = 12, 7, 3, OPTIONS.partials + 2 * OPTIONS.cosines
    shapes: dict[str, tuple[tuple[int, ...], float]] = {
        "block1.conv0.weight": ((rows, channels[0] * 32), 0.3),
        "rgb.weight": ((2, channels[-1]), 0.1),
        "rgb.bias": ((2,), 0.1),
    }
    below = channels[0]
    for b, width in enumerate(channels, start=1):
        for i in (0, 1):
            shapes[f"block{b}.conv{i}.bias"] = ((width,), 0.1)
            if (b, i) != (1, 0):
                inputs = below if i == 0 else width
                shapes[f"block{b}.conv{i}.weight"] = ((width, inputs, 3, 3), (2 / (9 * inputs)) ** 0.5)
            for part in ("scale", "shift") if heads else ():
                shapes[f"film.block{b}.conv{i}.{part}.weight"] = ((film, width), 0.1)
                shapes[f"film.block{b}.conv{i}.{part}.bias"] = ((width,), 0.1)
        if heads:
            shapes[f"harm.block{b}.weight"] = ((width, 16), 0.1)
        below = width
    if heads:
        shapes["pitch_bias"] = ((pitches, 2, bins), 0.1)
        for name, inputs in (("side.m1", rows), ("side.m2", hidden)):
            shapes[f"{name}.weight"] = ((inputs, hidden), (2 / inputs) ** 0.5)
            shapes[f"{name}.bias"] = ((hidden,), 0.1)
        for name, outputs in (("head.time", 2 * rank * frames), ("head.env", 2 * rank * basis)):
            shapes[f"{name}.weight"] = ((hidden, outputs), 0.1)
            shapes[f"{name}.bias"] = ((outputs,), 0.1)
        shapes["head.basis_scale"] = ((basis,), 1.0)
        shapes |= _onset_shapes(rows, basis)
    return {name: (scale * rng.standard_normal(shape)).astype(np.float32) for name, (shape, scale) in shapes.items()}


def _onset_shapes(rows: int, basis: int) -> dict[str, tuple[tuple[int, ...], float]]:
    hidden, channels, pictures = 10, 8, 2 * ONSET_FRAMES
    shapes: dict[str, tuple[tuple[int, ...], float]] = {
        "onset.m1.weight": ((rows, hidden), (2 / rows) ** 0.5),
        "onset.m2.weight": ((hidden, hidden), (2 / hidden) ** 0.5),
        "onset.env.weight": ((hidden, pictures * basis), 0.1),
        "onset.env.bias": ((pictures * basis,), 0.1),
        "onset.enter.weight": ((channels, 16 + pictures, 1, 1), 0.2),
        "onset.colour.weight": ((pictures, channels, 1, 1), 0.1),
        "onset.colour.bias": ((pictures,), 0.1),
    }
    shapes |= {f"onset.{name}.bias": ((size,), 0.1) for name, size in (("m1", hidden), ("m2", hidden))}
    shapes["onset.enter.bias"] = ((channels,), 0.1)
    for block in range(1, 5):
        for i in (0, 1):
            shapes[f"onset.block{block}.conv{i}.weight"] = ((channels, channels, 1, 3), 0.2)
            shapes[f"onset.block{block}.conv{i}.bias"] = ((channels,), 0.1)
        for part in ("scale", "shift"):
            shapes[f"onset.block{block}.{part}.weight"] = ((hidden, channels), 0.1)
            shapes[f"onset.block{block}.{part}.bias"] = ((channels,), 0.1)
    return shapes


def reference_note(arrays: Arrays, latent: NDArray[np.float32], pitch: int) -> NDArray[np.float64]:
    """Normalised picture ``[2, frames, bins]`` of one note."""
    a = {name: array.astype(np.float64) for name, array in arrays.items()}
    blocks = sum(name.endswith("conv1.bias") for name in a if name.startswith("block"))
    bins = 16 * 2 ** (blocks - 1)
    raw = np.concatenate([latent.astype(np.float64), np.eye(len(a["block1.conv0.weight"]) - len(latent))[pitch - 24]])
    h = _side(a, raw, "side") if "side.m1.weight" in a else np.zeros(0)
    phi16, basis = _harmonics(pitch, bins)
    x = (raw / np.sqrt(np.mean(raw**2) + 1e-8)) @ a["block1.conv0.weight"]
    x = x.reshape(-1, 2, 16) + a["block1.conv0.bias"][:, None, None]
    for b in range(1, blocks + 1):
        if b > 1:
            x = _same_conv(
                x.repeat(2, axis=1).repeat(2, axis=2), a[f"block{b}.conv0.weight"], a[f"block{b}.conv0.bias"]
            )
        x = _after(a, x, h, b, 0)
        if f"harm.block{b}.weight" in a:
            pooled = phi16.reshape(16, x.shape[2], -1).mean(axis=2)
            x = x + (a[f"harm.block{b}.weight"] @ pooled)[:, None, :]
        x = _after(a, _same_conv(x, a[f"block{b}.conv1.weight"], a[f"block{b}.conv1.bias"]), h, b, 1)
    y = np.einsum("oc,ctf->otf", a["rgb.weight"], x) + a["rgb.bias"][:, None, None]
    if "pitch_bias" in a:
        y = y + a["pitch_bias"][pitch - 24][:, None, :]
    if "head.time.weight" in a:
        times = (h @ a["head.time.weight"] + a["head.time.bias"]).reshape(2, -1, 2**blocks)
        rank = times.shape[1]
        weights = (h @ a["head.env.weight"] + a["head.env.bias"]).reshape(2, rank, -1) * a["head.basis_scale"]
        y = y + np.einsum("crt,crk,kf->ctf", times, weights, basis) / np.sqrt(rank)
    picture = np.tanh(y)
    if "onset.m1.weight" in a:
        share = np.array([1.0] * ONSET_ALONE + [0.75, 0.5, 0.25])[:, None]
        first = _onset(a, raw, a["pitch_bias"][pitch - 24], phi16, basis)
        picture[:, :ONSET_FRAMES] = share * first + (1.0 - share) * picture[:, :ONSET_FRAMES]
    return np.asarray(picture)


def write_model(directory: Path, arrays: Arrays, options: GraphOptions, convention: str = "centred") -> Manifest:
    """A whole model directory round some arrays, with two anchors; the level of its fixed note is measured."""
    directory.mkdir(parents=True, exist_ok=True)
    graph = write_graph(arrays, options)
    (directory / "generator.onnx").write_bytes(graph)
    latent_size = len(arrays["block1.conv0.weight"]) - options.pitches
    frames = 2 ** sum(name.endswith("conv1.bias") for name in arrays if name.startswith("block"))
    rng = np.random.default_rng(5)
    layers = [LayerTable(velocity=v, code=rng.standard_normal(4).tolist()) for v in (110, 50)]
    fields = {
        "name": directory.name, "licence": "GPL-3.0-or-later", "attribution": "made by a test", "frames": frames,
        "latent_size": latent_size, "bins": 8 * frames, "fft_size": 16 * frames, "hop_samples": 4 * frames,
        "release_frame": frames * 3 // 4, "phase_convention": convention,
        "shared_tail": rng.standard_normal(latent_size - 4).tolist(),
        "graph": GraphTable(sha256=hashlib.sha256(graph).hexdigest(), partials=options.partials,
                            cosines=options.cosines),
        "anchors": [AnchorTable(name="First", family="Keys", layers=layers, descriptors={"brightness_hz": 900.5}),
                    AnchorTable(name="Second", family="Winds", layers=layers[:1])],
    }  # fmt: skip
    manifest = Manifest(**fields, check=CheckTable(anchor="First", rms=1.0))
    write_manifest(directory, manifest)
    generator = OnnxGenerator(directory, "cpu", 1)
    rms = note_rms(generator, manifest.check_latent, 60, manifest)
    generator.close()
    manifest = Manifest(**fields, check=CheckTable(anchor="First", rms=rms))
    write_manifest(directory, manifest)
    return manifest


def _lrelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x > 0.0, x, 0.2 * x)


def _side(a: dict[str, NDArray[np.float64]], raw: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    h = _lrelu(raw @ a[f"{name}.m1.weight"] + a[f"{name}.m1.bias"])
    h = _lrelu(h @ a[f"{name}.m2.weight"] + a[f"{name}.m2.bias"])
    return np.asarray(h / np.sqrt(np.mean(h**2) + 1e-8))


def _onset(a: dict[str, NDArray[np.float64]], raw: NDArray[np.float64], bias: NDArray[np.float64],
           phi16: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:  # fmt: skip
    """The onset's frames, [2, frames, bins]."""
    h = _side(a, raw, "onset")
    env = (h @ a["onset.env.weight"] + a["onset.env.bias"]).reshape(2, ONSET_FRAMES, -1) * a["head.basis_scale"]
    drawn = (env @ basis + bias[:, None]).reshape(2 * ONSET_FRAMES, -1)
    x = a["onset.enter.weight"][:, :, 0, 0] @ np.concatenate([phi16, drawn]) + a["onset.enter.bias"][:, None]
    for block, reaches in enumerate(((1, 2), (4, 8), (16, 32), (1, 4)), start=1):
        name = f"onset.block{block}"
        scale, shift = (h @ a[f"{name}.{p}.weight"] + a[f"{name}.{p}.bias"] for p in ("scale", "shift"))
        found = _lrelu(_along(a, x, f"{name}.conv0", reaches[0])) * (1.0 + scale[:, None]) + shift[:, None]
        x = x + _along(a, found, f"{name}.conv1", reaches[1])
    drawn = drawn + a["onset.colour.weight"][:, :, 0, 0] @ x + a["onset.colour.bias"][:, None]
    return np.tanh(drawn.reshape(2, ONSET_FRAMES, -1))


def _along(a: dict[str, NDArray[np.float64]], x: NDArray[np.float64], name: str, reach: int) -> NDArray[np.float64]:
    """Three taps ``reach`` bins apart, with zeros beyond the ends."""
    w, bins = a[f"{name}.weight"][:, :, 0], x.shape[1]
    padded = np.pad(x, ((0, 0), (reach, reach)))
    taps = [w[:, :, k] @ padded[:, k * reach : k * reach + bins] for k in range(3)]
    return np.asarray(sum(taps) + a[f"{name}.bias"][:, None])


def _after(a: dict[str, NDArray[np.float64]], x: NDArray[np.float64], h: NDArray[np.float64], b: int,
           i: int) -> NDArray[np.float64]:  # fmt: skip
    x = _lrelu(x)
    x = x / np.sqrt(np.mean(x**2, axis=0, keepdims=True) + 1e-8)
    name = f"film.block{b}.conv{i}"
    if f"{name}.scale.weight" in a:
        short = h[: len(a[f"{name}.scale.weight"])]
        scale, shift = (short @ a[f"{name}.{p}.weight"] + a[f"{name}.{p}.bias"] for p in ("scale", "shift"))
        x = x * (1.0 + scale[:, None, None]) + shift[:, None, None]
    return x


def _same_conv(x: NDArray[np.float64], w: NDArray[np.float64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.asarray(np.einsum("ctfij,ocij->otf", windows, w, optimize=True) + bias[:, None, None])


def _harmonics(pitch: int, bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    f = band_centres_hz(bins, 8000.0)
    f0 = 440.0 * 2.0 ** ((pitch - 69) / 12)
    n = f / f0
    g = np.exp(-0.5 * ((f - np.round(np.maximum(n, 1)) * f0) / (1.5 * 16000 / (2 * bins))) ** 2)
    octave = np.log2(np.maximum(n, 0.25))
    rows = [np.cos(2 * np.pi * n), np.sin(2 * np.pi * n), g, (n < 0.5) * 1.0, octave / 6]
    rows += [np.cos(np.pi * k * octave / 8) for k in (1, 2, 3, 4, 6, 8)]
    rows += [np.sin(np.pi * k * octave / 8) for k in (1, 2, 4, 8)] + [np.cos(np.pi * n) * (n < 24)]
    tonal, q = g * (n >= 0.5), np.arange(bins) / (bins - 1)
    cosines = [np.cos(np.pi * k * q) for k in range(OPTIONS.cosines)]
    basis = [tonal * (np.round(n) == k) for k in range(1, OPTIONS.partials + 1)] + cosines
    return np.stack(rows), np.stack(basis + [tonal * c for c in cosines])

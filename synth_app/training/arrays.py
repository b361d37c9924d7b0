"""A generator as named numpy arrays, and back: the language that the ONNX writer and the trainer share.

Every run-time scale (equalised learning rates, the side network's input gains, the blurred pitch code) is folded in,
so the arrays say the plain sums that an inference engine computes from a latent and a one-hot pitch. ``load_arrays``
takes the scales out again, which is how training goes on from a model that was exported and committed.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synth_app.adapters.model_manifest import Manifest
from synth_app.adapters.onnx_writer_arrays import check_arrays
from synth_app.core.errors import CheckpointError
from synth_app.training.harmonics import PITCH_COUNT
from synth_app.training.layers import EqualisedConv, EqualisedLinear
from synth_app.training.model import Film, Generator, GeneratorConfig
from synth_app.training.onset import OnsetSizes
from synth_app.training.representation import Representation

Arrays = Mapping[str, NDArray[np.float32]]

PITCH_READERS = frozenset({"block1.conv0.weight", "side.m1.weight", "onset.m1.weight"})
"""Layers whose last input rows read the pitch."""


def sizes_of(manifest: Manifest, arrays: Arrays) -> GeneratorConfig:
    """The shape of an exported generator; parts that were left out as silent get their usual size.

    Raises:
        ModelError: the arrays do not fit each other.
    """
    shape, usual = check_arrays(arrays, manifest.graph_options), GeneratorConfig()
    return GeneratorConfig(
        channels=shape.channels,
        latent_size=shape.latent_size,
        code_size=shape.latent_size - len(manifest.shared_tail),
        heads=shape.hidden > 0,
        hidden=shape.hidden or usual.hidden,
        film=shape.film_hidden or min(usual.film, shape.hidden or usual.hidden),
        ranks=shape.rank or usual.ranks,
        partials=manifest.graph.partials,
        cosines=manifest.graph.cosines,
        representation=Representation("mel-magenta" if manifest.phase_convention == "magenta" else "mel-centred"),
        onset=None if shape.onset is None else OnsetSizes(shape.onset.frames, shape.onset.channels, shape.onset.hidden),
    )


def to_arrays(generator: Generator) -> dict[str, NDArray[np.float32]]:
    """The generator's weights under their shared names, float32, scales folded in."""
    arrays = {name: (value.detach() * scale).numpy() for name, (value, scale) in _folded(generator).items()}
    for name in PITCH_READERS & arrays.keys():
        arrays[name][-PITCH_COUNT:] = generator.pitch_codes.numpy() @ arrays[name][-PITCH_COUNT:]
    if generator.head is not None:
        arrays["head.basis_scale"] = generator.head.basis_scale.numpy()
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


@torch.no_grad()
def load_arrays(generator: Generator, arrays: Arrays) -> None:
    """Put named arrays into a generator of the same shape; optional ones that are missing become zero, an onset
    net stays as it is.

    Raises:
        CheckpointError: an array that must be there is missing, or one has another shape.
    """
    for name, (value, scale) in _folded(generator).items():
        array = arrays.get(name)
        if array is None and name.startswith(("block", "rgb")):
            raise CheckpointError(f"The model lacks {name}: it was not written by this program.")
        if array is None and not name.startswith("onset"):
            value.zero_()
        elif array is None:
            continue
        elif array.shape != tuple(value.shape):
            raise CheckpointError(f"The model's {name} is {array.shape}, not {tuple(value.shape)}: other sizes.")
        else:
            plain = np.array(array, np.float32)
            if name in PITCH_READERS:
                plain[-PITCH_COUNT:] = np.linalg.solve(
                    generator.pitch_codes.double().cpu().numpy(), plain[-PITCH_COUNT:]
                )
            value.copy_(torch.from_numpy(plain).to(value.device) / scale)


def _folded(generator: Generator) -> dict[str, tuple[Tensor, Tensor | float]]:
    """name -> (parameter, what it is multiplied by at run time)."""
    found: dict[str, tuple[Tensor, Tensor | float]] = {}

    def add(name: str, layer: nn.Module, before: Tensor | float = 1.0) -> None:
        assert isinstance(layer, EqualisedLinear | EqualisedConv)
        found[f"{name}.weight"] = (layer.weight, before * layer.scale)
        found[f"{name}.bias"] = (layer.bias, 1.0)

    for index, block in enumerate(generator.stack, start=1):
        add(f"block{index}.conv0", block.conv0)
        add(f"block{index}.conv1", block.conv1)
        for conv, film in enumerate(block.film):
            assert isinstance(film, Film)
            add(f"film.block{index}.conv{conv}.scale", film.scale)
            add(f"film.block{index}.conv{conv}.shift", film.shift)
        if block.harm is not None:
            found[f"harm.block{index}.weight"] = (block.harm, 1.0)
    found["rgb.weight"] = (generator.rgb.weight.view(2, -1), generator.rgb.scale)
    found["rgb.bias"] = (generator.rgb.bias, 1.0)
    found["pitch_bias"] = (generator.pitch_bias, 1.0)
    if generator.side is not None and generator.head is not None:
        add("side.m1", generator.side.m1, generator.side.gains[:, None])
        add("side.m2", generator.side.m2)
        add("head.time", generator.head.time)
        add("head.env", generator.head.env)
    if generator.onset is not None:
        add("onset.m1", generator.onset.m1, generator.onset.gains[:, None])
        for name in ("m2", "env", "enter", "colour"):
            add(f"onset.{name}", getattr(generator.onset, name))
        for index, part in enumerate(generator.onset.blocks, start=1):
            for name in ("conv0", "conv1", "scale", "shift"):
                add(f"onset.block{index}.{name}", getattr(part, name))
    return found

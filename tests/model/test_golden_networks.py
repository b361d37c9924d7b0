"""The networks against Magenta's own graph, run once with random weights (tests/data/model)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synth_app.training.discriminator import Discriminator
from synth_app.training.features import MAG_A, MAG_B
from synth_app.training.layers import EqualisedConv, EqualisedLinear
from synth_app.training.model import Generator, GeneratorConfig

DATA = Path(__file__).parents[1] / "data" / "model"
MAGENTA = (256, 256, 256, 256, 128, 64, 32)
G = "Generator/progressive_gan_generator/progressive_gan_block_{}/{}/{}/ExponentialMovingAverage"
D = "Discriminator/progressive_gan_discriminator/progressive_gan_block_{}/{}/{}"


@pytest.fixture(scope="module")
def weights() -> dict[str, NDArray[np.float32]]:
    """The recipe: one RandomState(1234), names in ascending order, biases a tenth."""
    rng = np.random.RandomState(1234)
    names = json.loads((DATA / "variables.json").read_text())
    return {name: (rng.randn(*shape) * (0.1 if "/bias" in name else 1.0)).astype(np.float32) for name, shape in names}


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float32]]:
    with np.load(DATA / "generator_and_discriminator.npz") as file:
        return {name: file[name] for name in file.files}


def put(layer: EqualisedConv | EqualisedLinear, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """A TensorFlow kernel (HWIO, or [in, out]) into a layer that keeps raw weights as well."""
    raw = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel
    assert layer.weight.shape == raw.shape
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(raw)))
        layer.bias.copy_(torch.from_numpy(bias))


@pytest.fixture(scope="module")
def generator(weights: dict[str, NDArray[np.float32]]) -> Generator:
    net = Generator(GeneratorConfig(channels=MAGENTA, heads=False, blur=False))
    for index, block in enumerate(net.blocks, start=1):
        for conv in ("conv0", "conv1"):
            kernel, bias = (weights[G.format(index, conv, part)] for part in ("conv2d/kernel", "bias"))
            if kernel.shape[:2] == (2, 16):  # the same sums as a dense layer: flip, then [in, (out, row, column)]
                kernel = kernel[::-1, ::-1].transpose(2, 3, 0, 1).reshape(kernel.shape[2], -1)
            put(getattr(block, conv), kernel, bias)
    put(net.rgb, weights[G.format(7, "to_rgb", "conv2d/kernel")], weights[G.format(7, "to_rgb", "bias")])
    return net


@pytest.fixture(scope="module")
def pictures(generator: Generator, golden: dict[str, NDArray[np.float32]]) -> torch.Tensor:
    with torch.no_grad():
        return generator(torch.from_numpy(golden["z"]), torch.from_numpy(golden["pitches"] - 24))


def physical(pictures: torch.Tensor) -> NDArray[np.float32]:
    """[B, T, F, 2] in Magenta's units."""
    return torch.stack([(pictures[:, 0] - MAG_B) / MAG_A, pictures[:, 1] / 0.8], dim=-1).numpy()


def test_the_generator_paints_what_magentas_graph_paints(
    pictures: torch.Tensor, golden: dict[str, NDArray[np.float32]]
) -> None:
    made = physical(pictures)
    assert np.abs(made[0] - golden["spec_sample_note0"]).max() < 1e-3
    assert np.abs(made.mean(axis=(1, 2)) - golden["spec_mean"]).max() < 1e-4
    assert np.abs(made.std(axis=(1, 2)) - golden["spec_std"]).max() < 1e-4


def test_the_discriminator_judges_as_magentas_graph_judges(
    weights: dict[str, NDArray[np.float32]], pictures: torch.Tensor, golden: dict[str, NDArray[np.float32]]
) -> None:
    net = Discriminator(MAGENTA, 61)
    put(net.from_rgb, weights[D.format(7, "from_rgb", "conv2d/kernel")], weights[D.format(7, "from_rgb", "bias")])
    convs = iter(net.convs)
    for index in range(7, 1, -1):
        for conv in ("conv0", "conv1"):
            kernel, bias = (weights[D.format(index, conv, part)] for part in ("conv2d/kernel", "bias"))
            put(next(convs), kernel, bias)
    put(net.last0, weights[D.format(1, "conv0", "conv2d/kernel")], weights[D.format(1, "conv0", "bias")])
    kernel = weights[D.format(1, "conv1", "conv2d/kernel")]
    put(net.last1, kernel.transpose(2, 0, 1, 3).reshape(-1, 256), weights[D.format(1, "conv1", "bias")])
    put(net.logit, *(weights[D.format(1, "logits", part)] for part in ("dense/kernel", "bias")))
    head = "Discriminator/discriminator_cond/classification_logits/"
    put(net.label, weights[head + "dense/kernel"], weights[head + "bias"])
    with torch.no_grad():
        logits, labels, _ = net(pictures.clamp(-1.0, 1.0))
    assert np.abs(logits.numpy() - golden["disc_logits"]).max() < 1e-4
    assert np.abs(labels.numpy() - golden["disc_class_logits"]).max() < 1e-4

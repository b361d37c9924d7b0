"""The named arrays of a generator: which must be there, how their shapes chain, and how they lie in a model file.

Trainer and importer produce the same names (float32, every equalised-learning-rate and He scale folded in)::

    block1.conv0.weight [latent + pitches, C1*2*16]   dense first layer, output order channel, row, column
    block{b}.conv{i}.weight [Cout, Cin, 3, 3]         b = 1..7, i = 0, 1 (block 1 has only conv1 in this form)
    block{b}.conv{i}.bias [C];  rgb.weight [2, C7];  rgb.bias [2]

and, each optional (absent means zero, as in a Magenta checkpoint)::

    pitch_bias [pitches, 2, 1024]
    side.m1.weight [latent + pitches, H], side.m2.weight [H, H], biases [H]
    film.block{b}.conv{i}.{scale,shift}.{weight [Hf, C], bias [C]}
    harm.block{b}.weight [C, 16]
    head.time.{weight [H, 2*R*128], bias}, head.env.{weight [H, 2*R*K], bias}, head.basis_scale [K]
    onset.m1.weight [latent + pitches, Ho], onset.m2.weight [Ho, Ho], biases [Ho]; onset.env.{weight [Ho, 2*T*K], bias}
    onset.enter.{weight [Co, 16 + 2*T, 1, 1], bias}, onset.colour.{weight [2*T, Co, 1, 1], bias}
    onset.block{n}.conv{i}.{weight [Co, Co, 1, 3], bias}, onset.block{n}.{scale,shift}.{weight [Ho, Co], bias}

The onset, which needs pitch bias, heads and ``head.basis_scale``, paints the note's first T frames; its block n looks
``ONSET_DILATIONS[n - 1]`` bins to each side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from synth_app.core.errors import ModelError

Arrays = Mapping[str, NDArray[np.float32]]

START_ROWS, START_COLUMNS = 2, 16
FEATURES = 16  # harmonic features of a frequency bin

ONSET_DILATIONS = ((1, 2), (4, 8), (16, 32), (1, 4))
"""How far the two convolutions of each block of the onset reach, in bins."""
ONSET_RAMP = 3
"""Of the onset's frames, so many at the end are shared with the net, which takes over."""


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the shapes cannot tell.

    Attributes:
        partials, cosines: sizes ``P`` and ``Q`` of the harmonic basis, ``K = P + 2 Q``.
        lowest_pitch, pitches: MIDI note of the first pitch row, and how many there are.
        mag_scale, mag_offset, if_scale, if_offset: normalised = scale * physical + offset.
        sample_rate_hz: of the spectral representation.
    """

    partials: int = 32
    cosines: int = 20
    lowest_pitch: int = 24
    pitches: int = 61
    mag_scale: float = 0.0661371661726
    mag_offset: float = 0.113718730221
    if_scale: float = 0.8
    if_offset: float = 0.0
    sample_rate_hz: int = 16000


@dataclass(frozen=True, slots=True)
class OnsetShape:
    """Sizes of the onset net: frames, channels, width of its dense layers."""

    frames: int
    channels: int
    hidden: int

    @property
    def alone(self) -> int:
        """The first frame in which the net is heard, too."""
        return self.frames - ramp_of(self.frames)


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """Sizes read from the arrays; ``channels[b - 1]`` belongs to block ``b``; 0 or None: a part is absent."""

    latent_size: int
    channels: tuple[int, ...]
    hidden: int
    film_hidden: int
    rank: int
    onset: OnsetShape | None = None

    @property
    def blocks(self) -> int:
        return len(self.channels)

    @property
    def frames(self) -> int:
        return int(2**self.blocks)

    @property
    def bins(self) -> int:
        return START_COLUMNS * int(2 ** (self.blocks - 1))


def ramp_of(frames: int) -> int:
    """How many of an onset's frames are shared with the net."""
    return min(ONSET_RAMP, frames - 1)


def onset_weights(frames: int) -> NDArray[np.float32]:
    """How much of each of its frames is the onset's, [frames]; what is missing to 1 is the net's."""
    ramp = ramp_of(frames)
    falling = 1.0 - np.arange(1, ramp + 1) / (ramp + 1)
    return np.concatenate([np.ones(frames - ramp), falling]).astype(np.float32)


def conv_names(blocks: int) -> list[tuple[int, int]]:
    """``(block, conv)`` of every convolution in order."""
    return [(b, i) for b in range(1, blocks + 1) for i in (0, 1)]


def check_arrays(arrays: Arrays, options: GraphOptions) -> GeneratorShape:
    """Read the sizes and see that every shape chains to the next; ``ModelError`` names the first that does not."""
    blocks = sum(f"block{b}.conv1.weight" in arrays for b in range(1, 12))
    if blocks < 2:
        raise ModelError("The weights hold no generator: at least two blocks of convolutions are needed.")
    channels = tuple(int(_get(arrays, f"block{b}.conv1.weight").shape[0]) for b in range(1, blocks + 1))
    rows = int(_get(arrays, "block1.conv0.weight").shape[0])
    hidden = int(arrays["side.m2.weight"].shape[1]) if "side.m2.weight" in arrays else 0
    film = arrays.get("film.block1.conv0.scale.weight")
    rank = int(_get(arrays, "head.time.weight").shape[1]) // (2 * 2**blocks) if "head.time.weight" in arrays else 0
    film_hidden = 0 if film is None else int(film.shape[0])
    shape = GeneratorShape(rows - options.pitches, channels, hidden, film_hidden, rank, _onset_shape(arrays))
    if shape.latent_size < 1:
        raise ModelError(f"The first layer has {rows} rows, too few for {options.pitches} pitches and a latent.")
    for name, expected in _expected_shapes(shape, options, rows, arrays).items():
        found = _get(arrays, name).shape
        if found != expected:
            raise ModelError(f"The array {name} has shape {list(found)} where {list(expected)} fits the others.")
    return shape


def _onset_shape(arrays: Arrays) -> OnsetShape | None:
    if "onset.m2.weight" not in arrays:
        return None
    outputs, channels = (int(size) for size in _get(arrays, "onset.colour.weight").shape[:2])
    return OnsetShape(outputs // 2, channels, int(arrays["onset.m2.weight"].shape[1]))


def _get(arrays: Arrays, name: str) -> NDArray[np.float32]:
    if name not in arrays:
        raise ModelError(f"The weights lack the array {name}.")
    return arrays[name]


def _expected_shapes(
    shape: GeneratorShape, options: GraphOptions, rows: int, arrays: Arrays
) -> dict[str, tuple[int, ...]]:
    first, last = shape.channels[0], shape.channels[-1]
    expected: dict[str, tuple[int, ...]] = {
        "block1.conv0.weight": (rows, first * START_ROWS * START_COLUMNS),
        "rgb.weight": (2, last),
        "rgb.bias": (2,),
    }
    below = first
    for b, i in conv_names(shape.blocks):
        width = shape.channels[b - 1]
        expected[f"block{b}.conv{i}.bias"] = (width,)
        if (b, i) != (1, 0):
            expected[f"block{b}.conv{i}.weight"] = (width, below if i == 0 else width, 3, 3)
        if shape.film_hidden:
            for part in ("scale", "shift"):
                expected[f"film.block{b}.conv{i}.{part}.weight"] = (shape.film_hidden, width)
                expected[f"film.block{b}.conv{i}.{part}.bias"] = (width,)
        below = width
        if "harm.block1.weight" in arrays:
            expected[f"harm.block{b}.weight"] = (width, FEATURES)
    if "pitch_bias" in arrays:
        expected["pitch_bias"] = (options.pitches, 2, shape.bins)
    return expected | _expected_heads(shape, options, rows) | _expected_onset(shape, options, rows)


def _expected_heads(shape: GeneratorShape, options: GraphOptions, rows: int) -> dict[str, tuple[int, ...]]:
    hidden, basis = shape.hidden, options.partials + 2 * options.cosines
    expected: dict[str, tuple[int, ...]] = {}
    if hidden:
        expected |= {"side.m1.weight": (rows, hidden), "side.m1.bias": (hidden,)}
        expected |= {"side.m2.weight": (hidden, hidden), "side.m2.bias": (hidden,)}
    elif shape.film_hidden or shape.rank:
        raise ModelError("The weights have FiLM or harmonic heads but lack side.m2.weight, which they read.")
    if shape.film_hidden > hidden:
        raise ModelError(f"FiLM reads {shape.film_hidden} values but the side network gives only {hidden}.")
    if shape.rank:
        times, envelopes = 2 * shape.rank * shape.frames, 2 * shape.rank * basis
        expected |= {"head.time.weight": (hidden, times), "head.time.bias": (times,)}
        expected |= {"head.env.weight": (hidden, envelopes), "head.env.bias": (envelopes,)}
        expected["head.basis_scale"] = (basis,)
    return expected


def _expected_onset(shape: GeneratorShape, options: GraphOptions, rows: int) -> dict[str, tuple[int, ...]]:
    onset = shape.onset
    if onset is None:
        return {}
    if not shape.rank or not 2 <= onset.frames <= shape.frames:
        raise ModelError(f"The weights have an onset of {onset.frames} frames, which needs harmonic heads and a net.")
    pictures, basis = 2 * onset.frames, options.partials + 2 * options.cosines
    expected: dict[str, tuple[int, ...]] = {"pitch_bias": (options.pitches, 2, shape.bins)}
    for name, size in (("m1", (rows, onset.hidden)), ("m2", (onset.hidden, onset.hidden)),
                       ("env", (onset.hidden, pictures * basis))):  # fmt: skip
        expected |= {f"onset.{name}.weight": size, f"onset.{name}.bias": size[1:]}
    for name, kernel in (("enter", (onset.channels, FEATURES + pictures, 1, 1)),
                         ("colour", (pictures, onset.channels, 1, 1))):  # fmt: skip
        expected |= {f"onset.{name}.weight": kernel, f"onset.{name}.bias": kernel[:1]}
    for block in range(1, len(ONSET_DILATIONS) + 1):
        for conv in (0, 1):
            expected[f"onset.block{block}.conv{conv}.weight"] = (onset.channels, onset.channels, 1, 3)
            expected[f"onset.block{block}.conv{conv}.bias"] = (onset.channels,)
        for part in ("scale", "shift"):
            expected[f"onset.block{block}.{part}.weight"] = (onset.hidden, onset.channels)
            expected[f"onset.block{block}.{part}.bias"] = (onset.channels,)
    return expected


def read_arrays(model_bytes: bytes) -> dict[str, NDArray[np.float32]]:
    """The named arrays back from a model that :func:`onnx_writer.write_graph` made, widened to float32.

    Raises:
        ModelError: the bytes are no ONNX model, or keep data outside the file.
    """
    try:
        model = onnx.load_from_string(model_bytes)
    except Exception as error:  # protobuf's own errors differ between its versions
        raise ModelError("The model file is not an ONNX graph; export or import it again.") from error
    arrays: dict[str, NDArray[np.float32]] = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError("The model file keeps weights outside itself, which is refused; export it again.")
        if "." in tensor.name or tensor.name == "pitch_bias":
            arrays[tensor.name] = numpy_helper.to_array(tensor).astype(np.float32)
    return arrays

"""A trained generator behind the ``Generator`` port, run by ONNX Runtime.

On a CPU the weights are written once more, in memory, in ONNX Runtime's blocked layout (``generator_onnx_cpu``); on a
device whole notes are rendered and decoded in one go (``generator_onnx_device``). What fails in the middle of a note is
replaced by the CPU for good, with the reason kept for the player.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from synth_app.adapters import generator_onnx_device, generator_openvino
from synth_app.adapters.generator_onnx_cpu import CpuEngine
from synth_app.adapters.generator_onnx_device import DeviceEngine
from synth_app.adapters.model_manifest import Manifest, read_manifest
from synth_app.core.errors import ModelError
from synth_app.render.ports import Change, GeneratorInfo, Sound, SpectralFrames

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PROVIDERS = ("auto", "cpu", *generator_onnx_device.PROVIDERS, *generator_openvino.PROVIDERS)
"""What may run a model."""


class Engine(Protocol):
    """Whatever runs the sums."""

    @property
    def words(self) -> str: ...
    @property
    def lanes(self) -> int: ...
    @property
    def onset_stop(self) -> int: ...
    def run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]: ...
    def sound(self, latents: Floats, pitches: Ints, rate_factor: int) -> Sound | None: ...
    def sketch(self, change: Change) -> SpectralFrames | None: ...
    def close(self) -> None: ...


class OnnxGenerator:
    """A model directory, opened. Sessions are made by the calling thread, whose niceness their threads inherit.

    Args:
        directory: holds ``model.toml`` and the graph.
        provider: one of :data:`PROVIDERS`; "auto" is CUDA where it works, else the CPU.
        threads: of the CPU; 0 = :func:`render_threads`.
        on_fallback: told, once, in one sentence, when a lost device was replaced by the CPU.

    Attributes:
        fallback_reason: why the CPU plays although another provider was wanted ("" = it does not, or was asked for).

    Raises:
        ModelError: the directory, its graph, or the provider asked for is unusable.
    """

    def __init__(self, directory: Path, provider: str = "auto", threads: int = 0,
                 on_fallback: Callable[[str], None] | None = None) -> None:  # fmt: skip
        self.manifest = read_manifest(directory)
        self.fallback_reason = ""
        self._on_fallback = on_fallback
        self._threads = threads or render_threads(os.cpu_count() or 1)
        self._graph = _read_graph(directory / self.manifest.graph.file)
        self._spare: Engine | None = None  # the CPU, ready to go on where a device was lost
        self._engine: Engine | None = self._open(provider)
        precision = getattr(self._engine, "precision", "f32")
        self._info = _info(self.manifest, self._engine, precision)

    @property
    def info(self) -> GeneratorInfo:
        return self._info

    def render(self, latents: Floats, pitches: Ints, start_frame: int, stop_frame: int) -> SpectralFrames:
        """See the port. A failing device is replaced by the CPU and the same frames are rendered there."""
        engine = self._open_engine()
        latents = np.ascontiguousarray(latents, np.float32)
        pitches = np.ascontiguousarray(pitches, np.int64)
        self._check_request(latents, pitches, start_frame, stop_frame)
        try:
            return SpectralFrames(*engine.run(latents, pitches, start_frame, stop_frame))
        except Exception as error:  # whatever a vendor's session raises
            engine = self._fall_back(engine, error)
        return SpectralFrames(*engine.run(latents, pitches, start_frame, stop_frame))

    def sound(self, latents: Floats, pitches: Ints, rate_factor: int) -> Sound | None:
        """See the port: what a device makes of whole notes, ``None`` on a CPU or when the device was just lost."""
        engine = self._open_engine()
        latents = np.ascontiguousarray(latents, np.float32)
        pitches = np.ascontiguousarray(pitches, np.int64)
        self._check_request(latents, pitches, 0, self.manifest.frames)
        try:
            return engine.sound(latents, pitches, rate_factor)
        except Exception as error:  # whatever a vendor's session raises
            self._fall_back(engine, error)
            return None

    def sketch(self, change: Change) -> SpectralFrames | None:
        """See the port; a device renders the frames themselves as soon."""
        return self._open_engine().sketch(change)

    def close(self) -> None:
        """Free the sessions."""
        engine, self._engine, self._spare = self._engine, None, None
        self._graph = b""
        if engine is not None:
            engine.close()

    def _open_engine(self) -> Engine:
        if self._engine is None:
            raise ModelError(f"The generator {self.manifest.name!r} is closed; open the model again.")
        return self._engine

    def _open(self, provider: str) -> Engine:
        if provider not in PROVIDERS:
            raise ModelError(f"There is no provider {provider!r}; choose from {', '.join(PROVIDERS)}.")
        if provider in generator_openvino.PROVIDERS:
            return self._open_openvino(provider)
        if provider != "cpu":
            reason = cuda_missing()
            if not reason:
                try:
                    engine = DeviceEngine(self._graph, self.manifest, "cuda" if provider == "auto" else provider)
                    self._spare = self._open_cpu()
                    return engine
                except Exception as error:  # a driver that is there and does not work
                    reason = f"CUDA could not be started ({_brief(error)})"
            if provider != "auto":
                raise ModelError(f"The provider {provider} is not to be had: {reason}; use --provider cpu.")
            self.fallback_reason = reason
        return self._open_cpu()

    def _open_openvino(self, provider: str) -> Engine:
        try:
            return generator_openvino.OpenVinoEngine(self._graph, self.manifest, provider, self._threads)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"OpenVINO does not take this model ({_brief(error)}); use --provider cpu.") from error

    def _open_cpu(self) -> Engine:
        try:
            return CpuEngine(self._graph, self.manifest, self._threads)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"The graph of the model {self.manifest.name!r} cannot be loaded ({_brief(error)}); "
                "export or import it again."
            ) from error

    def _fall_back(self, failed: Engine, error: Exception) -> Engine:
        """The CPU in place of what failed.

        Raises:
            ModelError: it was the CPU.
        """
        if isinstance(failed, CpuEngine):
            raise ModelError(f"The model {self.manifest.name!r} failed while rendering: {_brief(error)}.") from error
        reason = f"{failed.words} failed ({_brief(error)}), so the CPU renders from now on."
        engine, self._spare = self._spare or self._open_cpu(), None
        self._engine, self.fallback_reason = engine, reason
        self._info = replace(self._info, provider=engine.words, lanes=engine.lanes, onset_stop=engine.onset_stop)
        failed.close()
        if self._on_fallback is not None:
            self._on_fallback(reason)
        return engine

    def _check_request(self, latents: Floats, pitches: Ints, start: int, stop: int) -> None:
        m = self.manifest
        if latents.ndim != 2 or latents.shape[1] != m.latent_size or pitches.shape != (len(latents),):
            raise ValueError(f"expected latents [batch, {m.latent_size}] and pitches [batch]")
        if not 0 <= start < stop <= m.frames:
            raise ValueError(f"frames {start}..{stop} are not within 0..{m.frames}")
        if len(pitches) == 0 or pitches.min() < m.lowest_pitch or pitches.max() > m.highest_pitch:
            raise ValueError(f"pitches must be within {m.lowest_pitch}..{m.highest_pitch}")


def render_threads(cores: int) -> int:
    """How many threads render on so many cores: at most 4, and one core is left to audio and MIDI where there are more
    than two. Of two, both render: they step back behind everything else, and a key would sound a good deal later.
    """
    return min(4, cores - 1 if cores > 2 else cores)


def open_generator(directory: Path, provider: str = "auto", threads: int = 0,
                   on_fallback: Callable[[str], None] | None = None) -> OnnxGenerator:  # fmt: skip
    """Open a model directory; see :class:`OnnxGenerator`."""
    return OnnxGenerator(directory, provider, threads, on_fallback)


def cuda_missing() -> str:
    """Why CUDA cannot be used, in words, or "" when it may be. Asks the driver first, so that nothing is printed."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "this ONNX Runtime is built without CUDA"
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
            return "the NVIDIA driver finds no device"
    except OSError:
        return "no NVIDIA driver is installed"
    return ""


def _read_graph(path: Path) -> bytes:
    """The graph's bytes, refused when it would make ONNX Runtime read other files or run foreign operators."""
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The graph {path} cannot be read ({error.strerror}); export or import it again.") from error
    try:
        model = onnx.load_from_string(graph)
    except Exception as error:
        raise ModelError(f"{path} is not an ONNX graph; export or import the model again.") from error
    foreign = {opset.domain for opset in model.opset_import} - {"", "ai.onnx"}
    if foreign or model.functions:
        raise ModelError(f"{path} uses operators of its own ({', '.join(sorted(foreign))}), which are not run.")
    if any(tensor.external_data for tensor in model.graph.initializer):
        raise ModelError(f"{path} keeps weights outside itself, which is refused.")
    return graph


def _info(m: Manifest, engine: Engine, precision: str) -> GeneratorInfo:
    identity = m.graph.sha256 if precision == "f32" else f"{m.graph.sha256}+{precision}"  # other sums, other notes
    return GeneratorInfo(
        m.name, identity, m.latent_size, m.lowest_pitch, m.highest_pitch, m.sample_rate_hz, m.fft_size,
        m.hop_samples, m.frames, m.bins, m.pad_frames, m.release_frame, m.phase_convention, engine.words, engine.lanes,
        engine.onset_stop,
    )  # fmt: skip


def _brief(error: Exception) -> str:
    """The first line of a vendor's message, without its final stop."""
    lines = str(error).strip().splitlines()
    return (lines[0][:200] if lines else type(error).__name__).rstrip(".")

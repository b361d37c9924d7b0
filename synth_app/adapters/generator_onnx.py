"""A trained generator behind the ``Generator`` port, run by ONNX Runtime.

On a CPU the weights are written once more, in memory, in ONNX Runtime's blocked layout (``generator_onnx_cpu``).
On CUDA the model file's own graph runs with its inputs and outputs bound and batches rounded up to a few fixed sizes. A
session that fails in the middle of a note is replaced by the CPU for good, with the reason kept for the player.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx_cpu import CPU, CpuEngine, check_interface, joined, open_session
from synth_app.adapters.model_manifest import Manifest, read_manifest
from synth_app.core.errors import ModelError
from synth_app.render.ports import GeneratorInfo, SpectralFrames

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
BATCHES = (1, 2, 4, 8, 16)


class Engine(Protocol):
    """Whatever runs the sums."""

    def run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]: ...
    @property
    def words(self) -> str: ...


class OnnxGenerator:
    """A model directory, opened. Sessions are made by the calling thread, whose niceness their threads inherit.

    Args:
        directory: holds ``model.toml`` and the graph.
        provider: "auto" (CUDA where it works, else the CPU), "cpu", "cuda" or "tensorrt".
        threads: of the CPU; 0 = one for each core up to 4.
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
        self._threads = threads or min(4, os.cpu_count() or 1)
        self._graph = _read_graph(directory / self.manifest.graph.file)
        self._engine: Engine | None = self._open(provider)
        self._info = _info(self.manifest, self._engine.words)

    @property
    def info(self) -> GeneratorInfo:
        return self._info

    def render(self, latents: Floats, pitches: Ints, start_frame: int, stop_frame: int) -> SpectralFrames:
        """See the port. A failing device is replaced by the CPU and the same frames are rendered there."""
        if self._engine is None:
            raise ModelError(f"The generator {self.manifest.name!r} is closed; open the model again.")
        latents = np.ascontiguousarray(latents, np.float32)
        pitches = np.ascontiguousarray(pitches, np.int64)
        self._check_request(latents, pitches, start_frame, stop_frame)
        try:
            return SpectralFrames(*self._engine.run(latents, pitches, start_frame, stop_frame))
        except Exception as error:  # whatever a vendor's session raises
            if isinstance(self._engine, CpuEngine):
                raise ModelError(
                    f"The model {self.manifest.name!r} failed while rendering: {_brief(error)}."
                ) from error
            self._fall_back(f"{self._engine.words} failed ({_brief(error)}), so the CPU renders from now on.")
        return SpectralFrames(*self._engine.run(latents, pitches, start_frame, stop_frame))

    def close(self) -> None:
        """Free the session."""
        self._engine = None
        self._graph = b""

    def _open(self, provider: str) -> Engine:
        if provider not in ("auto", "cpu", "cuda", "tensorrt"):
            raise ModelError(f"There is no provider {provider!r}; choose auto, cpu, cuda or tensorrt.")
        if provider != "cpu":
            reason = cuda_missing()
            if not reason:
                try:
                    return _BoundEngine(self._graph, self.manifest, provider)
                except Exception as error:  # a driver that is there and does not work
                    reason = f"CUDA could not be started ({_brief(error)})"
            if provider != "auto":
                raise ModelError(f"The provider {provider} is not to be had: {reason}; use --provider cpu.")
            self.fallback_reason = reason
        return self._open_cpu()

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

    def _fall_back(self, reason: str) -> None:
        self._engine = self._open_cpu()
        self.fallback_reason = reason
        self._info = replace(self._info, provider=self._engine.words)
        if self._on_fallback is not None:
            self._on_fallback(reason)

    def _check_request(self, latents: Floats, pitches: Ints, start: int, stop: int) -> None:
        m = self.manifest
        if latents.ndim != 2 or latents.shape[1] != m.latent_size or pitches.shape != (len(latents),):
            raise ValueError(f"expected latents [batch, {m.latent_size}] and pitches [batch]")
        if not 0 <= start < stop <= m.frames:
            raise ValueError(f"frames {start}..{stop} are not within 0..{m.frames}")
        if len(pitches) == 0 or pitches.min() < m.lowest_pitch or pitches.max() > m.highest_pitch:
            raise ValueError(f"pitches must be within {m.lowest_pitch}..{m.highest_pitch}")


def open_generator(directory: Path, provider: str = "auto", threads: int = 0,
                   on_fallback: Callable[[str], None] | None = None) -> OnnxGenerator:  # fmt: skip
    """Open a model directory; see :class:`OnnxGenerator`."""
    return OnnxGenerator(directory, provider, threads, on_fallback)


class _BoundEngine:
    """CUDA (or TensorRT): the portable graph, inputs and outputs bound, batches of a few fixed sizes, warmed up."""

    def __init__(self, graph: bytes, manifest: Manifest, provider: str) -> None:
        ort.preload_dlls()
        cuda = ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"})
        wanted: list[Any] = [cuda, CPU]
        if provider == "tensorrt":
            wanted.insert(0, ("TensorrtExecutionProvider", {"trt_fp16_enable": False}))
        self._session = open_session(graph, wanted, 1)
        running = self._session.get_providers()[0]
        if running == CPU:
            raise ModelError("ONNX Runtime gave the CPU instead; its CUDA libraries may be missing (the cuda extra)")
        check_interface(self._session, manifest)
        self.words = f"{running.removesuffix('ExecutionProvider').upper()}: device 0"
        pitch = np.full(1, manifest.check.pitch, np.int64)
        for batch in BATCHES[:2]:
            self.run(np.tile(manifest.check_latent, (batch, 1)), np.tile(pitch, batch), 0, manifest.frames)

    def run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        """Render frames ``start..stop`` of each note, as many notes at a time as the largest batch holds."""
        most = BATCHES[-1]
        cuts = range(0, len(pitches), most)
        return joined([self._run(latents[i : i + most], pitches[i : i + most], start, stop) for i in cuts], 0)

    def _run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        count = len(pitches)
        padding = next(batch for batch in BATCHES if batch >= count) - count
        binding = self._session.io_binding()
        binding.bind_cpu_input("latents", np.pad(latents, ((0, padding), (0, 0))))
        binding.bind_cpu_input("pitches", np.pad(pitches, (0, padding), mode="edge"))
        binding.bind_cpu_input("frames", np.asarray([start, stop], np.int64))
        binding.bind_output("log_mel", "cpu")
        binding.bind_output("inst_freq", "cpu")
        self._session.run_with_iobinding(binding)
        log_mel, inst_freq = binding.copy_outputs_to_cpu()
        return log_mel[:count], inst_freq[:count]


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


def _info(m: Manifest, words: str) -> GeneratorInfo:
    return GeneratorInfo(
        m.name, m.graph.sha256, m.latent_size, m.lowest_pitch, m.highest_pitch, m.sample_rate_hz, m.fft_size,
        m.hop_samples, m.frames, m.bins, m.pad_frames, m.release_frame, m.phase_convention, words,
    )  # fmt: skip


def _brief(error: Exception) -> str:
    """The first line of a vendor's message, without its final stop."""
    lines = str(error).strip().splitlines()
    return (lines[0][:200] if lines else type(error).__name__).rstrip(".")

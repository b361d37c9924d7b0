"""The generator on a device (CUDA or TensorRT): whole notes, latent to sound, without leaving it.

A device renders a whole note faster than a processor renders its first slice, so that is what it is asked for: the
plain whole-note graph, whose shapes are all fixed, and behind it the decoder's graph, joined on the device. Inputs and
outputs are bound once for each of a few batch sizes and stay where they are, which also lets CUDA replay the whole as
one graph. Slices (for streams, whose decoders run on the processor) come from the model file's own graph.

A device that has had nothing to do for a moment lowers its clocks, and the next note pays for it; so it is given a
trifle to do every quarter of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import platformdirs
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx_cpu import CPU, check_interface, joined, open_session
from synth_app.adapters.model_manifest import Manifest
from synth_app.adapters.onnx_writer import read_arrays, write_reference_graph
from synth_app.adapters.onnx_writer_decoder import write_decoder
from synth_app.core.errors import ModelError
from synth_app.render.ports import Change, Sound

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BATCHES = (1, 2, 4, 8, 16)
KEEP_ALIVE_S = 0.25
DEVICE = "cuda"
PROVIDERS = ("cuda", "cuda-graph", "tensorrt")
"""CUDA; CUDA replaying what was recorded as one graph; TensorRT, which takes minutes to prepare its engines once."""


class DeviceEngine:
    """Runs on the first device.

    Args:
        graph: the model file's.
        manifest: of the model.
        provider: one of :data:`PROVIDERS`.

    Attributes:
        words: for the status line. lanes: one; a device is kept busy by batches.
        onset_stop: no frames are cheaper than others.

    Raises:
        ModelError: ONNX Runtime gives the CPU instead. Anything else that its sessions raise comes through as it is.
    """

    lanes = 1
    onset_stop = 0

    def __init__(self, graph: bytes, manifest: Manifest, provider: str) -> None:
        ort.preload_dlls()
        self._manifest = manifest
        self._slices = open_session(graph, providers("cuda"), 1)
        check_interface(self._slices, manifest)
        self._recorded, self._providers = provider == "cuda-graph", providers(provider)
        whole = write_reference_graph(read_arrays(graph), manifest.graph_options)
        self._whole = open_session(whole, self._providers, 1)
        running = self._whole.get_providers()[0]
        if CPU in (running, self._slices.get_providers()[0]):
            raise ModelError("ONNX Runtime gave the CPU instead; its CUDA libraries may be missing (the cuda extra)")
        self._decoders: dict[int, ort.InferenceSession] = {}
        self._chains: dict[tuple[int, int], _Chain] = {}
        self._lock = threading.Lock()
        self._rested = threading.Event()
        self._closed = False
        self.words = f"{running.removesuffix('ExecutionProvider').upper()}: device 0"
        self.run(*self._check_notes(1), 0, manifest.frames)
        threading.Thread(target=self._keep_alive, name="keep alive", daemon=True).start()

    def run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        """Render frames ``start..stop`` of each note, as many notes at a time as the largest batch holds."""
        with self._busy():
            return joined([self._slice(z, p, start, stop) for z, p in _portions(latents, pitches)], 0)

    def sound(self, latents: Floats, pitches: Ints, rate_factor: int) -> Sound:
        """Whole notes with their sound at ``rate_factor`` times the model's rate."""
        with self._busy():
            parts = [self._sound(z, p, rate_factor) for z, p in _portions(latents, pitches)]
        return Sound(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def sketch(self, change: Change) -> None:
        """The frames themselves come as soon."""

    def close(self) -> None:
        """Free the sessions."""
        self._closed = True
        with self._lock:
            self._chains.clear()
            self._decoders.clear()

    def _check_notes(self, batch: int) -> tuple[Floats, Ints]:
        m = self._manifest
        return np.tile(m.check_latent, (batch, 1)), np.full(batch, m.check.pitch, np.int64)

    def _busy(self) -> threading.Lock:
        self._rested.set()
        return self._lock

    def _keep_alive(self) -> None:
        """Have it do a trifle whenever it had nothing to do for a while."""
        latents, pitches = self._check_notes(1)
        start = self._manifest.pad_frames
        while not self._closed:
            if self._rested.wait(KEEP_ALIVE_S):
                self._rested.clear()
                continue
            with self._lock:
                try:
                    self._slice(latents, pitches, start, start + 1)
                except Exception:  # whoever needs the device next will be told by it
                    return

    def _slice(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        count = len(pitches)
        padding = padded(count) - count
        binding = self._slices.io_binding()
        binding.bind_cpu_input("latents", np.pad(latents, ((0, padding), (0, 0))))
        binding.bind_cpu_input("pitches", np.pad(pitches, (0, padding), mode="edge"))
        binding.bind_cpu_input("frames", np.asarray([start, stop], np.int64))
        binding.bind_output("log_mel", "cpu")
        binding.bind_output("inst_freq", "cpu")
        self._slices.run_with_iobinding(binding)
        log_mel, inst_freq = binding.copy_outputs_to_cpu()
        return log_mel[:count], inst_freq[:count]

    def _sound(self, latents: Floats, pitches: Ints, rate_factor: int) -> Sequence[NDArray[Any]]:
        count = len(pitches)
        batch = padded(count)
        chain = self._chains.get((batch, rate_factor))
        if chain is None:
            decoder = self._decoder(rate_factor)
            chain = _Chain(self._whole, decoder, self._manifest, batch, rate_factor, self._recorded)
            self._chains[batch, rate_factor] = chain
        padding = batch - count
        outputs = chain.run(np.pad(latents, ((0, padding), (0, 0))), np.pad(pitches, (0, padding), mode="edge"))
        return [output[:count] for output in outputs]

    def _decoder(self, rate_factor: int) -> ort.InferenceSession:
        session = self._decoders.get(rate_factor)
        if session is None:
            m = self._manifest
            graph = write_decoder(m.spectral, m.phase_convention, rate_factor)
            session = self._decoders[rate_factor] = open_session(graph, self._providers, 1)
        return session


class _Chain:
    """Generator and decoder for one batch size, bound to memory of their own on the device."""

    def __init__(
        self, whole: ort.InferenceSession, decoder: ort.InferenceSession, m: Manifest, batch: int, rate_factor: int,
        recorded: bool,
    ) -> None:  # fmt: skip
        picture = [batch, m.frames, m.bins]
        self._memory = {
            "latents": _on_device([batch, m.latent_size], np.float32), "pitches": _on_device([batch], np.int64),
            "log_mel": _on_device(picture, np.float32), "inst_freq": _on_device(picture, np.float32),
            "picture_log_mel": _on_device(picture, np.float16), "picture_inst_freq": _on_device(picture, np.float16),
            "samples": _on_device([batch, m.spectral.samples * rate_factor], np.float32),
        }  # fmt: skip
        self._steps = [(session, _bound(session, self._memory)) for session in (whole, decoder)]
        self._options = ort.RunOptions()
        if recorded:  # one recording for each set of buffers
            self._options.add_run_config_entry("gpu_graph_id", str(1 + BATCHES.index(batch) + 16 * rate_factor))

    def run(self, latents: Floats, pitches: Ints) -> Sequence[NDArray[Any]]:
        """Pictures as float16 and samples, each ``[batch, ...]``."""
        self._memory["latents"].update_inplace(np.ascontiguousarray(latents))
        self._memory["pitches"].update_inplace(np.ascontiguousarray(pitches))
        for session, binding in self._steps:
            session.run_with_iobinding(binding, self._options)
        return [self._memory[name].numpy() for name in ("picture_log_mel", "picture_inst_freq", "samples")]


def providers(provider: str) -> list[Any]:
    """What to ask ONNX Runtime for, in order."""
    recorded = str(int(provider == "cuda-graph"))
    options = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0", "enable_cuda_graph": recorded}
    wanted: list[Any] = [("CUDAExecutionProvider", options), CPU]
    if provider == "tensorrt":
        engines = platformdirs.user_cache_path("synth_app", appauthor=False) / "tensorrt"
        kept = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(engines), "trt_fp16_enable": False}
        wanted.insert(0, ("TensorrtExecutionProvider", kept))
    return wanted


def padded(count: int) -> int:
    """The smallest of the fixed batch sizes that holds so many notes."""
    return next(batch for batch in BATCHES if batch >= count)


def _portions(latents: Floats, pitches: Ints) -> list[tuple[Floats, Ints]]:
    most = BATCHES[-1]
    return [(latents[i : i + most], pitches[i : i + most]) for i in range(0, len(pitches), most)]


def _on_device(shape: list[int], dtype: type) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_shape_and_type(shape, dtype, DEVICE, 0)


def _bound(session: ort.InferenceSession, memory: Mapping[str, ort.OrtValue]) -> Any:
    binding = session.io_binding()
    for entry in session.get_inputs():
        binding.bind_ortvalue_input(entry.name, memory[entry.name])
    for entry in session.get_outputs():
        binding.bind_ortvalue_output(entry.name, memory[entry.name])
    return binding

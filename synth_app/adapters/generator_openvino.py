"""The generator on OpenVINO: another runtime for processors, quicker than ONNX Runtime where they multiply in bfloat16.

It runs the model file's own graph, slices included. Left to itself it computes in bfloat16 on processors that have
instructions for it, and in float32 elsewhere; in bfloat16 the sound is a little another one (ADR 13), so those notes
have an identity of their own and are never mixed with the others. The package is an extra and imported here alone, when
it is asked for.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx_cpu import joined
from synth_app.adapters.model_manifest import Manifest
from synth_app.core.errors import ModelError
from synth_app.render.ports import Change

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PROVIDERS = ("openvino", "openvino-f32")
_MISSING = "OpenVINO is not installed; install the extra openvino (in a checkout: uv sync --extra openvino)."
"""In the runtime's own choice of precision; in float32."""

_WARM_UP = ((0, 1), (3, 10), (10, 26))


class OpenVinoEngine:
    """Renders notes one after another.

    Args:
        graph: the model file's.
        manifest: of the model.
        provider: one of :data:`PROVIDERS`.
        threads: of the CPU.

    Attributes:
        precision: "f32", "bf16" or "f16". lanes: one, a request at a time.
        onset_stop: no frames are cheaper than others.

    Raises:
        ModelError: OpenVINO is not installed, or does not take the graph.
    """

    lanes = 1
    onset_stop = 0

    def __init__(self, graph: bytes, manifest: Manifest, provider: str, threads: int) -> None:
        runtime = _runtime()
        wanted: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        if provider == "openvino-f32":
            wanted["INFERENCE_PRECISION_HINT"] = "f32"
        core = runtime.Core()
        model = core.read_model(graph, runtime.Tensor(np.zeros(0, np.uint8)))
        compiled = core.compile_model(model, "CPU", wanted)
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self._request = compiled.create_infer_request()
        self.words = f"OpenVINO {self.precision}, {threads} thread{'s' * (threads > 1)}"
        latent, pitch = manifest.check_latent[None], np.asarray([manifest.check.pitch], np.int64)
        for start, stop in _WARM_UP:
            if stop <= manifest.frames:
                self.run(latent, pitch, start, stop)

    def run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        """Render frames ``start..stop`` of each note; one at a time, so that few shapes are ever seen."""
        notes = [self._note(latents[i : i + 1], pitches[i : i + 1], start, stop) for i in range(len(pitches))]
        return joined(notes, 0)

    def sound(self, latents: Floats, pitches: Ints, rate_factor: int) -> None:
        """A processor sounds sooner by slices."""

    def sketch(self, change: Change) -> None:
        """The heads are not to be had by themselves."""

    def close(self) -> None:
        """Nothing to do: the compiled graph goes with it."""

    def _note(self, latent: Floats, pitch: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        frames = np.asarray([start, stop], np.int64)
        results = self._request.infer({"latents": latent, "pitches": pitch, "frames": frames})
        return np.array(results["log_mel"], np.float32), np.array(results["inst_freq"], np.float32)


def openvino_missing() -> str:
    """Why OpenVINO cannot be used, in words, or "" when it may be. (Looked for, not imported: that writes files.)"""
    return "" if importlib.util.find_spec("openvino") else _MISSING.rstrip(".")


def _runtime() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ModelError(_MISSING) from error
    return openvino

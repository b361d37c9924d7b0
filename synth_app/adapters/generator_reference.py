"""The plain whole-note export of a model, run by ONNX Runtime: the yardstick of benchmarks and tests.

It is what a trainer's own export would be: float32, one obvious operator a step, no slices. The instrument never plays
it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from synth_app.adapters.model_manifest import read_manifest
from synth_app.adapters.onnx_writer import read_arrays, write_reference_graph
from synth_app.core.errors import ModelError
from synth_app.render.ports import SpectralFrames


class ReferenceGenerator:
    """Renders whole notes of a model directory.

    Args:
        directory: holds ``model.toml`` and the graph, whose arrays are written anew in the plain form.
        threads: of the CPU.

    Raises:
        ModelError: the directory is unusable.
    """

    def __init__(self, directory: Path, threads: int) -> None:
        manifest = read_manifest(directory)
        path = directory / manifest.graph.file
        try:
            arrays = read_arrays(path.read_bytes())
        except OSError as error:
            raise ModelError(f"The graph {path} cannot be read ({error.strerror}); get the model again.") from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        graph = write_reference_graph(arrays, manifest.graph_options)
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def render_whole(self, latents: NDArray[np.float32], pitches: NDArray[np.int64]) -> SpectralFrames:
        """Render whole notes: latents float32 ``[batch, latent_size]``, pitches (MIDI notes) int64 ``[batch]``."""
        return SpectralFrames(*self._session.run(None, {"latents": latents, "pitches": pitches}))

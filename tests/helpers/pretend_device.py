"""A CUDA device for machines that have none: the same sessions, bindings and memory, run by the CPU under its name."""

from __future__ import annotations

from typing import Any

import pytest

from synth_app.adapters import generator_onnx, generator_onnx_cpu, generator_onnx_device


class PretendSession:
    """A session that says it runs on CUDA."""

    def __init__(self, graph: bytes, providers: list[Any], threads: int) -> None:
        assert providers[-1] == "CPUExecutionProvider"
        self._session = generator_onnx_cpu.open_session(graph, ["CPUExecutionProvider"], threads)
        self.get_inputs, self.get_outputs = self._session.get_inputs, self._session.get_outputs
        self.io_binding = self._session.io_binding

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def run_with_iobinding(self, *arguments: Any) -> None:
        self._session.run_with_iobinding(*arguments)


def pretend(monkeypatch: pytest.MonkeyPatch, session: type[PretendSession]) -> None:
    """Have the generator find a device whose sessions are of this class."""
    monkeypatch.setattr(generator_onnx, "cuda_missing", lambda: "")
    monkeypatch.setattr(generator_onnx_device, "DEVICE", "cpu")
    monkeypatch.setattr(generator_onnx_device, "open_session", session)
    monkeypatch.setattr(generator_onnx_device.ort, "preload_dlls", lambda: None)

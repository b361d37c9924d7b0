"""A pencil for ONNX graphs: nodes, constants and stored weights, without torch.

Names of intermediate values are numbered, so that the same calls give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Precision = Literal["fp16", "fp32"]

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
OPSET = 18  # Pad with axes
IR_VERSION = 9  # read by every ONNX Runtime this project accepts
NCHWC = "com.microsoft.nchwc"  # ONNX Runtime's own blocked convolutions (CPU only)


class Graph:
    """Collects nodes; every method that adds one returns the name of its output."""

    def __init__(self, precision: Precision = "fp32") -> None:
        self.precision = precision
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._domains: set[str] = set()
        self._count = 0

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        return self.nodes(op, 1, *inputs, domain=domain, **attributes)[0]

    def nodes(self, op: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        names = []
        for _ in range(outputs):
            self._count += 1
            names.append(f"v{self._count}")
        self._domains.add(domain)
        self._nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def name(self, value: str, name: str) -> str:
        """Give a value a name of its own (for outputs)."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def const(self, array: NDArray[Any] | list[int] | float, name: str | None = None) -> str:
        """A constant kept as it is; Python floats become float32 and lists int64."""
        if isinstance(array, float):
            value: NDArray[Any] = np.asarray(array, np.float32)
        elif isinstance(array, list):
            value = np.asarray(array, np.int64)
        else:
            value = np.ascontiguousarray(array)
        if name is None:
            self._count += 1
            name = f"c{self._count}"
        self._initializers[name] = numpy_helper.from_array(value, name)
        return name

    def weight(self, name: str, array: NDArray[np.float32]) -> str:
        """A float32 weight, stored in this graph's precision; half precision is widened when the session loads."""
        if name in self._initializers:
            return name if self.precision == "fp32" else f"{name}.f32"
        if self.precision == "fp32":
            return self.const(array.astype(np.float32), name)
        self.const(array.astype(np.float16), name)
        self._nodes.append(helper.make_node("Cast", [name], [f"{name}.f32"], to=TensorProto.FLOAT))
        return f"{name}.f32"

    def input(self, name: str, dtype: int, shape: Sequence[int | str] | None) -> str:
        """Declare an input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Sequence[int | str] | None) -> str:
        """Declare a value as an output of the graph under ``name``."""
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return self.name(value, name)

    def serialise(self, doc: str) -> bytes:
        """The finished model as bytes."""
        graph = helper.make_graph(
            self._nodes, "gansynth", self._inputs, self._outputs, list(self._initializers.values())
        )
        opsets = [helper.make_opsetid("", OPSET)]
        opsets += [helper.make_opsetid(d, 1) for d in sorted(self._domains - {""})]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="synth_app", doc_string=doc
        )
        return bytes(model.SerializeToString())

    # The arithmetic that the writers spell most often.

    def add(self, a: str, b: str) -> str:
        return self.node("Add", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.node("Mul", a, b)

    def reshape(self, x: str, shape: list[int]) -> str:
        return self.node("Reshape", x, self.const(shape))

    def lrelu(self, x: str) -> str:
        return self.node("LeakyRelu", x, alpha=0.2)

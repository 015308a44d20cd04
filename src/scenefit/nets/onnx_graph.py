"""A network as an ONNX graph: the operations that it does on one image are recorded, and each becomes a node.

`torch.onnx.export` is not used: it needs one more package, takes seconds, writes paths of source files into the model,
and knows no stable sort, which resolves ties of boxes.
Legend: N images; F features; H, W pixels.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenefit.files.atomic import content_hash

OPSET, IR_VERSION = 18, 8  # of ONNX 1.13 (2022), so that older runtimes read the file, too
Sides = Mapping[str, tuple[Any, Sequence[Any]]]  # name -> type of numpy, and sides; a text or None for one that varies


class OnnxGraph:
    """An ONNX graph that is being built. Values go by their names; any other input of a node becomes a constant.

    ImportError without the extra `onnx`."""

    def __init__(self, outer: "OnnxGraph | None" = None):
        """outer: the graph that this one is the body of a loop in, and whose values it may use."""
        try:
            import onnx
        except ImportError as error:
            raise ImportError('ONNX files need the extra onnx: pip install "scenefit[onnx]"') from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {} if outer is None else outer._constants  # by name, or hash of the content
        self._count: dict[str, int] = {} if outer is None else outer._count  # of nodes of each operator

    def add(self, operator: str, *inputs: Any, name: str = "", **attributes: Any) -> str:
        """Add a node; the name of its output. inputs: names, tensors, arrays or numbers; None for one left out."""
        return self._add(operator, inputs, [name or self._next(operator)], attributes)[0]

    def add_pair(self, operator: str, *inputs: Any, **attributes: Any) -> tuple[str, str]:
        """Add a node with two outputs."""
        name = self._next(operator)
        first, second = self._add(operator, inputs, [f"{name}_a", f"{name}_b"], attributes)
        return first, second

    def constant(self, value: Any, name: str = "") -> str:
        """The name of a constant; equal ones without a name are stored once. Numbers of Python become float32 or
        int64."""
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if not isinstance(value, Tensor | np.ndarray | np.generic):
            array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        array = np.ascontiguousarray(array).reshape(array.shape)
        key = name or content_hash(array)
        if key not in self._constants:
            name = name or f"constant_{len(self._constants)}"
            self._constants[key] = self._onnx.numpy_helper.from_array(array, name)
        return str(self._constants[key].name)

    def cast(self, value: str, kind: Any) -> str:
        """A value as another type of numpy."""
        return self.add("Cast", value, to=self.type_of(kind))

    def body(self, inputs: Sides, outputs: Sides) -> Any:
        """This graph as the body of a `Loop`."""
        return self._onnx.helper.make_graph(self._nodes, "body", self._values(inputs), self._values(outputs))

    def model(self, inputs: Sides, outputs: Sides, metadata: Mapping[str, str], description: str,
              version: str) -> bytes:
        """This graph as an ONNX file, checked. version: of scenefit."""
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, "scenefit", self._values(inputs), self._values(outputs),
                                  list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                                  producer_name="scenefit", producer_version=version, doc_string=description)
        helper.set_model_props(model, dict(metadata))
        self._onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))

    def _add(self, operator: str, inputs: Sequence[Any], outputs: list[str], attributes: Mapping[str, Any],
             ) -> list[str]:
        given = ["" if value is None else value if isinstance(value, str) else self.constant(value)
                 for value in inputs]
        self._nodes.append(self._onnx.helper.make_node(operator, given, outputs, outputs[0], **attributes))
        return outputs

    def _next(self, operator: str) -> str:
        self._count[operator] = self._count.get(operator, 0) + 1
        return f"{operator}_{self._count[operator]}"

    def type_of(self, kind: Any) -> int:
        """ONNX's number of a type of numpy."""
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def _values(self, described: Sides) -> list[Any]:
        return [self._onnx.helper.make_tensor_value_info(name, self.type_of(kind), sides)
                for name, (kind, sides) in described.items()]


def add_network(graph: OnnxGraph, network: nn.Module, run: Callable[[Tensor], Tensor], example: Tensor,
                images: str) -> str:
    """Add what run computes with the network; the name of the result.

    run: must treat each image alone.  example: one image [1, F, H, W], of the size that the graph is for.
    images: the name of N such images.  ValueError for an operation that has no entry in `OPERATIONS`.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # a second to import

    with torch.no_grad():
        recorded = make_fx(torch.func.functionalize(run))(example)
    weights = {id(value): name for name, value in network.state_dict(keep_vars=True).items()}
    values: dict[Any, Any] = {}  # of each recorded operation: a name in the graph, or a tensor that never changes
    for node in recorded.graph.nodes:
        given = torch.fx.node.map_arg(node.args, values.__getitem__)
        if node.op == "placeholder":
            values[node] = images
        elif node.op == "get_attr":
            values[node] = getattr(recorded, node.target)
        elif node.op == "output":
            return str(given[0])
        elif not any(isinstance(value, str) for value in given):
            values[node] = node.target(*given, **node.kwargs)
        elif node.target is operator.getitem:  # of the results of a batch normalisation, the first is used alone
            values[node] = given[0]
        else:
            given = [graph.constant(value, weights.get(id(value), "")) if isinstance(value, Tensor) else value
                     for value in given]
            values[node] = _operation(node.target)(graph, *given, **node.kwargs)
    raise AssertionError("a recorded graph ends with its output")


def _operation(target: Any) -> Callable[..., str]:
    if str(target) not in OPERATIONS:
        raise ValueError(f"the network cannot be written as ONNX: {__name__} has no node for {target}, which PyTorch "
                         f"{torch.__version__} uses; install the version of PyTorch that scenefit is tested with "
                         "(constraints.txt)")
    return OPERATIONS[str(target)]


def _convolution(graph: OnnxGraph, x: str, weight: str, bias: str | None, stride: Sequence[int],
                 padding: Sequence[int], dilation: Sequence[int], _: bool, __: Sequence[int], groups: int) -> str:
    return graph.add("Conv", x, weight, *([] if bias is None else [bias]), strides=list(stride),
                     pads=[*padding, *padding], dilations=list(dilation), group=groups)


def _batch_norm(graph: OnnxGraph, x: str, weight: str, bias: str, mean: str, variance: str, _: bool, __: float,
                epsilon: float) -> str:
    return graph.add("BatchNormalization", x, weight, bias, mean, variance, epsilon=epsilon)


def _pad(graph: OnnxGraph, x: str, sides: Sequence[int], value: float) -> str:
    left, right, top, bottom = sides
    return graph.add("Pad", x, [0, 0, top, left, 0, 0, bottom, right], np.float32(value))


def _slice(graph: OnnxGraph, x: str, axis: int, first: int, last: int) -> str:
    return graph.add("Slice", x, [first], [last], [axis])


def _nearest(graph: OnnxGraph, x: str, _: Sequence[int], down: float, across: float) -> str:
    return graph.add("Resize", x, None, [1.0, 1.0, down, across], mode="nearest", nearest_mode="floor",
                     coordinate_transformation_mode="asymmetric")


def _of_two(operator: str) -> Callable[..., str]:
    return lambda graph, *pair: graph.add(
        operator, *(value if isinstance(value, str) else np.float32(value) for value in pair))


def _cast(graph: OnnxGraph, x: str, dtype: torch.dtype) -> str:
    return graph.cast(x, {torch.float16: np.float16, torch.float32: np.float32}[dtype])


OPERATIONS: dict[str, Callable[..., str]] = {  # of both backbones and the head
    "aten.convolution.default": _convolution, "aten.native_batch_norm.default": _batch_norm,
    "aten.relu.default": lambda graph, x: graph.add("Relu", x),
    "aten.hardtanh.default": lambda graph, x, low, high: graph.add("Clip", x, np.float32(low), np.float32(high)),
    "aten.add.Tensor": _of_two("Add"), "aten.sub.Tensor": _of_two("Sub"), "aten.mul.Tensor": _of_two("Mul"),
    "aten.div.Tensor": _of_two("Div"), "aten.constant_pad_nd.default": _pad, "aten.slice.Tensor": _slice,
    "aten.upsample_nearest2d.default": _nearest, "aten._to_copy.default": _cast,
    "aten.alias.default": lambda graph, x: x}

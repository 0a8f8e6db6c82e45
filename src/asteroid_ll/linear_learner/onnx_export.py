"""Export of a model to ONNX: the weighted sum, the link function and the decision.

The input is ``features`` (float32, shape ``(n, d)``). The outputs are ``score`` (float32, ``(n,)`` or ``(n, k)``) and,
for classifiers, ``predicted_label`` (int64, ``(n,)``). Scores equal an endpoint's except for the order of float32 sums.
"""

from __future__ import annotations

import numpy as np

from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.spec import LOSSES

OPSET = 17
_IR_VERSION = 8


def to_onnx(model: Model) -> bytes:
    """Return a model as the bytes of an ONNX file, opset 17.

    Raises:
        ConfigError: the package ``onnx`` is not installed.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise ConfigError("ONNX needs the package onnx.", hint="pip install 'asteroid-ll[onnx]'") from None
    arrays = {"weight": model.weight, "bias": model.bias, "threshold": np.array(model.threshold, np.float32)}
    nodes = [
        helper.make_node("MatMul", ["features", "weight"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["raw"]),
    ]
    is_multiclass = model.predictor_type == "multiclass_classifier"
    shape: list[str | int | None] = ["n", model.n_outputs] if is_multiclass else ["n"]
    outputs = [helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, shape)]
    if is_multiclass:
        nodes.append(helper.make_node("Softmax", ["raw"], ["score"], axis=1))
        nodes.append(helper.make_node("ArgMax", ["score"], ["predicted_label"], axis=1, keepdims=0))
    else:
        arrays["axis"] = np.array([1], np.int64)
        link = "Sigmoid" if LOSSES[model.loss].response == "probability" else "Identity"
        nodes.append(helper.make_node(link, ["raw"], ["column"]))
        nodes.append(helper.make_node("Squeeze", ["column", "axis"], ["score"]))
    if model.predictor_type == "binary_classifier":
        nodes.append(helper.make_node("Greater", ["score", "threshold"], ["positive"]))
        nodes.append(helper.make_node("Cast", ["positive"], ["predicted_label"], to=onnx.TensorProto.INT64))
    if model.predictor_type != "regressor":
        outputs.append(helper.make_tensor_value_info("predicted_label", onnx.TensorProto.INT64, ["n"]))
    inputs = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "linear_learner",
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", model.feature_dim])],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in inputs],
    )
    exported = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="asteroid-ll")
    exported.ir_version = _IR_VERSION
    onnx.checker.check_model(exported)
    return bytes(exported.SerializeToString())

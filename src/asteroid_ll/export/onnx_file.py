"""ONNX: the weighted sum, the link function and the decision as a graph, opset 17.

The input is ``features`` (float32, shape ``(n, d)``). The outputs are ``score`` (float32, ``(n,)`` or ``(n, k)``) and,
for classifiers, ``predicted_label`` (int64, ``(n,)``). The graph computes in double: in float32 the order of a sum of
thousands of terms would change the sixth digit of the score.
"""

from __future__ import annotations

import numpy as np

from asteroid_ll.errors import ConfigError
from asteroid_ll.export.named import NamedModel

OPSET = 17
_IR_VERSION = 8
_LINKS = {"value": "Identity", "probability": "Sigmoid"}


def to_onnx(named: NamedModel) -> bytes:
    """Return a model as the bytes of an ONNX file.

    Raises:
        ConfigError: the package ``onnx`` is not installed.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise ConfigError("ONNX needs the package onnx.", hint="pip install 'asteroid-ll[onnx]'") from None
    double, single = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
    model = named.model
    arrays = {"weight": model.weight, "bias": model.bias, "threshold": np.array(model.threshold, np.float32)}
    nodes = [helper.make_node("Cast", [name], [f"{name}_64"], to=double) for name in ("features", "weight", "bias")]
    nodes.append(helper.make_node("MatMul", ["features_64", "weight_64"], ["sum"]))
    nodes.append(helper.make_node("Add", ["sum", "bias_64"], ["raw"]))
    is_multiclass = named.response == "probabilities"
    shape: list[str | int | None] = ["n", model.n_outputs] if is_multiclass else ["n"]
    outputs = [helper.make_tensor_value_info("score", single, shape)]
    if is_multiclass:
        nodes.append(helper.make_node("Softmax", ["raw"], ["score_64"], axis=1))
        nodes.append(helper.make_node("ArgMax", ["score_64"], ["predicted_label"], axis=1, keepdims=0))
    else:
        arrays["axis"] = np.array([1], np.int64)
        nodes.append(helper.make_node(_LINKS[named.response], ["raw"], ["column"]))
        nodes.append(helper.make_node("Squeeze", ["column", "axis"], ["score_64"]))
    nodes.append(helper.make_node("Cast", ["score_64"], ["score"], to=single))
    if named.threshold is not None:
        nodes.append(helper.make_node("Greater", ["score", "threshold"], ["positive"]))
        nodes.append(helper.make_node("Cast", ["positive"], ["predicted_label"], to=onnx.TensorProto.INT64))
    if model.predictor_type != "regressor":
        outputs.append(helper.make_tensor_value_info("predicted_label", onnx.TensorProto.INT64, ["n"]))
    inputs = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "linear_learner",
        [helper.make_tensor_value_info("features", single, ["n", model.feature_dim])],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in inputs],
    )
    exported = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="asteroid-ll")
    exported.ir_version = _IR_VERSION
    onnx.checker.check_model(exported)
    return bytes(exported.SerializeToString())

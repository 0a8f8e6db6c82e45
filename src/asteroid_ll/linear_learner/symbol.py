"""The network of a saved model (``mx-mod-symbol.json``): one dot product, a bias and a head.

``build`` returns the graph that MXNet's Module loads with the parameters, ``dumps`` its text in MXNet's layout. The
graphs of logistic and squared loss are those of real artifacts. The heads of the other losses are this package's
choice of MXNet operators with the right forward function: softmax for multiclass, the identity for the rest.
"""

from __future__ import annotations

import json
from typing import Any

from asteroid_ll.linear_learner.spec import LOSSES

# A regression head is the identity; it keeps the label input that MXNet's Module expects.
_HEADS = {
    "probability": "LogisticRegressionOutput",
    "probabilities": "SoftmaxOutput",
    "value": "LinearRegressionOutput",
}
_MXNET_VERSION = 10301


def build(loss: str, *, feature_dim: int, n_outputs: int, counter: int, bias_lr_mult: float) -> dict[str, Any]:
    """Return the symbol of a model.

    Args:
        loss: value of the hyperparameter ``loss``, not ``auto``.
        feature_dim: rows of ``fc0_weight``.
        n_outputs: columns of ``fc0_weight``: the classes of a multiclass model, else 1.
        counter: the number in the operators' names. MXNet counts the symbols that a process has built.
        bias_lr_mult: the multiplier of the bias's learning rate, an attribute of ``fc0_bias``.

    Returns:
        The graph as the JSON object of ``mx-mod-symbol.json``.
    """
    head = "MAERegressionOutput" if loss == "absolute_loss" else _HEADS[LOSSES[loss].response]
    weight_attrs = {"__shape__": f"({feature_dim}, {n_outputs})"}
    bias_attrs = {"__lr_mult__": str(float(bias_lr_mult)), "__shape__": f"(1, {n_outputs})"}
    nodes: list[dict[str, Any]] = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "fc0_weight", "attrs": weight_attrs, "inputs": []},
        {"op": "dot", "name": f"dot{counter}", "inputs": [[0, 0, 0], [1, 0, 0]]},
        {"op": "null", "name": "fc0_bias", "attrs": bias_attrs, "inputs": []},
        {"op": "broadcast_add", "name": f"broadcast_plus{counter}", "inputs": [[2, 0, 0], [3, 0, 0]]},
        {"op": "null", "name": "out_label", "inputs": []},
        {"op": head, "name": f"{head.lower()}{counter}", "inputs": [[4, 0, 0], [5, 0, 0]]},
    ]
    return {
        "nodes": nodes,
        "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
        "node_row_ptr": list(range(len(nodes) + 1)),
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", _MXNET_VERSION]},
    }


def dumps(symbol: dict[str, Any]) -> str:
    """Return a symbol as text in MXNet's layout: nodes over several lines, lists of numbers on one line."""
    members = [f"{json.dumps(name)}: {_layout(value, indent=1)}" for name, value in symbol.items()]
    return "{\n  " + ", \n  ".join(members) + "\n}"


def _layout(value: Any, *, indent: int) -> str:
    inner, outer = "  " * (indent + 1), "  " * indent
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [_layout(item, indent=indent + 1) for item in value]
        return f"[\n{inner}" + f", \n{inner}".join(items) + f"\n{outer}]"
    if isinstance(value, dict) and len(value) > 1:
        members = [f"{json.dumps(name)}: {_layout(item, indent=indent + 1)}" for name, item in value.items()]
        return f"{{\n{inner}" + f", \n{inner}".join(members) + f"\n{outer}}}"
    return json.dumps(value)

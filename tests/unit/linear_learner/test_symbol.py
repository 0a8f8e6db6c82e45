import json

import pytest

from asteroid_ll.linear_learner.artifact import symbol_of, symbol_text


def test_the_text_has_mxnets_layout():
    text = symbol_text(symbol_of("squared_loss", feature_dim=513, n_outputs=1, counter=32, bias_lr_mult=10.0))
    assert text.startswith(
        '{\n  "nodes": [\n    {\n      "op": "null", \n      "name": "data", \n      "inputs": []\n    }, \n'
    )
    assert '      "attrs": {"__shape__": "(513, 1)"}, \n' in text
    assert '      "attrs": {\n        "__lr_mult__": "10.0", \n        "__shape__": "(1, 1)"\n      }, \n' in text
    assert text.endswith('  "heads": [[6, 0, 0]], \n  "attrs": {"mxnet_version": ["int", 10301]}\n}')
    assert json.loads(text) == symbol_of("squared_loss", feature_dim=513, n_outputs=1, counter=32, bias_lr_mult=10.0)


@pytest.mark.parametrize(
    ("loss", "head"),
    [
        ("squared_loss", "LinearRegressionOutput"),
        ("absolute_loss", "MAERegressionOutput"),
        ("huber_loss", "LinearRegressionOutput"),
        ("logistic", "LogisticRegressionOutput"),
        ("hinge_loss", "LinearRegressionOutput"),
        ("softmax_loss", "SoftmaxOutput"),
    ],
)
def test_the_head_gives_the_score_of_the_loss(loss, head):
    node = symbol_of(loss, feature_dim=3, n_outputs=2, counter=7, bias_lr_mult=10.0)["nodes"][-1]
    assert (node["op"], node["name"]) == (head, f"{head.lower()}7")


def test_shapes_and_the_bias_rate_are_attributes():
    nodes = symbol_of("softmax_loss", feature_dim=4, n_outputs=3, counter=1, bias_lr_mult=1)["nodes"]
    attrs = {node["name"]: node.get("attrs") for node in nodes}
    assert attrs["fc0_weight"] == {"__shape__": "(4, 3)"}
    assert attrs["fc0_bias"] == {"__lr_mult__": "1.0", "__shape__": "(1, 3)"}

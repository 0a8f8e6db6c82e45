"""Python: one file without dependencies, whose function ``predict`` answers as an endpoint does, in double."""

from __future__ import annotations

from asteroid_ll.export.named import NamedModel

_USE = "predict(row) answers as the model's endpoint does. It needs only Python, 3.8 or newer."

_IMPORTS = """
import math
from collections.abc import Mapping
"""

_LIMIT = """
# An endpoint refuses larger numbers.
MAX_FLOAT32 = 3.4028234663852886e38
"""

_PREDICT = '''

def predict(row):
    """Return the answer of the model's endpoint for a row, such as {example}.

    Args:
        row: numbers in the order of WEIGHTS, or a mapping that has them by name, such as a row of csv.DictReader.

    Raises:
        ValueError: a number is missing, is not finite, or is larger than a float32.
    """
'''

_ANSWERS = {
    "regressor": '    return {"score": score}\n',
    "binary_classifier": '    return {"score": score, "predicted_label": int(score > THRESHOLD)}\n',
    "multiclass_classifier": '    return {"score": score, "predicted_label": score.index(max(score))}\n',
}
_EXAMPLES = {
    "regressor": '{"score": 3.5}',
    "binary_classifier": '{"score": 0.75, "predicted_label": 1}',
    "multiclass_classifier": '{"score": [0.25, 0.5, 0.25], "predicted_label": 1}',
}
_SCORES = {
    "value": "    score = weighted_sums(row)[0]\n",
    "probability": "    score = sigmoid(weighted_sums(row)[0])\n",
    "probabilities": "    score = softmax(weighted_sums(row))\n",
}

_SUMS = '''

def weighted_sums(row):
    """Return the weighted sum of each output."""
    values = numbers(row)
    return [
        math.fsum([bias, *(weights[output] * value for weights, value in zip(WEIGHTS.values(), values))])
        for output, bias in enumerate(BIASES)
    ]


def numbers(row):
    """Return the features of a row as floats."""
    values = [row.get(name) for name in WEIGHTS] if isinstance(row, Mapping) else list(row)
    if len(values) != len(WEIGHTS):
        raise ValueError(f"the row has {len(values)} numbers, and the model takes {len(WEIGHTS)}")
    for position, (name, value) in enumerate(zip(WEIGHTS, values)):
        try:
            values[position] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"feature {name} is not a number: {value!r}") from None
        if not abs(values[position]) <= MAX_FLOAT32:
            raise ValueError(f"feature {name} is not a finite float32: {value!r}")
    return values
'''

_LINKS = {
    "value": "",
    "probability": '''

def sigmoid(value):
    """Return 1 / (1 + exp(-value)) without an overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    power = math.exp(value)
    return power / (1 + power)
''',
    "probabilities": '''

def softmax(values):
    """Return exp(value) / sum(exp(values)) for each value, without an overflow."""
    largest = max(values)
    powers = [math.exp(value - largest) for value in values]
    total = math.fsum(powers)
    return [power / total for power in powers]
''',
}


def to_python(named: NamedModel) -> bytes:
    """Return a model as a Python file for Python 3.8 or newer."""
    kind = named.model.predictor_type
    head = f'"""{named.title}\n\n{_USE}\n"""\n'
    predict = _PREDICT.replace("{example}", _EXAMPLES[kind]) + _SCORES[named.response] + _ANSWERS[kind]
    return (head + _IMPORTS + constants(named) + _LIMIT + predict + _SUMS + _LINKS[named.response]).encode()


def constants(named: NamedModel) -> str:
    """Return the numbers of a model as Python source: ``WEIGHTS``, ``BIASES`` and, if it has one, ``THRESHOLD``.

    Floats have the digits that give the same double again. Names are ASCII literals, so no name can become code.
    """
    weights = "".join(f"    {name!a}: {tuple(values)!r},\n" for name, values in named.weights.items())
    lines = f"\n# The weights of each feature, one per output.\nWEIGHTS = {{\n{weights}}}\n"
    lines += f"\n# The bias of each output.\nBIASES = {tuple(named.biases)!r}\n"
    if named.threshold is not None:
        lines += f"\n# A score above it is labelled 1.\nTHRESHOLD = {named.threshold!r}\n"
    return lines

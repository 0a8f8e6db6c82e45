"""PMML 4.4: a RegressionModel, for Java services, databases and statistics programs.

The outputs are ``score`` (for a multiclass model ``score_0``, ``score_1`` and so on) and, for classifiers,
``predicted_label``. A binary classifier is written as a regression of its score with a rule for the label, because a
classification in PMML always decides at the largest probability and has no place for a threshold.

Source: Data Mining Group, "PMML 4.4.1", chapter "Regression".
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from asteroid_ll import __version__
from asteroid_ll.errors import ConfigError
from asteroid_ll.export.named import NamedModel

_NAMESPACE = "http://www.dmg.org/PMML-4_4"
_NORMALISATIONS = {"value": "none", "probability": "logit", "probabilities": "softmax"}


def to_pmml(named: NamedModel) -> bytes:
    """Return a model as a PMML file.

    Raises:
        ConfigError: a feature has the name of an output.
    """
    is_multiclass = named.response == "probabilities"
    labels = [str(label) for label in range(named.model.n_outputs)]
    scores = [f"score_{label}" for label in labels] if is_multiclass else ["score"]
    clash = {*scores, "predicted_label"} & set(named.names)
    if clash:
        raise ConfigError(
            f"The feature {min(clash)} has the name of an output.", hint="Give the features other names with --names."
        )
    root = ET.Element("PMML", xmlns=_NAMESPACE, version="4.4")
    header = ET.SubElement(root, "Header", description=named.title)
    ET.SubElement(header, "Application", name="asteroid-ll", version=__version__)
    dictionary = ET.SubElement(root, "DataDictionary", numberOfFields=str(len(named.names)))
    model = ET.SubElement(
        root,
        "RegressionModel",
        modelName="linear_learner",
        functionName="classification" if is_multiclass else "regression",
        normalizationMethod=_NORMALISATIONS[named.response],
    )
    schema = ET.SubElement(model, "MiningSchema")
    for name in named.names:
        ET.SubElement(dictionary, "DataField", name=name, optype="continuous", dataType="double")
        ET.SubElement(schema, "MiningField", name=name)
    output = ET.SubElement(model, "Output")
    if is_multiclass:
        for label, score in zip(labels, scores, strict=True):
            _field(output, score, dataType="double", feature="probability", value=label)
        _field(output, "predicted_label", dataType="integer", feature="predictedValue")
    else:
        _field(output, "score", dataType="double", feature="predictedValue")
    if named.threshold is not None:
        _decision(_field(output, "predicted_label", dataType="integer", feature="transformedValue"), named.threshold)
    for number, (bias, label) in enumerate(zip(named.biases, labels, strict=True)):
        table = ET.SubElement(model, "RegressionTable", intercept=repr(bias))
        if is_multiclass:
            table.set("targetCategory", label)
        for name, weights in named.weights.items():
            ET.SubElement(table, "NumericPredictor", name=name, coefficient=repr(weights[number]))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _field(output: ET.Element, name: str, **attributes: str) -> ET.Element:
    optype = "continuous" if name.startswith("score") else "categorical"
    return ET.SubElement(output, "OutputField", {"name": name, "optype": optype, **attributes})


def _decision(field: ET.Element, threshold: float) -> None:
    """Add the rule that labels a row 1 if its score is above the threshold, else 0."""
    choice = ET.SubElement(field, "Apply", function="if")
    comparison = ET.SubElement(choice, "Apply", function="greaterThan")
    ET.SubElement(comparison, "FieldRef", field="score")
    ET.SubElement(comparison, "Constant", dataType="double").text = repr(threshold)
    for label in ("1", "0"):
        ET.SubElement(choice, "Constant", dataType="integer").text = label

"""scikit-learn: a Python file that builds a fitted estimator.

A pickle or joblib file runs code of its author when it is opened, and works only in the version that wrote it. This
file can be read before it is run, and works in every version since 1.6. Its estimators are scikit-learn's own classes,
so ``joblib.dump(model, ...)`` stores them without this package.
"""

from __future__ import annotations

from asteroid_ll.export.named import NamedModel
from asteroid_ll.export.python_file import constants

_HEAD = '''"""{title}

``model`` is a fitted estimator. Needs scikit-learn 1.6 or newer.
"""

import numpy as np
{imports}
'''

_BUILD = '''

def build():
    """Return the fitted estimator."""
    model = {estimator}()
    model.coef_ = np.array(list(WEIGHTS.values())).T{first}
    model.intercept_ = np.array(BIASES){first}
    model.n_features_in_ = len(WEIGHTS)
'''
_NAMES = "    model.feature_names_in_ = np.array(list(WEIGHTS), dtype=object)\n"
_CLASSES = "    model.classes_ = np.arange({n_classes})\n"
_DECISION = """    # It labels a score at the threshold 1, and the endpoint only scores above it: hence the next number.
    decision = FixedThresholdClassifier(
        model, threshold=np.nextafter(THRESHOLD, np.inf), response_method="{method}", pos_label=1
    )
    decision.estimator_ = model
    return decision
"""

_ESTIMATORS = {
    "regressor": ("LinearRegression", "from sklearn.linear_model import LinearRegression"),
    "multiclass_classifier": ("LogisticRegression", "from sklearn.linear_model import LogisticRegression"),
    "logistic": (
        "LogisticRegression",
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import FixedThresholdClassifier",
    ),
    "hinge_loss": (
        "LinearSVC",
        "from sklearn.model_selection import FixedThresholdClassifier\nfrom sklearn.svm import LinearSVC",
    ),
}
"""Class and imports by predictor type, or by loss for a binary classifier."""


def to_sklearn(named: NamedModel) -> bytes:
    """Return a model as a Python file with ``model``, a fitted estimator of scikit-learn 1.6 or newer.

    The estimator has the names of the features if they were given.
    """
    kind = named.model.predictor_type
    is_binary, is_regressor = kind == "binary_classifier", kind == "regressor"
    estimator, imports = _ESTIMATORS[named.model.loss if is_binary else kind]
    build = _BUILD.format(estimator=estimator, first="[0]" if is_regressor else "")
    build += _NAMES if named.has_given_names else ""
    build += "" if is_regressor else _CLASSES.format(n_classes=max(2, named.model.n_outputs))
    if is_binary:
        build += _DECISION.format(method="predict_proba" if named.response == "probability" else "decision_function")
    else:
        build += "    return model\n"
    head = _HEAD.format(title=named.title, imports=imports)
    return (head + constants(named) + build + "\n\nmodel = build()\n").encode()

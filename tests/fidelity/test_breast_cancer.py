"""The published breast cancer tutorial: absolute loss, batch 100, 10 epochs, 32 models, a random 80/10/10 split.

Two public runs of it have accuracies of 91.7% and 98.2% at a score of 0.5, and mean absolute errors of 0.201 and 0.183,
on test parts of about 56 rows whose random split is not known. The test checks whether such runs are usual here.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from asteroid_ll.linear_learner import train

N_SPLITS = 40
PUBLISHED_ACCURACIES, PUBLISHED_ERRORS = (0.917, 0.982), (0.201, 0.183)


@pytest.fixture(scope="module")
def runs() -> np.ndarray:
    """Accuracy and mean absolute error on the test part, for several random splits; shape ``(n_splits, 2)``."""
    features, benign = load_breast_cancer(return_X_y=True)
    features, labels = features.astype(np.float32), (1 - benign).astype(np.float32)
    hyperparameters = {
        "predictor_type": "regressor",
        "loss": "absolute_loss",
        "feature_dim": "30",
        "mini_batch_size": "100",
        "epochs": "10",
        "num_models": "32",
    }
    results = []
    for seed in range(N_SPLITS):
        part = np.random.default_rng(seed).random(len(labels))
        learned, held_out, tested = part < 0.8, (part >= 0.8) & (part < 0.9), part >= 0.9
        training = train(
            features[learned],
            labels[learned],
            hyperparameters,
            validation=(features[held_out], labels[held_out]),
        )
        score = training.model.predict(features[tested]).score
        results.append(((score > 0.5) == labels[tested], np.abs(score - labels[tested])))
    return np.array([[right.mean(), error.mean()] for right, error in results])


def test_the_mean_accuracy_lies_between_the_published_ones(runs: np.ndarray) -> None:
    assert PUBLISHED_ACCURACIES[0] <= runs[:, 0].mean() <= PUBLISHED_ACCURACIES[1]


def test_the_published_errors_are_usual_ones(runs: np.ndarray) -> None:
    low, high = np.quantile(runs[:, 1], [0.05, 0.95])
    assert all(low <= error <= high for error in PUBLISHED_ERRORS)
    assert np.quantile(runs[:, 1], 0.4) < 0.21

"""Multiclass training against scikit-learn's LogisticRegression, where both have converged."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from asteroid_ll.linear_learner import train


def test_softmax_regression_converges_to_scikit_learns_optimum() -> None:
    rng = np.random.default_rng(0)
    n_rows, wd = 300, 0.01
    features = rng.normal(size=(n_rows, 4)).astype(np.float32)
    noisy = features @ rng.normal(size=(4, 3)) + rng.gumbel(size=(n_rows, 3))
    labels = noisy.argmax(axis=1).astype(np.float32)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    # The mean loss plus wd/2 |w|^2 here is the summed loss times C plus |w|^2/2 there.
    optimum = LogisticRegression(C=1 / (n_rows * wd), tol=1e-10, max_iter=5000).fit(standardised, labels)
    values = {
        "predictor_type": "multiclass_classifier",
        "num_classes": "3",
        "mini_batch_size": str(n_rows),
        "num_models": "1",
        # The kept epoch is that of the lowest loss without penalty: descent must not overshoot the optimum.
        "optimizer": "sgd",
        "learning_rate": "0.5",
        "bias_lr_mult": "1",
        "use_lr_scheduler": "false",
        "wd": str(wd),
        "l1": "0",
        "epochs": "2000",
        "early_stopping_patience": "10000",
        "early_stopping_tolerance": "1e-12",
    }
    training = train(features, labels, values)
    answer = training.model.predict(features)
    np.testing.assert_allclose(answer.score, optimum.predict_proba(standardised), atol=2e-3)
    weights = training.model.weight * training.scaler.std_features[:, np.newaxis]
    # Only differences between classes are determined by the loss.
    weights -= weights.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(weights.T, optimum.coef_, atol=5e-3)

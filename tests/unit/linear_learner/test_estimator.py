"""The scikit-learn estimators: their numbers, their input and scikit-learn's own checks."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner.estimator import LinearLearnerClassifier, LinearLearnerRegressor
from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS, losses_of, parse
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train

ESTIMATORS = {
    LinearLearnerClassifier: ("binary_classifier", "multiclass_classifier"),
    LinearLearnerRegressor: ("regressor",),
}
QUICK: dict[str, Any] = {"mini_batch_size": 50, "epochs": 3, "num_models": 4}
QUICK_TEXT = {name: str(value) for name, value in QUICK.items()} | {
    "binary_classifier_model_selection_criteria": "loss_function"
}


def data(n_classes: int = 2, *, n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of four units and class numbers that depend on them; for regression, use the first feature."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 4)) * [1, 10, 0.1, 3] + [0, 5, 1, -2]
    noisy = (features - features.mean(0)) / features.std(0) @ [1, -1, 0.5, 0] + 0.3 * rng.normal(size=n)
    return features, np.searchsorted(np.quantile(noisy, np.arange(1, n_classes) / n_classes), noisy)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_scikit_learns_own_checks_pass_without_exception(estimator: type) -> None:
    code = (
        f"from asteroid_ll import {estimator.__name__} as Estimator\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "results = check_estimator(Estimator(), on_skip=None, on_fail='raise')\n"
        "print({result['status'] for result in results}, len(results) > 45)\n"
    )
    # One of the checks needs SciPy to have been imported with this variable.
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
    )
    assert ended.stdout == "{'passed'} True\n", ended.stderr


@pytest.mark.parametrize(("estimator", "predictor_types"), ESTIMATORS.items())
def test_parameters_are_the_hyperparameters_that_apply_with_the_containers_defaults(
    estimator: type, predictor_types: tuple[str, ...]
) -> None:
    losses = {loss for predictor_type in predictor_types for loss in losses_of(predictor_type)}
    users = {*predictor_types, *losses, *HYPERPARAMETERS["optimizer"].words}
    expected = {
        name: record.default
        for name, record in HYPERPARAMETERS.items()
        if not record.is_internal and (not record.only or users & set(record.only))
    }
    # The data decide these.
    for name in ("predictor_type", "feature_dim", "num_classes"):
        expected.pop(name, None)
    # The one deviation: predict must return the likelier class, as scikit-learn's checks demand.
    if estimator is LinearLearnerClassifier:
        expected["binary_classifier_model_selection_criteria"] = "loss_function"
    parameters = estimator().get_params()
    assert {name: str(value).lower() for name, value in parameters.items()} == expected
    for predictor_type in predictor_types:
        typed = parse({"predictor_type": predictor_type, "num_classes": "3"})
        for name, value in parameters.items():
            assert (
                value == "auto"
                or name == "binary_classifier_model_selection_criteria"
                or (type(value) is type(getattr(typed, name)))
            )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_docstring_describes_each_parameter_as_the_specification_does(estimator: type) -> None:
    for name in estimator().get_params():
        assert f"\n        {name}: {HYPERPARAMETERS[name].description}" in str(estimator.__doc__)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("with_eval_set", [False, True])
def test_a_classifiers_numbers_are_those_of_a_training_job(n_classes: int, with_eval_set: bool) -> None:
    features, labels = data(n_classes)
    held_out = data(n_classes, n=80, seed=1) if with_eval_set else None
    classifier = LinearLearnerClassifier(**QUICK).fit(features, labels, eval_set=held_out)
    problem = {2: {"predictor_type": "binary_classifier"}}.get(
        n_classes, {"predictor_type": "multiclass_classifier", "num_classes": str(n_classes)}
    )
    job = train(features, labels, QUICK_TEXT | problem, validation=held_out)
    assert classifier.model_ == job.model
    np.testing.assert_array_equal(classifier.training_.train_objective, job.train_objective)
    assert classifier.training_.train_objective.shape == (3, 4)
    assert (classifier.training_.validation_objective is not None) == with_eval_set
    response = job.model.predict(features)
    np.testing.assert_array_equal(classifier.predict(features), response.predicted_label)
    probabilities = classifier.predict_proba(features)
    np.testing.assert_array_equal(probabilities if n_classes > 2 else probabilities[:, 1], response.score)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert classifier.coef_.shape == ((1 if n_classes == 2 else n_classes), 4)
    sums = features @ classifier.coef_.T + classifier.intercept_
    np.testing.assert_allclose(classifier.decision_function(features).reshape(sums.shape), sums, atol=1e-4)


@pytest.mark.parametrize("with_eval_set", [False, True])
def test_a_regressors_numbers_are_those_of_a_training_job(with_eval_set: bool) -> None:
    features, _ = data()
    labels = features[:, 0] * 7 + 2
    held_out = (features[:50], labels[:50]) if with_eval_set else None
    regressor = LinearLearnerRegressor(**QUICK, loss="huber_loss").fit(features, labels, eval_set=held_out)
    values = QUICK_TEXT | {"predictor_type": "regressor", "loss": "huber_loss"}
    job = train(features, labels, values, validation=held_out)
    assert regressor.model_ == job.model
    np.testing.assert_array_equal(regressor.predict(features), job.model.predict(features).score)
    assert regressor.coef_.shape == (4,)
    sums = features @ regressor.coef_ + regressor.intercept_
    np.testing.assert_allclose(regressor.predict(features), sums, rtol=1e-4, atol=1e-4)


def test_a_mini_batch_larger_than_the_data_is_lowered_to_their_rows() -> None:
    features, labels = data(n=30)
    assert LinearLearnerClassifier(epochs=2).fit(features, labels).training_.hyperparameters.mini_batch_size == 30


@pytest.mark.parametrize("names", [["near", "far"], [True, False], [7, -3]], ids=str)
def test_labels_of_any_type_are_returned_as_they_were_given(names: list[Any]) -> None:
    features, labels = data()
    named = np.array(names)[labels]
    classifier = LinearLearnerClassifier(**QUICK).fit(features, named, eval_set=(features, named))
    np.testing.assert_array_equal(classifier.classes_, sorted(names))
    assert classifier.predict(features).dtype == named.dtype
    assert classifier.score(features, named) > 0.8


def test_labels_without_two_classes_or_unknown_in_training_are_refused() -> None:
    features, labels = data()
    with pytest.raises(ValueError, match=r"The labels have only 1 class, 1\. A classifier needs"):
        LinearLearnerClassifier().fit(features, labels * 0 + 1)
    with pytest.raises(ValueError, match="The label 5 in eval_set is not in the training labels"):
        LinearLearnerClassifier().fit(features, labels, eval_set=(features, labels * 5))


def test_a_data_frames_columns_are_kept_and_checked() -> None:
    features, labels = data()
    frame = pd.DataFrame(features, columns=["H", "moid_au", "e", "a_au"])
    classifier = LinearLearnerClassifier(**QUICK).fit(frame, pd.Series(labels), eval_set=(frame, pd.Series(labels)))
    assert classifier.feature_names_in_.tolist() == ["H", "moid_au", "e", "a_au"]
    assert classifier.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame[["moid_au", "H", "e", "a_au"]])
    with pytest.raises(ValueError, match="feature names"):
        classifier.fit(frame, labels, eval_set=(frame[["moid_au", "H", "e", "a_au"]], labels))


def test_pipelines_cross_validation_and_searches_work_on_a_data_frame() -> None:
    features, labels = data()
    frame = pd.DataFrame(features, columns=["H", "moid_au", "e", "a_au"])
    named = pd.Series(np.array(["no", "yes"])[labels])
    pipeline = make_pipeline(StandardScaler(), LinearLearnerClassifier(mini_batch_size=20, num_models=8)).set_output(
        transform="pandas"
    )
    assert cross_val_score(pipeline, frame, named, cv=3).mean() > 0.8
    assert cross_val_score(pipeline, frame, named, cv=3, scoring="roc_auc").mean() > 0.9
    grid = {"linearlearnerclassifier__learning_rate": np.logspace(-3, -1, 2), "linearlearnerclassifier__epochs": [1, 4]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(frame, named)
    assert search.best_params_["linearlearnerclassifier__epochs"] == 4
    target = features[:, 0] * 2
    assert cross_val_score(LinearLearnerRegressor(mini_batch_size=20), frame, target, cv=3).mean() > 0.9


def sparse_data() -> tuple[Any, np.ndarray]:
    features, labels = data()
    features[np.random.default_rng(2).random(features.shape) < 0.5] = 0
    return sparse.csr_array(features), labels


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_layouts_give_the_same_model_and_predictions(layout: str, kind: str) -> None:
    features, labels = sparse_data()
    given = getattr(sparse, f"{layout}_{kind}")(features)
    classifier = LinearLearnerClassifier(**QUICK).fit(given, labels, eval_set=(given, labels))
    assert classifier.model_ == LinearLearnerClassifier(**QUICK).fit(features, labels).model_
    np.testing.assert_array_equal(classifier.predict_proba(given), classifier.predict_proba(features.toarray()))


def test_a_sparse_matrix_with_repeated_cells_counts_their_sum_and_stays_unchanged() -> None:
    features, labels = sparse_data()
    classifier = LinearLearnerClassifier(**QUICK).fit(features, labels)
    repeated = sparse.csr_array((np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 4))
    np.testing.assert_array_equal(classifier.predict_proba(repeated), classifier.predict_proba([[2.0, 0, 5.0, 0]]))
    assert repeated.data.tolist() == [1, 2, 4]


def test_wide_sparse_rows_are_never_made_dense(tmp_path: Path) -> None:
    width, n_rows = 2_000_000, 50_000  # 400 GB if dense
    Model("regressor", "squared_loss", np.ones((width, 1), np.float32), np.zeros(1, np.float32)).save(tmp_path / "m")
    regressor = LinearLearnerRegressor.from_artifact(tmp_path / "m")
    cells = sparse.csr_array(
        (np.arange(n_rows, dtype=np.float32), np.arange(n_rows) * 7, np.arange(n_rows + 1)), shape=(n_rows, width)
    )
    np.testing.assert_array_equal(regressor.predict(cells), np.arange(n_rows))


@pytest.mark.parametrize("options", [{"binary_classifier_model_selection_criteria": "f_beta"}, {"loss": "hinge_loss"}])
def test_decisions_above_zero_are_the_second_class_with_any_threshold(options: dict[str, Any]) -> None:
    features, labels = data()
    skewed = np.where(np.arange(len(labels)) % 3 == 0, labels, 0)
    classifier = LinearLearnerClassifier(**QUICK, **options).fit(features, skewed)
    assert classifier.model_.threshold != 0.5
    predicted = classifier.model_.predict(features).predicted_label
    np.testing.assert_array_equal(classifier.predict(features), predicted)
    decisions = classifier.decision_function(features)
    np.testing.assert_array_equal(decisions > 0, predicted)
    order = np.argsort(decisions, kind="stable")
    assert (np.diff(classifier.model_.predict(features).score[order]) >= 0).all()


def test_a_hinge_classifier_offers_no_probabilities() -> None:
    features, labels = data()
    assert hasattr(LinearLearnerClassifier(), "predict_proba")
    assert not hasattr(LinearLearnerClassifier(loss="hinge_loss"), "predict_proba")
    fitted = LinearLearnerClassifier(loss="hinge_loss", **QUICK).fit(features, labels)
    with pytest.raises(AttributeError, match="predict_proba"):
        fitted.predict_proba(features)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_artifact_gives_a_classifier_with_the_same_scores_and_class_numbers(n_classes: int, tmp_path: Path) -> None:
    features, labels = data(n_classes)
    classifier = LinearLearnerClassifier(f_beta=2.0, **QUICK).fit(features, np.array(["a", "b", "c"])[labels])
    classifier.to_artifact(tmp_path / "model.tar.gz")
    assert Model.load(tmp_path / "model.tar.gz") == classifier.model_
    loaded = LinearLearnerClassifier.from_artifact(tmp_path / "model.tar.gz")
    np.testing.assert_array_equal(loaded.predict_proba(features), classifier.predict_proba(features))
    np.testing.assert_array_equal(classifier.classes_[loaded.predict(features)], classifier.predict(features))
    assert (loaded.n_features_in_, loaded.f_beta, loaded.loss) == (4, 2.0, classifier.model_.loss)
    assert clone(loaded).fit(features, labels).score(features, labels) > 0.6


def test_an_artifact_gives_a_regressor_with_its_loss_and_settings(tmp_path: Path) -> None:
    features, _ = data()
    regressor = LinearLearnerRegressor(loss="quantile_loss", quantile=0.9, **QUICK).fit(features, features[:, 1])
    regressor.to_artifact(tmp_path / "model.tar.gz")
    loaded = LinearLearnerRegressor.from_artifact(str(tmp_path / "model.tar.gz"))
    assert (loaded.loss, loaded.quantile, loaded.huber_delta) == ("quantile_loss", 0.9, 1.0)
    np.testing.assert_array_equal(loaded.predict(features), regressor.predict(features))


def test_an_artifact_of_the_other_kind_is_refused_in_one_sentence(tmp_path: Path) -> None:
    features, labels = data()
    path = tmp_path / "model.tar.gz"
    LinearLearnerRegressor(**QUICK).fit(features, labels).to_artifact(path)
    with pytest.raises(DataError, match="is a regressor, but LinearLearnerClassifier needs a binary_classifier or a"):
        LinearLearnerClassifier.from_artifact(path)
    LinearLearnerClassifier(**QUICK).fit(features, labels).to_artifact(path)
    with pytest.raises(DataError, match="is a binary_classifier, but LinearLearnerRegressor needs a regressor"):
        LinearLearnerRegressor.from_artifact(path)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_estimator_that_is_not_fitted_has_no_results(estimator: type, tmp_path: Path) -> None:
    for use in (lambda: estimator().predict([[1.0]]), lambda: estimator().to_artifact(tmp_path / "model.tar.gz")):
        with pytest.raises(NotFittedError):
            use()
    assert not hasattr(estimator(), "coef_")


def test_a_hyperparameter_out_of_range_is_named() -> None:
    features, labels = data()
    with pytest.raises(DataError, match="learning_rate"):
        LinearLearnerClassifier(learning_rate=-1.0).fit(features, labels)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clones_and_pickles_keep_parameters_and_fitted_state(estimator: type) -> None:
    features, labels = data()
    fitted = estimator(**QUICK).set_params(use_bias=False).fit(features, labels)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(features), fitted.predict(features))
    assert copy.model_ == fitted.model_
    assert clone(fitted).get_params() == fitted.get_params()
    assert repr(clone(fitted)) == repr(fitted)
    assert not hasattr(clone(fitted), "model_")

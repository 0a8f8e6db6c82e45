"""Linear Learner as scikit-learn estimators.

The numbers are those of a SageMaker training job: the same grid of models, float32 arithmetic, rows in the given order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array, Float64Array
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS, LOSSES, parse
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import TrainingResult, train

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "LinearLearnerClassifier and LinearLearnerRegressor need scikit-learn 1.6 or newer. "
        "Install it with: pip install scikit-learn"
    ) from error

Auto: TypeAlias = Literal["auto"]
_Class = TypeVar("_Class", bound="_LinearLearner")
_Method = TypeVar("_Method", bound=Callable[..., Any])

_FLOAT32 = np.finfo(np.float32)


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The state and the steps that both estimators share."""

    model_: Model
    training_: TrainingResult
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def to_artifact(self, path: Path | str) -> None:
        """Write the fitted model as SageMaker's ``model.tar.gz``.

        AWS's format contains neither class labels nor feature names.

        Args:
            path: file to write, ending in ``.tar.gz``.

        Raises:
            NotFittedError: the estimator is not fitted.
            DataError: the file cannot be written.
        """
        check_is_fitted(self)
        self.model_.save(path)

    @classmethod
    def _load(cls, path: Path | str, *, predictor_types: tuple[str, ...]) -> Self:
        model = Model.load(path)
        if model.predictor_type not in predictor_types:
            raise DataError(
                f"The model in {path} is a {model.predictor_type}, but {cls.__name__} needs a "
                f"{' or a '.join(predictor_types)}.",
                hint="Use the from_artifact of the other class.",
            )
        recorded = {**model.metrics_params, "loss": model.loss}
        estimator = cls(**{name: recorded[name] for name in cls._get_param_names() if recorded.get(name) is not None})
        estimator.model_ = model
        estimator.n_features_in_ = model.feature_dim
        return estimator

    def _validate(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, npt.NDArray[Any]]:
        features, labels = validate_data(self, X, y, reset=reset, accept_sparse="csr", y_numeric=is_regressor(self))
        return _engine_matrix(features), labels

    def _train(self, channel: tuple[Any, Any], validation: tuple[Any, Any] | None, **problem: str) -> None:
        values = {name: _text(value) for name, value in self.get_params().items()} | problem
        values["mini_batch_size"] = str(min(parse(values).mini_batch_size, len(channel[1])))
        self.training_ = train(*channel, values, validation=validation)
        self.model_ = self.training_.model

    def _features(self, X: Any) -> Any:
        check_is_fitted(self)
        return _engine_matrix(validate_data(self, X, reset=False, accept_sparse="csr"))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class _LinearLearner(_Estimator):
    """The hyperparameters of both estimators."""

    mini_batch_size: int = 1000
    epochs: int = 15
    use_bias: bool = True
    num_models: int | Auto = "auto"
    init_method: Literal["uniform", "normal"] = "uniform"
    init_scale: float = 0.07
    init_sigma: float = 0.01
    init_bias: float = 0.0
    optimizer: Literal["auto", "adam", "sgd", "rmsprop"] = "auto"
    loss: str = "auto"
    wd: float | Auto = "auto"
    l1: float | Auto = "auto"
    momentum: float | Auto = "auto"
    learning_rate: float | Auto = "auto"
    beta_1: float | Auto = "auto"
    beta_2: float | Auto = "auto"
    bias_lr_mult: float | Auto = "auto"
    bias_wd_mult: float | Auto = "auto"
    use_lr_scheduler: bool = True
    lr_scheduler_step: int | Auto = "auto"
    lr_scheduler_factor: float | Auto = "auto"
    lr_scheduler_minimum_lr: float | Auto = "auto"
    normalize_data: bool | Auto = True
    unbias_data: bool | Auto = "auto"
    num_point_for_scaler: int = 10_000
    early_stopping_patience: int = 3
    early_stopping_tolerance: float = 0.001


def _described(estimator: type[_Class]) -> type[_Class]:
    """Insert the descriptions of the hyperparameters into an estimator's docstring."""
    names = set(estimator._get_param_names())
    records = [record for record in HYPERPARAMETERS.values() if record.name in names]
    lines = [f"        {record.name}: {record.meaning}" for record in records]
    before, heading, after = (estimator.__doc__ or "").partition("    Attributes:")
    estimator.__doc__ = "\n".join([f"{before}    Args:", *lines, "", f"{heading}{after}"])
    return estimator


def _has_probabilities(classifier: LinearLearnerClassifier) -> bool:
    model: Model | None = getattr(classifier, "model_", None)
    loss = model.loss if model else classifier.loss
    if loss in LOSSES and LOSSES[loss].response == "value":
        raise AttributeError(f"A classifier with loss {loss!r} has no probabilities. Use decision_function.")
    return True


def _if_it_has_probabilities(method: _Method) -> _Method:
    return cast("_Method", available_if(_has_probabilities)(method))


@_described
@dataclass(kw_only=True, eq=False, repr=False)
class LinearLearnerClassifier(ClassifierMixin, _LinearLearner):  # type: ignore[misc]
    """Linear Learner for two or more classes.

    Two classes train a ``binary_classifier``, more a ``multiclass_classifier``. The hyperparameters have AWS's names
    and defaults. A ``mini_batch_size`` above the number of rows is lowered to that number, as the SageMaker Python SDK
    does. Rows are never shuffled and nothing is random: the same rows in the same order give the same model.

    One default differs from AWS's. ``binary_classifier_model_selection_criteria`` is ``loss_function``, which keeps the
    threshold at a probability of 0.5, because scikit-learn expects ``predict`` to return the likelier class. The other
    criteria search a threshold, which ``predict`` then uses as an endpoint does.

    Attributes:
        classes_: class labels, ascending, shape ``(n_classes,)``.
        coef_: weights in the features' units, float32, shape ``(1, n_features)`` for two classes, else
            ``(n_classes, n_features)``.
        intercept_: biases, float32, shape ``(1,)`` or ``(n_classes,)``.
        n_features_in_: number of features.
        feature_names_in_: column names, if the training features had any.
        model_: the ``Model`` that an endpoint would host.
        training_: record of the training, absent after ``from_artifact``: ``train_objective`` and
            ``validation_objective`` of shape ``(n_epochs, n_models)``, ``best_index``, ``best_epoch`` and more.
    """

    binary_classifier_model_selection_criteria: str = "loss_function"
    f_beta: float = 1.0
    target_recall: float = 0.8
    target_precision: float = 0.8
    num_calibration_samples: int | Auto = 10_000_000
    margin: float = 1.0
    accuracy_top_k: int = 3
    positive_example_weight_mult: float | Literal["balanced", "auto"] = 1.0
    balance_multiclass_weights: bool = False

    @classmethod
    def from_artifact(cls, path: Path | str) -> Self:
        """Return a fitted classifier from a ``model.tar.gz`` of AWS, the emulator or ``to_artifact``.

        ``classes_`` are the class numbers from 0, because an artifact has no labels; assign other labels if needed.
        The loss and its settings are those of the artifact; other hyperparameters have their defaults.

        Raises:
            DataError: the file is missing, damaged or a regressor.
        """
        classifier = cls._load(path, predictor_types=("binary_classifier", "multiclass_classifier"))
        classifier.classes_ = np.arange(max(2, classifier.model_.n_outputs))
        return classifier

    def fit(self, X: Any, y: Any, *, eval_set: tuple[Any, Any] | None = None) -> Self:
        """Train on rows in the given order.

        Args:
            X: features, shape ``(n_rows, n_features)``: an array, a DataFrame or a SciPy sparse matrix.
            y: class labels of any type, shape ``(n_rows,)``.
            eval_set: features and labels of the validation channel, which decides when training stops, which model is
                kept, and its threshold. Without it, the training rows decide.

        Raises:
            ValueError: the data are not a finite matrix with a label per row, or the labels have fewer than 2 classes.
            DataError: a hyperparameter is not acceptable, or a number is beyond float32.
            AsteroidError: every model diverged.
        """
        features, labels = self._validate(X, y, reset=True)
        check_classification_targets(labels)
        self.classes_: npt.NDArray[Any] = np.unique(labels)
        n_classes = len(self.classes_)
        if n_classes == 1:
            raise ValueError(f"The labels have only 1 class, {self.classes_[0]}. A classifier needs at least 2.")
        validation = None
        if eval_set is not None:
            held_out, held_out_labels = self._validate(*eval_set, reset=False)
            validation = held_out, self._class_numbers(held_out_labels)
        channel = features, self._class_numbers(labels)
        if n_classes == 2:
            self._train(channel, validation, predictor_type="binary_classifier")
        else:
            self._train(channel, validation, predictor_type="multiclass_classifier", num_classes=str(n_classes))
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class of each row, shape ``(n_rows,)``. The model's threshold separates two classes."""
        features = self._features(X)
        return self.classes_[self.model_.predict(features).predicted_label]

    @_if_it_has_probabilities
    def predict_proba(self, X: Any) -> Float32Array:
        """Return the probability of each class, shape ``(n_rows, n_classes)``. Not available with ``hinge_loss``."""
        features = self._features(X)
        score = self.model_.predict(features).score
        return score if score.ndim == 2 else np.column_stack([1 - score, score])

    def decision_function(self, X: Any) -> Float64Array:
        """Return weighted sums, before the link function.

        Returns:
            For two classes the distance to the threshold, shape ``(n_rows,)``, which is above 0 if ``predict`` returns
            the second class. For more classes a sum per class, shape ``(n_rows, n_classes)``.
        """
        features = self._features(X)
        raw_scores = self.model_.raw_scores(features)
        sums = raw_scores.astype(np.float64)
        if sums.shape[1] > 1:
            return sums
        threshold = self.model_.threshold
        if LOSSES[self.model_.loss].response == "probability":
            probability = np.clip(threshold, _FLOAT32.tiny, 1 - _FLOAT32.epsneg)
            threshold = np.log(probability / (1 - probability))
        distance = sums[:, 0] - threshold
        # A row whose score equals the threshold is negative; rounding must not make it positive.
        is_positive = self.model_.answer(raw_scores).predicted_label == 1
        return np.where(is_positive, np.maximum(distance, _FLOAT32.tiny), np.minimum(distance, 0))

    @property
    def coef_(self) -> Float32Array:
        """Weights in the features' units, shape ``(1, n_features)`` or ``(n_classes, n_features)``."""
        return self.model_.weight.T

    @property
    def intercept_(self) -> Float32Array:
        """Biases, shape ``(1,)`` or ``(n_classes,)``."""
        return self.model_.bias

    def _class_numbers(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        is_known = np.isin(labels, self.classes_)
        if not is_known.all():
            raise ValueError(f"The label {labels[~is_known][0]} in eval_set is not in the training labels.")
        return np.searchsorted(self.classes_, labels)


@_described
@dataclass(kw_only=True, eq=False, repr=False)
class LinearLearnerRegressor(RegressorMixin, _LinearLearner):  # type: ignore[misc]
    """Linear Learner for a number.

    The hyperparameters have AWS's names and defaults. A ``mini_batch_size`` above the number of rows is lowered to that
    number, as the SageMaker Python SDK does. Rows are never shuffled and nothing is random: the same rows in the same
    order give the same model.

    Attributes:
        coef_: weights in the features' units, float32, shape ``(n_features,)``.
        intercept_: bias.
        n_features_in_: number of features.
        feature_names_in_: column names, if the training features had any.
        model_: the ``Model`` that an endpoint would host.
        training_: record of the training, absent after ``from_artifact``: ``train_objective`` and
            ``validation_objective`` of shape ``(n_epochs, n_models)``, ``best_index``, ``best_epoch`` and more.
    """

    quantile: float = 0.5
    loss_insensitivity: float = 0.01
    huber_delta: float = 1.0
    normalize_label: bool | Auto = "auto"
    unbias_label: bool | Auto = "auto"

    @classmethod
    def from_artifact(cls, path: Path | str) -> Self:
        """Return a fitted regressor from a ``model.tar.gz`` of AWS, the emulator or ``to_artifact``.

        The loss and its settings are those of the artifact; other hyperparameters have their defaults.

        Raises:
            DataError: the file is missing, damaged or a classifier.
        """
        return cls._load(path, predictor_types=("regressor",))

    def fit(self, X: Any, y: Any, *, eval_set: tuple[Any, Any] | None = None) -> Self:
        """Train on rows in the given order.

        Args:
            X: features, shape ``(n_rows, n_features)``: an array, a DataFrame or a SciPy sparse matrix.
            y: labels, shape ``(n_rows,)``.
            eval_set: features and labels of the validation channel, which decides when training stops and which model
                is kept. Without it, the training rows decide.

        Raises:
            ValueError: the data are not a finite matrix with a finite label per row.
            DataError: a hyperparameter is not acceptable, or a number is beyond float32.
            AsteroidError: every model diverged.
        """
        channel = self._validate(X, y, reset=True)
        validation = None if eval_set is None else self._validate(*eval_set, reset=False)
        self._train(channel, validation, predictor_type="regressor")
        return self

    def predict(self, X: Any) -> Float32Array:
        """Return the predicted label of each row, shape ``(n_rows,)``."""
        features = self._features(X)
        return self.model_.predict(features).score

    @property
    def coef_(self) -> Float32Array:
        """Weights in the features' units, shape ``(n_features,)``."""
        return self.model_.weight[:, 0]

    @property
    def intercept_(self) -> float:
        """Bias."""
        return float(self.model_.bias[0])


def _text(value: object) -> str:
    """Return a hyperparameter's value as the text that SageMaker passes to the container."""
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)


def _engine_matrix(features: Any) -> Any:
    """Return a dense array unchanged, and a SciPy matrix in compressed rows as a ``CsrMatrix``."""
    if not hasattr(features, "tocsr"):
        return features
    if not features.has_canonical_format:
        features = features.copy()
        features.sum_duplicates()
    return CsrMatrix(features.indptr, features.indices, features.data, features.shape)

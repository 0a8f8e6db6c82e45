"""The specification of Linear Learner: one table of losses and one of hyperparameters.

Names, defaults and their order are those of the container's ``default-input.json``, as it prints them. Meanings are
those of the SageMaker developer guide, "Linear learner hyperparameters". A new loss or hyperparameter gets its record
here; checks, typed values, the configuration's schema and its reference page follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from asteroid_ll.linear_learner.records import AUTO, PREDICTOR_TYPES, LossRecord
from asteroid_ll.linear_learner.records import HyperparameterRecord as _Record

LOSSES = {
    record.name: record
    for record in (
        LossRecord("squared_loss", "regressor"),
        LossRecord("absolute_loss", "regressor"),
        LossRecord("eps_insensitive_squared_loss", "regressor"),
        LossRecord("eps_insensitive_absolute_loss", "regressor"),
        LossRecord("quantile_loss", "regressor"),
        LossRecord("huber_loss", "regressor"),
        LossRecord("logistic", "binary_classifier", "probability"),
        LossRecord("hinge_loss", "binary_classifier"),
        LossRecord("softmax_loss", "multiclass_classifier", "probabilities"),
    )
}
"""Every loss by name. The first of a predictor type is the one that ``auto`` stands for."""


def losses_of(predictor_type: str) -> tuple[str, ...]:
    """Return the losses of a predictor type, its default first."""
    return tuple(name for name, record in LOSSES.items() if record.predictor_type == predictor_type)


_AUTO = (AUTO,)
_BINARY = ("binary_classifier",)
_MULTICLASS = ("multiclass_classifier",)
_REGRESSOR = ("regressor",)

OLD_CRITERIA = {"f1": "f_beta", "cross_entropy_loss": "loss_function"}
"""Names of 2017 for model-selection criteria that are still accepted, and their present names."""

_CRITERIA = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function")
_EPSILON_LOSSES = ("eps_insensitive_squared_loss", "eps_insensitive_absolute_loss")
_LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
_AWS_LOSSES = tuple(name for name, record in LOSSES.items() if record.on_aws)
_EXTRA_LOSSES = tuple(name for name, record in LOSSES.items() if not record.on_aws)

_RECORDS = (
    _Record(
        "predictor_type", "word", None, "Kind of the label: a number, or one of two or more classes.", PREDICTOR_TYPES
    ),
    _Record("mini_batch_size", "count", "1000", "Rows per mini-batch, after each of which the weights are updated."),
    _Record("epochs", "count", "15", "Maximum number of passes over the training data."),
    _Record("feature_dim", "count", "auto", "Number of features per row; auto reads it from the data.", _AUTO),
    _Record("use_bias", "flag", "true", "Whether the model has a bias term (intercept)."),
    _Record(
        "binary_classifier_model_selection_criteria",
        "word",
        "accuracy",
        "Measure that selects the model and its threshold, on the validation data if there are any.",
        (*_CRITERIA, *OLD_CRITERIA),
        only=_BINARY,
    ),
    _Record(
        "f_beta", "positive", "1.0", "Weight of recall against precision in the F score.", only=(*_BINARY, *_MULTICLASS)
    ),
    _Record("target_recall", "share", "0.8", "Recall for the criterion precision_at_target_recall.", only=_BINARY),
    _Record(
        "target_precision", "share", "0.8", "Precision for the criterion recall_at_target_precision.", only=_BINARY
    ),
    _Record("num_models", "count", "auto", "Number of models that train in parallel, each with other settings.", _AUTO),
    _Record(
        "num_calibration_samples",
        "count",
        "10000000",
        "Maximum number of rows that the search for the threshold reads.",
        _AUTO,
        only=_BINARY,
    ),
    _Record(
        "init_method", "word", "uniform", "Distribution that the initial weights are drawn from.", ("uniform", "normal")
    ),
    _Record("init_scale", "positive", "0.07", "Largest absolute initial weight of the method uniform."),
    _Record("init_sigma", "positive", "0.01", "Standard deviation of the initial weights of the method normal."),
    _Record("init_bias", "number", "0.0", "Initial value of the bias."),
    _Record(
        "optimizer",
        "word",
        "auto",
        "Algorithm that updates the weights; auto is adam for most models.",
        (AUTO, "adam", "sgd", "rmsprop"),
    ),
    _Record(
        "loss",
        "word",
        "auto",
        "Loss function to minimise; auto is the first one of the predictor type.",
        (AUTO, *_AWS_LOSSES),
        _EXTRA_LOSSES,
    ),
    _Record("margin", "nonnegative", "1.0", "Score beyond which a correct row costs nothing.", only=("hinge_loss",)),
    _Record(
        "quantile", "share", "0.5", "Share of labels that should lie below their predictions.", only=("quantile_loss",)
    ),
    _Record("loss_insensitivity", "positive", "0.01", "Largest error that costs nothing.", only=_EPSILON_LOSSES),
    _Record("huber_delta", "nonnegative", "1.0", "Error from which the loss grows linearly.", only=("huber_loss",)),
    _Record("num_classes", "count", "1", "Number of classes, at least 3; labels count from 0.", only=_MULTICLASS),
    _Record(
        "accuracy_top_k", "count", "3", "Top scores among which the true class counts as correct.", only=_MULTICLASS
    ),
    _Record("wd", "nonnegative", "auto", "Strength of L2 regularisation (weight decay).", _AUTO),
    _Record("l1", "nonnegative", "auto", "Strength of L1 regularisation.", _AUTO),
    _Record(
        "momentum", "decay", "auto", "Share of the previous update in each update.", _AUTO, auto="0", only=("sgd",)
    ),
    _Record("learning_rate", "positive", "auto", "Step size of the optimizer.", _AUTO),
    _Record("beta_1", "decay", "auto", "Decay rate of the mean of gradients.", _AUTO, auto="0.9", only=("adam",)),
    _Record(
        "beta_2", "decay", "auto", "Decay rate of the mean of squared gradients.", _AUTO, auto="0.999", only=("adam",)
    ),
    _Record("bias_lr_mult", "positive", "auto", "Learning rate of the bias as a multiple of learning_rate.", _AUTO),
    _Record(
        "bias_wd_mult",
        "nonnegative",
        "auto",
        "L2 strength of the bias as a multiple of wd; auto is 0.",
        _AUTO,
        auto="0",
    ),
    _Record("use_lr_scheduler", "flag", "true", "Whether the learning rate decreases during training."),
    _Record("lr_scheduler_step", "count", "auto", "Mini-batches between two decreases of the learning rate.", _AUTO),
    _Record("lr_scheduler_factor", "share", "auto", "Factor of each decrease of the learning rate.", _AUTO),
    _Record(
        "lr_scheduler_minimum_lr", "positive", "auto", "Lower bound of the learning rate while it decreases.", _AUTO
    ),
    _Record(
        "positive_example_weight_mult",
        "positive",
        "1.0",
        "Weight of a positive row, while a negative one weighs 1; balanced makes both classes count equally.",
        ("balanced", AUTO),
        auto=AUTO,
        only=_BINARY,
    ),
    _Record(
        "balance_multiclass_weights", "flag", "false", "Whether classes weigh the same in the loss.", only=_MULTICLASS
    ),
    _Record(
        "normalize_data", "flag", "true", "Whether features are scaled to standard deviation 1.", _AUTO, auto="true"
    ),
    _Record(
        "normalize_label",
        "flag",
        "auto",
        "Whether labels are scaled to standard deviation 1; auto is true.",
        _AUTO,
        auto="true",
        only=_REGRESSOR,
    ),
    _Record(
        "unbias_data",
        "flag",
        "auto",
        "Whether features are shifted to a mean of 0; auto leaves sparse data as they are.",
        _AUTO,
    ),
    _Record(
        "unbias_label",
        "flag",
        "auto",
        "Whether labels are shifted to a mean of 0; auto is true.",
        _AUTO,
        auto="true",
        only=_REGRESSOR,
    ),
    _Record(
        "num_point_for_scaler", "count", "10000", "Rows from which the means and standard deviations are computed."
    ),
    _Record("_kvstore", "text", "auto", "MXNet's store that hosts share weights through."),
    _Record("_num_gpus", "whole", "auto", "Number of GPUs per host.", _AUTO),
    _Record("_num_kv_servers", "whole", "auto", "Number of servers of MXNet's store.", _AUTO),
    _Record("_log_level", "word", "info", "Least severe level of the log.", _LOG_LEVELS),
    _Record("_tuning_objective_metric", "text", "", "Metric of the tuning job; in one, a job trains a single model."),
    _Record("early_stopping_patience", "count", "3", "Epochs in a row without improvement that training tolerates."),
    _Record("early_stopping_tolerance", "positive", "0.001", "Smallest relative improvement of an epoch that counts."),
    _Record("_enable_profiler", "flag", "false", "Whether the container measures its own run time."),
)

HYPERPARAMETERS = {record.name: record for record in _RECORDS}
"""Every hyperparameter by name, in the order in which the container prints their defaults."""


def aws_defaults() -> dict[str, str]:
    """Return the defaults that the container prints, in its order."""
    return {
        name: record.default for name, record in HYPERPARAMETERS.items() if record.on_aws and record.default is not None
    }


def not_on_aws(values: Mapping[str, str]) -> list[str]:
    """Return the settings that AWS does not have, such as ``loss=log_cosh``.

    Args:
        values: hyperparameters by known name.
    """
    return [
        f"{name}={value}"
        for name, value in values.items()
        if not HYPERPARAMETERS[name].on_aws or value in HYPERPARAMETERS[name].extra_words
    ]

"""The container's defaults, the check of the customer's values, and their typed form."""

from __future__ import annotations

import re
import typing

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from asteroid_ll.linear_learner.hyperparameters import (
    HYPERPARAMETERS,
    LOSSES,
    PREDICTOR_TYPES,
    ClientError,
    HyperparameterRecord,
    Hyperparameters,
    aws_defaults,
    losses_of,
    merge,
    parse,
)
from asteroid_ll.linear_learner.losses import CLASSES

BINARY = {"predictor_type": "binary_classifier"}


def test_the_container_accepts_its_own_defaults() -> None:
    parse({**aws_defaults(), **BINARY})


def test_the_final_configuration_keeps_the_containers_order_and_ends_with_predictor_type() -> None:
    merged = merge({"predictor_type": "regressor", "mini_batch_size": "32"})
    assert list(merged) == [*aws_defaults(), "predictor_type"]
    assert merged["mini_batch_size"] == "32"


def test_each_description_is_one_sentence_and_what_it_applies_to_exists() -> None:
    users = {*PREDICTOR_TYPES, *CLASSES, *HYPERPARAMETERS["optimizer"].words}
    for name, record in HYPERPARAMETERS.items():
        assert record.description.endswith("."), name
        assert ". " not in record.description, name
        assert set(record.only) <= users, name
    assert set(LOSSES) == set(CLASSES)
    assert HYPERPARAMETERS["beta_1"].meaning == "Decay rate of the mean of gradients. Only for adam."


@pytest.mark.parametrize(("name", "record"), HYPERPARAMETERS.items())
def test_each_field_has_the_type_that_the_table_names(name: str, record: HyperparameterRecord) -> None:
    numbers = {"word": "", "flag": "", "count": "7", "whole": "7"}
    values = [*record.choices, numbers.get(record.kind, "0.5")]
    field = TypeAdapter(typing.get_type_hints(Hyperparameters)[name])
    for value in filter(None, values):
        typed = record.parse(value)
        if (name, value) != ("loss", "auto"):  # resolved before the typed value is made
            assert field.validate_python(typed, strict=True) == typed


def test_an_unknown_name_is_refused_in_the_containers_words() -> None:
    with pytest.raises(ClientError) as caught:
        parse({**BINARY, "mini_batch_siz": "10"})
    assert str(caught.value) == "Additional properties are not allowed ('mini_batch_siz' was unexpected)"


def test_several_unknown_names_are_refused_together() -> None:
    with pytest.raises(ClientError, match=r"\('a', 'b' were unexpected\)"):
        parse({**BINARY, "a": "1", "b": "1"})


def test_a_bad_value_is_refused_in_the_containers_words_with_the_schema() -> None:
    with pytest.raises(ClientError) as caught:
        parse({**BINARY, "feature_dim": "abc"})
    assert str(caught.value) == (
        "'abc' is not valid under any of the given schemas\n\n"
        "Failed validating 'oneOf' in schema['properties']['feature_dim']:\n"
        "    {'oneOf': [{'enum': ['auto'], 'type': 'string'},\n"
        "               {'pattern': '^([1-9][0-9]*)$', 'type': 'string'}]}\n\n"
        "On instance['feature_dim']:\n    'abc'"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_dim", "0"),
        ("feature_dim", "3.0"),
        ("feature_dim", "3\n"),
        ("mini_batch_size", "auto"),
        ("mini_batch_size", "-1"),
        ("epochs", ""),
        ("epochs", "1e3"),
        ("num_models", "0"),
        ("num_classes", "x"),
        ("use_bias", "TRUE"),
        ("use_bias", "auto"),
        ("loss", "log"),
        ("optimizer", "adagrad"),
        ("learning_rate", "0"),
        ("learning_rate", "nan"),
        ("learning_rate", "inf"),
        ("learning_rate", "1e400"),
        ("wd", "-1"),
        ("l1", "-0.5"),
        ("momentum", "1"),
        ("beta_1", "1.0"),
        ("beta_2", "-0.1"),
        ("bias_lr_mult", "0"),
        ("bias_wd_mult", "-1"),
        ("lr_scheduler_step", "0"),
        ("lr_scheduler_factor", "1"),
        ("lr_scheduler_factor", "0"),
        ("lr_scheduler_minimum_lr", "0"),
        ("normalize_data", "yes"),
        ("num_point_for_scaler", "0"),
        ("init_method", "xavier"),
        ("init_scale", "0"),
        ("init_sigma", "-1"),
        ("init_bias", "auto"),
        ("early_stopping_patience", "0"),
        ("early_stopping_tolerance", "0"),
        ("binary_classifier_model_selection_criteria", "auc"),
        ("target_recall", "1"),
        ("target_precision", "0"),
        ("f_beta", "0"),
        ("positive_example_weight_mult", "0"),
        ("positive_example_weight_mult", "balance"),
        ("balance_multiclass_weights", "auto"),
        ("accuracy_top_k", "0"),
        ("num_calibration_samples", "0"),
        ("margin", "-1"),
        ("quantile", "1"),
        ("loss_insensitivity", "0"),
        ("huber_delta", "-0.1"),
        ("predictor_type", "classifier"),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse({**BINARY, name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


def test_a_value_that_is_no_string_is_refused() -> None:
    with pytest.raises(ClientError, match="10 is not of type 'string'"):
        parse({**BINARY, "epochs": 10})  # type: ignore[dict-item]


def test_predictor_type_is_required() -> None:
    with pytest.raises(ClientError, match="'predictor_type' is a required property"):
        parse({"mini_batch_size": "10"})


@pytest.mark.parametrize("predictor_type", PREDICTOR_TYPES)
def test_a_loss_belongs_to_its_predictor_type(predictor_type: str) -> None:
    base = {"predictor_type": predictor_type, "num_classes": "3"}
    assert parse(base).loss == losses_of(predictor_type)[0]
    for owner in PREDICTOR_TYPES:
        for loss in losses_of(owner):
            if owner == predictor_type:
                assert parse({**base, "loss": loss}).loss == loss
            else:
                with pytest.raises(ClientError, match="is not applicable to predictor_type"):
                    parse({**base, "loss": loss})


@pytest.mark.parametrize("num_classes", ["1", "2"])
def test_multiclass_needs_three_classes(num_classes: str) -> None:
    with pytest.raises(ClientError, match="should be set to a value greater than 2"):
        parse({"predictor_type": "multiclass_classifier", "num_classes": num_classes})


def test_a_tuning_job_trains_one_model_whatever_num_models_says() -> None:
    values = {**BINARY, "num_models": "32", "_tuning_objective_metric": "validation:objective_loss"}
    assert parse(values).num_models == 1


@pytest.mark.parametrize("name", [name for name, record in HYPERPARAMETERS.items() if record.kind == "flag"])
def test_a_flag_may_be_written_as_python_writes_it(name: str) -> None:
    record = HYPERPARAMETERS[name]
    for text, value in (("True", True), ("False", False), ("true", True), ("false", False)):
        assert merge({**BINARY, name: text})[name] == text
        assert record.parse(text) is value


@pytest.mark.parametrize(
    ("old", "new"), [("f1", "f_beta"), ("cross_entropy_loss", "loss_function"), ("accuracy", "accuracy")]
)
def test_the_names_of_2017_still_name_a_selection_criterion(old: str, new: str) -> None:
    hyperparameters = parse({**BINARY, "binary_classifier_model_selection_criteria": old})
    assert hyperparameters.binary_classifier_model_selection_criteria == new


def test_labels_are_scaled_for_regressors_alone() -> None:
    regressor = parse({"predictor_type": "regressor"})
    assert (regressor.normalize_label, regressor.unbias_label) == (True, True)
    asked = {"normalize_label": "true", "unbias_label": "true"}
    classifier = parse({**BINARY, **asked})
    assert (classifier.normalize_label, classifier.unbias_label) == (False, False)
    plain = parse({"predictor_type": "regressor", "normalize_label": "false", "unbias_label": "false"})
    assert (plain.normalize_label, plain.unbias_label) == (False, False)


def test_nothing_is_unbiased_without_a_bias() -> None:
    without = parse({"predictor_type": "regressor", "use_bias": "false", "unbias_data": "true", "unbias_label": "true"})
    assert without.unbias_data is False
    assert without.unbias_label is False
    assert parse({"predictor_type": "regressor"}).unbias_data is None


@given(st.floats(min_value=1e-30, max_value=1e30))
def test_any_way_to_write_a_positive_number_is_read(value: float) -> None:
    assert parse({**BINARY, "learning_rate": repr(value)}).learning_rate == value


@given(st.text(max_size=8))
def test_no_text_that_is_no_number_is_read_as_one(value: str) -> None:
    assume(not re.fullmatch(r"[-+]?(\d+[.]?\d*|[.]\d+)(e[-+]?\d+)?", value, re.ASCII | re.IGNORECASE))
    for name in ("learning_rate", "f_beta", "epochs", "loss", "use_bias"):
        assume(value not in HYPERPARAMETERS[name].choices)
        with pytest.raises(ClientError, match=name):
            parse({**BINARY, name: value})

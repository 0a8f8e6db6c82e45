"""The table of hyperparameters and losses, and what AWS does not have."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from asteroid_ll.linear_learner import losses, spec
from asteroid_ll.linear_learner.errors import ClientError
from asteroid_ll.linear_learner.hyperparameters import merge, parse
from asteroid_ll.linear_learner.losses import Absolute
from asteroid_ll.linear_learner.records import HyperparameterRecord, LossRecord
from asteroid_ll.linear_learner.spec import HYPERPARAMETERS, LOSSES, PREDICTOR_TYPES, aws_defaults, not_on_aws
from asteroid_ll.linear_learner.training import train

REGRESSOR = {"predictor_type": "regressor"}
EXTRA = {**REGRESSOR, "loss": "log_cosh", "shuffle": "true"}


class LogCosh(Absolute):
    """A stand-in for a loss that AWS does not have."""

    objective_name = "log_cosh_objective"


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with a loss and a hyperparameter that AWS does not have."""
    monkeypatch.setitem(LOSSES, "log_cosh", LossRecord("log_cosh", "regressor", on_aws=False))
    monkeypatch.setitem(losses.CLASSES, "log_cosh", LogCosh)
    loss = dataclasses.replace(HYPERPARAMETERS["loss"], extra_words=("log_cosh",))
    monkeypatch.setitem(HYPERPARAMETERS, "loss", loss)
    shuffle = HyperparameterRecord("shuffle", "flag", "false", "Whether rows are shuffled.", on_aws=False)
    monkeypatch.setitem(HYPERPARAMETERS, "shuffle", shuffle)


def test_every_loss_has_a_class_and_every_class_a_record() -> None:
    assert set(LOSSES) == set(losses.CLASSES)


def test_every_default_is_of_an_accepted_form() -> None:
    for record in HYPERPARAMETERS.values():
        if record.default is not None:
            record.check(record.default)


def test_every_description_is_one_sentence_that_does_not_repeat_the_name() -> None:
    for name, record in HYPERPARAMETERS.items():
        assert record.description.endswith("."), name
        assert ". " not in record.description, name
        assert record.description.rstrip(".") != name


def test_what_a_record_applies_to_exists() -> None:
    users = {*PREDICTOR_TYPES, *LOSSES, *HYPERPARAMETERS["optimizer"].words}
    assert all(set(record.only) <= users for record in HYPERPARAMETERS.values())


def test_the_meaning_names_what_uses_a_hyperparameter() -> None:
    assert HYPERPARAMETERS["epochs"].meaning == HYPERPARAMETERS["epochs"].description
    assert HYPERPARAMETERS["beta_1"].meaning == "Decay rate of the mean of gradients. Only for adam."


@pytest.mark.usefixtures("extended")
def test_the_engine_trains_a_loss_that_aws_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(HYPERPARAMETERS, "shuffle")
    features = np.arange(8, dtype=np.float32).reshape(-1, 1)
    values = {**REGRESSOR, "loss": "log_cosh", "mini_batch_size": "4", "epochs": "1", "num_models": "1"}
    result = train(features, features[:, 0], values)
    assert result.model.loss == "log_cosh"
    assert result.objective_name == "log_cosh_objective"
    assert result.model.predict(features).score.shape == (8,)


@pytest.mark.usefixtures("extended")
def test_the_containers_texts_list_only_the_values_of_aws() -> None:
    assert "shuffle" not in aws_defaults()
    assert "shuffle" not in merge({**REGRESSOR, "loss": "log_cosh"})
    assert merge(EXTRA)["shuffle"] == "true"
    for refused in ("nonsense", "logistic"):
        with pytest.raises(ClientError) as caught:
            parse({**REGRESSOR, "loss": refused})
        assert "huber_loss" in str(caught.value)
        assert "log_cosh" not in str(caught.value)


@pytest.mark.usefixtures("extended")
def test_settings_that_aws_does_not_have_are_listed() -> None:
    assert not_on_aws({**REGRESSOR, "loss": "squared_loss"}) == []
    assert not_on_aws(EXTRA) == ["loss=log_cosh", "shuffle=true"]


def test_the_default_of_each_predictor_type_is_a_loss_of_aws() -> None:
    for predictor_type in PREDICTOR_TYPES:
        assert LOSSES[spec.losses_of(predictor_type)[0]].on_aws

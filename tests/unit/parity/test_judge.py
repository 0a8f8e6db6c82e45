"""A job equals its own log, and each way to spoil a part of it is found, with the right cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.errors import AsteroidError
from asteroid_ll.parity.job import Channel, Job
from asteroid_ll.parity.judge import Judge, Parity
from asteroid_ll.parity.rerun import run_again

Make = Callable[..., Any]


def kinds_of(judged: Parity) -> list[str]:
    return [cause.kind for cause in judged.causes]


def different(judged: Parity) -> set[str]:
    return {kind for kind, item in judged.numbers.items() if item.count("different")}


@pytest.mark.parametrize(("kind", "validated"), [("regressor", True), ("binary", False), ("multiclass", False)])
def test_a_job_equals_its_own_log_and_artifact_bit_for_bit_in_one_run(make: Make, kind: str, validated: bool) -> None:
    made = make(kind, validated=validated)
    judged = made.judge(artifact=made.artifact)
    assert (judged.verdict, judged.causes, judged.n_runs) == ("equal", (), 1)
    assert judged.generation == {"regressor": "2021", "binary": "2025", "multiclass": "2022"}[kind]
    assert {fact.verdict for fact in judged.facts} == {"equal"}
    assert all(item.difference.max() == 0 for item in judged.numbers.values())
    assert judged.n_numbers > made.log.count('"model"')
    assert {"weight", "bias", "threshold", "loss/train", "count"} <= set(judged.numbers)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_one_changed_loss_is_the_only_difference_and_contradicts_the_log(make: Make, part: str) -> None:
    made = make("regressor", validated=True)
    by = 1e-4 if part == "train" else 1e-2
    judged = made.judge(log=made.with_loss(part, epoch=2, model=3, by=by))
    assert different(judged) == {f"loss/{part}"}
    assert judged.count("different") == 1
    assert kinds_of(judged) == ["contradiction"]
    assert f"loss {part}, epoch 2, model 3" in judged.causes[0].text


def test_a_changed_label_shows_in_the_moments_of_a_regressor(make: Make) -> None:
    made = make("regressor", validated=True)
    rows = made.rows()
    rows[17, 0] += 30
    made.write_rows(rows)
    judged = made.judge()
    assert kinds_of(judged) == ["labels"]
    assert judged.causes[0].is_proven
    assert judged.numbers["mean"].count("different") == 0


def test_a_flipped_label_shows_in_the_counts_that_a_binary_classifiers_scores_imply(make: Make) -> None:
    made = make("binary")
    rows = made.rows()
    n_positive = int(rows[:, 0].sum())
    rows[17, 0] = 1 - rows[17, 0]
    made.write_rows(rows)
    judged = made.judge()
    assert kinds_of(judged) == ["labels"]
    assert f"the job had {n_positive} positive rows" in judged.causes[0].text


@pytest.mark.parametrize(("kind", "cause"), [("binary", "order"), ("multiclass", "rows")])
def test_two_swapped_rows_change_the_losses_and_leave_the_moments(make: Make, kind: str, cause: str) -> None:
    made = make(kind)
    rows = made.rows()
    rows[[3, 100]] = rows[[100, 3]]
    made.write_rows(rows)
    judged = made.judge()
    assert judged.numbers["loss/train"].count("different") > 8
    assert kinds_of(judged) == [cause]
    assert "another order" in judged.causes[0].text
    assert not judged.causes[0].is_proven


def test_two_rows_that_swap_their_places_in_one_mini_batch_are_the_same_job(make: Make) -> None:
    made = make("regressor")
    rows = made.rows()
    rows[[0, 14]] = rows[[14, 0]]
    made.write_rows(rows)
    assert made.judge().is_equal


def test_a_changed_feature_is_named_by_its_column(make: Make) -> None:
    made = make("binary", validated=True)
    rows = made.rows()
    rows[40, 1 + 2] += 1
    made.write_rows(rows)
    judged = made.judge()
    assert kinds_of(judged) == ["features"]
    assert "column 2 " in judged.causes[0].text


def test_a_missing_row_is_counted(make: Make) -> None:
    made = make("binary")
    made.write_rows(made.rows()[:-1])
    judged = made.judge()
    assert kinds_of(judged) == ["rows"]
    assert judged.causes[0].text == "The job read 150 rows of train in an epoch, and the channel has 149."


def test_other_rows_of_validation_leave_every_train_loss(make: Make) -> None:
    made = make("binary", validated=True)
    rows = made.rows("validation")
    rows[9, 0] = 1 - rows[9, 0]
    made.write_rows(rows, "validation")
    judged = made.judge()
    assert judged.numbers["loss/train"].count("different") == 0
    assert kinds_of(judged) == ["validation"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("learning_rate", "0.03", "the default learning_rate"),
        ("mini_batch_size", "30", "10 mini-batches, and mini_batch_size gives 5"),
        ("epochs", "3", "at most 4 epochs"),
        ("normalize_data", "false", "normalize_data differs"),
        ("optimizer", "sgd", "optimizer differs"),
    ],
)
def test_a_log_with_another_hyperparameter_than_the_jobs_is_found_out(
    make: Make, name: str, value: str, says: str
) -> None:
    made = make("regressor")
    judged = made.judge(log=made.with_setting(name, value))
    assert not judged.is_equal
    cause = judged.causes[0]
    assert (cause.kind, cause.is_proven) == ("hyperparameter", True)
    assert says in cause.text


def test_an_untrue_value_of_the_base_model_is_narrowed_down_to_its_hyperparameters(make: Make) -> None:
    made = make("regressor", wd="0.5")
    judged = made.judge(log=made.with_setting("wd", "0.4"))
    assert kinds_of(judged) == ["hyperparameter"]
    assert not judged.causes[0].is_proven
    assert "Only model 0 differs" in judged.causes[0].text


def test_a_description_that_is_not_the_logs_is_different_even_if_the_numbers_are_equal(make: Make) -> None:
    made = make("binary")
    provided = {"predictor_type": "binary_classifier", "mini_batch_size": "15.0", "epochs": "4"}
    provided |= {"num_models": "4", "quantile": "0.9"}
    judged = made.judge(hyperparameters=provided)
    assert judged.count("different") == 0
    assert not judged.is_equal
    (cause,) = judged.causes
    assert cause.text == "The job's description has quantile 0.9, and its log has no quantile."


def test_settings_that_contradict_each_other_within_a_log_are_shown(make: Make) -> None:
    made = make("binary")
    judged = made.judge(log=made.with_setting("epochs", "5", final=False))
    assert kinds_of(judged) == ["contradiction"]


def test_another_default_of_the_container_is_an_alarm(make: Make) -> None:
    made = make("binary")
    judged = made.judge(log=made.log.replace("'beta_1': 'auto'", "'beta_1': '0.95'"))
    assert kinds_of(judged) == ["container"]
    assert "beta_1 0.95" in judged.causes[0].text


def test_an_unknown_version_of_python_is_noted(make: Make) -> None:
    made = make("binary")
    judged = made.judge(log=made.log.replace("/python3.8/", "/python3.12/"))
    assert judged.is_equal
    assert judged.generation is None
    assert any("Python 3.12" in note for note in judged.notes)


def test_a_log_that_is_cut_is_equal_as_far_as_it_goes_and_not_complete(make: Make) -> None:
    made = make("regressor", validated=True)
    lines = made.log.split("\n")
    middle = next(number for number, line in enumerate(lines) if '"epoch": 2, "model": 3' in line)
    judged = made.judge(log="\n".join(lines[:middle]))
    assert kinds_of(judged) == ["cut"]
    assert different(judged) == set()
    assert judged.numbers["loss/train"].count("equal") == 2 * 4 + 3
    assert judged.n_runs == 1


def test_decisions_that_do_not_follow_from_the_losses_contradict_the_log(make: Make) -> None:
    made = make("regressor", validated=True)
    kept = max(int(epoch) for epoch in re.findall(r"Epoch (\d+): Loss improved", made.log))
    judged = made.judge(log=made.log.replace(f"Epoch {kept}: Loss improved", "Epoch 0: Loss improved"))
    assert kinds_of(judged) == ["contradiction"]
    assert f"epoch {kept} is kept" in judged.causes[0].text


def test_a_model_of_another_job_is_not_this_jobs(make: Make, tmp_path: Path) -> None:
    made = make("regressor")
    trained = run_again(
        made.job(),
        {"predictor_type": "regressor", "mini_batch_size": "30", "num_models": "1", "epochs": "1"},
        generation=_newest(),
        on_line=lambda _: None,
    )
    path = tmp_path / "other.tar.gz"
    _write(trained.model, path)
    judged = made.judge(artifact=path)
    assert kinds_of(judged) == ["artifact"]
    assert different(judged) == {"weight", "bias"}
    narrow = trained.model.arrays["fc0_weight"][:3]
    trained.model.arrays["fc0_weight"] = narrow
    _write(trained.model, path)
    judged = made.judge(artifact=path)
    assert kinds_of(judged) == ["artifact"]
    assert "its weights are 3 x 1, and the job's 4 x 1" in judged.causes[0].text


def _newest() -> Any:
    from asteroid_ll.linear_learner.images import NEWEST

    return NEWEST


def _write(model: Any, path: Path) -> None:
    from asteroid_ll.linear_learner.artifact import write

    write(model, path)


def chaotic_rows() -> np.ndarray[Any, Any]:
    """Rows whose features are mostly constant, on which a learning rate of 0.1 amplifies rounding."""
    draw = np.random.default_rng(3)
    features = np.zeros((600, 30))
    features[:, :4] = draw.normal(size=(600, 4))
    for column in range(4, 30):
        features[draw.integers(0, 600, 4), column] = draw.integers(1, 200, 4)
    labels = features[:, 0] + 2 * features[:, 1] + draw.normal(size=600)
    return np.column_stack([labels, features]).astype(np.float32)


def test_rounding_that_a_chaotic_model_amplifies_has_drifted_and_a_change_is_still_found(
    make: Make,
) -> None:
    made = make("regressor")
    made.write_rows(chaotic_rows())
    # Weights that begin four units in the last place away stand for the rounding of another processor.
    hyperparameters = {"predictor_type": "regressor", "mini_batch_size": "10", "epochs": "8"}
    nudged = run_again(
        made.job(), {**hyperparameters, "init_scale": "0.07000003"}, generation=_newest(), on_line=lambda _: None
    )
    log = nudged.log.replace(", 'init_scale': '0.07000003'", "", 1).replace("0.07000003", "0.07")
    judged = made.judge(log=log)
    assert judged.verdict == "drifted"
    assert judged.n_runs == 3
    drifted = {int(index[1]) for index in judged.numbers["loss/train"].where("drifted")}
    assert drifted
    assert all(model // 4 % 2 for model in drifted), "only models with a learning rate of 0.1"
    rows = made.rows()
    rows[0, 0] += 1
    made.write_rows(rows)
    assert kinds_of(made.judge(log=log)) == ["labels"]


def test_a_job_on_two_hosts_is_run_on_two_hosts(make: Make, tmp_path: Path) -> None:
    made = make("binary", validated=True)
    folder = tmp_path / "shards"
    folder.mkdir()
    (path,) = (made.root / "input" / "data" / "train").iterdir()
    for number in range(3):
        (folder / f"part-{number}").write_bytes(path.read_bytes())
    channels = {**made.job().channels, "train": Channel(folder, None, is_sharded=True)}
    hyperparameters = {"predictor_type": "binary_classifier", "mini_batch_size": "15", "epochs": "2"}
    job = Job("two", "", channels, n_hosts=2)
    log = run_again(job, hyperparameters, generation=_newest(), on_line=lambda _: None).log
    merged = "\n".join(part for line in log.split("\n") for part in (line, line.replace("algo-1", "algo-2")))
    judged = Judge(Job("two", merged, channels, n_hosts=2), progress=lambda _: None).judge()
    assert judged.verdict == "equal"
    other = {**channels, "train": Channel(folder, None, is_sharded=False)}
    judged = Judge(Job("two", merged, other, n_hosts=2), progress=lambda _: None).judge()
    assert kinds_of(judged) == ["rows"]
    with pytest.raises(AsteroidError, match="on several hosts"):
        Judge(Job("two", merged, channels), progress=lambda _: None).judge()


def test_a_failed_job_that_fails_here_for_the_same_reason_is_equal(make: Make) -> None:
    made = make("regressor")
    (path,) = (made.root / "input" / "data" / "train").iterdir()
    path.write_text("a,b\n1,2\n")
    failed = run_again(made.job(), {"predictor_type": "regressor"}, generation=_newest(), on_line=lambda _: None)
    judged = made.judge(log=failed.log)
    assert judged.verdict == "equal"
    assert judged.sentence().startswith("Equal: the job fails here too, for the same reason: Unable to parse csv")
    assert kinds_of(made.judge()) == ["failure"]
    path.write_text("1,2\n" * 1000)
    judged = made.judge(log=failed.log)
    assert kinds_of(judged) == ["failure"]
    assert not judged.is_equal


KMEANS = '#metrics {"Dimensions": {"Algorithm": "AWS/KMeansWebscale", "epoch": 0}, "Metrics": {"x": {"sum": 1}}}'


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (KMEANS, "The log is of another algorithm, AWS/KMeansWebscale, and not of Linear Learner."),
        ("[0]#011train-rmse:1.2", "The log has no losses of models"),
        (
            '#metrics {"Dimensions": {"epoch": 0, "model": 0}, "Metrics": {"train_mse_objective": {"sum": 1}}}',
            "hyperpar",
        ),
    ],
    ids=["kmeans", "xgboost", "without-its-head"],
)
def test_a_log_of_something_else_is_refused_in_one_sentence(make: Make, log: str, says: str) -> None:
    with pytest.raises(AsteroidError, match=re.escape(says)) as refused:
        make("regressor").judge(log=log)
    assert refused.value.exit_code == 3
    assert refused.value.hint


def test_a_channel_too_few_or_too_many_is_named(make: Make) -> None:
    made = make("regressor", validated=True)
    job = made.job()
    without = {"train": job.channels["train"]}
    with pytest.raises(AsteroidError, match="had a channel validation, and none is given"):
        made.judge(channels=without)
    log = Judge(made.job(channels=without, log=_train_only(made)), progress=lambda _: None)
    assert log.judge().is_equal
    with pytest.raises(AsteroidError, match="had no channel validation, and one is given"):
        made.judge(log=_train_only(made))


def _train_only(made: Any) -> str:
    job = made.job()
    hyperparameters = {"predictor_type": "regressor", "mini_batch_size": "15", "epochs": "2"}
    train = Job("train", "", {"train": job.channels["train"]})
    return run_again(train, hyperparameters, generation=_newest(), on_line=lambda _: None).log

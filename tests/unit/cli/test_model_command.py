"""``model show`` and ``model export`` over a run directory as the train stage leaves it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from asteroid_ll.cli.model import model
from asteroid_ll.errors import DataError
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.linear_learner import container
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train
from asteroid_ll.neo.features import FittedFeatures

RNG = np.random.default_rng(1)
FEATURES = RNG.normal(size=(200, 5)).astype(np.float32) * np.array([1, 10, 100, 1, 1], np.float32)
VALUES = (FEATURES @ np.array([1, -0.2, 0.03, 0, 0], np.float32)).astype(np.float32)
KNOTS = {"absolute_magnitude_mag": (18.0, 20.0, 22.0), "moid_au": (0.01, 0.05, 0.1, 0.2)}
COLUMNS = tuple(f"{name}_ramp_{i:02d}" for name, knots in KNOTS.items() for i in range(len(knots) - 1))
SPLINE = FittedFeatures("spline", ("absolute_magnitude_mag", "moid_au"), COLUMNS, KNOTS)
PHYSICS = FittedFeatures("physics", ("absolute_magnitude_mag", "moid_au"), tuple("abcde"))


@pytest.fixture
def run_directory(tmp_path):
    """Train through the container into a run directory; gives what training knew."""

    def make(predictor_type="binary_classifier", *, fitted=SPLINE, **more):

        labels = {
            "regressor": VALUES,
            "binary_classifier": (VALUES > 0).astype(np.float32),
            "multiclass_classifier": np.digitize(VALUES, [-1, 1]).astype(np.float32),
        }[predictor_type]
        values = {"predictor_type": predictor_type, "mini_batch_size": "20", "epochs": "4", **more}
        job, lines = tmp_path / "job", []
        (job / "input/config").mkdir(parents=True)
        (job / "input/config/hyperparameters.json").write_text(json.dumps(values))
        (job / "input/config/inputdataconfig.json").write_text('{"train": {}, "validation": {}}')
        for name in ("train", "validation"):
            write_shards(
                job / "input/data" / name, "part", lambda *_: [(FEATURES, labels)], n_rows=len(FEATURES), n_shards=1
            )
        assert container.run(job, write=lines.append) == 0
        workdir = tmp_path / "run"
        (workdir / "train").mkdir(parents=True)
        Model.load(job / "model/model_algo-1").save(workdir / "train/model.tar.gz")
        (workdir / "train/job.log").write_text("\n".join(lines))
        if fitted is not None:
            (workdir / "encode").mkdir()
            (workdir / "encode/features.json").write_text(json.dumps(fitted.to_json()))
        return workdir, train(FEATURES, labels, values, validation=(FEATURES, labels))

    return make


def invoke(*arguments):
    result = CliRunner().invoke(model, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_json_has_every_weight_in_both_units_and_the_whole_grid(run_directory):
    workdir, training = run_directory()
    found = json.loads(invoke("show", "--json", "--workdir", workdir))["model"]
    weights = np.array([feature["weight"] for feature in found["features"]])
    np.testing.assert_array_equal(weights, training.model.weight)
    standardised = np.array([feature["standardised"] for feature in found["features"]])
    np.testing.assert_allclose(standardised[:, 0], weights[:, 0] * training.scaler.std_features, rtol=1e-5)
    assert found["bias"] == training.model.bias.tolist()
    assert found["threshold"] == training.model.threshold
    assert [item["number"] for item in found["grid"] if item["exported"]] == [training.best_index]
    losses = {item["number"]: item["validation_objective"] for item in found["grid"]}
    assert [losses[n] for n in range(32)] == training.validation_objective[training.best_epoch].tolist()
    assert list(losses.values()) == sorted(losses.values())
    settings = {item["number"]: item["hyperparameters"] for item in found["grid"]}
    assert settings[training.best_index] == training.best_hyperparameters


def test_a_regressors_standardised_weights_are_in_standard_deviations_of_the_label(run_directory):
    workdir, training = run_directory("regressor", fitted=PHYSICS)
    found = json.loads(invoke("show", "--json", "--workdir", workdir))["model"]
    expected = training.model.weight[:, 0] * training.scaler.std_features / training.scaler.std_label
    np.testing.assert_allclose([f["standardised"][0] for f in found["features"]], expected, rtol=1e-5)
    assert found["threshold"] is None


def test_ramps_are_grouped_by_variable_with_their_knots(run_directory):
    workdir, training = run_directory()
    text = invoke("show", "--workdir", workdir)
    weight = training.model.weight[:, 0]
    assert f"absolute_magnitude_mag: 2 ramps, {weight[:2].sum():+.4g} from 18 to 22" in text
    assert f"moid_au: 3 ramps, {weight[2:].sum():+.4g} from 0.01 to 0.2" in text
    assert text.index("absolute_magnitude_mag") < text.index("moid_au")
    row = next(line.split() for line in text.splitlines() if line.split()[:2] == ["0.05", "0.1"])
    assert float(row[2]) == pytest.approx(weight[3], rel=1e-3)


def test_the_exported_model_is_marked_and_shown_wherever_it_ranks(run_directory):
    workdir, training = run_directory()
    text = invoke("show", "--workdir", workdir)
    assert f"\n{training.best_index}*" in text
    assert "models, those with the smallest loss; --all shows all of them" in text
    assert len(invoke("show", "--all", "--workdir", workdir).splitlines()) > len(text.splitlines())


def test_multiclass_models_have_a_column_a_class(run_directory):
    workdir, _ = run_directory("multiclass_classifier", fitted=PHYSICS, num_classes="3", num_models="3")
    text = invoke("show", "--workdir", workdir)
    head = next(line.split() for line in text.splitlines() if line.startswith("feature "))
    assert " ".join(head) == "feature weight 0 weight 1 weight 2 per sd 0 per sd 1 per sd 2"
    assert "threshold" not in text


def test_an_artifact_alone_is_shown_with_numbered_features(run_directory):
    workdir, _ = run_directory("regressor")
    text = invoke("show", "--artifact", workdir / "train/model.tar.gz")
    assert "f4" in text
    assert "standardised" not in text
    assert "grid" not in text
    assert "standardised" in invoke(
        "show", "--artifact", workdir / "train/model.tar.gz", "--log", workdir / "train/job.log"
    )


def test_what_is_missing_or_does_not_belong_together_is_named(run_directory, tmp_path):
    with pytest.raises(DataError, match="There is no model at"):
        invoke("show", "--workdir", tmp_path / "nowhere")
    workdir, _ = run_directory("regressor", fitted=FittedFeatures("physics", (), ("a", "b")))
    with pytest.raises(DataError, match="takes 5 features, but the fitted feature set has 2"):
        invoke("show", "--workdir", workdir)
    with pytest.raises(DataError, match="cannot be read"):
        invoke("show", "--artifact", workdir / "train/model.tar.gz", "--log", tmp_path / "nowhere")


def test_json_export_scores_the_same_with_a_few_lines(run_directory, tmp_path):
    workdir, training = run_directory()
    target = tmp_path / "model.json"
    said = json.loads(invoke("export", "--json", "--format", "json", "-o", target, "--workdir", workdir))
    assert said["bytes"] == target.stat().st_size
    found = json.loads(target.read_text())
    raw = FEATURES.astype(np.float64) @ np.array(found["weight"]) + found["bias"]
    score = 1 / (1 + np.exp(-raw[:, 0]))
    np.testing.assert_allclose(score, training.model.predict(FEATURES).score, atol=1e-5)
    assert FittedFeatures.from_json(found["features"]) == SPLINE
    assert (found["threshold"], found["predictor_type"]) == (training.model.threshold, "binary_classifier")

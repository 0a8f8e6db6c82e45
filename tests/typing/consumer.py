"""A project that uses asteroid_ll, as its type checker sees it. The lines are checked, not run."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import asteroid_ll
from asteroid_ll import (
    AsteroidError,
    AwsError,
    ConfigError,
    CredentialsError,
    DataError,
    Emulator,
    LeakError,
    LinearLearnerClassifier,
    LinearLearnerRegressor,
    Model,
    RunResult,
    load_config,
    run_all,
)

assert_type(asteroid_ll.__version__, str)
misspelled = asteroid_ll.Modell  # type: ignore[attr-defined]

features = np.ones((3, 2))

classifier = LinearLearnerClassifier(epochs=3, learning_rate="auto", positive_example_weight_mult="balanced")
assert_type(classifier, LinearLearnerClassifier)
assert_type(classifier.fit(features, [0, 1, 1], eval_set=(features, [0, 1, 1])), LinearLearnerClassifier)
assert_type(LinearLearnerClassifier.from_artifact("model.tar.gz"), LinearLearnerClassifier)
assert_type(classifier.epochs, int)
assert_type(classifier.predict(features), npt.NDArray[Any])
assert_type(classifier.predict_proba(features), npt.NDArray[np.float32])
assert_type(classifier.decision_function(features), npt.NDArray[np.float64])
assert_type(classifier.classes_, npt.NDArray[Any])
assert_type(classifier.coef_, npt.NDArray[np.float32])
assert_type(classifier.intercept_, npt.NDArray[np.float32])
assert_type(classifier.n_features_in_, int)
assert_type(classifier.feature_names_in_, npt.NDArray[np.object_])
assert_type(classifier.training_.train_objective, npt.NDArray[np.float64])
assert_type(classifier.training_.validation_objective, npt.NDArray[np.float64] | None)
assert_type(classifier.training_.best_epoch, int)
assert_type(classifier.model_, Model)
classifier.to_artifact(Path("model.tar.gz"))
LinearLearnerClassifier(epochs="3")  # type: ignore[arg-type]

regressor = LinearLearnerRegressor(loss="quantile_loss", quantile=0.9)
assert_type(regressor.fit(features, [1.0, 2.0, 3.0]), LinearLearnerRegressor)
assert_type(LinearLearnerRegressor.from_artifact(Path("model.tar.gz")), LinearLearnerRegressor)
assert_type(regressor.predict(features), npt.NDArray[np.float32])
assert_type(regressor.coef_, npt.NDArray[np.float32])
assert_type(regressor.intercept_, float)
LinearLearnerRegressor(quantile="half")  # type: ignore[arg-type]

model = Model.load("model.tar.gz")
assert_type(model, Model)
assert_type(model.weight, npt.NDArray[np.float32])
assert_type(model.raw_scores(features), npt.NDArray[np.float32])
assert_type(model.predict(features).score, npt.NDArray[np.float32])
assert_type(model == model, bool)
model.save(Path("model.tar.gz"))

with Emulator() as emulator:
    assert_type(emulator, Emulator)
    assert_type(emulator.directory, Path)
    with emulator.serve(port=0) as url:
        assert_type(url, str)
    assert_type(emulator.ledger()[0].instance_count, int)
    emulator.reset()
Emulator(3)  # type: ignore[arg-type]

config = load_config("local.yaml", split={"seed": 3})
assert_type(config.split.seed, int)
assert_type(config.training.max_runtime_s, int)

result = run_all(config, workdir="run", progress=print)
assert_type(result, RunResult)
assert_type(result.workdir, Path)
assert_type(result.stages[0].name, str)
assert_type(result.findings, tuple[str, ...])
run_all(workdir=3)  # type: ignore[arg-type]

failures: list[type[AsteroidError]] = [
    *(ConfigError, DataError, AwsError),
    *(CredentialsError, LeakError),
]
assert_type(failures[0]("It failed.", hint="Try again.").exit_code, int)
assert_type(DataError("It failed.").hint, str)

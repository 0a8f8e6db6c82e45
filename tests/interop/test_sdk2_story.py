"""SageMaker's Python SDK 2 takes Linear Learner through its whole story against the served emulator, unmodified."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from asteroid_ll import Emulator

SDK = 2
pytestmark = pytest.mark.interop

STORY = """
import json
import numpy as np
from sagemaker import LinearLearner, Session
from sagemaker.inputs import TrainingInput
from sagemaker.serverless import ServerlessInferenceConfig

session = Session(default_bucket="sdk-records")
role = "arn:aws:iam::000000000000:role/asteroid-ll"
rng = np.random.default_rng(1)
features = rng.normal(size=(400, 3)).astype("float32")
labels = (features.sum(axis=1) > 0).astype("float32")
learner = LinearLearner(
    role, 2, "ml.m5.large", predictor_type="binary_classifier", epochs=3, sagemaker_session=session,
    input_mode="Pipe",
)
records = learner.record_set(features[:300], labels[:300])
held_out = learner.record_set(features[300:], labels[300:], channel="test")
learner.fit([records, held_out], mini_batch_size=50, logs="All")
told = {"manifest": records.s3_data, "type": records.s3_data_type}

again = LinearLearner.attach(learner.latest_training_job.name, sagemaker_session=session)
told["attached"] = [again.model_data == learner.model_data, again.hyperparameters()["predictor_type"]]

told["metrics"] = [one["MetricName"] for one in learner.latest_training_job.describe()["FinalMetricDataList"]]

config = ServerlessInferenceConfig(memory_size_in_mb=2048, max_concurrency=2)
predictor = again.deploy(serverless_inference_config=config, wait=False)
told["endpoint"] = [r.label["score"].float32_tensor.values[0] for r in predictor.predict(features[:5])]
predictor.delete_model()
predictor.delete_endpoint()

bucket = session.default_bucket()
rows = "".join(",".join(map(repr, row)) + "\\n" for row in features[:5].tolist())
uri = session.upload_string_as_file_body(rows, bucket, "in/rows.csv")
transformer = learner.transformer(
    1, "ml.m5.large", output_path=f"s3://{bucket}/out", accept="application/jsonlines", assemble_with="Line"
)
transformer.transform(uri, content_type="text/csv", split_type="Line", logs=False)
answers = session.read_s3_file(bucket, "out/rows.csv.out").splitlines()
told["transform"] = [json.loads(line)["score"] for line in answers]
transformer.delete_model()

client = session.sagemaker_client
told["left"] = [client.list_models()["Models"], client.list_endpoints()["Endpoints"],
                client.list_endpoint_configs()["EndpointConfigs"]]
print("TOLD", json.dumps(told))
"""

TUNING = """
import json
import numpy as np
from sagemaker import LinearLearner, Session
from sagemaker.analytics import HyperparameterTuningJobAnalytics
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner, IntegerParameter
from sklearn.datasets import load_breast_cancer

session = Session(default_bucket="sdk-records")
features, benign = load_breast_cancer(return_X_y=True)
features, labels = features.astype("float32"), (1 - benign).astype("float32")
order = np.random.default_rng(0).permutation(len(labels))
learned, held_out = order[:455], order[455:]
learner = LinearLearner(
    "arn:aws:iam::000000000000:role/asteroid-ll", 1, "ml.m5.large", predictor_type="binary_classifier", epochs=10,
    sagemaker_session=session,
)
inputs = [
    learner.record_set(features[learned], labels[learned]),
    learner.record_set(features[held_out], labels[held_out], channel="validation"),
]
tuner = HyperparameterTuner(
    learner,
    "validation:objective_loss",
    {
        "learning_rate": ContinuousParameter(1e-5, 1, scaling_type="Logarithmic"),
        "wd": ContinuousParameter(1e-7, 1),
        "mini_batch_size": IntegerParameter(50, 400),
        "use_bias": CategoricalParameter([True, False]),
    },
    objective_type="Minimize",
    max_jobs=12,
    max_parallel_jobs=2,
    random_seed=1,
    tags=[{"Key": "team", "Value": "rocks"}],
)
tuner.fit(inputs, mini_batch_size=100)
told = {"status": tuner.describe()["HyperParameterTuningJobStatus"], "best": tuner.best_training_job()}
frame = HyperparameterTuningJobAnalytics(tuner.latest_tuning_job.name, sagemaker_session=session).dataframe()
told["values"] = frame.sort_values("TrainingJobName")["FinalObjectiveValue"].tolist()
told["jobs"] = sorted(frame["TrainingJobName"])

estimator = tuner.best_estimator()
told["metrics"] = [one["MetricName"] for one in estimator.latest_training_job.describe()["FinalMetricDataList"]]
again = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
told["attached"] = [again.best_training_job() == told["best"], sorted(again.hyperparameter_ranges())]
predictor = tuner.deploy(1, "ml.m5.large")
scores = predictor.predict(features[held_out])
right = [r.label["predicted_label"].float32_tensor.values[0] == label for r, label in zip(scores, labels[held_out])]
told["accuracy"] = float(np.mean(right))
predictor.delete_model()
predictor.delete_endpoint()
print("TOLD", json.dumps(told))
"""


def test_the_recipe_of_the_page_runs(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(sdk.program_of_the_page("learner.record_set"), url=url, folder=tmp_path)
    features = np.random.default_rng(1).normal(size=(400, 3))
    assert [float(text) for text in re.findall(r"\b[01]\.0$", printed, re.MULTILINE)] == [
        float(row.sum() > 0) for row in features[:3]
    ]
    assert sdk.open_intervals(tmp_path / "state") == []


def test_a_program_that_names_no_bucket_needs_only_the_sdks_configuration(sdk, tmp_path):
    program = sdk.program_of_the_page("learner.record_set")
    unmodified = program.replace('Session(default_bucket="sdk-records")', "Session()")
    assert unmodified != program
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(f"{unmodified}\nprint(learner.model_data)", url=url, folder=tmp_path)
    assert "s3://sagemaker-sdk/" in printed.splitlines()[-1]
    assert sdk.open_intervals(tmp_path / "state") == []


def test_record_sets_pipes_attach_metrics_serverless_and_transform(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(STORY, url=url, folder=tmp_path)
    (line,) = (line for line in printed.splitlines() if line.startswith("TOLD "))
    told = json.loads(line.removeprefix("TOLD "))
    assert told["manifest"].startswith("s3://sdk-records/sagemaker-record-sets/")
    assert told["type"] == "ManifestFile"
    assert told["attached"] == [True, "binary_classifier"]
    assert {"train:objective_loss", "train:progress", "test:objective_loss"} <= set(told["metrics"])
    assert told["endpoint"] == pytest.approx(told["transform"], rel=1e-6)
    assert told["left"] == [[], [], []]
    assert sdk.open_intervals(tmp_path / "state") == []


def test_a_tuner_finds_a_better_model_of_the_breast_cancer_data_and_deploys_it(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(TUNING, url=url, folder=tmp_path)
    (line,) = (line for line in printed.splitlines() if "TOLD " in line)
    told = json.loads(line.partition("TOLD ")[2])
    assert told["status"] == "Completed"
    values = dict(zip(told["jobs"], told["values"], strict=True))
    assert len(values) == 12
    assert values[told["best"]] == min(values.values()) < told["values"][0]
    assert {"validation:objective_loss", "train:progress"} <= set(told["metrics"])
    assert told["attached"] == [
        True,
        ["CategoricalParameterRanges", "ContinuousParameterRanges", "IntegerParameterRanges"],
    ]
    assert told["accuracy"] > 0.9
    with Emulator(tmp_path / "state") as emulator:
        billed = [interval.arn.rpartition("/")[2] for interval in emulator.ledger() if interval.kind == "training"]
    assert billed == told["jobs"]
    assert sdk.open_intervals(tmp_path / "state") == []

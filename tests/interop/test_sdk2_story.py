"""SageMaker's Python SDK 2 takes Linear Learner through its whole story against the served emulator, unmodified."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

SDK = 2
pytestmark = pytest.mark.interop

STORY = """
import json
import numpy as np
from sagemaker import LinearLearner, Session
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.inputs import TrainingInput
from sagemaker.serverless import ServerlessInferenceConfig

session = Session(default_bucket="sdk-records")
role = "arn:aws:iam::000000000000:role/asteroid-ll"
rng = np.random.default_rng(1)
features = rng.normal(size=(400, 3)).astype("float32")
labels = (features.sum(axis=1) > 0).astype("float32")
learner = LinearLearner(
    role, 2, "ml.m5.large", predictor_type="binary_classifier", epochs=3, sagemaker_session=session,
    input_mode="Pipe", keep_alive_period_in_seconds=60,
)
records = learner.record_set(features[:300], labels[:300])
held_out = learner.record_set(features[300:], labels[300:], channel="test")
learner.fit([records, held_out], mini_batch_size=50, logs="All")
told = {"manifest": records.s3_data, "type": records.s3_data_type}

again = LinearLearner.attach(learner.latest_training_job.name, sagemaker_session=session)
told["attached"] = [again.model_data == learner.model_data, again.hyperparameters()["predictor_type"]]

frame = TrainingJobAnalytics(learner.latest_training_job.name, sagemaker_session=session).dataframe()
told["metrics"] = sorted(set(frame["metric_name"]))
told["warm"] = learner.latest_training_job.describe()["WarmPoolStatus"]

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


def test_record_sets_pipes_attach_metrics_warm_pools_serverless_and_transform(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(STORY, url=url, folder=tmp_path)
    (line,) = (line for line in printed.splitlines() if line.startswith("TOLD "))
    told = json.loads(line.removeprefix("TOLD "))
    assert told["manifest"].startswith("s3://sdk-records/sagemaker-record-sets/")
    assert told["type"] == "ManifestFile"
    assert told["attached"] == [True, "binary_classifier"]
    assert {"train:objective_loss", "train:progress", "test:objective_loss"} <= set(told["metrics"])
    assert told["warm"]["Status"] == "Available"
    assert told["endpoint"] == pytest.approx(told["transform"], rel=1e-6)
    assert told["left"] == [[], [], []]
    assert sdk.open_intervals(tmp_path / "state") == []

"""SageMaker's Python SDK 3 trains and serves Linear Learner on the served emulator, unmodified."""

from __future__ import annotations

import json
import re

import pytest

SDK = 3
pytestmark = pytest.mark.interop

RESOURCES = """
import json
from sagemaker.core import image_uris, shapes
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob, TransformJob

session = Session(default_bucket="sdk-rows")
bucket, role = session.default_bucket(), "arn:aws:iam::000000000000:role/asteroid-ll"
session.upload_string_as_file_body("0,1,2\\n1,3,4\\n" * 100, bucket, "train/rows.csv")
session.upload_string_as_file_body("1,2\\n3,4\\n", bucket, "in/rows.csv")
image = image_uris.retrieve("linear-learner", session.boto_region_name)
source = shapes.S3DataSource(
    s3_data_type="S3Prefix", s3_uri=f"s3://{bucket}/train/", s3_data_distribution_type="FullyReplicated"
)
job = TrainingJob.create(
    training_job_name="comet",
    hyper_parameters={"predictor_type": "binary_classifier", "mini_batch_size": "50", "epochs": "2"},
    algorithm_specification=shapes.AlgorithmSpecification(training_image=image, training_input_mode="File"),
    role_arn=role,
    input_data_config=[shapes.Channel(
        channel_name="train",
        data_source=shapes.DataSource(s3_data_source=source),
        content_type="text/csv",
        shuffle_config=shapes.ShuffleConfig(seed=7),
    )],
    output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{bucket}/out"),
    resource_config=shapes.ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
    stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=600),
)
job.wait(poll=1, logs=True)
told = {"jobs": [one.training_job_name for one in TrainingJob.get_all()]}
told["status"] = TrainingJob.get("comet").training_job_status
artifact = job.model_artifacts.s3_model_artifacts
container = shapes.ContainerDefinition(image=image, model_data_url=artifact)
model = Model.create(model_name="comet", primary_container=container, execution_role_arn=role)
variant = shapes.ProductionVariant(
    variant_name="v", model_name="comet", instance_type="ml.m5.large", initial_instance_count=1
)
config = EndpointConfig.create(endpoint_config_name="comet", production_variants=[variant])
endpoint = Endpoint.create(endpoint_name="comet", endpoint_config_name="comet")
endpoint.wait_for_status("InService", poll=1)
answer = endpoint.invoke(body="1,2\\n3,4", content_type="text/csv", accept="application/json")
told["endpoint"] = [one["score"] for one in json.loads(answer.body.read())["predictions"]]

where = shapes.TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{bucket}/in/")
transform = TransformJob.create(
    transform_job_name="comet", model_name="comet",
    transform_input=shapes.TransformInput(
        data_source=shapes.TransformDataSource(s3_data_source=where), content_type="text/csv", split_type="Line"
    ),
    transform_output=shapes.TransformOutput(s3_output_path=f"s3://{bucket}/scores", accept="application/jsonlines"),
    transform_resources=shapes.TransformResources(instance_type="ml.m5.large", instance_count=1),
)
transform.wait(poll=1)
answers = session.read_s3_file(bucket, "scores/rows.csv.out").splitlines()
told["transform"] = [json.loads(line)["score"] for line in answers]
for one in (config, endpoint, model):
    one.delete()
told["left"] = len([*Model.get_all(), *Endpoint.get_all(), *EndpointConfig.get_all()])
print("TOLD", json.dumps(told))
"""

TUNING = """
import json
import boto3
import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.resources import HyperParameterTuningJob, TrainingJob
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig
from sagemaker.train.tuner import HyperparameterTuner

iam = boto3.client("iam")
trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
role = iam.create_role(RoleName="tuner", AssumeRolePolicyDocument=document)["Role"]["Arn"]
iam.attach_role_policy(RoleName="tuner", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
session = Session(default_bucket="sagemaker-sdk-rows")
bucket = session.default_bucket()
rows = np.random.default_rng(1).normal(size=(400, 3))
for channel, part in (("train", rows[:300]), ("validation", rows[300:])):
    text = "".join(f"{int(row.sum() > 0)},{','.join(map(str, row))}\\n" for row in part)
    session.upload_string_as_file_body(text, bucket, f"{channel}/rows.csv")
trainer = ModelTrainer(
    training_image=image_uris.retrieve("linear-learner", session.boto_region_name),
    role=role,
    base_job_name="sdk-tuner",
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/out"),
    hyperparameters={"predictor_type": "binary_classifier", "epochs": 3},
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    trainer,
    "validation:binary_classification_accuracy",
    {
        "learning_rate": ContinuousParameter(1e-5, 1),
        "mini_batch_size": IntegerParameter(20, 100),
        "use_bias": CategoricalParameter(["true", "false"]),
    },
    max_jobs=4,
    max_parallel_jobs=2,
    random_seed=1,
)
channels = [
    InputData(channel_name=name, data_source=f"s3://{bucket}/{name}/", content_type="text/csv")
    for name in ("train", "validation")
]
tuner.tune(inputs=channels, wait=True)
told = {"best": tuner.best_training_job(), "columns": sorted(tuner.analytics().dataframe().columns)}
job = HyperParameterTuningJob.get(tuner.latest_tuning_job.hyper_parameter_tuning_job_name)
told["status"] = job.hyper_parameter_tuning_job_status

told["values"] = {
    one.training_job_name: one.final_hyper_parameter_tuning_job_objective_metric.value
    for one in job.get_all_training_jobs()
}
told["tuned"] = sorted(TrainingJob.get(told["best"]).hyper_parameters)
told["listed"] = [one.hyper_parameter_tuning_job_name == job.hyper_parameter_tuning_job_name
                  for one in HyperParameterTuningJob.get_all()]
job.delete()
print("TOLD", json.dumps(told))
"""


def test_the_recipe_of_the_page_runs(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(sdk.program_of_the_page("ModelTrainer("), url=url, folder=tmp_path)
    (text,) = re.findall(r'{"predictions": .*}', printed)
    (prediction,) = json.loads(text)["predictions"]
    assert prediction["predicted_label"] == 1
    assert sdk.open_intervals(tmp_path / "state") == []


def test_the_resource_classes_train_serve_and_transform(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(RESOURCES, url=url, folder=tmp_path)
    (line,) = (line for line in printed.splitlines() if line.startswith("TOLD "))
    told = json.loads(line.removeprefix("TOLD "))
    assert (told["jobs"], told["status"], told["left"]) == (["comet"], "Completed", 0)
    assert told["endpoint"] == pytest.approx(told["transform"], rel=1e-6)
    assert sdk.open_intervals(tmp_path / "state") == []


def test_a_tuner_tunes_and_its_resources_are_read(sdk, tmp_path):
    with sdk.served(tmp_path / "state") as url:
        printed = sdk.run(TUNING, url=url, folder=tmp_path)
    (line,) = (line for line in printed.splitlines() if "TOLD " in line)
    told = json.loads(line.partition("TOLD ")[2])
    assert (told["status"], told["listed"]) == ("Completed", [True])
    assert len(told["values"]) == 4
    assert told["values"][told["best"]] == max(told["values"].values())
    assert {"_tuning_objective_metric", "learning_rate", "mini_batch_size", "use_bias"} <= set(told["tuned"])
    assert {"FinalObjectiveValue", "learning_rate"} <= set(told["columns"])
    assert sdk.open_intervals(tmp_path / "state") == []

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

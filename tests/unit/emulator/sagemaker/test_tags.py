"""Every resource of SageMaker that AWS tags has tags here: from its creation on, and later."""

import pytest

from asteroid_ll.emulator.sagemaker.service import OPERATIONS
from asteroid_ll.emulator.worker.jobs import Jobs

ARN = "arn:aws:sagemaker:us-west-2:000000000000"
VARIANT = {"VariantName": "v", "ModelName": "rocks", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
CREATED = [{"Key": "owner", "Value": "ada"}, {"Key": "empty", "Value": ""}]


@pytest.fixture
def taggable(
    emulator, sagemaker, model, processing_bucket, job_request, transform_request, processing_request, tuning_request,
    monkeypatch,
):  # fmt: skip
    """The requests that create what is tagged, and the ARN of each, by operation."""
    monkeypatch.setattr(Jobs, "spawn", lambda *_: None)
    emulator.store.put("asteroids", "in/train/part-0", [b"1,2,3\n"])
    container = sagemaker.describe_model(ModelName=model)
    requests = {
        "CreateTrainingJob": (job_request("job"), "training-job/job"),
        "CreateHyperParameterTuningJob": (tuning_request("tune"), "hyper-parameter-tuning-job/tune"),
        "CreateTransformJob": (transform_request("score"), "transform-job/score"),
        "CreateProcessingJob": (processing_request("clean"), "processing-job/clean"),
        "CreateModel": (
            {"ModelName": "m"} | {key: container[key] for key in ("ExecutionRoleArn", "PrimaryContainer")},
            "model/m",
        ),
        "CreateEndpointConfig": ({"EndpointConfigName": "c", "ProductionVariants": [VARIANT]}, "endpoint-config/c"),
        "CreateEndpoint": ({"EndpointName": "e", "EndpointConfigName": "c"}, "endpoint/e"),
    }
    shapes = {name: sagemaker.meta.service_model.operation_model(name).input_shape for name in OPERATIONS}
    assert requests.keys() == {name for name in shapes if name.startswith("Create") and "Tags" in shapes[name].members}
    return requests


def test_every_kind_of_resource_has_the_tags_of_its_creation_and_later_ones(sagemaker, taggable, refused):
    for operation, (request, name) in taggable.items():
        create = sagemaker.meta.method_to_api_mapping
        (method,) = (getattr(sagemaker, method) for method, api in create.items() if api == operation)
        twice = [{"Key": "a", "Value": "1"}] * 2
        assert "Duplicate tag keys found" in refused(method, **request, Tags=twice)[1]
        method(**request, Tags=CREATED)
        arn = {"ResourceArn": f"{ARN}:{name}"}
        assert sagemaker.list_tags(**arn)["Tags"] == CREATED
        sagemaker.add_tags(**arn, Tags=[{"Key": "empty", "Value": "no"}, {"Key": "run", "Value": "1"}])
        sagemaker.delete_tags(**arn, TagKeys=["owner"])
        assert {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(**arn)["Tags"]} == {"empty": "no", "run": "1"}


def test_more_than_fifty_tags_at_creation_are_refused(virtual, sagemaker, refused):
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    request = {"EndpointConfigName": "c", "ProductionVariants": [VARIANT], "Tags": many}
    code, message = refused(sagemaker.create_endpoint_config, **request)
    assert code == "ValidationException"
    assert message.endswith("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")


def test_a_token_that_is_no_place_in_the_tags_is_refused(sagemaker, model, refused):
    tags = [{"Key": f"{number:02}", "Value": ""} for number in range(50)]
    variant = VARIANT | {"ModelName": model}
    config = sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant], Tags=tags)
    arn = {"ResourceArn": config["EndpointConfigArn"]}
    assert [tag["Key"] for tag in sagemaker.list_tags(**arn, NextToken="48")["Tags"]] == ["48", "49"]
    for token in ("-1", "51", "1_0", "x", "9" * 5000):
        assert refused(sagemaker.list_tags, **arn, NextToken=token) == (
            "ValidationException",
            "Invalid pagination token.",
        )

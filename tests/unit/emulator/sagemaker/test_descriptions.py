"""Every Describe and List operation answers with the members that AWS always returns.

They are those that botocore's model requires, and for a training job those of recorded answers to DescribeTrainingJob
of 2018 to 2026, in which the request had no optional member.
"""

from __future__ import annotations

import pytest
from botocore import xform_name

from asteroid_ll.emulator.sagemaker.service import OPERATIONS

REGION = "us-west-2"
NAMES = {
    "TrainingJobName": "job-1",
    "TransformJobName": "score",
    "ProcessingJobName": "clean",
    "HyperParameterTuningJobName": "tune",
    "ModelName": "rocks",
    "EndpointConfigName": "rocks",
    "EndpointName": "rocks",
    "ResourceArn": f"arn:aws:sagemaker:{REGION}:000000000000:model/rocks",
}
READS = sorted(name for name in OPERATIONS if name.startswith(("Describe", "List")))
RECORDED = {
    *("TrainingJobName", "TrainingJobArn", "ModelArtifacts", "TrainingJobStatus", "SecondaryStatus", "RoleArn"),
    *("AlgorithmSpecification", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition"),
    *("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime", "SecondaryStatusTransitions"),
    *("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"),
    *("TrainingTimeInSeconds", "BillableTimeInSeconds", "ProfilingStatus"),
}


@pytest.fixture
def peopled(emulator, sagemaker, model, job_request, transform_request, processing_request, tuning_request):
    """An account with one resource of each kind; its jobs have ended, and no process has run."""
    services = emulator.services
    children = [{"name": "job-1", "tuned": {"wd": "1"}}]
    tuning = services.tunings.new(REGION, "tune", request=tuning_request(), tags={}, children=children)
    services.tunings.finish(tuning, "Completed")
    for jobs, name, request in (
        (services.jobs, "job-1", job_request(HyperParameters=None)),
        (services.transforms, "score", transform_request()),
        (services.processings, "clean", processing_request()),
    ):
        job = jobs.new(REGION, name, request=request, tags={"a": "b"})
        jobs.step(job, "Training")
        jobs.finish(job, "Completed", **({"artifact": "s3://asteroids/out/model.tar.gz"} if name == "job-1" else {}))
    variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="rocks", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="rocks", EndpointConfigName="rocks")
    sagemaker.add_tags(ResourceArn=NAMES["ResourceArn"], Tags=[{"Key": "a", "Value": "b"}])
    return sagemaker


def absent(shape, value, path):
    """Yield the required members that a value lacks."""
    if shape.type_name == "list":
        for item in value:
            yield from absent(shape.member, item, f"{path}[]")
    if shape.type_name == "structure":
        yield from (f"{path}.{name}" for name in shape.required_members if name not in value)
        for name in shape.members.keys() & value.keys():
            yield from absent(shape.members[name], value[name], f"{path}.{name}")


def test_every_answer_has_the_required_members_and_every_list_an_entry(peopled):
    model = peopled.meta.service_model
    for name in READS:
        operation = model.operation_model(name)
        params = {member: NAMES[member] for member in operation.input_shape.required_members}
        answer = getattr(peopled, xform_name(name))(**params)
        assert list(absent(operation.output_shape, answer, name)) == []
        if name.startswith("List"):
            (member,) = answer.keys() - {"ResponseMetadata"}
            assert len(answer[member]) == 1, name


def test_a_training_job_has_the_members_of_recorded_answers(peopled):
    answer = peopled.describe_training_job(TrainingJobName="job-1")
    assert answer.keys() - {"ResponseMetadata"} == RECORDED
    assert answer["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] is False
    assert set(answer["OutputDataConfig"]) == {"KmsKeyId", "S3OutputPath", "CompressionType"}
    assert set(answer["InputDataConfig"][0]) == {"ChannelName", "DataSource", "CompressionType", "RecordWrapperType"}

"""What accounts of companies require of a request: accepted in AWS's forms, returned as given, refused otherwise."""

import pytest

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:us-west-2:111122223333:key/{KEY}"
VPC = {"Subnets": ["subnet-0123456789abcdef0", "subnet-12345678"], "SecurityGroupIds": ["sg-0123456789abcdef0"]}


def with_key(request, key, instance_type="ml.m5.large"):
    request["ResourceConfig"] |= {"VolumeKmsKeyId": key, "InstanceType": instance_type}
    return request


def test_a_job_has_its_keys_and_its_network(stand_in, bucket, sagemaker, job_request, ended):
    given = {
        "VpcConfig": VPC,
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "OutputDataConfig": {"S3OutputPath": "s3://asteroids/out", "KmsKeyId": "alias/models"},
    }
    sagemaker.create_training_job(**with_key(job_request(**given), KEY_ARN))
    job = ended()
    assert job["TrainingJobStatus"] == "Completed"
    assert job["OutputDataConfig"].pop("CompressionType") == "GZIP"
    assert {name: job[name] for name in given} == given
    assert job["ResourceConfig"]["VolumeKmsKeyId"] == KEY_ARN


@pytest.mark.parametrize(
    ("key", "instance_type", "message_part"),
    [
        ("alias/disks", "ml.m5.large", "VolumeKmsKeyId is not a KMS key: alias/disks"),
        ("my-key", "ml.m5.large", "VolumeKmsKeyId is not a KMS key: my-key"),
        (KEY_ARN.replace("us-west-2", "eu-west-1"), "ml.m5.large", "of the region eu-west-1, not of us-west-2"),
        (KEY, "ml.p3dn.24xlarge", "VolumeKmsKeyId is not supported for ml.p3dn.24xlarge"),
        (KEY, "ml.g4dn.xlarge", "VolumeKmsKeyId is not supported for ml.g4dn.xlarge"),
        (KEY, "ml.g5.xlarge", "VolumeKmsKeyId is not supported for ml.g5.xlarge"),
    ],
)
def test_a_key_that_cannot_encrypt_the_disk_is_refused(
    bucket, sagemaker, job_request, refused, key, instance_type, message_part
):
    code, message = refused(sagemaker.create_training_job, **with_key(job_request(), key, instance_type))
    assert code == "ValidationException"
    assert message_part in message


@pytest.mark.parametrize(
    ("config", "message_part"),
    [
        ({**VPC, "Subnets": ["subnet-one"]}, "VpcConfig.Subnets has subnet-one, which does not exist"),
        ({**VPC, "SecurityGroupIds": ["default"]}, "VpcConfig.SecurityGroupIds has default, which does not exist"),
        ({**VPC, "Subnets": ["subnet-12345678"] * 17}, "Member must have length less than or equal to 16"),
        ({**VPC, "SecurityGroupIds": ["sg-12345678"] * 6}, "Member must have length less than or equal to 5"),
    ],
)
def test_a_network_that_cannot_exist_is_refused(bucket, sagemaker, job_request, refused, config, message_part):
    code, message = refused(sagemaker.create_training_job, **job_request(VpcConfig=config))
    assert code == "ValidationException"
    assert message_part in message


def test_a_model_has_its_network_and_a_configuration_its_key(hosted, sagemaker, refused):
    name = hosted()
    model = sagemaker.describe_model(ModelName=name)
    container = {"Image": model["PrimaryContainer"]["Image"], "ModelDataUrl": model["PrimaryContainer"]["ModelDataUrl"]}
    given = {"PrimaryContainer": container, "ExecutionRoleArn": model["ExecutionRoleArn"], "VpcConfig": VPC}
    sagemaker.create_model(ModelName="inside", EnableNetworkIsolation=True, **given)
    inside = sagemaker.describe_model(ModelName="inside")
    assert (inside["VpcConfig"], inside["EnableNetworkIsolation"]) == (VPC, True)
    variants = [{"VariantName": "a", "ModelName": "inside", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}]
    sagemaker.create_endpoint_config(EndpointConfigName="locked", ProductionVariants=variants, KmsKeyId="alias/disks")
    assert sagemaker.describe_endpoint_config(EndpointConfigName="locked")["KmsKeyId"] == "alias/disks"
    code, message = refused(
        sagemaker.create_endpoint_config, EndpointConfigName="x", ProductionVariants=variants, KmsKeyId="no key"
    )
    assert code == "ValidationException"
    assert "kmsKeyId" in message


def test_a_wait_of_more_than_an_hour_needs_checkpoints(stand_in, bucket, sagemaker, job_request, refused, ended):
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 7200}
    request = job_request(EnableManagedSpotTraining=True, StoppingCondition=limits)
    code, message = refused(sagemaker.create_training_job, **request)
    assert code == "ValidationException"
    assert "at most 3600 s, not 7200" in message
    sagemaker.create_training_job(**request, CheckpointConfig={"S3Uri": "s3://asteroids/checkpoints"})
    assert ended()["TrainingJobStatus"] == "Completed"

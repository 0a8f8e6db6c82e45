"""The needs of SageMaker's create calls have the condition keys of the Service Authorization Reference."""

from asteroid_ll.emulator.iam import needs

ROLE = "arn:aws:iam::000000000000:role/asteroid-ll"
JOB = "arn:aws:sagemaker:us-east-1:000000000000:processing-job/clean"


def test_a_processing_job_passes_its_role_and_is_known_by_its_machines_its_keys_and_its_network():
    request = {
        "ProcessingJobName": "clean",
        "RoleArn": ROLE,
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeKmsKeyId": "alias/disks"}
        },
        "ProcessingOutputConfig": {"Outputs": [], "KmsKeyId": "alias/data"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "NetworkConfig": {
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": False,
            "VpcConfig": {"Subnets": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]},
        },
        "Tags": [{"Key": "team", "Value": "1"}],
    }
    create, tag, passing = needs.sagemaker("CreateProcessingJob", request, "us-east-1")
    assert [(need.action, need.resource) for need in (create, tag, passing)] == [
        ("sagemaker:CreateProcessingJob", JOB),
        ("sagemaker:AddTags", JOB),
        ("iam:PassRole", ROLE),
    ]
    assert create.context == {
        "aws:requesttag/team": ("1",),
        "aws:tagkeys": ("team",),
        "sagemaker:instancetypes": ("ml.m5.xlarge",),
        "sagemaker:volumekmskey": ("alias/disks",),
        "sagemaker:outputkmskey": ("alias/data",),
        "sagemaker:maxruntimeinseconds": ("60",),
        "sagemaker:networkisolation": ("true",),
        "sagemaker:intercontainertrafficencryption": ("false",),
        "sagemaker:vpcsubnets": ("subnet-12345678",),
        "sagemaker:vpcsecuritygroupids": ("sg-12345678",),
    }
    assert passing.context["iam:associatedresourcearn"] == (JOB,)


def test_the_other_operations_need_themselves_on_the_job_and_a_listing_on_everything():
    for verb in ("Describe", "Stop", "Delete"):
        [need] = needs.sagemaker(f"{verb}ProcessingJob", {"ProcessingJobName": "clean"}, "us-east-1")
        assert (need.action, need.resource) == (f"sagemaker:{verb}ProcessingJob", JOB)
    [listing] = needs.sagemaker("ListProcessingJobs", {}, "us-east-1")
    assert (listing.action, listing.resource) == ("sagemaker:ListProcessingJobs", "*")

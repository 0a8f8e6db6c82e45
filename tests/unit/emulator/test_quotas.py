"""Service Quotas has the limits of SageMaker's instances, and raises them on request."""

import pytest

TRAINING = "L-611FA074"
NAME = "ml.m5.large for training job usage"


@pytest.fixture
def quotas(virtual, client_of):
    return client_of("service-quotas")


def raise_to(quotas, desired, code=TRAINING):
    arguments = {"ServiceCode": "sagemaker", "QuotaCode": code, "DesiredValue": desired}
    return quotas.request_service_quota_increase(**arguments)["RequestedQuota"]


def test_a_quota_is_the_limit_of_the_accounts_settings_beside_the_default_of_aws(virtual, quotas):
    virtual.configure(quotas={NAME: 3})
    named = {"ServiceCode": "sagemaker", "QuotaCode": TRAINING}
    expected = {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:us-west-2:000000000000:sagemaker/{TRAINING}",
        "QuotaCode": TRAINING,
        "QuotaName": NAME,
        "Value": 3.0,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
    assert quotas.get_service_quota(**named)["Quota"] == expected
    default = quotas.get_aws_default_service_quota(**named)["Quota"]
    assert (default["Value"], default["QuotaArn"].split(":")[4]) == (0.0, "")


def test_the_list_has_a_quota_per_instance_type_and_purpose_and_those_of_the_settings(virtual, quotas):
    virtual.configure(quotas={"ml.new.large for endpoint usage": 1})
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    listed = {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}
    assert listed["ml.new.large for endpoint usage"]["Value"] == 1.0
    for purpose in ("training job", "spot training job", "endpoint", "transform job", "processing job"):
        assert listed[f"ml.c5.2xlarge for {purpose} usage"]["Value"] >= 1_000
    codes = [quota["QuotaCode"] for quota in listed.values()]
    assert len(set(codes)) == len(codes) > 1_000
    assert {len(code) for code in codes} == {len(TRAINING)}
    [one] = quotas.list_service_quotas(ServiceCode="sagemaker", QuotaCode=TRAINING)["Quotas"]
    assert one == listed[NAME]


def test_a_request_raises_the_limit_of_new_jobs(virtual, quotas, sagemaker, job_request, refused):
    virtual.configure(quotas={NAME: 0})
    virtual.store.create_bucket("asteroids", region="us-west-2")
    virtual.store.put("asteroids", "in/train/part-0", [b"1,2,3\n"])
    assert refused(sagemaker.create_training_job, **job_request())[0] == "ResourceLimitExceeded"
    request = raise_to(quotas, 2)
    assert (request["Status"], request["DesiredValue"], request["QuotaName"]) == ("PENDING", 2.0, NAME)
    assert '"callerArn":"arn:aws:iam::000000000000:user/emulator"' in request["Requester"]
    assert virtual.state.settings.quotas == {NAME: 2}


def test_a_wrong_request_is_refused_in_awss_words(virtual, quotas, refused):
    virtual.configure(quotas={NAME: 2, "ml.t2.medium for endpoint usage": 0})
    words = "You must provide a quota value greater than the"
    assert refused(raise_to, quotas=quotas, desired=2) == (
        "IllegalArgumentException", f"{words} current quota value of 2.0"
    )  # fmt: skip
    assert refused(raise_to, quotas=quotas, desired=1, code="L-29C181D7")[1] == f"{words} default quota value of 2.0"
    assert refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-1216C47A") == (
        "NoSuchResourceException",
        "The request failed because the specified service does not exist.",
    )
    assert refused(quotas.get_service_quota, ServiceCode="sagemaker", QuotaCode="L-0")[0] == "NoSuchResourceException"
    code, _ = refused(quotas.list_service_quotas, ServiceCode="sagemaker", NextToken="x")
    assert code == "InvalidPaginationTokenException"

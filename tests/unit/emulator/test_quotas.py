"""Service Quotas has the limits of SageMaker's instances, and raises them on request."""

import pytest

TRAINING, SPOT = "L-611FA074", "L-29688C85"
NAME = "ml.m5.large for training job usage"


@pytest.fixture
def quotas(virtual, client_of):
    return client_of("service-quotas")


def value(quotas, code=TRAINING):
    return quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode=code)["Quota"]["Value"]


def raise_to(quotas, desired, code=TRAINING):
    arguments = {"ServiceCode": "sagemaker", "QuotaCode": code, "DesiredValue": desired}
    return quotas.request_service_quota_increase(**arguments)["RequestedQuota"]


def test_a_quota_is_the_limit_of_the_accounts_settings(virtual, quotas):
    virtual.configure(quotas={NAME: 3})
    assert quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode=TRAINING)["Quota"] == {
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
    assert value(quotas, SPOT) >= 1_000


def test_every_instance_type_has_a_quota_per_purpose(quotas):
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    listed = {quota["QuotaName"]: quota["QuotaCode"] for page in pages for quota in page["Quotas"]}
    assert listed[NAME] == TRAINING
    for purpose in ("training job", "spot training job", "endpoint", "transform job", "processing job"):
        assert f"ml.c5.2xlarge for {purpose} usage" in listed
    assert len(set(listed.values())) == len(listed) > 1_000
    assert {len(code) for code in listed.values()} == {len(TRAINING)}
    [one] = quotas.list_service_quotas(ServiceCode="sagemaker", QuotaCode=TRAINING)["Quotas"]
    assert one["QuotaName"] == NAME


def test_a_quota_of_a_type_without_a_price_is_listed_too(virtual, quotas):
    virtual.configure(quotas={"ml.new.large for endpoint usage": 1})
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    values = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    assert values["ml.new.large for endpoint usage"] == 1.0


def test_the_default_is_that_of_a_new_account(quotas):
    default = quotas.get_aws_default_service_quota(ServiceCode="sagemaker", QuotaCode=TRAINING)["Quota"]
    assert (default["Value"], default["QuotaArn"].split(":")[4]) == (0.0, "")
    pages = quotas.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode="sagemaker")
    values = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    assert {name for name, value in values.items() if value} == {
        *(f"{name} for endpoint usage" for name in ("ml.t2.medium", "ml.m6g.large", "ml.m6g.xlarge")),
        *(f"ml.t3.{size} for processing job usage" for size in ("medium", "large", "xlarge")),
    }


def test_a_request_raises_the_limit_of_new_jobs(virtual, quotas, sagemaker, job_request, refused):
    virtual.configure(quotas={NAME: 0})
    virtual.store.create_bucket("asteroids", region="us-west-2")
    virtual.store.put("asteroids", "in/train/part-0", [b"1,2,3\n"])
    assert refused(sagemaker.create_training_job, **job_request())[0] == "ResourceLimitExceeded"
    request = raise_to(quotas, 2)
    assert (request["Status"], request["DesiredValue"], request["QuotaName"]) == ("PENDING", 2.0, NAME)
    assert request["Requester"] == (
        '{"accountId":"000000000000","callerArn":"arn:aws:iam::000000000000:user/emulator"}'
    )
    assert value(quotas) == virtual.state.settings.quotas[NAME] == 2


def test_a_request_must_be_an_increase(virtual, quotas, refused):
    virtual.configure(quotas={NAME: 2, "ml.t2.medium for endpoint usage": 0})
    assert refused(raise_to, quotas=quotas, desired=2) == (
        "IllegalArgumentException",
        "You must provide a quota value greater than the current quota value of 2.0",
    )
    assert refused(raise_to, quotas=quotas, desired=1, code="L-29C181D7") == (
        "IllegalArgumentException",
        "You must provide a quota value greater than the default quota value of 2.0",
    )


def test_what_does_not_exist_is_refused(quotas, refused):
    assert refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-1216C47A") == (
        "NoSuchResourceException",
        "The request failed because the specified service does not exist.",
    )
    assert refused(quotas.get_service_quota, ServiceCode="sagemaker", QuotaCode="L-0")[0] == "NoSuchResourceException"
    code, _ = refused(quotas.list_service_quotas, ServiceCode="sagemaker", NextToken="x")
    assert code == "InvalidPaginationTokenException"

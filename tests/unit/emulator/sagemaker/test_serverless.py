"""Serverless endpoints: AWS's limits, nothing billed while idle, requests of at most 4 MB."""

import pytest

from asteroid_ll.formats import MAX_SERVERLESS_BYTES

SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}


@pytest.fixture
def configure(sagemaker, hosted):
    """Create an endpoint configuration for a serverless variant; keyword arguments change the variant."""
    hosted("model")

    def make(serverless=SERVERLESS, *, n_variants=1, **more):
        variants = [
            {"VariantName": f"v{n}", "ModelName": "model", "ServerlessConfig": dict(serverless), **more}
            for n in range(n_variants)
        ]
        return sagemaker.create_endpoint_config(EndpointConfigName="free", ProductionVariants=variants)

    return make


def test_a_serverless_endpoint_answers_and_is_not_billed_while_idle(virtual, clock, sagemaker, configure, client_of):
    configure()
    assert sagemaker.describe_endpoint_config(EndpointConfigName="free")["ProductionVariants"] == [
        {"VariantName": "v0", "ModelName": "model", "ServerlessConfig": SERVERLESS}
    ]
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="free")
    clock.s += 3600
    (variant,) = sagemaker.describe_endpoint(EndpointName="ep")["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == SERVERLESS
    assert variant["CurrentInstanceCount"] == 0
    runtime = client_of("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName="ep", Body=b"1,2", ContentType="text/csv", Accept="application/json")
    assert answer["Body"].read() == b"weights|text/csv|application/json|3"
    assert virtual.ledger() == []
    sagemaker.delete_endpoint(EndpointName="ep")
    assert virtual.ledger() == []


def test_a_request_to_a_serverless_endpoint_has_at_most_4_mb(virtual, sagemaker, configure, client_of, refused):
    configure()
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="free")
    invoke = client_of("sagemaker-runtime").invoke_endpoint
    assert invoke(EndpointName="ep", Body=b"1" * MAX_SERVERLESS_BYTES)["Body"].read()
    code, message = refused(invoke, EndpointName="ep", Body=b"1" * (MAX_SERVERLESS_BYTES + 1))
    assert (code, "4194304" in message) == ("ValidationError", True)


def test_provisioned_concurrency_is_billed_until_the_deletion(virtual, clock, sagemaker, configure):
    configure({**SERVERLESS, "ProvisionedConcurrency": 2})
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="free")
    clock.s += 100
    sagemaker.describe_endpoint(EndpointName="ep")
    (interval,) = virtual.ledger()
    assert (interval.instance_type, interval.instance_seconds(clock.s)) == ("serverless 2048 MB", 200)
    sagemaker.delete_endpoint(EndpointName="ep")
    assert not virtual.ledger()[0].is_open(clock.s)


@pytest.mark.parametrize(
    ("serverless", "more", "words"),
    [
        ({"MemorySizeInMB": 1500}, {}, "MemorySizeInMB 1500"),
        ({"MemorySizeInMB": 7168}, {}, "less than or equal to 6144"),
        ({"MaxConcurrency": 201}, {}, "less than or equal to 200"),
        ({"ProvisionedConcurrency": 6}, {}, "ProvisionedConcurrency above its MaxConcurrency"),
        ({}, {"InstanceType": "ml.m5.large"}, "excludes InstanceType"),
        ({}, {"InitialInstanceCount": 1}, "excludes InitialInstanceCount"),
        ({}, {"n_variants": 2}, "exactly one production variant"),
    ],
)
def test_what_aws_refuses_is_refused(configure, refused, serverless, more, words):
    code, message = refused(configure, serverless={**SERVERLESS, **serverless}, **more)
    assert code == "ValidationException"
    assert words in message


def test_the_quota_of_the_memory_is_refused_in_awss_words(virtual, sagemaker, configure, refused):
    virtual.configure(quotas={"Memory size in MB per serverless endpoint": 1024})
    configure()
    code, message = refused(sagemaker.create_endpoint, EndpointName="ep", EndpointConfigName="free")
    assert code == "ResourceLimitExceeded"
    assert message.startswith(
        "The account-level service limit 'Memory size in MB per serverless endpoint' is 1024 MBs, with current "
        "utilization of 0 MBs and a request delta of 2048 MBs."
    )

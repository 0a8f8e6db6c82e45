from __future__ import annotations

import pytest

from asteroid_ll.aws import billing, tags
from asteroid_ll.errors import AwsError

PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"
OURS = tags.tags(fingerprint="abc", run="laptop", expires_s=2000)


def endpoint(name: str) -> dict:
    return {
        "EndpointName": name,
        "EndpointArn": f"{PREFIX}:endpoint/{name}",
        "EndpointConfigName": name,
        "EndpointStatus": "InService",
        "CreationTime": 1000,
        "LastModifiedTime": 1000,
    }


def job(name: str, status: str) -> dict:
    return {
        "TrainingJobName": name,
        "TrainingJobArn": f"{PREFIX}:training-job/{name}",
        "TrainingJobStatus": status,
        "ResourceConfig": {"InstanceType": "ml.x9.huge", "InstanceCount": 2, "VolumeSizeInGB": 1},
        "CreationTime": 900,
    }


@pytest.fixture
def account(script):
    """An account with resources of ours and of others."""
    owners = {"mine": OURS, "theirs": {"Owner": "somebody"}, "running": OURS, "stopping": OURS}
    pages = {
        "": {"Endpoints": [endpoint("mine")], "NextToken": "more"},
        "more": {"Endpoints": [endpoint("theirs")]},
    }
    script.on("ListEndpoints", lambda body: pages[body.get("NextToken", "")])
    script.on(
        "ListTrainingJobs",
        lambda body: {
            "TrainingJobSummaries": [
                job("running" if body["StatusEquals"] == "InProgress" else "stopping", body["StatusEquals"])
            ]
        },
    )
    script.on("ListTags", lambda body: {"Tags": tags.to_api(owners[body["ResourceArn"].rpartition("/")[2]])})
    script.on("DescribeEndpoint", lambda body: endpoint(body["EndpointName"]))
    script.on(
        "DescribeEndpointConfig",
        lambda body: {
            "EndpointConfigName": body["EndpointConfigName"],
            "EndpointConfigArn": "arn",
            "CreationTime": 1,
            "ProductionVariants": [
                {
                    "VariantName": "AllTraffic",
                    "ModelName": "m",
                    "InitialInstanceCount": 2,
                    "InstanceType": "ml.m5.large",
                }
            ],
        },
    )
    script.on(
        "DescribeTrainingJob",
        lambda body: job(body["TrainingJobName"], "InProgress" if body["TrainingJobName"] == "running" else "Stopping"),
    )


def test_billed_resources_are_found_by_tags_alone(aws, account):
    assert [(resource.kind, resource.name, resource.status) for resource in billing.open_resources(aws)] == [
        ("endpoint", "mine", "InService"),
        ("training-job", "running", "InProgress"),
        ("training-job", "stopping", "Stopping"),
    ]


def test_each_resource_has_its_price_its_age_and_its_limit(aws, account):
    mine = billing.open_resources(aws)[0]
    assert mine.price_usd_per_h == pytest.approx(0.23)
    assert (mine.since_s, mine.expires_s, mine.run) == (1000, 2000, "laptop")


def test_a_type_without_a_price_is_unknown_and_never_free(aws, account):
    running = billing.open_resources(aws)[1]
    assert (running.instance_type, running.count, running.price_usd_per_h) == ("ml.x9.huge", 2, None)


def test_the_resources_of_one_run_are_found_by_its_tag(aws, account):
    assert billing.open_resources(aws, run="elsewhere") == []
    assert len(billing.open_resources(aws, run="laptop")) == 3


def test_a_listing_that_is_denied_is_not_an_empty_bill(aws, script, say):
    script.on("ListEndpoints", say.refusal("AccessDeniedException", "no"))
    with pytest.raises(AwsError, match="sagemaker:ListEndpoints"):
        billing.open_resources(aws)


def test_a_job_that_begins_to_stop_between_the_listings_counts_once(aws, script):
    script.on("ListEndpoints", {"Endpoints": []})
    script.on("ListTrainingJobs", {"TrainingJobSummaries": [job("running", "Stopping")]})
    script.on("ListTags", {"Tags": tags.to_api(OURS)})
    script.on("DescribeTrainingJob", job("running", "Stopping"))
    assert len(billing.open_resources(aws)) == 1

from __future__ import annotations

import pytest

from asteroid_ll.aws import billing, tags
from asteroid_ll.errors import AwsError

PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"
OURS = tags.tags(fingerprint="abc", run="laptop", expires_s=2000)
MINE, LOOKALIKE, FOREIGN = "asteroid-ll-mine", "asteroid-ll-theirs", "other-asteroid-ll-x"
RUNNING, STOPPING = "asteroid-ll-running", "asteroid-ll-stopping"


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
    owners = {MINE: OURS, LOOKALIKE: {"Owner": "somebody"}, RUNNING: OURS, STOPPING: OURS}
    pages = {
        "": {"Endpoints": [endpoint(MINE)], "NextToken": "more"},
        "more": {"Endpoints": [endpoint(LOOKALIKE), endpoint(FOREIGN)]},
    }
    script.on("ListEndpoints", lambda body: pages[body.get("NextToken", "")])
    script.on(
        "ListTrainingJobs",
        lambda body: {
            "TrainingJobSummaries": [
                job(RUNNING if body["StatusEquals"] == "InProgress" else STOPPING, body["StatusEquals"])
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
        lambda body: job(body["TrainingJobName"], "InProgress" if body["TrainingJobName"] == RUNNING else "Stopping"),
    )


def test_billed_resources_are_found_by_tags_alone(aws, account):
    assert [(resource.kind, resource.name, resource.status) for resource in billing.open_resources(aws)] == [
        ("endpoint", MINE, "InService"),
        ("training-job", RUNNING, "InProgress"),
        ("training-job", STOPPING, "Stopping"),
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
    script.on("ListTrainingJobs", {"TrainingJobSummaries": [job(RUNNING, "Stopping")]})
    script.on("ListTags", {"Tags": tags.to_api(OURS)})
    script.on("DescribeTrainingJob", job(RUNNING, "Stopping"))
    assert len(billing.open_resources(aws)) == 1


def test_a_processing_job_bills_for_all_its_machines(aws, script):
    name = "asteroid-ll-clean"
    described = {
        "ProcessingJobName": name,
        "ProcessingJobArn": f"{PREFIX}:processing-job/{name}",
        "ProcessingJobStatus": "InProgress",
        "CreationTime": 900,
    }
    machines = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 30}
    script.on("ListProcessingJobs", {"ProcessingJobSummaries": [described]})
    script.on("ListTags", {"Tags": tags.to_api(OURS)})
    script.on(
        "DescribeProcessingJob",
        {**described, "ProcessingResources": {"ClusterConfig": machines}, "AppSpecification": {"ImageUri": "i"}},
    )
    (resource,) = billing.open_resources(aws, kinds=["processing-job"])
    assert (resource.name, resource.instance_type, resource.count) == (name, "ml.m5.xlarge", 3)
    assert resource.price_usd_per_h == pytest.approx(3 * 0.23)
    assert [body["StatusEquals"] for name, body in script.calls if name.startswith("ListP")] == [
        "InProgress",
        "Stopping",
    ]


def test_only_names_with_our_prefix_are_listed_and_no_tag_of_another_name_is_read(aws, script, account):
    billing.open_resources(aws)
    listings = [body for name, body in script.calls if name.startswith("List") and name != "ListTags"]
    assert {body["NameContains"] for body in listings} == {tags.NAME_PREFIX}
    read = {body["ResourceArn"].rpartition("/")[2] for name, body in script.calls if name == "ListTags"}
    assert read == {MINE, LOOKALIKE, RUNNING, STOPPING}


def test_a_denied_tag_of_a_foreign_endpoint_does_not_matter(aws, script, account, say):
    script.on("ListEndpoints", {"Endpoints": [endpoint(FOREIGN)]})
    script.on("ListTrainingJobs", {"TrainingJobSummaries": []})
    script.on("ListTags", say.refusal("AccessDeniedException", "no"))
    assert billing.open_resources(aws) == []


def test_an_endpoint_that_vanishes_between_list_and_tags_is_not_an_error(aws, script, account, say):
    script.on("ListTags", say.refusal("ValidationException", "Could not find resource."))
    script.on("DescribeEndpoint", say.refusal("ValidationException", "Could not find endpoint."))
    script.on("DescribeTrainingJob", say.refusal("ValidationException", "Requested resource not found."))
    assert billing.open_resources(aws) == []


def test_a_resource_without_readable_tags_that_still_exists_is_unknown(aws, script, account, say):
    script.on("ListTags", say.refusal("ValidationException", "Could not find resource."))
    with pytest.raises(AwsError, match=f"the tags of .*{MINE}"):
        billing.open_resources(aws)
    result = billing.inventory(aws)
    assert [(item.kind, item.name, item.region) for item in result.unreadable][:1] == [("endpoint", MINE, "us-east-1")]
    assert result.resources == ()


def test_one_unreadable_resource_does_not_hide_the_others(aws, script, account, say):
    def tags_of(body: dict) -> object:
        name = body["ResourceArn"].rpartition("/")[2]
        return say.refusal("AccessDeniedException", "no") if name == RUNNING else {"Tags": tags.to_api(OURS)}

    script.on("ListTags", tags_of)
    result = billing.inventory(aws)
    assert [item.name for item in result.unreadable] == [RUNNING]
    assert {item.name for item in result.resources} == {MINE, LOOKALIKE, STOPPING}


def test_configurations_and_models_are_listed_on_request_and_cost_nothing(aws, script, account):
    summary = {"CreationTime": 1, "LastModifiedTime": 1}
    script.on(
        "ListEndpointConfigs",
        {"EndpointConfigs": [{"EndpointConfigName": MINE, "EndpointConfigArn": f"{PREFIX}:c/{MINE}", **summary}]},
    )
    script.on("ListModels", {"Models": [{"ModelName": MINE, "ModelArn": f"{PREFIX}:m/{MINE}", **summary}]})
    found = billing.inventory(aws, kinds=("endpoint-config", "model")).resources
    assert [(item.kind, item.price_usd_per_h, item.expires_s) for item in found] == [
        ("endpoint-config", 0, 2000),
        ("model", 0, 2000),
    ]

from __future__ import annotations

import pytest

from asteroid_ll.aws import resources, tags, teardown
from asteroid_ll.errors import CredentialsError, LeakError

NAME = "asteroid-ll-abc"
OURS = {"Tags": tags.to_api(tags.tags(fingerprint="abc"))}


def arn(kind: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:111122223333:{kind}/{NAME}"


ENDPOINT = {
    "EndpointName": NAME,
    "EndpointArn": arn("endpoint"),
    "EndpointConfigName": NAME,
    "EndpointStatus": "InService",
    "CreationTime": 1000,
    "LastModifiedTime": 1000,
}
CONFIG = {
    "EndpointConfigName": NAME,
    "EndpointConfigArn": arn("endpoint-config"),
    "ProductionVariants": [],
    "CreationTime": 1,
}
MODEL = {"ModelName": NAME, "ModelArn": arn("model"), "CreationTime": 1}


@pytest.fixture
def deployed(script, say):
    """Everything is there, until a delete takes it away."""
    gone: set[str] = set()
    texts = {"Endpoint": ENDPOINT, "EndpointConfig": CONFIG, "Model": MODEL}

    def describing(kind: str):
        def answer(_body: dict) -> object:
            missing = say.refusal("ValidationException", f'Could not find {kind} "{NAME}".')
            return missing if kind in gone else texts[kind]

        return answer

    def deleting(kind: str):
        def answer(_body: dict) -> object:
            gone.add(kind)
            return {}

        return answer

    for kind in texts:
        script.on(f"Describe{kind}", describing(kind))
        script.on(f"Delete{kind}", deleting(kind))
    script.on("ListTags", OURS)
    script.on("ListEndpoints", lambda _: {"Endpoints": [] if "Endpoint" in gone else [ENDPOINT]})
    script.on("ListEndpointConfigs", lambda _: {"EndpointConfigs": [] if "EndpointConfig" in gone else [CONFIG]})
    script.on("ListModels", lambda _: {"Models": [] if "Model" in gone else [MODEL]})
    return gone


def deletes(script) -> list[str]:
    return [name for name in script.names() if name.startswith("Delete")]


def test_the_endpoint_goes_first_then_its_configuration_then_its_model(aws, script, deployed):
    deleted = teardown.delete_endpoint_stack(aws, NAME)
    assert deletes(script) == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert [item.kind for item in deleted] == ["endpoint", "endpoint-config", "model"]
    assert teardown.find_leftovers(aws, NAME) == []


def test_an_endpoint_is_deleted_when_it_is_up_and_its_configuration_when_it_is_gone(aws, script, say, deployed):
    gone = say.refusal("ValidationException", 'Could not find endpoint "x".')
    statuses = ["Creating", "Creating", "InService", "Deleting", "Deleting"]
    script.on("DescribeEndpoint", *(ENDPOINT | {"EndpointStatus": status} for status in statuses), gone)
    teardown.delete_endpoint_stack(aws, NAME)
    names = script.names()
    first, second = names.index("DeleteEndpoint"), names.index("DeleteEndpointConfig")
    assert names[:first].count("DescribeEndpoint") == 3
    assert names[first:second].count("DescribeEndpoint") == 3


def test_a_second_teardown_finds_nothing_to_do(aws, script, deployed):
    teardown.delete_endpoint_stack(aws, NAME)
    assert teardown.delete_endpoint_stack(aws, NAME) == []
    assert len(deletes(script)) == 3


@pytest.mark.parametrize("kind", ["Endpoint", "EndpointConfig", "Model"])
def test_the_other_deletes_are_tried_when_one_fails_and_the_rest_is_named(aws, script, say, deployed, kind):
    script.on(f"Delete{kind}", say.refusal("AccessDeniedException", "not allowed"))
    with pytest.raises(LeakError, match=f"sagemaker:Delete{kind}"):
        teardown.delete_endpoint_stack(aws, NAME)
    assert deletes(script) == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert deployed == {"Endpoint", "EndpointConfig", "Model"} - {kind}


def test_a_bug_in_one_delete_does_not_keep_the_others(aws, script, deployed, monkeypatch):
    find = resources.find

    def failing(aws, kind, name):
        return find(aws, kind, name) if kind != "endpoint-config" else {}["no such member"]

    monkeypatch.setattr(resources, "find", failing)
    with pytest.raises(LeakError, match=f"endpoint configuration {NAME}: .*KeyError"):
        teardown.delete_endpoint_stack(aws, NAME)
    assert deletes(script) == ["DeleteEndpoint", "DeleteModel"]


def test_deleting_a_missing_resource_is_not_a_failure(aws, script, say, deployed):
    script.on("DeleteModel", say.refusal("ValidationException", 'Could not find model "x".'))
    assert [item.kind for item in teardown.delete_endpoint_stack(aws, NAME)] == ["endpoint", "endpoint-config"]


def test_a_resource_with_our_name_but_not_our_tags_is_left_untouched(aws, script, deployed):
    script.on("ListTags", {"Tags": [{"Key": "Owner", "Value": "somebody"}]})
    assert teardown.delete_endpoint_stack(aws, NAME) == []
    assert deletes(script) == []
    assert teardown.find_leftovers(aws, NAME) == []


def test_a_leftover_with_an_unknown_owner_may_be_ours(aws, script, say, deployed):
    script.on("ListTags", say.refusal("AccessDeniedException", "not allowed"))
    with pytest.raises(LeakError, match="unknown"):
        teardown.find_leftovers(aws, NAME)


def test_tags_that_may_not_be_read_leave_the_owner_unknown_and_nothing_is_deleted(aws, script, say, deployed):
    script.on("ListTags", say.refusal("AccessDeniedException", "not allowed"))
    with pytest.raises(LeakError, match="possibly billed"):
        teardown.delete_endpoint_stack(aws, NAME)
    assert deletes(script) == []


def test_expired_credentials_name_the_possible_leftovers(aws, script, say, deployed):
    for kind in ("Endpoint", "EndpointConfig", "Model"):
        script.on(f"Describe{kind}", say.refusal("ExpiredTokenException", "expired"))
    with pytest.raises(CredentialsError, match=f"possibly billed: endpoint {NAME}") as caught:
        teardown.delete_endpoint_stack(aws, NAME)
    assert "teardown" in caught.value.hint


def test_leftovers_are_unknown_without_valid_credentials_and_the_next_command_is_named(aws, script, say, deployed):
    script.on("DescribeEndpoint", say.refusal("ExpiredTokenException", "expired"))
    with pytest.raises(CredentialsError, match=f"Whether endpoint {NAME} is left is unknown") as caught:
        teardown.find_leftovers(aws, NAME)
    assert caught.value.hint
    script.on("DescribeEndpoint", say.refusal("AccessDeniedException", "not allowed"))
    with pytest.raises(LeakError, match=f"Whether endpoint {NAME} is left is unknown") as leak:
        teardown.find_leftovers(aws, NAME)
    assert "asteroid-ll teardown" in leak.value.hint


def test_failures_of_several_kinds_are_a_leak_with_each_reason_and_of_one_kind_the_first_is_told(
    aws, script, say, deployed
):
    script.on("DescribeModel", say.refusal("ExpiredTokenException", "expired"))
    script.on("DescribeEndpointConfig", say.refusal("InvalidClientTokenId", "invalid"))
    with pytest.raises(CredentialsError) as caught:
        teardown.delete_endpoint_stack(aws, NAME)
    first, _, names = caught.value.what.partition(" Not deleted, and possibly billed: ")
    assert "expired" not in first.lower()
    assert names == f"endpoint configuration {NAME}, model {NAME}."
    script.on("DescribeEndpoint", say.refusal("AccessDeniedException", "not allowed"))
    with pytest.raises(LeakError) as leak:
        teardown.delete_endpoint_stack(aws, NAME)
    assert all(f"{kind} {NAME}: " in leak.value.what for kind in ("endpoint", "endpoint configuration", "model"))
    assert "asteroid-ll teardown" in leak.value.hint


def test_leftovers_are_named_with_their_status(aws, deployed):
    assert [str(item) for item in teardown.find_leftovers(aws, NAME)] == [
        f"endpoint {NAME} (InService)",
        f"endpoint configuration {NAME}",
        f"model {NAME}",
    ]


def test_a_resource_that_is_only_in_the_listing_is_left_too(aws, script, say, deployed):
    script.on("DescribeEndpoint", say.refusal("ValidationException", 'Could not find endpoint "x".'))
    assert teardown.find_leftovers(aws, NAME, kinds=["endpoint"])[0].status == "InService"


@pytest.mark.parametrize(
    ("code", "message"),
    [("ValidationException", "1 validation error detected"), ("AccessDeniedException", "Could not find endpoint")],
)
def test_a_refusal_that_is_not_a_plain_not_found_is_never_absence(aws, script, say, deployed, code, message):
    script.on("DescribeEndpoint", say.refusal(code, message))
    with pytest.raises(LeakError, match="unknown"):
        teardown.find_leftovers(aws, NAME, kinds=["endpoint"])


def test_a_neighbour_whose_name_contains_ours_is_not_ours(aws, script, say):
    longer = ENDPOINT | {"EndpointName": NAME + "-2"}
    script.on("ListEndpoints", {"Endpoints": [longer]})
    script.on("DescribeEndpoint", say.refusal("ValidationException", 'Could not find endpoint "x".'))
    assert teardown.find_leftovers(aws, NAME, kinds=["endpoint"]) == []


def test_the_listing_is_read_to_its_last_page(aws, script, say):
    others = [ENDPOINT | {"EndpointName": f"{NAME}-{number}"} for number in range(10)]
    script.on(
        "ListEndpoints",
        *({"Endpoints": others, "NextToken": f"t{page}"} for page in range(25)),
        {"Endpoints": [ENDPOINT]},
    )
    script.on("DescribeEndpoint", say.refusal("ValidationException", 'Could not find endpoint "x".'))
    script.on("ListTags", OURS)
    assert len(teardown.find_leftovers(aws, NAME, kinds=["endpoint"])) == 1
    assert script.names().count("ListEndpoints") == 26


@pytest.mark.parametrize(("status", "n_left"), [("InProgress", 1), ("Stopping", 1), ("Completed", 0), ("Stopped", 0)])
def test_a_training_job_is_left_while_it_is_billed(aws, script, status, n_left):
    job = {
        "TrainingJobName": NAME,
        "TrainingJobArn": arn("training-job"),
        "TrainingJobStatus": status,
        "CreationTime": 1,
    }
    script.on("ListTrainingJobs", {"TrainingJobSummaries": [job]})
    script.on("DescribeTrainingJob", job)
    script.on("ListTags", OURS)
    assert len(teardown.find_leftovers(aws, NAME, kinds=["training-job"])) == n_left

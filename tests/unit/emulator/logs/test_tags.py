"""Tags of log groups, by the ARN without ``:*``."""

import pytest

from asteroid_ll.emulator.logs.store import LogStore

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def logs(client_of):
    return client_of("logs")


@pytest.fixture
def arn(virtual, logs):
    LogStore(virtual.state).append("us-west-2", GROUP, "job/algo-1-1", lines=[(1.7e9, "a")])
    (group,) = logs.describe_log_groups()["logGroups"]
    assert group["arn"] == f"{group['logGroupArn']}:*"
    return group["logGroupArn"]


def test_tags_are_set_changed_and_removed(logs, arn):
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}
    logs.tag_resource(resourceArn=arn, tags={"owner": "ada", "run": "1"})
    logs.tag_resource(resourceArn=arn, tags={"run": "2"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"owner": "ada", "run": "2"}
    logs.untag_resource(resourceArn=arn, tagKeys=["owner", "never"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"run": "2"}


@pytest.mark.parametrize("end", ["group", "stream"])
def test_tags_go_with_the_group(logs, arn, virtual, end):
    logs.tag_resource(resourceArn=arn, tags={"run": "1"})
    if end == "group":
        logs.delete_log_group(logGroupName=GROUP)
    else:
        logs.delete_log_stream(logGroupName=GROUP, logStreamName="job/algo-1-1")
    LogStore(virtual.state).append("us-west-2", GROUP, "other/algo-1-1", lines=[(1.7e9, "a")])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_another_stream_of_the_group_keeps_its_tags(logs, arn, virtual):
    LogStore(virtual.state).append("us-west-2", GROUP, "other/algo-1-1", lines=[(1.7e9, "a")])
    logs.tag_resource(resourceArn=arn, tags={"run": "1"})
    logs.delete_log_stream(logGroupName=GROUP, logStreamName="job/algo-1-1")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"run": "1"}


def test_tags_beyond_the_rules_are_refused(logs, arn, refused):
    system = ("InvalidParameterException", "Caller is an end user and not allowed to mutate system tags")
    assert refused(logs.tag_resource, resourceArn=arn, tags={"Aws:a": "b"}) == system
    assert refused(logs.untag_resource, resourceArn=arn, tagKeys=["aws:a"]) == system
    logs.tag_resource(resourceArn=arn, tags={f"k{number}": "" for number in range(50)})
    many = ("TooManyTagsException", "A resource can have no more than 50 tags.")
    assert refused(logs.tag_resource, resourceArn=arn, tags={"one": "more"}) == many
    assert refused(logs.tag_resource, resourceArn=arn, tags={})[0] == "InvalidParameterException"


def test_a_group_that_does_not_exist_or_is_of_another_region_has_no_tags(logs, arn, refused):
    for other in (f"{arn}x", arn.replace("us-west-2", "eu-west-1"), "arn"):
        assert refused(logs.list_tags_for_resource, resourceArn=other)[0] == "ResourceNotFoundException"
    assert refused(logs.list_tags_for_resource, resourceArn=f"{arn}:*")[0] == "InvalidParameterException"

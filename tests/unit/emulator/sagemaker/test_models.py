"""Models and endpoint configurations are recorded, described as they were set, and refused as AWS does."""

import pytest

from asteroid_ll.linear_learner.images import image_uri

ARN = "arn:aws:sagemaker:us-west-2:000000000000"
ROLE = "arn:aws:iam::000000000000:role/trainer"


@pytest.fixture
def container(virtual):
    virtual.store.create_bucket("asteroids", region="us-west-2")
    virtual.store.put("asteroids", "m/model.tar.gz", [b"weights"])
    return {"Image": image_uri("us-west-2"), "ModelDataUrl": "s3://asteroids/m/model.tar.gz"}


@pytest.fixture
def create(sagemaker, container):
    def call(name="m", role=ROLE, **changes):
        return sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={**container, **changes})

    return call


def variant(**changes):
    return {
        "VariantName": "AllTraffic",
        "ModelName": "m",
        "InstanceType": "ml.m4.xlarge",
        "InitialInstanceCount": 1,
        **changes,
    }


def test_a_model_is_described_as_it_was_created(sagemaker, create, container):
    assert create()["ModelArn"] == f"{ARN}:model/m"
    description = sagemaker.describe_model(ModelName="m")
    assert description["PrimaryContainer"] == container
    assert description["ExecutionRoleArn"] == ROLE
    assert "VpcConfig" not in description
    assert "Containers" not in description


def test_a_model_is_created_once_and_deleted_once(sagemaker, create, refused):
    create()
    assert refused(create) == ("ValidationException", f'Cannot create already existing model "{ARN}:model/m".')
    sagemaker.delete_model(ModelName="m")
    for call in (sagemaker.delete_model, sagemaker.describe_model):
        assert refused(call, ModelName="m") == ("ValidationException", f'Could not find model "{ARN}:model/m".')


@pytest.mark.parametrize(
    ("changes", "message_part"),
    [
        ({"ModelDataUrl": "s3://asteroids/none.tar.gz"}, "Could not find model data at s3://asteroids/none.tar.gz."),
        ({"ModelDataUrl": "s3://no-bucket/x.tar.gz"}, "Could not access model data at s3://no-bucket/x.tar.gz."),
        ({"Image": image_uri("eu-west-1")}, "Invalid DNS suffix 'amazonaws.com' for region 'eu-west-1'"),
        ({"Image": "busybox"}, "Cannot find the requested image: busybox"),
        ({"role": "arn:aws:iam::111111111111:role/x"}, "Could not assume role arn:aws:iam::111111111111:role/x."),
        ({"role": "arn:aws:iam::000000000000:user/x"}, "1 validation error detected: Value"),
    ],
)
def test_a_model_that_could_not_be_served_is_refused(create, refused, changes, message_part):
    code, message = refused(create, **changes)
    assert code == "ValidationException"
    assert message_part in message


def test_a_configuration_is_described_as_it_was_created(sagemaker, create):
    create()
    answer = sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant()])
    assert answer["EndpointConfigArn"] == f"{ARN}:endpoint-config/c"
    description = sagemaker.describe_endpoint_config(EndpointConfigName="c")
    assert description["ProductionVariants"] == [variant()]
    assert "DataCaptureConfig" not in description


@pytest.mark.parametrize(
    ("variants", "message_part"),
    [
        ([variant(ModelName="none")], f'Could not find model "{ARN}:model/none".'),
        ([variant(), variant()], "Variant names must be unique"),
        ([variant(InstanceType="ml.tiny")], "'productionVariants.1.member.instanceType' failed to satisfy constraint"),
        ([{"VariantName": "v", "ModelName": "m"}], "needs InstanceType and InitialInstanceCount"),
    ],
)
def test_a_configuration_that_could_not_be_served_is_refused(sagemaker, create, refused, variants, message_part):
    create()
    code, message = refused(sagemaker.create_endpoint_config, EndpointConfigName="c", ProductionVariants=variants)
    assert code == "ValidationException"
    assert message_part in message


def test_a_missing_configuration_is_named(virtual, sagemaker, refused):
    for call in (sagemaker.describe_endpoint_config, sagemaker.delete_endpoint_config):
        assert refused(call, EndpointConfigName="c")[1] == (
            f'Could not find endpoint configuration "{ARN}:endpoint-config/c".'
        )


def test_lists_page_through_everything_newest_first(virtual, sagemaker, create, clock):
    for number in range(12):
        create(f"m{number}")
        clock.s += 1
    first = sagemaker.list_models()
    assert [model["ModelName"] for model in first["Models"]] == [f"m{number}" for number in range(11, 1, -1)]
    rest = sagemaker.list_models(NextToken=first["NextToken"])
    assert [model["ModelName"] for model in rest["Models"]] == ["m1", "m0"]
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant(ModelName="m1")])
    assert [c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]] == ["c"]


def test_what_is_deleted_between_two_pages_hides_nothing_else(sagemaker, create, clock):
    for number in range(4):
        create(f"m{number}")
        clock.s += 1
    first = sagemaker.list_models(MaxResults=2)
    sagemaker.delete_model(ModelName="m3")
    rest = sagemaker.list_models(MaxResults=2, NextToken=first["NextToken"])
    assert [model["ModelName"] for model in rest["Models"]] == ["m1", "m0"]


def test_a_token_of_another_listing_is_refused(sagemaker, create, refused):
    for name in ("a", "b"):
        create(name)
    token = sagemaker.list_models(MaxResults=1)["NextToken"]
    assert refused(sagemaker.list_endpoints, NextToken=token) == ("ValidationException", "Invalid pagination token.")
    assert refused(sagemaker.list_models, NextToken="nonsense")[1] == "Invalid pagination token."


def test_tags_are_set_changed_and_removed(sagemaker, create, refused):
    arn = create()["ModelArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn, PaginationConfig={"PageSize": 50})
    assert sum(len(page["Tags"]) for page in pages) == 2
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "never"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    sagemaker.delete_model(ModelName="m")
    assert refused(sagemaker.list_tags, ResourceArn=arn)[0] == "ValidationException"


def test_tags_beyond_the_rules_are_refused(sagemaker, create, refused):
    arn = create()["ModelArn"]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert "Duplicate tag keys" in refused(sagemaker.add_tags, ResourceArn=arn, Tags=twice)[1]
    reserved = [{"Key": "aws:x", "Value": "1"}]
    theirs = ("ValidationException", "System prefix 'aws:' reserved for AWS usage in tag key: aws:x")
    assert refused(sagemaker.add_tags, ResourceArn=arn, Tags=reserved) == theirs
    assert refused(sagemaker.delete_tags, ResourceArn=arn, TagKeys=["a", "aws:x"]) == theirs
    for half in (0, 1):
        many = [{"Key": f"k{number}", "Value": ""} for number in range(half * 30, half * 30 + 30)]
        if half == 0:
            sagemaker.add_tags(ResourceArn=arn, Tags=many)
        else:
            assert refused(sagemaker.add_tags, ResourceArn=arn, Tags=many)[0] == "ResourceLimitExceeded"

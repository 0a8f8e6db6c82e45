"""Requests are checked against botocore's models and refused in AWS's words."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.emulator.api_model import ApiModel, _compiled
from asteroid_ll.emulator.sagemaker.service import OPERATIONS
from asteroid_ll.emulator.transport.messages import ApiError


@pytest.fixture(scope="module")
def model():
    return ApiModel()


@pytest.fixture(scope="module")
def complaint(model):
    def check(operation, params, service="sagemaker"):
        with pytest.raises(ApiError) as caught:
            model.check(service, operation, params=params)
        assert caught.value.code == "ValidationException"
        return caught.value.message

    return check


def test_a_missing_member_is_null(complaint):
    assert complaint("DescribeModel", {}) == (
        "1 validation error detected: Value null at 'modelName' failed to satisfy constraint: Member must not be null"
    )


def test_an_enum_is_spelled_out(complaint):
    assert complaint("ListModels", {"SortOrder": "Up"}) == (
        "1 validation error detected: Value 'Up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum "
        "value set: [Ascending, Descending]"
    )


def test_lengths_and_ranges_are_in_the_message(complaint):
    assert "Member must have value less than or equal to 100" in complaint("ListModels", {"MaxResults": 101})
    assert "Member must have value greater than or equal to 1" in complaint("ListModels", {"MaxResults": 0})
    long_name = complaint("DescribeModel", {"ModelName": "x" * 64})
    assert "at 'modelName' failed to satisfy constraint: Member must have length less than or equal to 63" in long_name


def test_members_of_lists_are_counted_from_one(complaint):
    tags = [{"Key": "a", "Value": "1"}, {"Key": "", "Value": "1"}]
    arn = "arn:aws:sagemaker:us-west-2:000000000000:model/m"
    assert "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than" in (
        complaint("AddTags", {"ResourceArn": arn, "Tags": tags})
    )


def test_values_of_maps_are_checked(complaint):
    message = complaint(
        "CreateTrainingJob",
        {
            "TrainingJobName": "j",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
            "HyperParameters": {"epochs": "9" * 3000},
        },
    )
    assert (
        "at 'hyperParameters' failed to satisfy constraint: Map value must satisfy constraint: [Member must" in message
    )


def test_an_operation_that_the_service_does_not_have_is_unknown(model):
    with pytest.raises(ApiError, match="UnknownOperationException"):
        model.operation("sagemaker", "MakeCoffee")


def test_an_answer_keeps_only_what_its_shape_has_and_what_was_set(model):
    values = {"ModelName": "m", "ModelArn": None, "Secret": 1, "PrimaryContainer": {"Image": "i", "Other": 2}}
    assert model.answer("sagemaker", "DescribeModel", values=values) == {
        "ModelName": "m",
        "PrimaryContainer": {"Image": "i"},
    }
    assert model.answer("sagemaker", "DeleteModel", values={"x": 1}) == {}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_pattern_of_an_operation_compiles(model, operation):
    seen, todo = set(), [model.operation("sagemaker", operation).input_shape]
    while todo:
        shape = todo.pop()
        if shape.name in seen:
            continue
        seen.add(shape.name)
        if "pattern" in shape.metadata:
            assert isinstance(_compiled(shape.metadata["pattern"]), re.Pattern)
        todo += getattr(shape, "members", {}).values()
        todo += [getattr(shape, inner) for inner in ("member", "key", "value") if hasattr(shape, inner)]
    assert seen


@settings(deadline=None)  # the first example loads the model
@given(st.lists(st.sampled_from("aZ09"), min_size=1, max_size=32).map("-".join))
def test_every_name_of_the_documented_form_is_accepted(name):
    _MODEL.check("sagemaker", "DescribeTrainingJob", params={"TrainingJobName": name})


_MODEL = ApiModel()

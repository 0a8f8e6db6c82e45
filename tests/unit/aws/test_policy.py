from __future__ import annotations

import json

from asteroid_ll.aws.policy import policy

ROLE_ARN = "arn:aws:iam::111122223333:role/learner"


def made(**changed: str) -> dict:
    arguments = {
        "bucket": "b",
        "prefix": "p",
        "role_arn": ROLE_ARN,
        "region": "us-east-1",
        "account_id": "111122223333",
    }
    return policy(**(arguments | changed))


def test_only_listings_and_prices_have_every_resource():
    for statement in made()["Statement"]:
        if "*" in statement["Resource"]:
            operations = [action.partition(":")[2] for action in statement["Action"]]
            assert operations == ["GetProducts"] or all(name.startswith("List") for name in operations)


def test_only_one_role_can_be_passed_and_only_to_sagemaker():
    passing = [statement for statement in made()["Statement"] if "iam:PassRole" in statement["Action"]]
    assert len(passing) == 1
    assert passing[0]["Resource"] == [ROLE_ARN]
    assert passing[0]["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_no_action_is_a_wildcard():
    assert not any("*" in action for statement in made()["Statement"] for action in statement["Action"])


def test_objects_outside_the_prefix_are_out_of_reach():
    objects = next(s for s in made()["Statement"] if "s3:PutObject" in s["Action"])
    assert objects["Resource"] == ["arn:aws:s3:::b/p/*"]


def test_the_policy_is_json_in_the_regions_partition():
    written = json.dumps(made(partition="aws-cn", region="cn-north-1", role_arn="arn:aws-cn:iam::1:role/x"))
    assert "arn:aws:" not in written
    assert "arn:aws-cn:sagemaker:cn-north-1:111122223333:training-job/asteroid-ll-*" in written


def test_a_sweep_may_look_in_every_region_but_touch_only_our_names():
    for sid in ("Sweep", "SweepLogs"):
        (statement,) = (s for s in made()["Statement"] if s["Sid"] == sid)
        assert all(":*:111122223333:" in resource for resource in statement["Resource"])
        assert all(resource.endswith("asteroid-ll-*") for resource in statement["Resource"])

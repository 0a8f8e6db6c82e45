"""Tags of roles, users, policies and identity providers, and the conditions that know them."""

import json
from dataclasses import dataclass

import pytest
from botocore.client import BaseClient

SYSTEM_TAGS = ("InvalidInput", "Caller is an end user and not allowed to mutate system tags")


@dataclass
class Tagged:
    """One entity with its operations on tags."""

    iam: BaseClient
    kind: str
    name: dict[str, str]

    def put(self, **tags):
        return self.call(f"tag_{self.kind}", Tags=[{"Key": key, "Value": text} for key, text in tags.items()])

    def remove(self, *, keys):
        return self.call(f"untag_{self.kind}", TagKeys=keys)

    def tags(self, **more):
        return {tag["Key"]: tag["Value"] for tag in self.call(f"list_{self.kind}_tags", **more)["Tags"]}

    def call(self, operation, **members):
        return getattr(self.iam, operation)(**self.name, **members)


@pytest.fixture(params=["role", "user", "policy", "open_id_connect_provider"])
def tagged(request, iam, trust, read):
    kind, tags = request.param, [{"Key": "Owner", "Value": "ada"}]
    if kind == "role":
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust), Tags=tags)
        return Tagged(iam, kind, {"RoleName": "r"})
    if kind == "user":
        iam.create_user(UserName="u", Tags=tags)
        return Tagged(iam, kind, {"UserName": "u"})
    if kind == "policy":
        policy = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(read), Tags=tags)["Policy"]
        return Tagged(iam, kind, {"PolicyArn": policy["Arn"]})
    arn = iam.create_open_id_connect_provider(Url="https://a.example", Tags=tags)["OpenIDConnectProviderArn"]
    return Tagged(iam, kind, {"OpenIDConnectProviderArn": arn})


def test_tags_are_set_changed_listed_by_key_and_removed(tagged):
    tagged.put(run="1", Owner="bo")
    tagged.put(run="2")
    assert tagged.tags() == {"Owner": "bo", "run": "2"}
    assert tagged.tags(MaxItems=1) == {"Owner": "bo"}
    tagged.remove(keys=["Owner", "never"])
    assert tagged.tags() == {"run": "2"}
    tagged.remove(keys=["run"])
    assert tagged.tags() == {}


def test_only_the_keys_of_roles_and_users_are_compared_without_case(tagged, refused):
    without_case = tagged.kind in ("role", "user")
    tagged.put(OWNER="bo")
    assert tagged.tags() == ({"OWNER": "bo"} if without_case else {"OWNER": "bo", "Owner": "ada"})
    if without_case:
        message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        assert refused(tagged.put, a="1", A="2") == ("InvalidInput", message)
        tagged.remove(keys=["owner"])
        assert tagged.tags() == {}


def test_tags_beyond_the_rules_are_refused_and_change_nothing(tagged, refused):
    assert refused(tagged.put, **{"AWS:a": "b"}) == SYSTEM_TAGS
    assert refused(tagged.remove, keys=["aws:a"]) == SYSTEM_TAGS
    tagged.put(**{f"k{number}": "" for number in range(49)})
    tagged.put(k0="changed")
    too_many = ("LimitExceeded", "The number of tags has reached the maximum limit.")
    assert refused(tagged.put, one="more") == too_many
    assert len(tagged.tags()) == 50


def test_a_create_call_with_a_tag_twice_is_refused(iam, trust, refused):
    twice = [{"Key": "a", "Value": "1"}] * 2
    document = json.dumps(trust)
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=document, Tags=twice)[0] == "InvalidInput"
    assert refused(iam.get_role, RoleName="r")[0] == "NoSuchEntity"


def test_what_does_not_exist_has_no_tags(iam, refused):
    assert refused(iam.list_role_tags, RoleName="r") == ("NoSuchEntity", "The role with name r cannot be found.")
    arn = "arn:aws:iam::000000000000:policy/p"
    assert refused(iam.tag_policy, PolicyArn=arn, Tags=[]) == ("NoSuchEntity", f"Policy {arn} was not found.")

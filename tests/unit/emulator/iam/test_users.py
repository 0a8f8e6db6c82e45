"""Users have access keys, which say who sends a request."""

import json


def test_a_user_is_read_back(iam, user):
    assert iam.get_user(UserName="ADA")["User"] == user
    assert user["Arn"] == "arn:aws:iam::000000000000:user/ada"


def test_a_user_that_exists_is_refused_and_one_that_does_not_is_not_found(iam, user, refused):
    assert refused(iam.create_user, UserName="Ada") == ("EntityAlreadyExists", "User with name Ada already exists.")
    assert refused(iam.get_user, UserName="eve") == ("NoSuchEntity", "The user with name eve cannot be found.")


def test_a_user_without_a_name_is_the_sender(iam, user, sent_by, refused):
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    assert sent_by(key, "iam").get_user()["User"] == user
    assert refused(iam.get_user) == ("NoSuchEntity", "The user with name emulator cannot be found.")


def test_a_session_of_a_role_is_not_a_user(iam, virtual, client_of, trust, sent_by, refused):
    trust["Statement"][0]["Principal"] = {"AWS": "000000000000"}
    role = iam.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    answer = client_of("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="tuesday")
    assert refused(sent_by(answer["Credentials"], "iam").get_user) == (
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    )


def test_keys_are_listed_without_their_secret_and_a_third_is_refused(iam, user, refused):
    keys = [iam.create_access_key(UserName="ada")["AccessKey"] for _ in range(2)]
    assert {len(key["AccessKeyId"]) for key in keys} == {20}
    listed = iam.list_access_keys(UserName="ada")["AccessKeyMetadata"]
    assert listed == [{name: value for name, value in key.items() if name != "SecretAccessKey"} for key in keys]
    assert refused(iam.create_access_key, UserName="ada") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )


def test_a_user_with_keys_or_policies_is_not_deleted(iam, user, read, refused):
    key = iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=json.dumps(read))
    assert refused(iam.delete_user, UserName="ada")[1] == "Cannot delete entity, must delete policies first."
    iam.delete_user_policy(UserName="ada", PolicyName="p")
    assert refused(iam.delete_user, UserName="ada") == (
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )
    iam.delete_access_key(UserName="ada", AccessKeyId=key)
    assert refused(iam.delete_access_key, UserName="ada", AccessKeyId=key) == (
        "NoSuchEntity",
        f"The Access Key with id {key} cannot be found.",
    )
    iam.delete_user(UserName="ada")
    assert refused(iam.get_user, UserName="ada")[0] == "NoSuchEntity"

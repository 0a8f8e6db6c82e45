"""AssumeRole gives temporary credentials to whom the role trusts."""

import json
import re
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "arn:aws:iam::000000000000"
ROLE = f"{ACCOUNT}:role/of/learner"
SESSION = "arn:aws:sts::000000000000:assumed-role/learner/tuesday"


@pytest.fixture
def iam(virtual, client_of):
    return client_of("iam")


@pytest.fixture
def trusting(iam):
    """Create the role, which trusts one principal."""

    def create(principal, **statement):
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **statement}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return iam.create_role(RoleName="learner", Path="/of/", AssumeRolePolicyDocument=document)["Role"]

    return create


@pytest.fixture
def ada(iam, sent_by):
    """The client of a user."""
    iam.create_user(UserName="ada")
    return sent_by(iam.create_access_key(UserName="ada")["AccessKey"], "sts")


def test_a_session_is_the_caller_until_it_expires(ada, trusting, sent_by, clock):
    role = trusting(f"{ACCOUNT}:user/ada")
    assert ada.get_caller_identity()["Arn"] == f"{ACCOUNT}:user/ada"
    answer = ada.assume_role(RoleArn=ROLE, RoleSessionName="tuesday", DurationSeconds=900)
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:tuesday", "Arn": SESSION}
    assert answer["Credentials"]["Expiration"] - role["CreateDate"] == timedelta(seconds=900)
    session = sent_by(answer["Credentials"], "sts")
    caller = session.get_caller_identity()
    assert (caller["Arn"], caller["UserId"]) == (SESSION, f"{role['RoleId']}:tuesday")
    clock.s += 900
    with pytest.raises(ClientError, match=r"ExpiredToken.*The security token included in the request is expired"):
        session.get_caller_identity()


def test_the_credentials_have_awss_form_and_last_an_hour_by_default(virtual, client_of, trusting, clock):
    role = trusting("*")

    def session():
        return client_of("sts").assume_role(RoleArn=ROLE, RoleSessionName="tuesday")["Credentials"]

    credentials = session()
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}", credentials["AccessKeyId"])
    assert len(credentials["SecretAccessKey"]) == 40
    assert credentials["SessionToken"]
    assert credentials["Expiration"] - role["CreateDate"] == timedelta(hours=1)
    for seconds, is_known in ((3_600 + 86_400, True), (1, False)):  # for a day, ExpiredToken is the refusal
        clock.s += seconds
        session()
        assert (virtual.identities.key(credentials["AccessKeyId"]) is not None) is is_known


def test_expired_credentials_are_refused_in_the_format_of_each_service_while_policies_are_evaluated(
    virtual, client_of, trusting, sent_by, clock
):
    virtual.configure(iam=True)
    trusting("*")
    credentials = client_of("sts").assume_role(RoleArn=ROLE, RoleSessionName="tuesday")["Credentials"]
    clock.s += 3_600
    calls = {
        "sagemaker": ("list_models", {}, "ExpiredTokenException"),
        "sagemaker-runtime": ("invoke_endpoint", {"EndpointName": "e", "Body": b"1"}, "ExpiredTokenException"),
        "iam": ("list_roles", {}, "ExpiredToken"),
        "s3": ("list_buckets", {}, "ExpiredToken"),
    }
    for service, (operation, arguments, code) in calls.items():
        with pytest.raises(ClientError) as caught:
            getattr(sent_by(credentials, service), operation)(**arguments)
        assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("principal", [f"{ACCOUNT}:root", "000000000000", "*"], ids=["root", "account", "anyone"])
def test_a_role_that_trusts_the_account_can_be_assumed_with_any_key(virtual, client_of, trusting, principal):
    trusting(principal)
    answer = client_of("sts").assume_role(RoleArn=ROLE, RoleSessionName="tuesday")
    assert answer["AssumedRoleUser"]["Arn"] == SESSION


def test_who_is_not_trusted_is_denied_as_for_a_role_that_does_not_exist(ada, trusting, refused):
    denied = (
        "AccessDenied",
        f"User: {ACCOUNT}:user/ada is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
    )
    assert refused(ada.assume_role, RoleArn=ROLE, RoleSessionName="tuesday") == denied
    with pytest.raises(ClientError) as caught:
        ada.assume_role(RoleArn=ROLE, RoleSessionName="tuesday")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    trusting(f"{ACCOUNT}:user/eve")
    assert refused(ada.assume_role, RoleArn=ROLE, RoleSessionName="tuesday") == denied


def test_a_trusted_user_needs_the_external_id_and_no_policy(virtual, ada, trusting, refused):
    call = {"RoleArn": ROLE, "RoleSessionName": "tuesday"}
    trusting(f"{ACCOUNT}:user/ada", Condition={"StringEquals": {"sts:ExternalId": "seven"}})
    for evaluates in (False, True):
        virtual.configure(iam=evaluates)
        assert ada.assume_role(**call, ExternalId="seven")["AssumedRoleUser"]["Arn"] == SESSION
        assert refused(ada.assume_role, **call, ExternalId="eight")[0] == "AccessDenied"
        assert refused(ada.assume_role, **call)[0] == "AccessDenied"


def test_a_session_has_the_policies_of_the_role_and_those_it_was_given(virtual, client_of, iam, trusting):
    trusting(f"{ACCOUNT}:root")
    wide, narrow = (
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        for action in ("s3:*", "s3:GetObject")
    )
    arn = iam.create_policy(PolicyName="narrow", PolicyDocument=json.dumps(narrow))["Policy"]["Arn"]
    iam.put_role_policy(RoleName="learner", PolicyName="p", PolicyDocument=json.dumps(wide))
    given = {"Policy": json.dumps(narrow), "PolicyArns": [{"arn": arn}]}
    key = client_of("sts").assume_role(RoleArn=ROLE, RoleSessionName="tuesday", **given)["Credentials"]["AccessKeyId"]
    principal = virtual.identities.principal_of(key)
    assert (principal.role_arn, principal.identity_policies) == (ROLE, (wide,))
    assert principal.session_policies == (narrow, narrow)
    iam.delete_role_policy(RoleName="learner", PolicyName="p")
    iam.delete_role(RoleName="learner")
    assert virtual.identities.principal_of(key).identity_policies == ()


def test_a_session_is_no_longer_than_the_role_allows_and_its_policies_exist(ada, trusting, refused):
    trusting(f"{ACCOUNT}:root")
    call = {"RoleArn": ROLE, "RoleSessionName": "ab"}
    assert refused(ada.assume_role, **call, DurationSeconds=3_601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    for given in ({"Policy": "{}"}, {"PolicyArns": [{"arn": f"{ACCOUNT}:policy/none"}]}):
        assert refused(ada.assume_role, **call, **given)[0] == "MalformedPolicyDocument"

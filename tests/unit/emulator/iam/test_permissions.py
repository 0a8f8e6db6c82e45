"""Requests of real clients are allowed or denied by policies, with AWS's messages.

The forms of the messages are those of the IAM user guide, "Troubleshoot access denied error messages", and the S3 user
guide, "Access denied message examples".
"""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from asteroid_ll import Emulator
from asteroid_ll.aws.denials import denial
from asteroid_ll.emulator.iam.needs import needs
from asteroid_ll.emulator.iam.store import POLICY, Identities
from asteroid_ll.emulator.iam.store import USER as USER_KIND
from asteroid_ll.emulator.s3.call import OPERATIONS
from asteroid_ll.emulator.sessions import new_session
from asteroid_ll.linear_learner.images import image_uri

ACCOUNT = "000000000000"
ADA = f"arn:aws:iam::{ACCOUNT}:user/ada"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/asteroid-ll"
SAGEMAKER_ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"


def allow(*actions, resource="*", **more):
    return {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more},
    }


def deny(*actions, resource="*", **more):
    document = allow(*actions, resource=resource, **more)
    return {**document, "Statement": {**document["Statement"], "Effect": "Deny"}}


EVERYTHING = allow("*")


def reason(call, **arguments):
    """The code, the message and the HTTP status of a refusal."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def denied(action, resource="", *, why="because no identity-based policy allows the {} action", sender=ADA):
    place = f" on resource: {resource}" if resource else ""
    return f"User: {sender} is not authorized to perform: {action}{place} {why.format(action)}"


@pytest.fixture(scope="module")
def account():
    """An account with IAM, whose unknown keys are the root user's, and the user ada."""
    with Emulator(service_control_policies=[]) as emulator:
        iam, s3 = emulator.session().client("iam"), emulator.session().client("s3")
        s3.create_bucket(Bucket="rocks")
        iam.create_user(UserName="ada")
        key = iam.create_access_key(UserName="ada")["AccessKey"]
        clients = {
            name: client(emulator, name, key["AccessKeyId"], key["SecretAccessKey"])
            for name in ("iam", "logs", "pricing", "s3", "sagemaker", "sagemaker-runtime", "service-quotas", "sts")
        }
        yield SimpleNamespace(emulator=emulator, iam=iam, s3=s3, clients=clients, key=key)


@pytest.fixture
def emulator(account):
    """The account's emulator, with an object in its bucket and without policies of the bucket and the organization."""
    account.s3.put_object(Bucket="rocks", Key="a/b", Body=b"x", Tagging="team=1")
    account.s3.delete_bucket_policy(Bucket="rocks")
    yield account.emulator
    account.emulator.configure(service_control_policies=())


@pytest.fixture
def user(account, emulator):
    """Gives the user ada exactly these inline policies, and returns her client of a service."""

    def make(service, *policies, boundary=None):
        identities = Identities(emulator._opened().state)
        with identities.transaction():
            inline = {f"p{number}": json.dumps(policy) for number, policy in enumerate(policies)}
            arn = None
            if boundary is not None:
                old = identities.by_name(POLICY, "aws", "limit")
                if old is not None:
                    identities.delete(old)
                arn = identities.new(POLICY, "aws", "limit", document=json.dumps(boundary)).arn
            identities.save(identities.by_name(USER_KIND, "aws", "ada").changed(inline=inline, boundary=arn))
        return account.clients[service]

    return make


def client(emulator, service, *credentials):
    session = emulator.session()
    session._session.set_credentials(*credentials)
    return session.client(service)


def set_scp(emulator, *documents):
    emulator.configure(service_control_policies=documents)


def test_every_operation_of_s3_has_an_action():
    assert {operation.name for operation in OPERATIONS.values() if not operation.actions} == {"DeleteObjects"}


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "action", "resource"),
    [
        ("sagemaker", "describe_model", {"ModelName": "m"}, "sagemaker:DescribeModel", f"{SAGEMAKER_ARN}:model/m"),
        ("sagemaker", "list_models", {}, "sagemaker:ListModels", ""),
        (
            "sagemaker",
            "add_tags",
            {"ResourceArn": f"{SAGEMAKER_ARN}:model/m", "Tags": []},
            "sagemaker:AddTags",
            f"{SAGEMAKER_ARN}:model/m",
        ),
        (
            "logs",
            "describe_log_streams",
            {"logGroupName": "g"},
            "logs:DescribeLogStreams",
            f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:log-stream:",
        ),
        (
            "logs",
            "get_log_events",
            {"logGroupName": "g", "logStreamName": "s"},
            "logs:GetLogEvents",
            f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:log-stream:s",
        ),
        (
            "logs",
            "describe_log_groups",
            {"logGroupNamePrefix": "g"},
            "logs:DescribeLogGroups",
            f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group::log-stream:",
        ),
        ("pricing", "get_products", {"ServiceCode": "AmazonSageMaker"}, "pricing:GetProducts", ""),
        ("service-quotas", "list_service_quotas", {"ServiceCode": "sagemaker"}, "servicequotas:ListServiceQuotas", ""),
    ],
)
def test_a_service_with_json_names_the_action_the_resource_and_the_kind_of_policy(
    user, service, operation, arguments, action, resource
):
    refused = reason(getattr(user(service), operation), **arguments)
    assert refused == ("AccessDeniedException", denied(action, resource), 400)
    assert denial(refused[1], action="").action == action


def test_iam_and_the_data_plane_answer_403(user):
    role, endpoint = f"arn:aws:iam::{ACCOUNT}:role/x", f"{SAGEMAKER_ARN}:endpoint/e"
    assert reason(user("iam").get_role, RoleName="x") == ("AccessDenied", denied("iam:GetRole", role), 403)
    refused = reason(user("sagemaker-runtime").invoke_endpoint, EndpointName="e", Body=b"")
    assert refused == ("AccessDeniedException", denied("sagemaker:InvokeEndpoint", endpoint), 403)


def test_a_role_and_a_user_are_found_by_their_arns_with_the_path(account, user):
    trust = allow("sts:AssumeRole", Principal={"Service": "sagemaker.amazonaws.com"})
    del trust["Statement"]["Resource"]
    role = account.iam.create_role(RoleName="far", Path="/a/b/", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    one = account.iam.create_user(UserName="eve", Path="/a/")["User"]
    iam = user("iam", allow("iam:Get*", resource=[role["Arn"], one["Arn"]]))
    assert iam.get_role(RoleName="far")["Role"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/a/b/far"
    assert iam.get_user(UserName="eve")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/a/eve"
    iam = user("iam", allow("iam:Get*", resource=f"arn:aws:iam::{ACCOUNT}:role/far"))
    assert reason(iam.get_role, RoleName="far")[1] == denied("iam:GetRole", role["Arn"])


def test_who_is_asked_by_sts_is_the_principal_and_needs_no_permission(emulator, user):
    assert emulator.session().client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert user("sts", deny("*")).get_caller_identity()["Arn"] == ADA


@pytest.mark.parametrize(
    ("policies", "limits", "why"),
    [
        ([], {}, "because no identity-based policy allows the {} action"),
        ([EVERYTHING, deny("sagemaker:List*")], {}, "with an explicit deny in an identity-based policy"),
        ([EVERYTHING], {"boundary": allow("s3:*")}, "because no permissions boundary allows the {} action"),
        ([EVERYTHING], {"boundary": deny("sagemaker:*")}, "with an explicit deny in a permissions boundary"),
        ([EVERYTHING], {"scp": allow("s3:*", "iam:*")}, "because no service control policy allows the {} action"),
        ([EVERYTHING], {"scp": deny("sagemaker:*")}, "with an explicit deny in a service control policy"),
    ],
)
def test_the_message_names_the_kind_of_policy_that_denies(emulator, user, policies, limits, why):
    sagemaker = user("sagemaker", *policies, boundary=limits.get("boundary"))
    if "scp" in limits:
        set_scp(emulator, limits["scp"])
    expected = denied("sagemaker:ListModels", why=why)
    assert reason(sagemaker.list_models)[1] == expected


def assumed(emulator, **arguments):
    """The credentials of a session of a role that may do everything, and that trusts everybody."""
    iam = emulator.session().client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(EVERYTHING))
    sts = emulator.session().client("sts")
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName="nightly", **arguments)["Credentials"]
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def test_a_session_has_its_roles_policies_and_its_own_limit(emulator):
    sender = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/nightly"
    credentials = assumed(emulator, Policy=json.dumps(allow("sagemaker:ListModels")))
    sagemaker = client(emulator, "sagemaker", *credentials)
    assert sagemaker.list_models()["Models"] == []
    why = "because no session policy allows the {} action"
    assert reason(sagemaker.list_endpoints)[1] == denied("sagemaker:ListEndpoints", why=why, sender=sender)


def test_only_an_scp_limits_the_root_user(emulator):
    sagemaker = emulator.session().client("sagemaker")
    assert sagemaker.list_models()["Models"] == []
    set_scp(emulator, deny("sagemaker:ListModels"))
    why, sender = "with an explicit deny in a service control policy", f"arn:aws:iam::{ACCOUNT}:root"
    assert reason(sagemaker.list_models)[1] == denied("sagemaker:ListModels", why=why, sender=sender)


def test_a_create_call_needs_its_tags_and_passes_its_role(user):
    container = {"Image": image_uri("us-east-1"), "ModelDataUrl": "s3://rocks/a/b"}
    arguments = {"ModelName": "m", "PrimaryContainer": container, "ExecutionRoleArn": ROLE_ARN}
    tags = {"Tags": [{"Key": "team", "Value": "1"}]}
    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    create, model = allow("sagemaker:CreateModel"), f"{SAGEMAKER_ARN}:model/m"

    def outcome(*policies, **more):
        return reason(user("sagemaker", create, *policies).create_model, **arguments, **more)[1]

    assert outcome() == denied("iam:PassRole", ROLE_ARN)
    elsewhere = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert "iam:PassRole" in outcome(allow("iam:PassRole", Condition=elsewhere))
    passing = allow("iam:PassRole", Condition=to_sagemaker)
    assert outcome(passing).startswith(f"Could not assume role {ROLE_ARN}.")
    assert outcome(passing, **tags) == denied("sagemaker:AddTags", model)
    own = allow("sagemaker:AddTags", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}})
    assert outcome(passing, own, **tags).startswith("Could not assume role")
    other = allow("sagemaker:AddTags", Condition={"StringEquals": {"aws:RequestTag/team": "2"}})
    assert "sagemaker:AddTags" in outcome(passing, other, **tags)


def test_conditions_know_instance_types_and_the_tags_of_resources(account, user):
    small = {"ForAllValues:StringLike": {"sagemaker:InstanceTypes": ["ml.t2.*"]}}
    mine = {"StringEquals": {"aws:ResourceTag/team": "1"}}
    sagemaker = user(
        "sagemaker",
        allow("sagemaker:CreateEndpointConfig", "sagemaker:AddTags", Condition=small),
        allow("sagemaker:DescribeEndpointConfig", Condition=mine),
        allow("sagemaker:CreateModel", "iam:PassRole"),
    )
    iam, trust = account.iam, {"Principal": {"Service": "sagemaker.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", **trust}}
    iam.create_role(RoleName="asteroid-ll", AssumeRolePolicyDocument=json.dumps(document))
    iam.put_role_policy(RoleName="asteroid-ll", PolicyName="p", PolicyDocument=json.dumps(allow("s3:GetObject")))
    container = {"Image": image_uri("us-east-1"), "ModelDataUrl": "s3://rocks/a/b"}
    sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE_ARN)

    def create(name, instance_type, team):
        variant = {"VariantName": "a", "ModelName": "m", "InstanceType": instance_type, "InitialInstanceCount": 1}
        tags = [{"Key": "team", "Value": team}]
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=tags)

    create("one", "ml.t2.medium", "1")
    create("two", "ml.t2.medium", "2")
    assert "CreateEndpointConfig" in reason(create, name="three", instance_type="ml.m5.large", team="1")[1]
    assert sagemaker.describe_endpoint_config(EndpointConfigName="one")["EndpointConfigName"] == "one"
    assert "DescribeEndpointConfig" in reason(sagemaker.describe_endpoint_config, EndpointConfigName="two")[1]


def test_conditions_know_the_tags_of_what_iam_has(account, user):
    iam = user("iam", allow("iam:GetRole", Condition={"StringEquals": {"iam:ResourceTag/team": "1"}}))
    trust = allow("sts:AssumeRole", Principal={"AWS": ADA})
    del trust["Statement"]["Resource"]
    for team in "12":
        tags = [{"Key": "Team", "Value": team}]
        document = json.dumps(trust)
        account.iam.create_role(RoleName=f"of{team}", AssumeRolePolicyDocument=document, Tags=tags)
    assert iam.get_role(RoleName="of1")["Role"]["RoleName"] == "of1"
    assert reason(iam.get_role, RoleName="of2")[0] == "AccessDenied"


def test_a_processing_job_is_known_by_its_machines_its_keys_and_its_network():
    network = {"VpcConfig": {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}}
    request = {
        "ProcessingJobName": "clean",
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "VolumeKmsKeyId": "alias/disks"}},
        "ProcessingOutputConfig": {"Outputs": [], "KmsKeyId": "alias/data"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "NetworkConfig": {"EnableNetworkIsolation": False, **network},
    }
    [create] = needs("sagemaker", "CreateProcessingJob", request, "us-east-1")
    assert create.context == {
        "sagemaker:instancetypes": ("ml.m5.xlarge",),
        "sagemaker:volumekmskey": ("alias/disks",),
        "sagemaker:outputkmskey": ("alias/data",),
        "sagemaker:maxruntimeinseconds": ("60",),
        "sagemaker:networkisolation": ("false",),
        "sagemaker:vpcsubnets": ("subnet-1", "subnet-2"),
        "sagemaker:vpcsecuritygroupids": ("sg-1",),
    }


def test_a_role_with_tags_needs_the_right_to_tag(account, user):
    tags = [{"Key": "team", "Value": "1"}]
    request = {"RoleName": "tagged", "AssumeRolePolicyDocument": json.dumps(allow("sts:AssumeRole")), "Tags": tags}
    arn = f"arn:aws:iam::{ACCOUNT}:role/tagged"
    assert reason(user("iam", allow("iam:CreateRole")).create_role, **request)[1] == denied("iam:TagRole", arn)
    own = allow("iam:*Role", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}})
    assert reason(user("iam", own).create_role, **request)[0] == "MalformedPolicyDocument"


@pytest.mark.parametrize(
    ("operation", "arguments", "action", "resource"),
    [
        ("put_object", {"Key": "k", "Body": b""}, "s3:PutObject", "rocks/k"),
        ("put_object", {"Key": "k", "Body": b"", "Tagging": "a=b"}, "s3:PutObject", "rocks/k"),
        ("get_object", {"Key": "a/b"}, "s3:GetObject", "rocks/a/b"),
        ("delete_object", {"Key": "a/b"}, "s3:DeleteObject", "rocks/a/b"),
        ("list_objects_v2", {}, "s3:ListBucket", "rocks"),
        ("list_multipart_uploads", {}, "s3:ListBucketMultipartUploads", "rocks"),
        ("create_multipart_upload", {"Key": "k"}, "s3:PutObject", "rocks/k"),
        ("abort_multipart_upload", {"Key": "k", "UploadId": "u"}, "s3:AbortMultipartUpload", "rocks/k"),
        ("get_bucket_encryption", {}, "s3:GetEncryptionConfiguration", "rocks"),
        ("delete_bucket_tagging", {}, "s3:PutBucketTagging", "rocks"),
        ("copy_object", {"Key": "k", "CopySource": "rocks/a/b"}, "s3:GetObject", "rocks/a/b"),
        ("get_object_tagging", {"Key": "a/b"}, "s3:GetObjectTagging", "rocks/a/b"),
    ],
)
def test_s3_names_the_action_that_its_operation_needs(user, operation, arguments, action, resource):
    refused = reason(getattr(user("s3"), operation), Bucket="rocks", **arguments)
    quoted = f'"arn:aws:s3:::{resource}"'
    assert refused == ("AccessDenied", denied(action, quoted), 403)


def test_s3_checks_the_target_of_a_copy_and_the_tags_of_a_put(user):
    s3 = user("s3", allow("s3:GetObject", "s3:PutObject", resource="arn:aws:s3:::rocks/a/*"))
    assert "s3:PutObject on" in reason(s3.copy_object, Bucket="rocks", Key="k", CopySource="rocks/a/b")[1]
    s3.copy_object(Bucket="rocks", Key="a/c", CopySource="rocks/a/b")
    assert "s3:PutObjectTagging on" in reason(s3.put_object, Bucket="rocks", Key="a/d", Tagging="x=y")[1]


def test_a_head_that_is_denied_has_a_status_alone(user):
    s3 = user("s3")
    assert reason(s3.head_object, Bucket="rocks", Key="a/b") == ("403", "Forbidden", 403)
    assert reason(s3.head_bucket, Bucket="rocks") == ("403", "Forbidden", 403)
    assert reason(s3.head_bucket, Bucket="no-such-rocks")[2] == 404


def test_without_list_bucket_s3_hides_that_a_key_is_missing(user):
    reads = allow("s3:GetObject", "s3:PutObject")
    hidden = user("s3", reads)
    code, text, status = reason(hidden.get_object, Bucket="rocks", Key="none")
    assert (code, status) == ("AccessDenied", 403)
    assert 's3:ListBucket on resource: "arn:aws:s3:::rocks" because no identity-based policy allows' in text
    assert reason(hidden.head_object, Bucket="rocks", Key="none")[2] == 403
    assert reason(hidden.copy_object, Bucket="rocks", Key="k", CopySource="rocks/none")[0] == "AccessDenied"
    shown = user("s3", reads, allow("s3:ListBucket"))
    assert reason(shown.get_object, Bucket="rocks", Key="none")[0] == "NoSuchKey"
    assert reason(shown.head_object, Bucket="rocks", Key="none")[2] == 404


def test_delete_objects_answers_for_each_key(user):
    s3 = user("s3", allow("s3:DeleteObject", resource="arn:aws:s3:::rocks/a/*"))
    answer = s3.delete_objects(Bucket="rocks", Delete={"Objects": [{"Key": "a/b"}, {"Key": "c"}]})
    assert [item["Key"] for item in answer["Deleted"]] == ["a/b"]
    (error,) = answer["Errors"]
    assert (error["Key"], error["Code"]) == ("c", "AccessDenied")
    assert error["Message"] == denied("s3:DeleteObject", '"arn:aws:s3:::rocks/c"')


def test_s3_conditions_know_the_prefix_the_encryption_and_the_tags_of_an_object(user):
    s3 = user(
        "s3",
        allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": ["a/*"]}}),
        allow("s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/team": "1"}}),
        allow("s3:PutObject", Condition={"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}),
    )
    assert s3.list_objects_v2(Bucket="rocks", Prefix="a/b")["KeyCount"] == 1
    assert reason(s3.list_objects_v2, Bucket="rocks", Prefix="c")[0] == "AccessDenied"
    assert s3.get_object(Bucket="rocks", Key="a/b")["Body"].read() == b"x"
    assert reason(s3.put_object, Bucket="rocks", Key="d")[0] == "AccessDenied"
    s3.put_object(Bucket="rocks", Key="d", ServerSideEncryption="AES256")
    assert reason(s3.get_object, Bucket="rocks", Key="d")[0] == "AccessDenied"


def test_a_bucket_policy_allows_and_denies(account, user):
    s3, root = user("s3"), account.s3
    statement = {"Effect": "Allow", "Principal": {"AWS": ADA}, "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "arn:aws:s3:::rocks/a/*"}]}
    root.put_bucket_policy(Bucket="rocks", Policy=json.dumps(policy))
    assert s3.get_object(Bucket="rocks", Key="a/b")["Body"].read() == b"x"
    policy["Statement"].append({**policy["Statement"][0], "Effect": "Deny", "Principal": "*"})
    root.put_bucket_policy(Bucket="rocks", Policy=json.dumps(policy))
    why = "with an explicit deny in a resource-based policy"
    for sender, reader in ((ADA, s3), (f"arn:aws:iam::{ACCOUNT}:root", root)):
        expected = denied("s3:GetObject", '"arn:aws:s3:::rocks/a/b"', why=why, sender=sender)
        assert reason(reader.get_object, Bucket="rocks", Key="a/b")[1] == expected


def test_a_role_may_be_assumed_if_it_trusts_the_account_and_a_policy_allows_it(account, user):
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    arn = account.iam.create_role(RoleName="shared", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    arguments = {"RoleArn": arn, "RoleSessionName": "nightly"}
    assert reason(user("sts").assume_role, **arguments)[1] == denied("sts:AssumeRole", arn)
    user("sts", allow("sts:AssumeRole")).assume_role(**arguments)
    trust["Principal"] = {"AWS": ADA}
    account.iam.update_assume_role_policy(RoleName="shared", PolicyDocument=json.dumps(document))
    user("sts").assume_role(**arguments)
    trust["Principal"] = {"AWS": ADA.replace("ada", "eve")}
    account.iam.update_assume_role_policy(RoleName="shared", PolicyDocument=json.dumps(document))
    assert reason(user("sts", allow("*")).assume_role, **arguments)[0] == "AccessDenied"


def test_over_http_a_denial_is_the_same(account, emulator, user):
    user("s3")
    with emulator.serve() as url:
        session = new_session("us-east-1")
        session.set_credentials(account.key["AccessKeyId"], account.key["SecretAccessKey"])
        s3 = session.create_client("s3", endpoint_url=url)
        assert reason(s3.head_object, Bucket="rocks", Key="a/b") == ("403", "Forbidden", 403)
        assert "s3:GetObject on" in reason(s3.get_object, Bucket="rocks", Key="a/b")[1]
        sagemaker = session.create_client("sagemaker", endpoint_url=url)
        assert "sagemaker:ListModels because" in reason(sagemaker.list_models)[1]


def test_an_account_without_iam_allows_everything_and_asks_for_no_policy(tmp_path):
    with Emulator(tmp_path / "state") as emulator:
        assert emulator.session().client("s3").list_buckets()["Buckets"] == []
        tables = emulator._opened().state.connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert "iam_entities" not in {row["name"] for row in tables}

"""Roles, users and keys are rows of the account's database, which an account that never uses IAM does not have."""

import json
import threading
from urllib.parse import urlencode

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.iam.store import Identities
from asteroid_ll.emulator.transport.messages import Request

ARN = "arn:aws:iam::000000000000:role/learner"
SCOPE = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/iam/aws4_request, Signature=0"


def tables(account):
    return {row["name"] for row in account.state.connection.execute("SELECT name FROM sqlite_master")}


def test_an_account_that_never_uses_iam_has_no_tables_of_it(virtual, client_of):
    client_of("sts").get_caller_identity()
    assert virtual.identities.principal_of("AKIDEXAMPLE") is None
    assert (virtual.identities.role(ARN), virtual.identities.principal(ARN)) == (None, None)
    assert not tables(virtual) & {"iam_entities", "access_keys"}
    client_of("iam").create_user(UserName="ada")
    assert tables(virtual) >= {"iam_entities", "access_keys"}


def test_a_role_is_what_the_evaluation_needs_and_outlives_the_process(virtual, iam, policy, trust, read):
    document = json.dumps(trust)
    iam.create_role(RoleName="learner", AssumeRolePolicyDocument=document, PermissionsBoundary=policy["Arn"])
    inline = {**read, "Id": "inline"}
    iam.put_role_policy(RoleName="learner", PolicyName="p", PolicyDocument=json.dumps(inline))
    iam.attach_role_policy(RoleName="learner", PolicyArn=policy["Arn"])
    other = Account(virtual.directory)
    role = other.identities.role(ARN)
    assert (role.arn, role.trust_policy, role.permissions_boundary) == (ARN, trust, read)
    assert role.identity_policies == (inline, read)
    principal = other.identities.principal(ARN)
    assert (principal.role_arn, principal.identity_policies) == (ARN, (inline, read))
    assert other.identities.role(policy["Arn"]) is other.identities.principal(policy["Arn"]) is None
    other.close()


def test_reset_forgets_them(virtual, iam, user):
    key = iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]
    assert virtual.identities.principal_of(key).arn == user["Arn"]
    virtual.reset()
    assert virtual.identities.principal_of(key) is None


def test_expired_keys_are_known_for_a_day(virtual, client_of, iam, trust, clock):
    trust["Statement"][0]["Principal"] = {"AWS": "000000000000"}
    iam.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust))

    def session():
        answer = client_of("sts").assume_role(RoleArn=ARN, RoleSessionName="tuesday", DurationSeconds=900)
        return answer["Credentials"]["AccessKeyId"]

    first = session()
    clock.s += 900 + 86_400
    session()
    assert virtual.identities.key(first) is not None
    clock.s += 1
    session()
    assert virtual.identities.key(first) is None


def test_of_two_processes_that_create_the_same_role_one_is_refused(virtual, trust):
    other = Account(virtual.directory)
    statuses, together = [], threading.Barrier(2)
    fields = {"Action": "CreateRole", "RoleName": "learner", "AssumeRolePolicyDocument": json.dumps(trust)}
    request = Request("POST", "localhost", "/", headers={"authorization": SCOPE}, body=urlencode(fields).encode())

    def create(account):
        together.wait(timeout=30)
        statuses.append(account.handle(request).status)

    threads = [threading.Thread(target=create, args=(account,)) for account in (virtual, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]
    assert len(Identities(virtual.state).find("role", "aws")) == 1
    other.close()

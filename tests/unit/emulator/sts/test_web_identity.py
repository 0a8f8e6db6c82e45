"""A workflow of GitHub assumes the role that `iam setup --repo` prints, with its token alone."""

import json
from base64 import urlsafe_b64encode

import pytest
from botocore.exceptions import ClientError

from asteroid_ll.aws.policy import Scope, oidc_trust

ROLE = "arn:aws:iam::000000000000:role/learner-github"
ISSUER = "https://token.actions.githubusercontent.com"
SCOPE = Scope(
    bucket="b",
    swept_bucket="b",
    prefix="",
    role_arn="arn:aws:iam::000000000000:role/learner",
    region="us-west-2",
    account_id="000000000000",
)


def part(claims):
    return urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


SURROGATE = f"a.{part({'iss': chr(0xD800)})}.c"
NESTED = f"a.{urlsafe_b64encode(b'[' * 9_000).decode()}.c"


@pytest.fixture
def assume(virtual, client_of, clock):
    """Send a token with the claims of a workflow on the branch main; arguments replace claims."""

    def send(**changes):
        claims = {
            "iss": ISSUER,
            "aud": "sts.amazonaws.com",
            "sub": "repo:me/rocks:ref:refs/heads/main",
            "exp": int(clock.s) + 300,
            **changes,
        }
        token = f"{part({'typ': 'JWT', 'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"
        return client_of("sts").assume_role_with_web_identity(
            RoleArn=ROLE, RoleSessionName="job", WebIdentityToken=token
        )

    return send


@pytest.fixture
def trusted(virtual, client_of):
    iam = client_of("iam")
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    document = json.dumps(oidc_trust(SCOPE, repo="me/rocks"))
    iam.create_role(RoleName="learner-github", AssumeRolePolicyDocument=document)


def test_a_workflow_of_the_branch_gets_credentials_without_a_signature(trusted, assume, virtual):
    answer = assume()
    assert answer["SubjectFromWebIdentityToken"] == "repo:me/rocks:ref:refs/heads/main"
    assert answer["Audience"] == "sts.amazonaws.com"
    assert answer["Provider"].endswith(":oidc-provider/token.actions.githubusercontent.com")
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/learner-github/job"
    assert virtual.identities.principal_of(answer["Credentials"]["AccessKeyId"]).role_arn == ROLE


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"sub": "repo:me/rocks:ref:refs/heads/x"}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWeb"),
        ({"sub": "repo:eve/rocks:ref:refs/heads/main"}, "AccessDenied", "Not authorized to perform sts:AssumeRole"),
        ({"aud": "example.com"}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"iss": "https://eve"}, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https"),
        ({"exp": 1}, "ExpiredTokenException", "Token expired"),
        ({"exp": 1_700_000_000}, "ExpiredTokenException", "Token expired"),
        ({"exp": "9999999999"}, "ExpiredTokenException", "Token expired"),
        ({"aud": None}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"iss": None}, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for None"),
    ],
    ids=["branch", "repository", "audience", "issuer", "expired", "expires-now", "text", "no-audience", "no-issuer"],
)
def test_another_token_is_refused(trusted, assume, refused, changes, code, words):
    actual, message = refused(assume, **changes)
    assert actual == code
    assert message.startswith(words)


def test_a_token_of_any_length_counts_until_its_last_second(trusted, assume):
    for jti in ("", "a", "ab", "abc"):  # the four lengths of base64's padding
        assert assume(exp=1_700_000_001, jti=jti)["Audience"] == "sts.amazonaws.com"


def test_who_is_not_trusted_gets_http_403_as_for_a_role_that_does_not_exist(trusted, assume, client_of):
    with pytest.raises(ClientError) as caught:
        assume(sub="repo:eve/rocks")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    client_of("iam").delete_role(RoleName="learner-github")
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        assume()


@pytest.mark.parametrize("token", ["aa.bb", "a.!.c", "a.e30.c.d", "a.W10.c", SURROGATE, NESTED])
def test_what_is_not_a_token_is_refused(virtual, client_of, refused, token):
    send = client_of("sts").assume_role_with_web_identity
    assert refused(send, RoleArn=ROLE, RoleSessionName="job", WebIdentityToken=token)[0] == "InvalidIdentityToken"

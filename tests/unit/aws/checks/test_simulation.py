"""What the simulator of IAM is asked: a resource of each pattern, as it does not know patterns itself."""

from __future__ import annotations

import pytest

from asteroid_ll.aws.checks.simulation import _example, denied
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError


@pytest.mark.parametrize(
    ("pattern", "resource"),
    [
        ("*", "*"),
        ("arn:aws:s3:::rocks", "arn:aws:s3:::rocks"),
        ("arn:aws:s3:::rocks/of/*", "arn:aws:s3:::rocks/of/asteroid-ll"),
        ("arn:aws:s3:::rocks/${*}/*", "arn:aws:s3:::rocks/*/asteroid-ll"),
    ],
)
def test_a_pattern_is_replaced_by_a_resource_that_it_matches(pattern, resource):
    assert _example(pattern) == resource


def test_a_refusal_names_the_right_that_is_missing(aws, script):
    error = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    script.on("S3 POST", Response(403, {"Content-Type": "text/xml"}, error))  # the script's name of any form
    with pytest.raises(AwsError, match="iam:SimulatePrincipalPolicy"):
        denied(aws, "arn:aws:iam::111122223333:user/x", [{"Action": ["s3:GetObject"], "Resource": ["*"]}])


@pytest.mark.parametrize(
    ("decision", "detail", "text"),
    [
        ("implicitDeny", "", "s3:GetObject"),
        ("explicitDeny", "", "s3:GetObject (an explicit deny)"),
        (
            "implicitDeny",
            "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations>"
            "</OrganizationsDecisionDetail>",
            "s3:GetObject (by the AWS organization)",
        ),
        (
            "implicitDeny",
            "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary>"
            "</PermissionsBoundaryDecisionDetail>",
            "s3:GetObject (by the permissions boundary)",
        ),
    ],
    ids=["missing", "explicit", "organization", "boundary"],
)
def test_a_denial_has_the_cause_that_an_allow_would_not_change(aws, script, decision, detail, text):
    result = f"<EvalActionName>s3:GetObject</EvalActionName><EvalDecision>{decision}</EvalDecision>{detail}"
    body = (
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
        f"<EvaluationResults><member>{result}</member></EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )
    script.on("S3 POST", Response(200, {"Content-Type": "text/xml"}, body.encode()))
    statements = [{"Action": ["s3:GetObject"], "Resource": ["*"]}] * 2
    assert list(map(str, denied(aws, "arn:aws:iam::111122223333:user/x", statements))) == [text]

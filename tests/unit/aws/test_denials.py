from __future__ import annotations

import pytest

from asteroid_ll.aws.denials import denial

USER = "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: "
ROLE = "arn:aws:iam::111122223333:role/learner"


@pytest.mark.parametrize(
    ("message", "action", "hint"),
    [
        (
            f"{USER}iam:PassRole on resource: {ROLE} because no identity-based policy allows the iam:PassRole action",
            "iam:PassRole",
            f"Allow iam:PassRole on {ROLE} in the caller's IAM policy, then run the same command again.",
        ),
        (
            f"{USER}sagemaker:CreateTrainingJob on resource: * with an explicit deny in an identity-based policy",
            "sagemaker:CreateTrainingJob",
            "A statement of the caller's IAM policy denies sagemaker:CreateTrainingJob. An Allow changes nothing: "
            "remove that statement.",
        ),
        (
            f"{USER}sagemaker:AddTags on resource: * with an explicit deny in a service control policy: "
            "arn:aws:organizations::111122223333:policy/o-1/service_control_policy/p-2",
            "sagemaker:AddTags",
            "A service control policy of the AWS organization denies sagemaker:AddTags. An Allow in the caller's "
            "policy changes nothing: ask the organization's administrator.",
        ),
        (
            f'{USER}s3:PutObject on resource: "arn:aws:s3:::b/k" with an explicit deny in a resource-based policy',
            "s3:PutObject",
            "The bucket's policy denies s3:PutObject on arn:aws:s3:::b/k. Ask the bucket's owner, or choose another "
            "'bucket'.",
        ),
        (
            f"{USER}kms:GenerateDataKey on resource: arn:aws:kms:us-east-1:1:key/k because no resource-based policy "
            "allows the kms:GenerateDataKey action",
            "kms:GenerateDataKey",
            "The key's policy does not allow kms:GenerateDataKey on arn:aws:kms:us-east-1:1:key/k. Ask the key's "
            "owner, or choose another key.",
        ),
        (
            f"{USER}sagemaker:ListTags on resource: arn:x because no permissions boundary allows the "
            "sagemaker:ListTags action",
            "sagemaker:ListTags",
            "The caller's permissions boundary does not allow sagemaker:ListTags on arn:x. An Allow in another policy "
            "changes nothing: ask whoever manages the boundary.",
        ),
        (
            f"{USER}logs:GetLogEvents on resource: arn:x because no session policy allows the logs:GetLogEvents action",
            "logs:GetLogEvents",
            "The policy of the caller's session does not allow logs:GetLogEvents on arn:x. Sign in again with a "
            "session that allows it.",
        ),
        (
            f"{USER}s3:ListBucket on resource: arn:x because no VPC endpoint policy allows the s3:ListBucket action",
            "s3:ListBucket",
            "The policy of the VPC endpoint through which this network reaches AWS does not allow s3:ListBucket on "
            "arn:x. Ask whoever manages the endpoint, or use another network.",
        ),
        (
            "Access Denied",
            "s3:GetObject",
            "Allow s3:GetObject in the caller's IAM policy, then run the same command again.",
        ),
    ],
)
def test_the_action_and_the_policy_are_those_that_aws_names(message: str, action: str, hint: str) -> None:
    found = denial(message, action="s3:GetObject")
    assert (found.action, found.hint) == (action, hint)

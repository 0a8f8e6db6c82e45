"""AWS's managed policies that can be attached in the emulator, by ARN.

``AmazonSageMakerFullAccess`` is the version 26 of 2024-03-29. It has the statements about the services that the
emulator has, and the actions on networks, which the SageMaker SDK 3 looks for in an execution role. Those about other
services, such as Glue and Studio's applications, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from asteroid_ll.emulator.iam.principals import Document

PREFIX = "arn:aws:iam::aws:policy/"

_STUDIO = ("domain", "user-profile", "app", "space", "flow-definition")
_NAMED_SAGEMAKER = [f"arn:aws:s3:::*{word}*" for word in ("SageMaker", "Sagemaker", "sagemaker")]

_SAGEMAKER_FULL_ACCESS = [
    {
        "Sid": "AllowAllNonAdminSageMakerActions",
        "Effect": "Allow",
        "Action": ["sagemaker:*", "sagemaker-geospatial:*"],
        "NotResource": [f"arn:aws:sagemaker:*:*:{kind}/*" for kind in _STUDIO],
    },
    {
        "Sid": "AllowAWSServiceActions",
        "Effect": "Allow",
        "Action": [
            *(f"cloudwatch:{name}" for name in ("DeleteAlarms", "DescribeAlarms", "GetMetricData")),
            *(f"cloudwatch:{name}" for name in ("GetMetricStatistics", "ListMetrics", "PutMetricAlarm")),
            "cloudwatch:PutMetricData",
            *(f"ec2:{verb}NetworkInterface{what}" for verb in ("Create", "Delete") for what in ("", "Permission")),
            "ec2:CreateVpcEndpoint",
            *(f"ec2:Describe{name}" for name in ("DhcpOptions", "NetworkInterfaces", "RouteTables", "SecurityGroups")),
            *(f"ec2:Describe{name}" for name in ("Subnets", "VpcEndpoints", "Vpcs")),
            *(f"ecr:{name}" for name in ("BatchCheckLayerAvailability", "BatchGetImage", "CreateRepository")),
            *(f"ecr:{name}" for name in ("Describe*", "GetAuthorizationToken", "GetDownloadUrlForLayer")),
            "ecr:StartImageScan",
            "iam:ListRoles",
            *(f"logs:{name}" for name in ("CreateLogDelivery", "CreateLogGroup", "CreateLogStream")),
            *(f"logs:{name}" for name in ("DeleteLogDelivery", "Describe*", "GetLogDelivery", "GetLogEvents")),
            *(f"logs:{name}" for name in ("ListLogDeliveries", "PutLogEvents", "PutResourcePolicy")),
            "logs:UpdateLogDelivery",
        ],
        "Resource": "*",
    },
    {
        "Sid": "AllowS3ObjectActions",
        "Effect": "Allow",
        "Action": [f"s3:{name}" for name in ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload")],
        "Resource": [*_NAMED_SAGEMAKER, "arn:aws:s3:::*aws-glue*"],
    },
    {
        "Sid": "AllowS3GetObjectWithSageMakerExistingObjectTag",
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::*"],
        "Condition": {"StringEqualsIgnoreCase": {"s3:ExistingObjectTag/SageMaker": "true"}},
    },
    {
        "Sid": "AllowS3BucketActions",
        "Effect": "Allow",
        "Action": [
            *(f"s3:{name}" for name in ("CreateBucket", "GetBucketLocation", "ListBucket", "ListAllMyBuckets")),
            *(f"s3:{name}" for name in ("GetBucketCors", "PutBucketCors")),
        ],
        "Resource": "*",
    },
    {
        "Sid": "AllowS3BucketACL",
        "Effect": "Allow",
        "Action": ["s3:GetBucketAcl", "s3:PutObjectAcl"],
        "Resource": _NAMED_SAGEMAKER,
    },
    {
        "Sid": "AllowPassRoleToSageMaker",
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": "arn:aws:iam::*:role/*",
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    },
]

MANAGED: Mapping[str, Document] = {
    f"{PREFIX}{name}": {"Version": "2012-10-17", "Statement": statements}
    for name, statements in {
        "AdministratorAccess": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        "AmazonSageMakerFullAccess": _SAGEMAKER_FULL_ACCESS,
    }.items()
}
"""The documents of the policies, by ARN."""

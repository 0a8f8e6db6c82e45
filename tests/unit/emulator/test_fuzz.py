"""Requests that no client would send are refused, never a 500: every operation's request with random damage."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from urllib.parse import urlencode

import pytest

from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.logs import SERVICE as LOGS
from asteroid_ll.emulator.quotas import SERVICE as QUOTAS
from asteroid_ll.emulator.s3.call import OPERATIONS as S3
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.service import ApiModel
from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.transport.messages import Request
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.processing_container import CODE, ENTRYPOINT, local_path

N_REQUESTS = 12_000 if os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1" else 1_500
REGION = "us-east-1"
MODEL = ApiModel()
ROLE = "arn:aws:iam::000000000000:role/r"
ARN = f"arn:aws:sagemaker:{REGION}:000000000000:model/m"
SCOPE = "AWS4-HMAC-SHA256 Credential=A/20260101/{}/{}/aws4_request, Signature=0"
LOG_ARN = f"arn:aws:logs:{REGION}:000000000000:log-group:/aws/sagemaker/TrainingJobs"
VARIANT_INSTANCE = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
SOURCE = {
    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://rocks/k", "S3DataDistributionType": "ShardedByS3Key"}
}
JOB = {
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": SOURCE, "ContentType": "text/csv"}],
    "OutputDataConfig": {"S3OutputPath": "s3://rocks/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "CheckpointConfig": {"S3Uri": "s3://rocks/ck"},
}
CODE_INPUT = {
    "S3Uri": "s3://rocks/k", "LocalPath": local_path(CODE), "S3DataType": "S3Prefix", "S3InputMode": "File",
    "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None",
}  # fmt: skip
OUTPUT = {"S3Uri": "s3://rocks/out", "LocalPath": "/opt/ml/processing/o", "S3UploadMode": "EndOfJob"}
TUNING = {
    "Strategy": "Bayesian",
    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:objective_loss"},
    "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1, "MaxRuntimeInSeconds": 600},
    "ParameterRanges": {
        "ContinuousParameterRanges": [
            {"Name": "wd", "MinValue": "1e-7", "MaxValue": "1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "100", "MaxValue": "5000"}],
        "CategoricalParameterRanges": [{"Name": "use_bias", "Values": ["true", "false"]}],
    },
    "TrainingJobEarlyStoppingType": "Auto",
    "TuningJobCompletionCriteria": {
        "TargetObjectiveMetricValue": 0.1,
        "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3},
    },
    "RandomSeed": 1,
}
S3_SOURCE = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://rocks/k"}}
INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
MEMBERS = {
    **JOB,
    **{f"{kind}JobName": "j" for kind in ("Training", "Transform", "Processing", "HyperParameterTuning")},
    "ModelName": "m", "EndpointConfigName": "c", "EndpointName": "e", "ExecutionRoleArn": ROLE,
    "HyperParameters": {"epochs": "1"},
    "Environment": {"A": "b"},
    "Tags": [{"Key": "a", "Value": "b"}],
    "MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6, "BatchStrategy": "MultiRecord",
    "TransformInput": {
        "DataSource": S3_SOURCE, "ContentType": "text/csv", "CompressionType": "None", "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://rocks/out", "Accept": "application/json", "AssembleWith": "Line"},
    "TransformResources": INSTANCE,
    "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
    "AppSpecification": {
        "ImageUri": f"763104351884.dkr.ecr.{REGION}.amazonaws.com/pytorch-training:2",
        "ContainerEntrypoint": list(ENTRYPOINT),
    },
    "ProcessingInputs": [{"InputName": "code", "AppManaged": False, "S3Input": CODE_INPUT}],
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": OUTPUT}]},
    "ProcessingResources": {"ClusterConfig": {**INSTANCE, "VolumeSizeInGB": 1}},
    "NetworkConfig": {"EnableNetworkIsolation": True},
    "HyperParameterTuningJobConfig": TUNING,
    "TrainingJobDefinition": {**JOB, "StaticHyperParameters": {"predictor_type": "regressor"}},
    "PrimaryContainer": {"Image": image_uri(REGION), "ModelDataUrl": "s3://rocks/k"},
    "ProductionVariants": [{"VariantName": "v", "ModelName": "m", "InitialVariantWeight": 1.0, **VARIANT_INSTANCE}],
    "ResourceArn": ARN, "TagKeys": ["a"],
    "MaxResults": 5, "SortOrder": "Ascending", "CreationTimeAfter": 1.5, "CreationTimeBefore": 2e9,
    "logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "j/algo-1-1", "filterPattern": "loss",
    "startTime": 0, "endTime": 9_999, "limit": 5, "descending": True, "logGroupNamePrefix": "/aws",
    "resourceArn": LOG_ARN, "tags": {"a": "b"}, "tagKeys": ["a"], "logStreamNames": ["j/algo-1-1"],
    "ServiceCode": "sagemaker", "QuotaCode": "L-611FA074", "DesiredValue": 20_000,
}  # fmt: skip
"""A value of each member that an operation can have, by the member's name."""

RARE_MEMBERS = {
    "NameContains": ("m",), "SortBy": ("CreationTime", "FinalObjectiveMetricValue"),
    "NextToken": ("0", "5", "WyJNb2RlbHMiLCAxLjAsICJtIl0="), "nextToken": ("0", "f/1/s"),
    "StatusEquals": ("Completed", "InService"), "LastModifiedTimeAfter": (1,), "logStreamNamePrefix": ("j",),
}  # fmt: skip
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::rocks/${aws:username}*"],
            "Condition": {"StringLike": {"aws:PrincipalArn": ["*"]}, "ForAllValues:StringEquals": {"s3:max-keys": "4"}},
        }
    ],
}  # fmt: skip
TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Action": "sts:*",
        "Principal": {"AWS": ["000000000000"], "Federated": "arn:aws:iam::000000000000:oidc-provider/a"},
        "Condition": {"StringNotEquals": {"sts:ExternalId": "x"}},
    }
}
FORM = {
    "RoleName": "r", "UserName": "u", "PolicyName": "p", "Path": "/", "PolicyArn": "arn:aws:iam::000000000000:policy/p",
    "VersionId": "v1", "MaxItems": "5", "Marker": "0", "MaxSessionDuration": "3600", "Description": "d",
    "PolicySourceArn": "arn:aws:iam::000000000000:user/u", "ActionNames.member.1": "s3:GetObject",
    "ResourceArns.member.1": "arn:aws:s3:::rocks/u", "ContextEntries.member.1.ContextKeyName": "s3:max-keys",
    "ContextEntries.member.1.ContextKeyValues.member.1": "4", "AccessKeyId": "AKIA" + "A" * 16,
    "RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "job", "DurationSeconds": "900",
    "PolicyArns.member.1.arn": "arn:aws:iam::000000000000:policy/p",
}  # fmt: skip
DELETES = {name for name in IAM.operations if name.startswith(("Delete", "Detach"))}
XML = {
    "GET": b"",
    "PUT": b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "POST": b"<Delete><Object><Key>k</Key></Object></Delete>",
    "DELETE": b"",
    "HEAD": b"",
}
MORE_XML = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>",
    b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
    b"<PublicAccessBlockConfiguration/>",
    b"<ServerSideEncryptionConfiguration><Rule/></ServerSideEncryptionConfiguration>",
    b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
)
QUERY = {
    "max-keys": "3", "prefix": "k", "delimiter": "/", "continuation-token": "a2s=", "start-after": "a", "marker": "a",
    "encoding-type": "url", "partNumber": "1", "uploadId": "u", "max-parts": "2", "part-number-marker": "0",
    "versionId": "null", "key-marker": "k", "upload-id-marker": "u", "max-uploads": "3", "max-buckets": "3",
    "response-content-type": "a/b", "X-Amz-Credential": "A/20260101/us-east-1/s3/aws4_request",
    "X-Amz-Date": "20260101T000000Z", "X-Amz-Expires": "60", "AWSAccessKeyId": "A", "Expires": "99999999999",
}  # fmt: skip
HEADERS = {
    "range": "bytes=0-3", "if-match": '"e"', "if-none-match": "*", "if-modified-since": "Sat, 31 Jan 2026 12:00:00 GMT",
    "x-amz-copy-source": "/rocks/k", "x-amz-copy-source-range": "bytes=0-1", "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==",
    "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha256": "A" * 43 + "=", "x-amz-checksum-type": "COMPOSITE",
    "x-amz-checksum-algorithm": "CRC32", "x-amz-content-sha256": "0" * 64, "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "3", "x-amz-trailer": "x-amz-checksum-crc32", "x-amz-tagging": "a=b",
    "x-amz-meta-a": "b", "x-amz-acl": "private", "x-amz-storage-class": "STANDARD", "x-amz-mp-object-size": "3",
    "x-amz-expected-bucket-owner": "000000000000", "x-amz-checksum-mode": "ENABLED", "content-length": "3",
    "x-amz-metadata-directive": "REPLACE", "if-unmodified-since": "Sat, 31 Jan 2026 12:00:00 GMT",
    "x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-server-side-encryption": "AES256",
}  # fmt: skip

STRANGE = (
    None, True, 0, -1, 1.5, 1e308, 2**63, 10**30, float("nan"), float("inf"), "", "x", "\ud800", "\0", "é" * 300,
    "../..", "\U0010ffff", [], [[]], [None], {}, {"a": None}, {"Key": 1}, "9" * 400, "١", "²", "-", "NaN",
)  # fmt: skip
TEXTS = (
    *(value for value in STRANGE if isinstance(value, str) and value != "\ud800"),  # which HTTP cannot carry
    "bytes=9-", "bytes=-0", "bytes=99999999999999999999-", "Sat, 99 Jan 2026", "%ff", "%", "?", "/", "//", "a" * 2000,
    "0", "-1", "1e3", "bytes=-", "Mon, 01 Jan 0001 00:00:00 +2359", "x-amz-checksum-crc32", "99999999999999999999",
)  # fmt: skip


def damage(draw, value):
    """Return a JSON value with one random change somewhere in it."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        name = draw.choice(list(value))
        if draw.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: damage(draw, value[name])}
    if isinstance(value, list) and value and draw.random() < 0.7:
        if draw.random() < 0.2:
            return value * draw.choice((2, 60))
        return [damage(draw, value[0]), *value[1:]]
    return draw.choice(STRANGE)


def json_request(draw):
    signed_for, service = draw.choice(
        (("sagemaker", SAGEMAKER),) * 6 + (("logs", LOGS),) * 2 + (("servicequotas", QUOTAS),)
    )
    name = draw.choice([name for name in service.operations if name[:6] != "Delete" or draw.random() < 0.3])
    operation = MODEL.operation(service.name, name)
    members = operation.input_shape.members
    params = {member: MEMBERS[member] for member in members if member in MEMBERS}
    rare = [member for member in members if member in RARE_MEMBERS and draw.random() < 0.3]
    params |= {member: draw.choice(RARE_MEMBERS[member]) for member in rare}
    if draw.random() < 0.7:
        params = damage(draw, params)
    body = json.dumps(params).encode()
    if draw.random() < 0.05:
        body = draw.choice((b"[" * 100_000, body[:-1], b"\xff" + body, b"null", b"1" * 5000, b"{" + b'"a":{' * 5000))
    target = f"{operation.service_model.metadata['targetPrefix']}.{name}"
    headers = {"authorization": SCOPE.format(REGION, signed_for), "x-amz-target": target}
    return Request("POST", "localhost", "/", headers=headers, body=body)


def query_request(draw):
    service, table = draw.choice((("iam", IAM), ("iam", IAM), ("sts", STS)))
    action = draw.choice([name for name in table.operations if name not in DELETES or draw.random() < 0.3])
    fields = {"Action": action, **FORM}
    texts = {"PolicyDocument": POLICY, "AssumeRolePolicyDocument": TRUST, "Policy": POLICY}
    if action == "UpdateAssumeRolePolicy":
        texts["PolicyDocument"] = TRUST
    for name, document in texts.items():
        fields[name] = json.dumps(damage(draw, document) if draw.random() < 0.3 else document)
    if action == "CreateRole":
        fields |= {"Tags.member.1.Key": "a", "Tags.member.1.Value": "b"}
    for name in draw.sample(list(fields)[1:], draw.randrange(3)):
        if draw.random() < 0.3:
            del fields[name]
        else:
            fields[name] = str(draw.choice(TEXTS))
    headers = {"authorization": SCOPE.format(REGION, service)}
    return Request("POST", "localhost", "/", headers=headers, body=urlencode(fields).encode())


def s3_request(draw):
    route = draw.choice(list(S3))
    words = route.split()
    method, (path, _, subresource) = words[0], words[1].partition("?")
    path = path.replace("Bucket", draw.choice(("rocks", "rocks", "rocks", "none"))).replace("Key", "k")
    if draw.random() < 0.2:
        path = (
            "/"
            + draw.choice(("rocks/", ""))
            + draw.choice(("%ff", "%00", "a" * 1100, "%F0%9F%98%80", "..", "%2e%2e/x"))
        )
    query = {subresource: ""} if subresource else {}
    if subresource == "list-type":
        query = {subresource: "2"}
    headers = {"authorization": SCOPE.format(REGION, "s3")}
    if len(words) == 3:
        headers[words[2]] = "/rocks/k"
    for source, target in ((QUERY, query), (HEADERS, headers)):
        for name in draw.sample(list(source), draw.randrange(3)):
            target[name] = source[name] if draw.random() < 0.5 else str(draw.choice(TEXTS))
    if "uploadId" in query or draw.random() < 0.3:
        query.update({name: str(draw.choice(TEXTS)) for name in query if draw.random() < 0.3})
    if draw.random() < 0.1:
        del headers["authorization"]
    body = draw.choice((XML[method], *MORE_XML, b"\xff<", b"<a>", b"<Delete><Object/></Delete>", b"<!DOCTYPE a>"))
    return Request(method, "localhost", path, query=query, headers=headers, body=body)


def other_request(draw):
    if draw.random() < 0.5:
        headers = {"authorization": SCOPE.format(REGION, "sagemaker"), "content-type": str(draw.choice(TEXTS))}
        headers |= {
            name: str(draw.choice(TEXTS))
            for name in ("accept", "x-amzn-sagemaker-target-variant")
            if draw.random() < 0.5
        }
        body = draw.choice((b"", b"\xff", b"1,2", b"{}"))
        return Request(
            "POST",
            "localhost",
            f"/endpoints/{draw.choice(('e', '%ff', '%00'))}/invocations",
            headers=headers,
            body=body,
        )
    headers = {"authorization": SCOPE.format(draw.choice((REGION, "..")), draw.choice(("sts", "ec2", "")))}
    body = draw.choice((b"Action=GetCallerIdentity", b"Action=\xff", b"%", b""))
    return Request(draw.choice(("GET", "POST", "PATCH")), "localhost", "/", headers=headers, body=body)


@pytest.mark.parametrize("seed", range(3))
def test_no_request_is_an_internal_failure(virtual, monkeypatch, seed):
    for jobs in (virtual.services.jobs, virtual.services.transforms, virtual.services.tunings):
        monkeypatch.setattr(jobs, "spawn", lambda _job: None)
    virtual.store.create_bucket("rocks", region=REGION)
    virtual.store.put("rocks", "k", [b"1,2\n"])
    virtual.logs.append(REGION, "/aws/sagemaker/TrainingJobs", "j/algo-1-1", lines=[(1.0, "loss 1")])
    draw = random.Random(seed)
    failures: Counter[bytes] = Counter()
    n_accepted = 0
    for _ in range(N_REQUESTS // 3):
        kinds = (json_request, s3_request, query_request, other_request)
        request = draw.choices(kinds, weights=(6, 5, 3, 1))[0](draw)
        response = virtual.handle(request)
        n_accepted += response.status < 300
        if response.status == 500:
            failures[response.body[:120]] += 1
    assert n_accepted > N_REQUESTS // 3 // 10
    log = virtual.directory / "emulator.log"
    assert not failures, f"{sum(failures.values())}: {failures}\n{log.read_text()[-2000:] if log.exists() else ''}"


def test_the_fuzzer_has_a_value_of_every_required_member():
    for service in (SAGEMAKER, LOGS, QUOTAS):
        for name in service.operations:
            assert {*MODEL.operation(service.name, name).input_shape.required_members} <= MEMBERS.keys()

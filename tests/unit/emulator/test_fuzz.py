"""Requests that no client would send are refused, never a 500: every operation's request with random damage."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from urllib.parse import urlencode

import pytest

from asteroid_ll.emulator.cloudwatch import service as cloudwatch
from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.logs.service import SERVICE as LOGS
from asteroid_ll.emulator.s3.operations import OPERATIONS as S3
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.servicequotas.service import SERVICE as QUOTAS
from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.transport.messages import Request
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.processing_container import CODE, ENTRYPOINT, local_path

N_REQUESTS = 12_000 if os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1" else 1_500
REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/r"
ARN = f"arn:aws:sagemaker:{REGION}:000000000000:model/m"
SCOPE = "AWS4-HMAC-SHA256 Credential=A/20260101/{}/{}/aws4_request, Signature=0"
CONTAINER = {"Image": image_uri(REGION), "ModelDataUrl": "s3://rocks/k"}
VARIANT = {
    "VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
    "InitialVariantWeight": 1.0,
}  # fmt: skip
SOURCE = {
    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://rocks/k", "S3DataDistributionType": "ShardedByS3Key"}
}
JOB = {
    "TrainingJobName": "j",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"},
    "HyperParameters": {"epochs": "1"},
    "Environment": {"A": "b"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": SOURCE, "ContentType": "text/csv"}],
    "OutputDataConfig": {"S3OutputPath": "s3://rocks/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "CheckpointConfig": {"S3Uri": "s3://rocks/ck"},
    "Tags": [{"Key": "a", "Value": "b"}],
}
TRANSFORM = {
    "TransformJobName": "t",
    "ModelName": "m",
    "MaxConcurrentTransforms": 1,
    "MaxPayloadInMB": 6,
    "BatchStrategy": "MultiRecord",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://rocks/k"}},
        "ContentType": "text/csv",
        "CompressionType": "None",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://rocks/out", "Accept": "application/json", "AssembleWith": "Line"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
    "Tags": JOB["Tags"],
}
PROCESSING = {
    "ProcessingJobName": "p",
    "RoleArn": ROLE,
    "AppSpecification": {
        "ImageUri": f"763104351884.dkr.ecr.{REGION}.amazonaws.com/pytorch-training:2",
        "ContainerEntrypoint": list(ENTRYPOINT),
    },
    "ProcessingInputs": [
        {
            "InputName": "code",
            "AppManaged": False,
            "S3Input": {
                "S3Uri": "s3://rocks/k", "LocalPath": local_path(CODE), "S3DataType": "S3Prefix", "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "o",
                "S3Output": {
                    "S3Uri": "s3://rocks/out", "LocalPath": "/opt/ml/processing/o", "S3UploadMode": "EndOfJob"
                },
            }
        ]
    },
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "Environment": {"A": "b"},
    "NetworkConfig": {"EnableNetworkIsolation": True},
    "Tags": JOB["Tags"],
}  # fmt: skip
TUNING = {
    "HyperParameterTuningJobName": "h",
    "HyperParameterTuningJobConfig": {
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
    },
    "TrainingJobDefinition": {
        **{name: JOB[name] for name in JOB if name not in ("TrainingJobName", "HyperParameters", "Tags")},
        "StaticHyperParameters": {"predictor_type": "regressor"},
    },
    "Tags": JOB["Tags"],
}
LISTING = {
    "MaxResults": 5, "NameContains": "m", "SortBy": "CreationTime", "SortOrder": "Ascending", "CreationTimeAfter": 1.5,
    "CreationTimeBefore": 2e9, "NextToken": "WyJNb2RlbHMiLCAxLjAsICJtIl0=",
}  # fmt: skip
CALLS = {
    "CreateTrainingJob": JOB,
    "DescribeTrainingJob": {"TrainingJobName": "j"},
    "UpdateTrainingJob": {"TrainingJobName": "j", "ResourceConfig": {"KeepAlivePeriodInSeconds": 60}},
    "StopTrainingJob": {"TrainingJobName": "j"},
    "DeleteTrainingJob": {"TrainingJobName": "j"},
    "ListTrainingJobs": {**LISTING, "StatusEquals": "Completed", "LastModifiedTimeAfter": 1},
    "CreateTransformJob": TRANSFORM,
    "DescribeTransformJob": {"TransformJobName": "t"},
    "StopTransformJob": {"TransformJobName": "t"},
    "ListTransformJobs": {**LISTING, "StatusEquals": "Completed", "LastModifiedTimeAfter": 1},
    "CreateProcessingJob": PROCESSING,
    "DescribeProcessingJob": {"ProcessingJobName": "p"},
    "StopProcessingJob": {"ProcessingJobName": "p"},
    "DeleteProcessingJob": {"ProcessingJobName": "p2"},
    "ListProcessingJobs": {**LISTING, "StatusEquals": "Completed", "LastModifiedTimeAfter": 1},
    "CreateHyperParameterTuningJob": TUNING,
    "DescribeHyperParameterTuningJob": {"HyperParameterTuningJobName": "h"},
    "StopHyperParameterTuningJob": {"HyperParameterTuningJobName": "h2"},
    "DeleteHyperParameterTuningJob": {"HyperParameterTuningJobName": "h"},
    "ListHyperParameterTuningJobs": {**LISTING, "StatusEquals": "Completed", "LastModifiedTimeAfter": 1},
    "ListTrainingJobsForHyperParameterTuningJob": {
        "HyperParameterTuningJobName": "h", "MaxResults": 5, "NextToken": "0", "StatusEquals": "Completed",
        "SortBy": "FinalObjectiveMetricValue", "SortOrder": "Ascending",
    },
    "CreateModel": {"ModelName": "m", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE, "Tags": JOB["Tags"]},
    "DescribeModel": {"ModelName": "m"},
    "DeleteModel": {"ModelName": "m2"},
    "ListModels": LISTING,
    "CreateEndpointConfig": {"EndpointConfigName": "c", "ProductionVariants": [VARIANT]},
    "DescribeEndpointConfig": {"EndpointConfigName": "c"},
    "DeleteEndpointConfig": {"EndpointConfigName": "c2"},
    "ListEndpointConfigs": LISTING,
    "CreateEndpoint": {"EndpointName": "e", "EndpointConfigName": "c"},
    "UpdateEndpoint": {"EndpointName": "e", "EndpointConfigName": "c"},
    "DescribeEndpoint": {"EndpointName": "e"},
    "DeleteEndpoint": {"EndpointName": "e"},
    "ListEndpoints": {**LISTING, "StatusEquals": "InService"},
    "AddTags": {"ResourceArn": ARN, "Tags": [{"Key": "a", "Value": "c"}]},
    "ListTags": {"ResourceArn": ARN, "MaxResults": 50, "NextToken": "0"},
    "DeleteTags": {"ResourceArn": ARN, "TagKeys": ["a"]},
}  # fmt: skip
GROUP = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
LOG_ARN = f"arn:aws:logs:{REGION}:000000000000:log-group:/aws/sagemaker/TrainingJobs"
LOG_CALLS = {
    "DescribeLogGroups": {"logGroupNamePrefix": "/aws", "limit": 5, "nextToken": "0"},
    "DescribeLogStreams": {**GROUP, "logStreamNamePrefix": "j", "descending": True, "limit": 5, "nextToken": "0"},
    "GetLogEvents": {
        **GROUP, "logStreamName": "j/algo-1-1", "startTime": 0, "endTime": 9, "limit": 5, "nextToken": "f/1/s",
    },
    "FilterLogEvents": {
        **GROUP, "logStreamNames": ["j/algo-1-1"], "filterPattern": "loss", "startTime": 0, "limit": 5,
        "nextToken": "f/1/s",
    },
    "DeleteLogGroup": {"logGroupName": "/other"},
    "DeleteLogStream": {**GROUP, "logStreamName": "other"},
    "TagResource": {"resourceArn": LOG_ARN, "tags": {"a": "b"}},
    "UntagResource": {"resourceArn": LOG_ARN, "tagKeys": ["a"]},
    "ListTagsForResource": {"resourceArn": LOG_ARN},
}  # fmt: skip
METRIC = {
    "Namespace": "/aws/sagemaker/TrainingJobs", "MetricName": "train:progress",
    "Dimensions": [{"Name": "TrainingJobName", "Value": "j"}],
}  # fmt: skip
TIMES = {"StartTime": 0, "EndTime": 60_000}
METRIC_CALLS = {
    "GetMetricData": {
        **TIMES, "MetricDataQueries": [{"Id": "q", "MetricStat": {"Metric": METRIC, "Period": 60, "Stat": "Sum"}}],
    },
    "GetMetricStatistics": {**METRIC, **TIMES, "Period": 60, "Statistics": ["Average"]},
    "ListMetrics": {**METRIC, "NextToken": "0"},
}  # fmt: skip
QUOTA = {"ServiceCode": "sagemaker", "QuotaCode": "L-611FA074"}
QUOTA_CALLS = {
    "GetServiceQuota": QUOTA,
    "ListServiceQuotas": {**QUOTA, "MaxResults": 5, "NextToken": "5"},
    "GetAWSDefaultServiceQuota": QUOTA,
    "ListAWSDefaultServiceQuotas": {"ServiceCode": "sagemaker", "MaxResults": 5, "NextToken": "5"},
    "RequestServiceQuotaIncrease": {**QUOTA, "DesiredValue": 2},
    "ListRequestedServiceQuotaChangeHistoryByQuota": {**QUOTA, "Status": "PENDING", "MaxResults": 5},
    "GetRequestedServiceQuotaChange": {"RequestId": "a1"},
}
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
    service, calls, prefix = draw.choice(
        (("sagemaker", CALLS, SAGEMAKER.target_prefix),) * 6
        + (("logs", LOG_CALLS, LOGS.target_prefix),) * 2
        + (("servicequotas", QUOTA_CALLS, QUOTAS.target_prefix),)
        + ((cloudwatch.SIGNED_FOR, METRIC_CALLS, cloudwatch.SERVICE.target_prefix),)
    )
    name = draw.choice(list(calls))
    params = calls[name]
    if draw.random() < 0.9:
        params = damage(draw, params)
    body = json.dumps(params).encode()
    if draw.random() < 0.05:
        body = draw.choice((b"[" * 100_000, body[:-1], b"\xff" + body, b"null", b"1" * 5000, b"{" + b'"a":{' * 5000))
    headers = {"authorization": SCOPE.format(REGION, service), "x-amz-target": prefix + name}
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
    virtual._log_store.append(REGION, "/aws/sagemaker/TrainingJobs", "j/algo-1-1", lines=[(1.0, "loss 1")])
    draw = random.Random(seed)
    failures: Counter[bytes] = Counter()
    for _ in range(N_REQUESTS // 3):
        kinds = (json_request, s3_request, query_request, other_request)
        request = draw.choices(kinds, weights=(6, 5, 3, 1))[0](draw)
        response = virtual.handle(request)
        if response.status == 500:
            failures[response.body[:120]] += 1
    log = virtual.directory / "emulator.log"
    assert not failures, f"{sum(failures.values())}: {failures}\n{log.read_text()[-2000:] if log.exists() else ''}"


def test_the_fuzzer_knows_every_operation():
    assert CALLS.keys() == SAGEMAKER.operations.keys()
    assert LOG_CALLS.keys() == LOGS.operations.keys()
    assert QUOTA_CALLS.keys() == QUOTAS.operations.keys()
    assert METRIC_CALLS.keys() == cloudwatch.SERVICE.operations.keys()
